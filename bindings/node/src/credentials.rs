//! Credentials, kept on the Rust side of the border.

use napi::Either;
use napi_derive::napi;
use preopen_ffi::preopen::{AngelOne, Samco, TotpSource};
use preopen_ffi::{Credentials, Tell};

use crate::ask::{Answerer, ask, source};
use crate::call::pairs;

/// SmartAPI's credentials with what the program tells: names and values in turn.
pub(crate) fn with_told<T: Tell>(credentials: T, told: Vec<String>) -> napi::Result<T> {
    // The names are those of `node/src/credentials.ts`: a wrong one is a bug there.
    preopen_ffi::told(credentials, pairs(told)).map_err(|error| napi::Error::from_reason(error.to_string()))
}

/// Credentials of one account; nothing reads them back.
#[napi]
#[derive(Debug)]
pub struct NativeCredentials {
    pub(crate) inner: Credentials,
}

#[napi]
impl NativeCredentials {
    /// Samco's direct login.
    #[napi(factory)]
    pub fn samco(api_key: String, api_secret: Either<String, Answerer<'_>>) -> napi::Result<Self> {
        let api_secret = source("api_secret", api_secret)?;
        Ok(Self {
            inner: Credentials::Samco(Samco::new(api_key, api_secret)),
        })
    }

    /// SmartAPI's direct login. `typed` tells that `totp` is asked for the six-digit code, not for the secret; `told` are
    /// names and values in turn, for the headers that tell of the machine.
    #[napi(factory)]
    pub fn angel_one(
        api_key: String,
        client_code: String,
        pin: Either<String, Answerer<'_>>,
        totp: Either<String, Answerer<'_>>,
        typed: bool,
        told: Vec<String>,
    ) -> napi::Result<Self> {
        let pin = source("pin", pin)?;
        let totp = match totp {
            Either::B(function) if typed => TotpSource::Typed(ask("totp", &function)?),
            secret => TotpSource::Secret(source("totp_secret", secret)?),
        };
        let angel_one = with_told(AngelOne::new(api_key, client_code, pin, totp), told)?;
        Ok(Self {
            inner: Credentials::AngelOne(angel_one),
        })
    }
}
