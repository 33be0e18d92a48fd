//! Preflight and the rule on changes of static IPs, flat for the bindings.

use preopen::{Check, Clock as _, Error, Preflight, Result, SystemClock, static_ip};
use serde::Serialize;

use crate::records::ErrorInfo;

/// One finding.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs, reason = "the fields are those of preopen::Check")]
pub struct CheckInfo {
    pub name: &'static str,
    /// `pass`, `warn`, `fail` or `unknown`.
    pub status: &'static str,
    pub message: String,
    pub fix: Option<String>,
    pub error: Option<ErrorInfo>,
}

impl From<Check> for CheckInfo {
    fn from(check: Check) -> Self {
        Self {
            name: check.name,
            status: check.status.as_str(),
            message: check.message,
            fix: check.fix,
            error: check.error.map(ErrorInfo::from),
        }
    }
}

/// The answer of `preflight`.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs, reason = "the fields are those of preopen::Preflight")]
pub struct PreflightInfo {
    pub broker: &'static str,
    /// Milliseconds since the Unix epoch.
    pub at_ms: i64,
    pub ready: bool,
    pub source_ip: Option<String>,
    pub primary_ip: Option<String>,
    pub secondary_ip: Option<String>,
    pub checks: Vec<CheckInfo>,
}

impl From<Preflight> for PreflightInfo {
    fn from(preflight: Preflight) -> Self {
        let addresses = preflight.addresses.unwrap_or_default();
        Self {
            broker: preflight.broker,
            at_ms: preflight.at.as_millis(),
            ready: preflight.ready,
            source_ip: addresses.source,
            primary_ip: addresses.primary,
            secondary_ip: addresses.secondary,
            checks: preflight.checks.into_iter().map(CheckInfo::from).collect(),
        }
    }
}

/// Whether a static IP may be changed, asked and answered as JSON: see `preopen::static_ip::may_change`. Errors:
/// `InvalidInput` with the field.
pub fn may_change_static_ip(asked: &str) -> Result<preopen::Json> {
    static_ip::may_change(asked, SystemClock.now().wall)
}

/// A public IPv4 address in its usual form. Errors: `InvalidInput` (`address`).
pub fn check_static_ip(address: &str) -> Result<String, Error> {
    static_ip::check_public("address", address).map(|address| address.to_string())
}
