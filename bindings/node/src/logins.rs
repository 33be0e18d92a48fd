//! Credentials of the further ways to log in: OAuth, the deprecated login, login codes, the publisher login.

use napi::Either;
use napi_derive::napi;
use preopen_ffi::Credentials;
use preopen_ffi::preopen::{AngelOnePublisher, SamcoLegacy, SamcoLoginCode, SamcoOAuth};

use crate::ask::{Answerer, ask, source};
use crate::credentials::{NativeCredentials, with_told};

#[napi]
impl NativeCredentials {
    /// Samco's OAuth login.
    #[napi(factory)]
    pub fn samco_oauth(api_key: String, redirect_url: String) -> Self {
        Self {
            inner: Credentials::SamcoOAuth(SamcoOAuth::new(api_key, redirect_url)),
        }
    }

    /// Samco's deprecated login.
    #[napi(factory)]
    pub fn samco_legacy(
        user_id: String,
        password: Either<String, Answerer<'_>>,
        secret_api_key: Either<String, Answerer<'_>>,
        year_of_birth: Option<String>,
    ) -> napi::Result<Self> {
        let password = source("password", password)?;
        let secret_api_key = source("secret_api_key", secret_api_key)?;
        #[allow(deprecated, reason = "the TypeScript around it is tagged")]
        let samco = SamcoLegacy::new(user_id, password, secret_api_key);
        Ok(Self {
            inner: Credentials::SamcoLegacy(match year_of_birth {
                Some(year) => samco.year_of_birth(year),
                None => samco,
            }),
        })
    }

    /// Samco's login with a code of another session.
    #[napi(factory)]
    pub fn samco_login_code(account: String, code: Answerer<'_>) -> napi::Result<Self> {
        let code = ask("code", &code)?;
        Ok(Self {
            inner: Credentials::SamcoLoginCode(SamcoLoginCode::new(account, code)),
        })
    }

    /// SmartAPI's publisher login; `told` as in `angel_one`.
    #[napi(factory)]
    pub fn angel_one_publisher(
        api_key: String,
        client_code: String,
        redirect_url: Option<String>,
        trust_missing_state: bool,
        told: Vec<String>,
    ) -> napi::Result<Self> {
        let app = AngelOnePublisher::new(api_key, client_code).trust_missing_state(trust_missing_state);
        let app = with_told(app, told)?;
        Ok(Self {
            inner: Credentials::AngelOnePublisher(match redirect_url {
                Some(url) => app.redirect_url(url),
                None => app,
            }),
        })
    }
}
