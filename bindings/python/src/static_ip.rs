//! The rule on changes of static IPs.

use preopen_ffi::{check_static_ip, may_change_static_ip};
use pyo3::prelude::*;

use crate::convert::text;
use crate::error::lift;
use crate::json::json;

/// Whether a static IP may be changed; `asked` is JSON text.
#[pyfunction]
pub(crate) fn static_ip_may_change<'py>(py: Python<'py>, asked: &str) -> PyResult<Bound<'py, PyAny>> {
    let answer = lift(py, may_change_static_ip(asked))?;
    json(py, &answer)
}

/// A public IPv4 address in its usual form.
#[pyfunction]
pub(crate) fn static_ip_check(py: Python<'_>, address: &Bound<'_, PyAny>) -> PyResult<String> {
    lift(
        py,
        text(address, "address").and_then(|address| check_static_ip(&address)),
    )
}
