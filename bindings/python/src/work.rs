//! A call that waits: made once, then waited for by a thread or started for an event loop.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use preopen_ffi::preopen::runtime::Asking;
use preopen_ffi::preopen::{
    Call, Headers, LoginCode as RustLoginCode, LoginStart as RustLoginStart, Reply, Result, SealKey, Secret,
    Session, Token as RustToken,
};
use preopen_ffi::runtime::{self, Look, SIGNAL_INTERVAL};
use preopen_ffi::{
    ForeignStore, Listener, LogoutInfo, PreflightInfo, ProfileInfo, RejectionInfo, SignedCall as RustSigned,
    WhoAmIInfo, check_store,
};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyNone, PyString};

use crate::completions::Completions;
use crate::consent::{LoginCode, LoginStart};
use crate::convert::{flat, utc};
use crate::error::lift;
use crate::foreign::SignedCall;
use crate::gate::{attached, detached, is_main_thread};
use crate::json::data;
use crate::live::Live;
use crate::token::Token;

/// What to do.
pub(crate) enum Operation {
    Token(Session),
    Headers(Session),
    StreamHeaders(Session, Option<String>),
    FeedToken(Session),
    WhoAmI(Session),
    /// Strictly, if so.
    Preflight(Session, bool),
    Profile(Session),
    /// And what of its token is kept.
    Logout(Session, Live),
    Call(Box<Call>),
    Export(Session, SealKey),
    ExportExposed(Session),
    NextEvent(Arc<Listener>),
    CheckStore(ForeignStore),
    /// What a room of its own made.
    Future(Running),
}

/// What came of it.
pub(crate) enum Outcome {
    Token(RustToken),
    Headers(Headers),
    WhoAmI(WhoAmIInfo),
    Preflight(Box<PreflightInfo>),
    Profile(ProfileInfo),
    Logout(Box<LogoutInfo>),
    Reply(Reply),
    LoginStart(RustLoginStart),
    LoginCode(RustLoginCode),
    Signed(RustSigned),
    Text(Secret),
    Texts(Vec<String>),
    Nothing,
}

pub(crate) type Running = Pin<Box<dyn Future<Output = Result<Outcome>> + Send>>;

impl Operation {
    /// Whether all that is left to do is to wait for a login, which runs in the background in any case: a live token is
    /// given out without a call.
    fn logs_in(&self) -> bool {
        matches!(self, Self::Token(_) | Self::Headers(_))
    }

    fn run(self) -> Running {
        match self {
            Self::Token(session) => Box::pin(async move { session.token().await.map(Outcome::Token) }),
            Self::Headers(session) => Box::pin(async move { session.headers().await.map(Outcome::Headers) }),
            Self::StreamHeaders(session, stream) => Box::pin(async move {
                let headers = session.stream_headers(stream.as_deref()).await;
                headers.map(Outcome::Headers)
            }),
            Self::FeedToken(session) => {
                Box::pin(async move { session.feed_token().await.map(Outcome::Text) })
            }
            Self::WhoAmI(session) => {
                Box::pin(async move { session.whoami().await.map(|who| Outcome::WhoAmI(who.into())) })
            }
            Self::Preflight(session, strict) => Box::pin(async move {
                let found = session.preflight().await;
                let found = if strict { found.strict() } else { found };
                Ok(Outcome::Preflight(Box::new(found.into())))
            }),
            Self::Profile(session) => Box::pin(async move {
                session
                    .profile()
                    .await
                    .map(|profile| Outcome::Profile(profile.into()))
            }),
            Self::Logout(session, live) => Box::pin(async move {
                // Again when it is over: other threads go on asking for the token until it begins.
                live.forget();
                let logout = session.logout().await;
                live.forget();
                logout.map(|logout| Outcome::Logout(Box::new(logout.into())))
            }),
            Self::Call(call) => Box::pin(async move { call.send().await.map(Outcome::Reply) }),
            Self::Export(session, key) => Box::pin(async move {
                let sealed = session.export(&key).await?;
                Ok(Outcome::Text(Secret::new(sealed)))
            }),
            Self::ExportExposed(session) => {
                Box::pin(async move { session.export_exposed().await.map(Outcome::Text) })
            }
            Self::NextEvent(listener) => Box::pin(async move {
                listener.ready().await;
                Ok(Outcome::Nothing)
            }),
            Self::CheckStore(store) => Box::pin(async move { check_store(store).await.map(Outcome::Texts) }),
            Self::Future(running) => running,
        }
    }
}

impl Outcome {
    pub(crate) fn to_python<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        match self {
            Self::Token(token) => Bound::new(py, Token(token.clone())).map(Bound::into_any),
            Self::Headers(headers) => headers_dict(py, headers).map(Bound::into_any),
            Self::WhoAmI(who) => flat(py, who),
            Self::Preflight(found) => flat(py, found.as_ref()),
            Self::Profile(profile) => flat(py, profile),
            Self::Logout(logout) => flat(py, logout.as_ref()),
            Self::Reply(reply) => reply_fields(py, reply),
            Self::LoginStart(start) => Bound::new(py, LoginStart(start.clone())).map(Bound::into_any),
            Self::LoginCode(code) => Bound::new(py, LoginCode(code.clone())).map(Bound::into_any),
            Self::Signed(call) => Bound::new(py, SignedCall(call.clone())).map(Bound::into_any),
            Self::Text(text) => Ok(PyString::new(py, text.expose()).into_any()),
            Self::Texts(texts) => PyList::new(py, texts).map(Bound::into_any),
            Self::Nothing => Ok(PyNone::get(py).to_owned().into_any()),
        }
    }
}

/// The fields of a reply in the order of their names, from which the package makes its `Reply`.
fn reply_fields<'py>(py: Python<'py>, reply: &Reply) -> PyResult<Bound<'py, PyAny>> {
    let rejections: Vec<_> = reply.rejections.iter().map(RejectionInfo::from).collect();
    let fields = (
        data(py, reply)?,
        reply.http_status,
        reply.message.as_deref(),
        reply.message_id.as_deref(),
        flat(py, &rejections)?,
        reply.server_time.map(|at| utc(py, at)).transpose()?,
        reply.status.as_deref(),
        reply.text(),
        PyList::new(py, &reply.validation_errors)?,
    );
    fields.into_pyobject(py).map(Bound::into_any)
}

/// Headers as a dict of their texts.
pub(crate) fn headers_dict<'py>(py: Python<'py>, headers: &Headers) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    for (name, value) in headers.expose() {
        dict.set_item(name, value)?;
    }
    Ok(dict)
}

/// A call that has not been made yet. It can be made once.
#[pyclass(frozen, module = "preopen._native")]
pub(crate) struct Work {
    operation: Mutex<Option<Operation>>,
    /// The login that waits for whoever makes this call, if one does.
    asking: Option<Asking>,
}

impl Work {
    pub(crate) fn new(operation: Operation, asking: Option<Asking>) -> Self {
        let operation = Mutex::new(Some(operation));
        Self { operation, asking }
    }

    /// The call, and whether it is but a wait for a login.
    fn begin(&self) -> PyResult<(Running, bool)> {
        let taken = self
            .operation
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let operation = taken.ok_or_else(|| PyRuntimeError::new_err("this call was made already"))?;
        let logs_in = operation.logs_in();
        let running = operation.run();
        let running = match self.asking {
            Some(asking) => Box::pin(asking.carry(running)),
            None => running,
        };
        Ok((running, logs_in))
    }
}

#[pymethods]
impl Work {
    /// Makes the call and blocks until it is done; other threads run meanwhile, and signals are handled.
    fn wait<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let (running, logs_in) = self.begin()?;
        let mut signal = None;
        let (result, _pass) = detached(py, || {
            let look = || attached(|py| look(py, &mut signal));
            if logs_in {
                runtime::wait_for_worker(running, look)
            } else {
                runtime::block_on(running, look)
            }
        });
        match (signal, result) {
            (Some(signal), _) => Err(signal),
            (None, Some(result)) => lift(py, result)?.to_python(py),
            (None, None) => Err(PyRuntimeError::new_err("the call was interrupted")),
        }
    }

    /// Makes the call in the background; its result arrives at `completions` under `number`.
    fn start(&self, py: Python<'_>, completions: &Completions, number: u64) -> PyResult<Task> {
        let done = completions.slot(number);
        let task = runtime::spawn(self.begin()?.0, move |result| done.fill(result));
        lift(py, task).map(Task)
    }
}

/// How often a thread looks for signals that Python hands to the main thread only. It does look: whatever replaces threads
/// in a program may be mistaken for one.
const SELDOM: Duration = Duration::from_secs(1);

/// Handles the signals of this thread; one whose handler raises ends the wait.
fn look(py: Python<'_>, signal: &mut Option<PyErr>) -> Look {
    *signal = py.check_signals().err();
    match signal {
        Some(_) => Look::Break(()),
        None if is_main_thread(py).unwrap_or(true) => Look::Continue(SIGNAL_INTERVAL),
        None => Look::Continue(SELDOM),
    }
}

/// A call that is under way.
#[pyclass(frozen, module = "preopen._native")]
pub(crate) struct Task(runtime::Task);

#[pymethods]
impl Task {
    /// Stops waiting for it. A login that it waited for goes on.
    fn abort(&self) {
        self.0.abort();
    }
}
