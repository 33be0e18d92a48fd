//! Credentials, kept in Rust: Python cannot read them back.

use preopen_ffi::Credentials as Flat;
use preopen_ffi::preopen::{AngelOne, Samco};
use pyo3::prelude::*;

use crate::convert::text;
use crate::error::raised;

/// Credentials of one broker.
#[pyclass(frozen, module = "preopen._native")]
pub(crate) struct Credentials(pub(crate) Flat);

#[pymethods]
impl Credentials {
    #[staticmethod]
    fn samco(py: Python<'_>, api_key: &Bound<'_, PyAny>, api_secret: &Bound<'_, PyAny>) -> PyResult<Self> {
        let make = || {
            Ok(Samco::new(
                text(api_key, "api_key")?,
                text(api_secret, "api_secret")?,
            ))
        };
        make()
            .map(|samco| Self(Flat::Samco(samco)))
            .map_err(|error| raised(py, &error))
    }

    #[staticmethod]
    fn angel_one(
        py: Python<'_>,
        api_key: &Bound<'_, PyAny>,
        client_code: &Bound<'_, PyAny>,
        pin: &Bound<'_, PyAny>,
        totp_secret: &Bound<'_, PyAny>,
    ) -> PyResult<Self> {
        let make = || {
            Ok(AngelOne::new(
                text(api_key, "api_key")?,
                text(client_code, "client_code")?,
                text(pin, "pin")?,
                text(totp_secret, "totp_secret")?,
            ))
        };
        make()
            .map(|angel_one| Self(Flat::AngelOne(angel_one)))
            .map_err(|error| raised(py, &error))
    }

    #[staticmethod]
    fn from_env(py: Python<'_>, broker: &str) -> PyResult<Self> {
        Flat::from_env(broker)
            .map(Self)
            .map_err(|error| raised(py, &error))
    }
}
