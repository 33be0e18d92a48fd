//! Credentials of the further ways to log in: OAuth, the deprecated login, login codes, the publisher login.

use preopen_ffi::preopen::{
    AngelOnePublisher, Error, Result, SamcoLegacy, SamcoLoginCode, SamcoOAuth, Secret,
};
use preopen_ffi::{Credentials as Flat, told};
use pyo3::prelude::*;

use crate::convert::{flag, optional, text};
use crate::credentials::{Part, required};
use crate::prompt::ask_of;

/// Those that have a part to ask for.
pub(crate) enum Asking {
    SamcoLegacy {
        user_id: String,
        password: Part,
        secret_api_key: Part,
        year_of_birth: Option<String>,
    },
    SamcoLoginCode {
        account: String,
    },
}

impl Asking {
    /// Samco's deprecated login.
    pub(crate) fn samco_legacy(
        user_id: &Bound<'_, PyAny>,
        password: &Bound<'_, PyAny>,
        secret_api_key: &Bound<'_, PyAny>,
        year_of_birth: Option<&Bound<'_, PyAny>>,
    ) -> Result<Self> {
        Ok(Self::SamcoLegacy {
            user_id: text(user_id, "user_id")?,
            password: Part::read(password, "password")?,
            secret_api_key: Part::read(secret_api_key, "secret_api_key")?,
            year_of_birth: optional(year_of_birth, "year_of_birth", text)?,
        })
    }

    /// Samco's login with a code of another session.
    pub(crate) fn samco_login_code(account: &Bound<'_, PyAny>, code: &Bound<'_, PyAny>) -> Result<Self> {
        let account = text(account, "account")?;
        if code.is_callable() {
            return Ok(Self::SamcoLoginCode { account });
        }
        Err(Error::invalid_input(
            "code",
            "must be a callable that gives a code of the moment: it lives two minutes",
        ))
    }

    /// Whether a login has to ask.
    pub(crate) fn asks(&self) -> bool {
        match self {
            Self::SamcoLegacy {
                password,
                secret_api_key,
                ..
            } => [password, secret_api_key]
                .iter()
                .any(|part| matches!(part, Part::Asked)),
            Self::SamcoLoginCode { .. } => true,
        }
    }

    /// The credentials of one session.
    pub(crate) fn complete(&self, callbacks: Option<&Bound<'_, PyAny>>) -> PyResult<Flat> {
        Ok(match self {
            Self::SamcoLegacy {
                user_id,
                password,
                secret_api_key,
                year_of_birth,
            } => {
                let password = password.source(callbacks, "password")?;
                let key = secret_api_key.source(callbacks, "secret_api_key")?;
                #[allow(deprecated, reason = "preopen.SamcoLegacy warns")]
                let samco = SamcoLegacy::new(user_id.clone(), password, key);
                Flat::SamcoLegacy(match year_of_birth {
                    Some(year) => samco.year_of_birth(year.clone()),
                    None => samco,
                })
            }
            Self::SamcoLoginCode { account } => {
                let code = ask_of(required(callbacks)?, "code")?;
                Flat::SamcoLoginCode(SamcoLoginCode::new(account.clone(), code))
            }
        })
    }
}

/// Samco's OAuth login.
pub(crate) fn samco_oauth(api_key: &Bound<'_, PyAny>, redirect_url: &Bound<'_, PyAny>) -> Result<Flat> {
    let api_key = Secret::new(text(api_key, "api_key")?);
    let redirect_url = text(redirect_url, "redirect_url")?;
    Ok(Flat::SamcoOAuth(SamcoOAuth::new(api_key, redirect_url)))
}

/// SmartAPI's publisher login.
pub(crate) fn angel_one_publisher(
    api_key: &Bound<'_, PyAny>,
    client_code: &Bound<'_, PyAny>,
    redirect_url: Option<&Bound<'_, PyAny>>,
    trust_missing_state: &Bound<'_, PyAny>,
    about: Vec<(String, String)>,
) -> Result<Flat> {
    let api_key = Secret::new(text(api_key, "api_key")?);
    let app = AngelOnePublisher::new(api_key, text(client_code, "client_code")?)
        .trust_missing_state(flag(trust_missing_state, "trust_missing_state")?);
    let app = told(app, about)?;
    Ok(Flat::AngelOnePublisher(
        match optional(redirect_url, "redirect_url", text)? {
            Some(url) => app.redirect_url(url),
            None => app,
        },
    ))
}
