//! The session: arguments in, work out.

use std::sync::Arc;

use preopen_ffi::preopen::core::wire::Method;
use preopen_ffi::preopen::{Call, Error, Result, Secret, Session as RustSession};
use preopen_ffi::{Listener, SessionConfig, StateInfo, prime, seal_key, seconds_to_duration};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTzInfo};

use crate::clock::VirtualClock;
use crate::consent;
use crate::convert::{flag, flat, optional, pairs, query_value, seconds, text, text_value, texts, whole};
use crate::credentials::Credentials;
use crate::error::{self, lift};
use crate::events::Events;
use crate::foreign::{self, ForeignCall};
use crate::live::Live;
use crate::prompt;
use crate::store;
use crate::token::Token;
use crate::work::{Operation, Work};

/// A session that keeps itself valid. See `preopen.Session`.
#[pyclass(frozen, module = "preopen._native")]
#[allow(clippy::struct_field_names, reason = "it is Rust's session")]
pub(crate) struct Session {
    session: RustSession,
    live: Live,
    /// Whether its logins call back: then a call may come from such a callback.
    asks: bool,
}

impl Session {
    fn work(&self, py: Python<'_>, operation: Operation) -> PyResult<Work> {
        let asking = if self.asks { prompt::asking(py)? } else { None };
        Ok(Work::new(operation, asking))
    }
}

#[pymethods]
impl Session {
    #[new]
    #[pyo3(signature = (credentials, *, base_url, timeout, ip_version, source_ip, proxy, ca_file, allowed_hosts, keep_warm, store, store_key, on_store_loss, rate_limits, audit, callbacks, clock))]
    #[allow(clippy::too_many_arguments, reason = "one per setting, by name")]
    fn new(
        py: Python<'_>,
        credentials: &Credentials,
        base_url: Option<&Bound<'_, PyAny>>,
        timeout: Option<&Bound<'_, PyAny>>,
        ip_version: Option<&Bound<'_, PyAny>>,
        source_ip: Option<&Bound<'_, PyAny>>,
        proxy: Option<&Bound<'_, PyAny>>,
        ca_file: Option<&Bound<'_, PyAny>>,
        allowed_hosts: &Bound<'_, PyAny>,
        keep_warm: Option<&Bound<'_, PyAny>>,
        store: Option<&Bound<'_, PyAny>>,
        store_key: Option<&Bound<'_, PyAny>>,
        on_store_loss: Option<&Bound<'_, PyAny>>,
        rate_limits: Option<&Bound<'_, PyAny>>,
        audit: Option<&Bound<'_, PyAny>>,
        callbacks: Option<&Bound<'_, PyAny>>,
        clock: Option<&VirtualClock>,
    ) -> PyResult<Self> {
        // Made once, and now: whoever makes it lets go of Python's lock, and a child that is forked just then would wait for
        // ever for the thread that was making it.
        PyTzInfo::utc(py)?;
        error::from_info(py)?;
        prompt::asker(py)?;
        let config = || {
            let config = SessionConfig {
                base_url: optional(base_url, "base_url", text)?,
                timeout: optional(timeout, "timeout", seconds)?,
                ip_version: optional(ip_version, "ip_version", whole)?
                    .map(|version| u32::try_from(version).unwrap_or(u32::MAX)),
                source_ip: optional(source_ip, "source_ip", text)?,
                proxy: optional(proxy, "proxy", text)?,
                ca_file: optional(ca_file, "ca_file", text)?,
                allowed_hosts: texts(allowed_hosts, "allowed_hosts")?,
                keep_warm: optional(keep_warm, "keep_warm", flag)?.unwrap_or_default(),
                store: None,
                store_key: optional(store_key, "store_key", text)?.map(Secret::new),
                on_store_loss: optional(on_store_loss, "on_store_loss", text)?,
                rate_limits: optional(rate_limits, "rate_limits", text)?,
                audit: optional(audit, "audit", text)?,
                clock: clock.map(|clock| clock.0.clone()),
            };
            Ok(config)
        };
        let mut config = lift(py, config())?;
        config.store = store.map(|store| store::choice(store, callbacks)).transpose()?;
        let complete = credentials.complete(py, callbacks)?;
        let session = lift(py, config.build(complete))?;
        let asks = credentials.asks();
        let live = Live::default();
        Ok(Self { session, live, asks })
    }

    /// The broker's name.
    #[getter]
    fn broker(&self) -> &'static str {
        self.session.broker()
    }

    /// `live`, `sandbox` or `custom`.
    #[getter]
    fn environment(&self) -> &'static str {
        self.session.environment().as_str()
    }

    /// The store that the session is shared through, in a few words.
    #[getter]
    fn store(&self) -> Option<String> {
        self.session.store()
    }

    /// The live token, if there is one.
    fn try_token(&self, py: Python<'_>) -> PyResult<Option<Py<Token>>> {
        self.live.token(py, &self.session)
    }

    /// The headers, if there is a live token.
    fn try_headers<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDict>>> {
        self.live.headers(py, &self.session)
    }

    fn token(&self, py: Python<'_>) -> PyResult<Work> {
        self.work(py, Operation::Token(self.session.clone()))
    }

    fn headers(&self, py: Python<'_>) -> PyResult<Work> {
        self.work(py, Operation::Headers(self.session.clone()))
    }

    fn whoami(&self, py: Python<'_>) -> PyResult<Work> {
        self.work(py, Operation::WhoAmI(self.session.clone()))
    }

    fn preflight(&self, py: Python<'_>, strict: &Bound<'_, PyAny>) -> PyResult<Work> {
        let strict = lift(py, flag(strict, "strict"))?;
        self.work(py, Operation::Preflight(self.session.clone(), strict))
    }

    fn profile(&self, py: Python<'_>) -> PyResult<Work> {
        self.work(py, Operation::Profile(self.session.clone()))
    }

    /// The headers of a stream's handshake.
    fn stream_headers(&self, py: Python<'_>, stream: Option<&Bound<'_, PyAny>>) -> PyResult<Work> {
        let stream = lift(py, optional(stream, "stream", text))?;
        self.work(py, Operation::StreamHeaders(self.session.clone(), stream))
    }

    /// The feed token, as text.
    fn feed_token(&self, py: Python<'_>) -> PyResult<Work> {
        self.work(py, Operation::FeedToken(self.session.clone()))
    }

    fn logout(&self, py: Python<'_>) -> PyResult<Work> {
        self.work(py, Operation::Logout(self.session.clone(), self.live.clone()))
    }

    fn begin_login(&self, py: Python<'_>) -> PyResult<Work> {
        self.work(py, consent::begin(self.session.clone()))
    }

    /// Completes a login with the address that the browser ended on.
    fn complete_login(&self, py: Python<'_>, address: &Bound<'_, PyAny>) -> PyResult<Work> {
        let operation = lift(py, consent::complete(self.session.clone(), address))?;
        self.work(py, operation)
    }

    /// Begins a login in the background; `shows` tells that somebody waits for the page to show.
    fn login(
        &self,
        py: Python<'_>,
        open_browser: &Bound<'_, PyAny>,
        timeout: &Bound<'_, PyAny>,
        shows: bool,
    ) -> PyResult<consent::Login> {
        let asking = if self.asks { prompt::asking(py)? } else { None };
        consent::Login::start(py, &self.session, open_browser, timeout, shows, asking)
    }

    fn web_login_code(&self, py: Python<'_>) -> PyResult<Work> {
        self.work(py, consent::web_code(self.session.clone()))
    }

    /// Samco's deprecated calls.
    fn samco_legacy(&self, py: Python<'_>) -> PyResult<consent::SamcoLegacyCalls> {
        lift(py, consent::SamcoLegacyCalls::of(&self.session))
    }

    /// A call; `json` is text that is JSON already.
    #[allow(clippy::too_many_arguments, reason = "one per option of a call")]
    fn request(
        &self,
        py: Python<'_>,
        method: &str,
        path: &Bound<'_, PyAny>,
        params: Option<&Bound<'_, PyAny>>,
        json: Option<String>,
        headers: Option<&Bound<'_, PyAny>>,
        replay_safe: Option<&Bound<'_, PyAny>>,
        timeout: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Work> {
        let call = || -> Result<Call> {
            let mut call = self
                .session
                .request(method_of(method)?, text(path, "path")?)
                .lazy();
            for (name, value) in
                params.map_or_else(|| Ok(Vec::new()), |given| pairs(given, "params", query_value))?
            {
                call = call.query(name, value);
            }
            for (name, value) in
                headers.map_or_else(|| Ok(Vec::new()), |given| pairs(given, "headers", text_value))?
            {
                call = call.header(name, value);
            }
            if let Some(json) = json {
                call = call.json_text(json);
            }
            if let Some(safe) = optional(replay_safe, "replay_safe", flag)? {
                call = call.replay_safe(safe);
            }
            if let Some(timeout) = optional(timeout, "timeout", seconds)? {
                call = call.timeout(seconds_to_duration(timeout)?);
            }
            Ok(call)
        };
        let call = lift(py, call())?;
        self.work(py, Operation::Call(Box::new(call)))
    }

    /// The base URL of this session's calls.
    #[getter]
    fn base_url(&self) -> &str {
        self.session.base_url()
    }

    /// A call that another HTTP client will send.
    fn foreign(
        &self,
        py: Python<'_>,
        method: &Bound<'_, PyAny>,
        url: &Bound<'_, PyAny>,
    ) -> PyResult<ForeignCall> {
        lift(py, ForeignCall::of(&self.session, method, url))
    }

    /// Signs a foreign call of this session.
    fn sign(&self, py: Python<'_>, call: &ForeignCall) -> PyResult<Work> {
        self.work(py, foreign::sign(call))
    }

    /// The session sealed with a key, as text.
    fn export(&self, py: Python<'_>, key: Option<&Bound<'_, PyAny>>) -> PyResult<Work> {
        let key = lift(py, optional(key, "key", text).and_then(seal_key))?;
        self.work(py, Operation::Export(self.session.clone(), key))
    }

    /// The session as JSON, with its tokens in clear.
    fn export_exposed(&self, py: Python<'_>) -> PyResult<Work> {
        self.work(py, Operation::ExportExposed(self.session.clone()))
    }

    /// Takes over an exported session.
    fn prime(
        &self,
        py: Python<'_>,
        record: &Bound<'_, PyAny>,
        key: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let take = || {
            let key = optional(key, "key", text)?;
            prime(&self.session, &text(record, "record")?, key)
        };
        lift(py, take())
    }

    /// What happens from now on.
    fn events(&self) -> Events {
        Events(Arc::new(Listener::new(self.session.events())))
    }

    /// What the session is doing, as a dict.
    fn state<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        flat(py, &StateInfo::from(self.session.state()))
    }

    fn invalidate(&self, py: Python<'_>, generation: &Bound<'_, PyAny>) -> PyResult<()> {
        let generation = lift(py, whole(generation, "generation"))?;
        self.session.invalidate(generation);
        Ok(())
    }

    fn reset(&self) {
        self.session.reset();
    }

    fn close(&self) {
        self.session.close();
        self.live.forget();
    }

    fn __repr__(&self) -> String {
        format!("{:?}", self.session)
    }
}

fn method_of(name: &str) -> Result<Method> {
    match name {
        "GET" => Ok(Method::Get),
        "POST" => Ok(Method::Post),
        "PUT" => Ok(Method::Put),
        "DELETE" => Ok(Method::Delete),
        _ => Err(Error::invalid_input("method", "must be GET, POST, PUT or DELETE")),
    }
}
