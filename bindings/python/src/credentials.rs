//! Credentials, kept in Rust: Python cannot read them back. A secret that is asked for is a callback of the session.

use preopen_ffi::preopen::{AngelOne, Error, Result, Samco, Secret, SecretSource, TotpSource};
use preopen_ffi::{Credentials as Flat, told};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::convert::{text, text_value};
use crate::error::lift;
use crate::logins;
use crate::prompt::ask_of;

/// Credentials of one broker.
#[pyclass(frozen, module = "preopen._native")]
pub(crate) struct Credentials(Known);

/// What is known of them before a session asks for the rest.
enum Known {
    All(Flat),
    Samco {
        api_key: Secret,
        api_secret: Part,
    },
    AngelOne {
        api_key: Secret,
        client_code: String,
        pin: Part,
        totp: Totp,
        told: Vec<(String, String)>,
    },
    Other(logins::Asking),
}

/// A secret that was given, or a callable that is asked.
#[derive(Clone)]
pub(crate) enum Part {
    Given(Secret),
    Asked,
}

#[derive(Clone)]
enum Totp {
    Secret(Part),
    Typed,
}

impl Part {
    pub(crate) fn read(value: &Bound<'_, PyAny>, field: &str) -> Result<Self> {
        match text_value(value) {
            Ok(secret) => Ok(Self::Given(Secret::new(secret))),
            Err(_) if value.is_callable() => Ok(Self::Asked),
            Err(problem) => Err(Error::invalid_input(field, &format!("{problem} (or a callable)"))),
        }
    }

    pub(crate) fn source(
        &self,
        callbacks: Option<&Bound<'_, PyAny>>,
        field: &'static str,
    ) -> PyResult<SecretSource> {
        match self {
            Self::Given(secret) => Ok(SecretSource::Given(secret.clone())),
            Self::Asked => Ok(SecretSource::Asked(ask_of(required(callbacks)?, field)?)),
        }
    }
}

impl Totp {
    fn read(secret: Option<&Bound<'_, PyAny>>, typed: Option<&Bound<'_, PyAny>>) -> Result<Self> {
        match (secret, typed) {
            (Some(secret), None) => Part::read(secret, "totp_secret").map(Self::Secret),
            (None, Some(typed)) if typed.is_callable() => Ok(Self::Typed),
            (None, Some(_)) => Err(Error::invalid_input(
                "totp",
                "must be a callable that gives the six-digit code of the moment",
            )),
            (None, None) => Err(Error::invalid_input(
                "totp_secret",
                "is missing: give it, or totp",
            )),
            (Some(_), Some(_)) => Err(Error::invalid_input(
                "totp",
                "is given beside totp_secret: one of them makes the codes",
            )),
        }
    }

    fn source(&self, callbacks: Option<&Bound<'_, PyAny>>) -> PyResult<TotpSource> {
        match self {
            Self::Secret(part) => part.source(callbacks, "totp_secret").map(TotpSource::Secret),
            Self::Typed => Ok(TotpSource::Typed(ask_of(required(callbacks)?, "totp")?)),
        }
    }
}

pub(crate) fn required<'a, 'py>(callbacks: Option<&'a Bound<'py, PyAny>>) -> PyResult<&'a Bound<'py, PyAny>> {
    callbacks.ok_or_else(|| PyTypeError::new_err("callbacks are missing"))
}

/// Names and texts, without those that are `None`.
fn pairs(told: &Bound<'_, PyDict>) -> Result<Vec<(String, String)>> {
    let given = told.iter().filter(|(_, value)| !value.is_none());
    given
        .map(|(name, value)| {
            let name = text(&name, "credentials")?;
            let value = text(&value, &name)?;
            Ok((name, value))
        })
        .collect()
}

impl Credentials {
    /// Whether a login has to ask for a part of them.
    pub(crate) fn asks(&self) -> bool {
        match &self.0 {
            Known::All(_) => false,
            Known::Samco { api_secret, .. } => matches!(api_secret, Part::Asked),
            Known::AngelOne { pin, totp, .. } => {
                let secret = matches!(totp, Totp::Secret(Part::Given(_)));
                matches!(pin, Part::Asked) || !secret
            }
            Known::Other(other) => other.asks(),
        }
    }

    /// The credentials of one session, whose callbacks are called for what is not known.
    pub(crate) fn complete(&self, py: Python<'_>, callbacks: Option<&Bound<'_, PyAny>>) -> PyResult<Flat> {
        Ok(match &self.0 {
            Known::All(flat) => flat.clone(),
            Known::Samco { api_key, api_secret } => Flat::Samco(Samco::new(
                api_key.clone(),
                api_secret.source(callbacks, "api_secret")?,
            )),
            Known::AngelOne {
                api_key,
                client_code,
                pin,
                totp,
                told: what,
            } => {
                let (pin, totp) = (pin.source(callbacks, "pin")?, totp.source(callbacks)?);
                let angel_one = AngelOne::new(api_key.clone(), client_code.clone(), pin, totp);
                Flat::AngelOne(lift(py, told(angel_one, what.iter().cloned()))?)
            }
            Known::Other(other) => other.complete(callbacks)?,
        })
    }
}

#[pymethods]
impl Credentials {
    #[staticmethod]
    fn samco(py: Python<'_>, api_key: &Bound<'_, PyAny>, api_secret: &Bound<'_, PyAny>) -> PyResult<Self> {
        let make = || {
            Ok(Known::Samco {
                api_key: Secret::new(text(api_key, "api_key")?),
                api_secret: Part::read(api_secret, "api_secret")?,
            })
        };
        lift(py, make()).map(Self)
    }

    #[staticmethod]
    #[pyo3(signature = (api_key, client_code, pin, totp_secret, totp, told))]
    #[allow(clippy::too_many_arguments, reason = "one per credential")]
    fn angel_one(
        py: Python<'_>,
        api_key: &Bound<'_, PyAny>,
        client_code: &Bound<'_, PyAny>,
        pin: &Bound<'_, PyAny>,
        totp_secret: Option<&Bound<'_, PyAny>>,
        totp: Option<&Bound<'_, PyAny>>,
        told: &Bound<'_, PyDict>,
    ) -> PyResult<Self> {
        let make = || {
            Ok(Known::AngelOne {
                api_key: Secret::new(text(api_key, "api_key")?),
                client_code: text(client_code, "client_code")?,
                pin: Part::read(pin, "pin")?,
                totp: Totp::read(totp_secret, totp)?,
                told: pairs(told)?,
            })
        };
        lift(py, make()).map(Self)
    }

    #[staticmethod]
    fn samco_oauth(
        py: Python<'_>,
        api_key: &Bound<'_, PyAny>,
        redirect_url: &Bound<'_, PyAny>,
    ) -> PyResult<Self> {
        lift(py, logins::samco_oauth(api_key, redirect_url)).map(|flat| Self(Known::All(flat)))
    }

    #[staticmethod]
    #[pyo3(signature = (user_id, password, secret_api_key, year_of_birth))]
    fn samco_legacy(
        py: Python<'_>,
        user_id: &Bound<'_, PyAny>,
        password: &Bound<'_, PyAny>,
        secret_api_key: &Bound<'_, PyAny>,
        year_of_birth: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let made = logins::Asking::samco_legacy(user_id, password, secret_api_key, year_of_birth);
        lift(py, made).map(|asking| Self(Known::Other(asking)))
    }

    #[staticmethod]
    fn samco_login_code(
        py: Python<'_>,
        account: &Bound<'_, PyAny>,
        code: &Bound<'_, PyAny>,
    ) -> PyResult<Self> {
        let made = logins::Asking::samco_login_code(account, code);
        lift(py, made).map(|asking| Self(Known::Other(asking)))
    }

    #[staticmethod]
    #[pyo3(signature = (api_key, client_code, redirect_url, trust_missing_state, told))]
    fn angel_one_publisher(
        py: Python<'_>,
        api_key: &Bound<'_, PyAny>,
        client_code: &Bound<'_, PyAny>,
        redirect_url: Option<&Bound<'_, PyAny>>,
        trust_missing_state: &Bound<'_, PyAny>,
        told: &Bound<'_, PyDict>,
    ) -> PyResult<Self> {
        let made = pairs(told).and_then(|told| {
            logins::angel_one_publisher(api_key, client_code, redirect_url, trust_missing_state, told)
        });
        lift(py, made).map(|flat| Self(Known::All(flat)))
    }

    #[staticmethod]
    fn from_env(py: Python<'_>, broker: &str) -> PyResult<Self> {
        lift(py, Flat::from_env(broker)).map(|flat| Self(Known::All(flat)))
    }
}
