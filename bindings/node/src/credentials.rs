//! Credentials, kept on the Rust side of the border.

use napi_derive::napi;
use preopen_ffi::Credentials;
use preopen_ffi::preopen::{AngelOne, Samco};

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
    pub fn samco(api_key: String, api_secret: String) -> Self {
        Self {
            inner: Credentials::Samco(Samco::new(api_key, api_secret)),
        }
    }

    /// SmartAPI's direct login.
    #[napi(factory)]
    pub fn angel_one(api_key: String, client_code: String, pin: String, totp_secret: String) -> Self {
        Self {
            inner: Credentials::AngelOne(AngelOne::new(api_key, client_code, pin, totp_secret)),
        }
    }
}
