//! The options of a session and of one call, as plain objects.

use napi_derive::napi;
use preopen_ffi::preopen::core::wire::Method;
use preopen_ffi::preopen::{Call, Result, Secret, Session};
use preopen_ffi::{SessionConfig, seconds_to_duration};

/// Settings of a session; what is left out has Rust's default.
#[napi(object)]
#[derive(Clone, Debug, Default)]
#[allow(missing_docs, reason = "the fields are those of preopen_ffi::SessionConfig")]
pub(crate) struct NativeOptions {
    pub base_url: Option<String>,
    pub allowed_hosts: Option<Vec<String>>,
    pub timeout: Option<f64>,
    pub ip_version: Option<u32>,
    pub source_ip: Option<String>,
    pub proxy: Option<String>,
    pub ca_file: Option<String>,
    pub keep_warm: Option<bool>,
    pub store_key: Option<String>,
    pub on_store_loss: Option<String>,
    pub rate_limits: Option<String>,
    pub audit: Option<String>,
}

impl NativeOptions {
    pub(crate) fn into_config(self) -> SessionConfig {
        SessionConfig {
            base_url: self.base_url,
            allowed_hosts: self.allowed_hosts.unwrap_or_default(),
            timeout: self.timeout,
            ip_version: self.ip_version,
            source_ip: self.source_ip,
            proxy: self.proxy,
            ca_file: self.ca_file,
            keep_warm: self.keep_warm.unwrap_or_default(),
            store: None,
            store_key: self.store_key.map(Secret::new),
            on_store_loss: self.on_store_loss,
            rate_limits: self.rate_limits,
            audit: self.audit,
            clock: None,
        }
    }
}

/// One call to the broker. `params` and `headers` are names and values in turn.
#[napi(object, object_to_js = false)]
#[allow(missing_docs, reason = "the fields are those of preopen::Call")]
pub struct NativeCall {
    pub method: String,
    pub path: String,
    pub params: Vec<String>,
    pub headers: Vec<String>,
    pub json: Option<String>,
    pub replay_safe: Option<bool>,
    pub timeout: Option<f64>,
}

impl NativeCall {
    pub(crate) fn on(self, session: &Session) -> Result<Call> {
        let mut call = session.request(Method::parse(&self.method)?, self.path).lazy();
        for (name, value) in pairs(self.params) {
            call = call.query(name, value);
        }
        for (name, value) in pairs(self.headers) {
            call = call.header(name, value);
        }
        if let Some(text) = self.json {
            call = call.json_text(text);
        }
        if let Some(safe) = self.replay_safe {
            call = call.replay_safe(safe);
        }
        if let Some(seconds) = self.timeout {
            call = call.timeout(seconds_to_duration(seconds)?);
        }
        Ok(call)
    }
}

pub(crate) fn pairs(flat: Vec<String>) -> impl Iterator<Item = (String, String)> {
    let mut texts = flat.into_iter();
    std::iter::from_fn(move || texts.next().zip(texts.next()))
}
