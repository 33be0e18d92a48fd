//! Rust's errors as the exceptions of `preopen.errors`, which are plain Python classes.

use preopen_ffi::ErrorInfo;
use preopen_ffi::preopen::{Error, Result};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use crate::convert::flat;

/// `preopen.errors.from_info`, which knows the class of every code.
static FROM_INFO: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// The exception to raise for `error`.
pub(crate) fn raised(py: Python<'_>, error: &Error) -> PyErr {
    exception(py, error).map_or_else(
        |failure| {
            let raised = PyRuntimeError::new_err(error.to_string());
            raised.set_cause(py, Some(failure));
            raised
        },
        PyErr::from_value,
    )
}

/// The exception object of `error`.
pub(crate) fn exception<'py>(py: Python<'py>, error: &Error) -> PyResult<Bound<'py, PyAny>> {
    from_info(py)?.call1((flat(py, &ErrorInfo::from(error))?,))
}

/// What makes exceptions, kept from the first time on.
pub(crate) fn from_info(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    FROM_INFO.import(py, "preopen.errors", "from_info")
}

/// A Rust result as a Python one.
pub(crate) fn lift<T>(py: Python<'_>, result: Result<T>) -> PyResult<T> {
    result.map_err(|error| raised(py, &error))
}
