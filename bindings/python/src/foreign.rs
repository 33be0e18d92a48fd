//! Calls that another HTTP client of the program sends with the session's token.

use std::sync::Arc;

use preopen_ffi::preopen::{Result, Session};
use preopen_ffi::{ForeignCall as RustCall, SignedCall as RustSigned, raw_reply};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyNone};

use crate::convert::{pairs, text, text_value};
use crate::error::{exception, lift};
use crate::work::{Operation, Outcome, headers_dict};

/// A call that another HTTP client sends.
#[pyclass(frozen, module = "preopen._native")]
pub(crate) struct ForeignCall(pub(crate) Arc<RustCall>);

impl ForeignCall {
    pub(crate) fn of(session: &Session, method: &Bound<'_, PyAny>, url: &Bound<'_, PyAny>) -> Result<Self> {
        let call = session.foreign(&text(method, "method")?, &text(url, "url")?)?;
        Ok(Self(call))
    }
}

/// Signs a call; waits for a login if there must be one.
pub(crate) fn sign(call: &ForeignCall) -> Operation {
    let call = Arc::clone(&call.0);
    Operation::Future(Box::pin(async move { call.sign().await.map(Outcome::Signed) }))
}

#[pymethods]
impl ForeignCall {
    /// The call with the live session, if there is one.
    fn try_sign(&self, py: Python<'_>) -> PyResult<Option<SignedCall>> {
        let signed = lift(py, self.0.try_sign())?;
        Ok(signed.map(SignedCall))
    }

    fn __repr__(&self) -> String {
        format!("{:?}", self.0)
    }
}

/// A foreign call with the session that it is sent with.
#[pyclass(frozen, module = "preopen._native")]
pub(crate) struct SignedCall(pub(crate) RustSigned);

#[pymethods]
impl SignedCall {
    /// Every header of the call.
    fn headers<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        headers_dict(py, &self.0.headers())
    }

    /// Whether the body of a reply can tell anything about the session.
    #[staticmethod]
    fn is_telling(status: u16, content_type: Option<&str>) -> bool {
        RustSigned::is_telling(status, content_type)
    }

    /// Takes in a reply: whether to sign and send the call once more, and the error that the reply means, if any.
    fn answered<'py>(
        &self,
        py: Python<'py>,
        status: u16,
        headers: &Bound<'_, PyAny>,
        body: &Bound<'_, PyBytes>,
        sendable: bool,
    ) -> PyResult<(bool, Bound<'py, PyAny>)> {
        let headers = lift(py, pairs(headers, "headers", text_value))?;
        let headers = headers.iter().map(|(name, value)| (&**name, &**value));
        let raw = raw_reply(status, headers, body.as_bytes().to_vec());
        let answered = py.detach(|| self.0.answered(raw, sendable));
        let error = match &answered.error {
            Some(error) => exception(py, error)?,
            None => PyNone::get(py).to_owned().into_any(),
        };
        Ok((answered.repeat, error))
    }

    fn __repr__(&self) -> String {
        format!("{:?}", self.0)
    }
}
