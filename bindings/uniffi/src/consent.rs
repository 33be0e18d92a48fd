//! Logins at the broker's page, login codes, and Samco's deprecated calls.

use std::time::SystemTime;

use preopen_ffi::preopen::{
    LoginCode as RustCode, LoginStart as RustStart, SamcoLegacyCalls as Calls, Secret,
};

use crate::clock::system_time;
use crate::error::PreopenError;
use crate::records::Reply;
use crate::waiting::{background, block};

/// A login that was begun. Its address is a secret: it holds the state.
#[derive(uniffi::Object)]
pub struct LoginStart(pub(crate) RustStart);

#[uniffi::export]
impl LoginStart {
    /// The page that a person must open.
    pub fn url(&self) -> String {
        self.0.url().to_owned()
    }

    /// Until when it may be completed.
    pub fn expires_at(&self) -> SystemTime {
        system_time(self.0.expires_at)
    }
}

/// A code for another login.
#[derive(uniffi::Object)]
pub struct LoginCode(pub(crate) RustCode);

#[uniffi::export]
impl LoginCode {
    /// The code itself.
    pub fn expose(&self) -> String {
        self.0.code.expose().to_owned()
    }

    /// Until when it may be used.
    pub fn expires_at(&self) -> SystemTime {
        system_time(self.0.expires_at)
    }
}

/// Samco's deprecated calls; those that end in `_blocking` block the thread.
#[derive(uniffi::Object)]
pub struct SamcoLegacyCalls(pub(crate) Calls);

macro_rules! legacy {
    ($(
        $(#[doc = $doc:literal])+
        fn $name:ident, $blocking:ident(&$calls:ident $(, $argument:ident: $type:ty)*) $body:block
    )+) => {
        #[uniffi::export]
        #[allow(deprecated, reason = "the documentation says so")]
        impl SamcoLegacyCalls {
            $(
                $(#[doc = $doc])+
                pub async fn $name(&self $(, $argument: $type)*) -> Result<Reply, PreopenError> {
                    let $calls = self.0.clone();
                    background(async move { $body.map(Reply::from) }).await
                }

                $(#[doc = $doc])+
                pub fn $blocking(&self $(, $argument: $type)*) -> Result<Reply, PreopenError> {
                    let $calls = self.0.clone();
                    block(async move { $body.map(Reply::from) })
                }
            )+
        }
    };
}

legacy! {
    /// Has a one-time code sent.
    fn generate_otp, generate_otp_blocking(&calls) { calls.generate_otp().await }

    /// Has the secret API key mailed.
    fn generate_secret_key, generate_secret_key_blocking(&calls, otp: String) {
        calls.generate_secret_key(Secret::new(otp)).await
    }

    /// Registers the addresses.
    fn register_ips, register_ips_blocking(&calls, primary: String, secondary: Option<String>) {
        calls.register_ips(&primary, secondary.as_deref()).await
    }

    /// Changes the addresses.
    fn update_ips, update_ips_blocking(&calls, primary: String, secondary: Option<String>) {
        calls.update_ips(&primary, secondary.as_deref()).await
    }
}
