//! What blocks of the documentation name in place of `preopen`: the same, but that a session belongs to the embedded broker
//! of the test, and credentials from the environment are those of its accounts.
#![allow(
    clippy::missing_errors_doc,
    clippy::must_use_candidate,
    clippy::new_ret_no_self,
    reason = "it stands in for a documented crate, and for tests only"
)]

use std::cell::RefCell;

pub use preopen::*;

/// What a test knows of its broker.
#[derive(Clone, Debug)]
pub struct Broker {
    /// Where it is.
    pub url: String,
    /// Samco's key and secret.
    pub samco: [String; 2],
    /// SmartAPI's key, client code, PIN and TOTP secret.
    pub angel_one: [String; 4],
}

thread_local! {
    static BROKER: RefCell<Option<Broker>> = const { RefCell::new(None) };
}

/// Names the broker of this thread's test.
pub fn stand_in(broker: Broker) {
    BROKER.with(|cell| *cell.borrow_mut() = Some(broker));
}

fn with<T>(read: impl FnOnce(&Broker) -> T) -> Result<T> {
    let read = BROKER.with(|cell| cell.borrow().as_ref().map(read));
    read.ok_or_else(|| Error::new(ErrorKind::Internal, "no broker was named on this thread"))
}

/// Makes builders of sessions at the embedded broker.
#[derive(Debug)]
pub struct Session;

impl Session {
    /// As `preopen::Session::builder`.
    pub fn builder(credentials: impl core::broker::Adapter + 'static) -> SessionBuilder {
        let builder = preopen::Session::builder(credentials);
        match with(|broker| broker.url.clone()) {
            Ok(url) => builder.base_url(url),
            Err(_) => builder,
        }
    }
}

/// Credentials of Samco.
#[derive(Debug)]
pub struct Samco;

impl Samco {
    /// Those of the embedded broker's account.
    pub fn from_env() -> Result<preopen::Samco> {
        with(|broker| {
            let [key, secret] = broker.samco.clone();
            preopen::Samco::new(key, secret)
        })
    }

    /// As `preopen::Samco::new`.
    pub fn new(key: impl Into<Secret>, secret: impl Into<SecretSource>) -> preopen::Samco {
        preopen::Samco::new(key, secret)
    }
}

/// Credentials of SmartAPI.
#[derive(Debug)]
pub struct AngelOne;

impl AngelOne {
    /// Those of the embedded broker's account.
    pub fn from_env() -> Result<preopen::AngelOne> {
        with(|broker| {
            let [key, code, pin, totp] = broker.angel_one.clone();
            preopen::AngelOne::new(key, code, pin, totp)
        })
    }

    /// As `preopen::AngelOne::new`.
    pub fn new(
        key: impl Into<Secret>,
        code: impl Into<String>,
        pin: impl Into<SecretSource>,
        totp: impl Into<TotpSource>,
    ) -> preopen::AngelOne {
        preopen::AngelOne::new(key, code, pin, totp)
    }
}
