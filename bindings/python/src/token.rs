//! A live access token: the text stays in Rust until it is asked for by name.

use preopen_ffi::preopen::Token as RustToken;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDateTime, PyString};

use crate::convert::utc;

/// A live access token. Its text is shown by `expose` alone: ``repr``, ``str`` and ``format`` are
/// redacted, and it refuses to be pickled, copied or written as JSON.
#[pyclass(frozen, module = "preopen")]
pub(crate) struct Token(pub(crate) RustToken);

#[pymethods]
impl Token {
    /// The token itself, for a header that you build on your own.
    fn expose<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
        PyString::new(py, self.0.expose())
    }

    /// When the token ends, at the latest: aware, in UTC.
    #[getter]
    fn expires_at<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDateTime>> {
        utc(py, self.0.expires_at())
    }

    /// The number of the login that the token came from, from 1; give it to `Session.invalidate`.
    #[getter]
    fn generation(&self) -> u64 {
        self.0.generation()
    }

    fn __repr__(&self) -> String {
        format!("{:?}", self.0)
    }

    fn __format__(&self, _specification: &Bound<'_, PyAny>) -> String {
        format!("{:?}", self.0)
    }

    #[allow(clippy::unused_self, reason = "Python calls it on an instance")]
    fn __reduce_ex__(&self, _protocol: &Bound<'_, PyAny>) -> PyResult<()> {
        Err(PyTypeError::new_err(
            "a Token cannot be pickled or copied: it is a secret",
        ))
    }
}
