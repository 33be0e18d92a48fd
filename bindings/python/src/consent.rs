//! Logins at the broker's page, login codes, and Samco's deprecated calls.

use std::sync::Arc;

use preopen_ffi::preopen::runtime::Asking;
use preopen_ffi::preopen::{
    LoginCode as RustLoginCode, LoginStart as RustLoginStart, Result, SamcoLegacyCalls as Calls, Secret,
    Session,
};
use preopen_ffi::{LoginSettings, LoginUnderWay};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDateTime, PyString};

use crate::convert::{flag, optional, seconds, text, utc};
use crate::error::lift;
use crate::gate::detached;
use crate::work::{Operation, Outcome, Work};

fn refuse_copy(what: &str) -> PyResult<()> {
    Err(PyTypeError::new_err(format!(
        "a {what} cannot be pickled or copied: it is a secret"
    )))
}

/// A login that was begun at the broker's page. ``repr``, ``str`` and ``format`` show no URL, and it
/// refuses to be pickled, copied or written as JSON: the URL holds the API key and the login's state.
#[pyclass(frozen, module = "preopen")]
pub(crate) struct LoginStart(pub(crate) RustLoginStart);

#[pymethods]
impl LoginStart {
    /// The page that a person must open. Give it to the person who logs in, and to nobody else: whoever
    /// has it can complete the login.
    #[getter]
    fn url<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
        PyString::new(py, self.0.url())
    }

    /// Until when `Session.complete_login` accepts its answer, 15 minutes: aware, in UTC.
    #[getter]
    fn expires_at<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDateTime>> {
        utc(py, self.0.expires_at)
    }

    fn __repr__(&self) -> String {
        format!("{:?}", self.0)
    }

    fn __format__(&self, _specification: &Bound<'_, PyAny>) -> String {
        format!("{:?}", self.0)
    }

    #[allow(clippy::unused_self, reason = "Python calls it on an instance")]
    fn __reduce_ex__(&self, _protocol: &Bound<'_, PyAny>) -> PyResult<()> {
        refuse_copy("LoginStart")
    }
}

/// A code for another login of the same account. Its text is shown by `expose` alone: ``repr``, ``str``
/// and ``format`` are redacted, and it refuses to be pickled, copied or written as JSON.
#[pyclass(frozen, module = "preopen")]
pub(crate) struct LoginCode(pub(crate) RustLoginCode);

#[pymethods]
impl LoginCode {
    /// The code itself: eight characters (documented).
    fn expose<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
        PyString::new(py, self.0.code.expose())
    }

    /// Until when it may be used, by the session's clock: aware, in UTC. Samco gives it two minutes
    /// (documented).
    #[getter]
    fn expires_at<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDateTime>> {
        utc(py, self.0.expires_at)
    }

    fn __repr__(&self) -> String {
        format!("{:?}", self.0)
    }

    fn __format__(&self, _specification: &Bound<'_, PyAny>) -> String {
        format!("{:?}", self.0)
    }

    #[allow(clippy::unused_self, reason = "Python calls it on an instance")]
    fn __reduce_ex__(&self, _protocol: &Bound<'_, PyAny>) -> PyResult<()> {
        refuse_copy("LoginCode")
    }
}

/// A login that is under way in the background.
#[pyclass(frozen, module = "preopen._native")]
pub(crate) struct Login(Arc<LoginUnderWay>);

impl Login {
    pub(crate) fn start(
        py: Python<'_>,
        session: &Session,
        open_browser: &Bound<'_, PyAny>,
        timeout: &Bound<'_, PyAny>,
        shows: bool,
        asking: Option<Asking>,
    ) -> PyResult<Self> {
        let start = || -> Result<_> {
            let settings = LoginSettings {
                open_browser: Some(flag(open_browser, "open_browser")?),
                timeout: Some(seconds(timeout, "timeout")?),
                shows,
            };
            LoginUnderWay::start(session, settings, asking.unwrap_or_default())
        };
        lift(py, start()).map(|login| Self(Arc::new(login)))
    }
}

#[pymethods]
impl Login {
    /// Waits for what is to be shown; `None` when the login ended before.
    fn started(&self) -> Work {
        let login = Arc::clone(&self.0);
        let started = async move {
            let start = login.started().await?;
            Ok(start.map_or(Outcome::Nothing, Outcome::LoginStart))
        };
        Work::new(Operation::Future(Box::pin(started)), None)
    }

    /// Waits for its end.
    fn outcome(&self) -> Work {
        let login = Arc::clone(&self.0);
        let outcome = async move { login.outcome().await.map(|()| Outcome::Nothing) };
        Work::new(Operation::Future(Box::pin(outcome)), None)
    }

    /// Gives it up, if it is not over; its port is free when this returns.
    fn close(&self, py: Python<'_>) {
        let ((), _pass) = detached(py, || self.0.close());
    }
}

/// `begin_login`.
pub(crate) fn begin(session: Session) -> Operation {
    Operation::Future(Box::pin(async move {
        session.begin_login().await.map(Outcome::LoginStart)
    }))
}

/// `complete_login`.
pub(crate) fn complete(session: Session, address: &Bound<'_, PyAny>) -> Result<Operation> {
    let address = Secret::new(text(address, "url")?);
    Ok(Operation::Future(Box::pin(async move {
        session.complete_login(address.expose()).await?;
        Ok(Outcome::Nothing)
    })))
}

/// `web_login_code`.
pub(crate) fn web_code(session: Session) -> Operation {
    Operation::Future(Box::pin(async move {
        session.web_login_code().await.map(Outcome::LoginCode)
    }))
}

/// Samco's deprecated calls. See `preopen.SamcoLegacyCalls`.
#[pyclass(frozen, module = "preopen._native")]
pub(crate) struct SamcoLegacyCalls(Calls);

impl SamcoLegacyCalls {
    #[allow(deprecated, reason = "preopen.SamcoLegacyCalls warns")]
    pub(crate) fn of(session: &Session) -> Result<Self> {
        session.samco_legacy().map(Self)
    }

    fn work(&self, call: impl FnOnce(Calls) -> Reply + Send + 'static) -> Work {
        let calls = self.0.clone();
        let done = async move { call(calls).await.map(Outcome::Reply) };
        Work::new(Operation::Future(Box::pin(done)), None)
    }
}

type Reply = std::pin::Pin<Box<dyn Future<Output = Result<preopen_ffi::preopen::Reply>> + Send>>;

#[pymethods]
#[allow(deprecated, reason = "preopen.SamcoLegacyCalls warns")]
impl SamcoLegacyCalls {
    /// Has a one-time code sent.
    fn generate_otp(&self) -> Work {
        self.work(|calls| Box::pin(async move { calls.generate_otp().await }))
    }

    /// Has the secret API key mailed.
    fn generate_secret_key(&self, py: Python<'_>, otp: &Bound<'_, PyAny>) -> PyResult<Work> {
        let otp = Secret::new(lift(py, text(otp, "otp"))?);
        Ok(self.work(|calls| Box::pin(async move { calls.generate_secret_key(otp).await })))
    }

    /// Registers the addresses.
    fn register_ips(
        &self,
        py: Python<'_>,
        primary: &Bound<'_, PyAny>,
        secondary: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Work> {
        let (primary, secondary) = lift(py, addresses(primary, secondary))?;
        Ok(self
            .work(|calls| Box::pin(async move { calls.register_ips(&primary, secondary.as_deref()).await })))
    }

    /// Changes the addresses.
    fn update_ips(
        &self,
        py: Python<'_>,
        primary: &Bound<'_, PyAny>,
        secondary: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Work> {
        let (primary, secondary) = lift(py, addresses(primary, secondary))?;
        Ok(
            self.work(|calls| {
                Box::pin(async move { calls.update_ips(&primary, secondary.as_deref()).await })
            }),
        )
    }
}

fn addresses(
    primary: &Bound<'_, PyAny>,
    secondary: Option<&Bound<'_, PyAny>>,
) -> Result<(String, Option<String>)> {
    Ok((text(primary, "primary")?, optional(secondary, "secondary", text)?))
}
