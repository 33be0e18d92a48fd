//! Flat, serialisable views of what Rust returns. Field names are the same in every language but for case.

use std::time::Duration;

use preopen::{
    Advice, Error, ErrorKind, EventName, Logout, Profile, Rejection, Reply, SessionEvent, SessionState, Skew,
    Timestamp, WhoAmI,
};
use serde::Serialize;

/// Everything an error tells. All of it is redacted already.
#[derive(Clone, Debug, Serialize)]
#[allow(
    missing_docs,
    reason = "the fields are those of preopen::Error and preopen::Context"
)]
pub struct ErrorInfo {
    /// The stable code, which names the class in every language.
    pub code: &'static str,
    pub message: String,
    /// `Display` of the Rust error: message with broker, endpoint, status and code.
    pub text: String,
    /// `never`, `now`, `after`, `after_login`.
    pub advice: &'static str,
    /// Seconds, for `after`.
    pub advice_seconds: Option<f64>,
    pub field: Option<String>,
    pub broker: Option<&'static str>,
    pub endpoint: Option<String>,
    pub http_status: Option<u16>,
    pub broker_code: Option<String>,
    pub message_id: Option<String>,
    /// RFC 3339, UTC.
    pub server_time: Option<String>,
    /// For `credentials_rejected` and `account_action_required`.
    pub which: Option<&'static str>,
    /// For `login_required`.
    pub reason: Option<&'static str>,
    pub phase: Option<&'static str>,
    /// Seconds that the broker's clock is ahead of this machine's, when that is a likely cause.
    pub clock_skew: Option<f64>,
    /// Seconds.
    pub retry_after: Option<f64>,
    pub source_ip: Option<String>,
    pub primary_ip: Option<String>,
    pub secondary_ip: Option<String>,
    pub validation_errors: Vec<String>,
    pub body: Option<String>,
    /// Messages of the lower-level causes, nearest first.
    pub causes: Vec<String>,
}

impl From<&Error> for ErrorInfo {
    fn from(error: &Error) -> Self {
        let context = error.context();
        let advice_seconds = match error.advice() {
            Advice::After(wait) => Some(wait.as_secs_f64()),
            _ => None,
        };
        Self {
            code: error.code(),
            message: error.message().to_owned(),
            text: error.to_string(),
            advice: error.advice().as_str(),
            advice_seconds,
            field: context.field.clone(),
            broker: context.broker,
            endpoint: context.endpoint.clone(),
            http_status: context.http_status,
            broker_code: context.broker_code.clone(),
            message_id: context.message_id.clone(),
            server_time: context.server_time.map(Timestamp::to_rfc3339),
            which: context
                .credential
                .map(preopen::Credential::as_str)
                .or(context.account_action.map(preopen::AccountAction::as_str)),
            reason: context.login_reason.map(preopen::LoginReason::as_str),
            phase: context.phase.map(preopen::Phase::as_str),
            clock_skew: context.clock_skew.map(skew_seconds),
            retry_after: context.retry_after.map(|wait| wait.as_secs_f64()),
            source_ip: context.source_ip.clone(),
            primary_ip: context.primary_ip.clone(),
            secondary_ip: context.secondary_ip.clone(),
            validation_errors: context.validation_errors.clone(),
            body: context.body.clone(),
            causes: error.causes(),
        }
    }
}

impl From<Error> for ErrorInfo {
    fn from(error: Error) -> Self {
        Self::from(&error)
    }
}

/// A difference between clocks in seconds; positive when the broker's is ahead.
fn skew_seconds(skew: Skew) -> f64 {
    let whole = Duration::from_millis(skew.as_millis().unsigned_abs()).as_secs_f64();
    if skew.as_millis() < 0 { -whole } else { whole }
}

/// The codes of all kinds, in the order of the documentation: each language proves that it has a class for
/// every one.
pub fn error_catalogue() -> Vec<&'static str> {
    ErrorKind::ALL.iter().map(|kind| kind.as_str()).collect()
}

/// A broker's reply but for its data and text, which each binding converts in its own way.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs, reason = "the fields are those of preopen::Reply")]
pub struct ReplyInfo {
    pub message: Option<String>,
    /// Milliseconds since the Unix epoch.
    pub server_time_ms: Option<i64>,
    pub message_id: Option<String>,
    pub validation_errors: Vec<String>,
    pub status: Option<String>,
    pub rejections: Vec<RejectionInfo>,
    pub http_status: u16,
}

/// One part of a request that the broker refused in a reply that is a success.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs, reason = "the fields are those of preopen::Rejection")]
pub struct RejectionInfo {
    pub at: String,
    pub order_id: Option<String>,
    pub reason: String,
}

impl From<&Rejection> for RejectionInfo {
    fn from(one: &Rejection) -> Self {
        Self {
            at: one.at.clone(),
            order_id: one.order_id.clone(),
            reason: one.reason.clone(),
        }
    }
}

impl From<&Reply> for ReplyInfo {
    fn from(reply: &Reply) -> Self {
        Self {
            validation_errors: reply.validation_errors.clone(),
            status: reply.status.clone(),
            rejections: reply.rejections.iter().map(RejectionInfo::from).collect(),
            message: reply.message.clone(),
            server_time_ms: reply.server_time.map(Timestamp::as_millis),
            message_id: reply.message_id.clone(),
            http_status: reply.http_status,
        }
    }
}

/// The answer to `whoami`.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs, reason = "the fields are those of preopen::WhoAmI")]
pub struct WhoAmIInfo {
    pub source_ip: Option<String>,
    pub primary_ip: Option<String>,
    pub secondary_ip: Option<String>,
    /// `primary` or `secondary`, if one matched.
    pub matched_as: Option<&'static str>,
    /// `match`, `mismatch`, `unregistered` or `unsupported`.
    pub verdict: &'static str,
    pub message: String,
}

impl From<WhoAmI> for WhoAmIInfo {
    fn from(who: WhoAmI) -> Self {
        Self {
            matched_as: who.matched_as().map(preopen::Slot::as_str),
            verdict: who.verdict.as_str(),
            source_ip: who.addresses.source,
            primary_ip: who.addresses.primary,
            secondary_ip: who.addresses.secondary,
            message: who.message,
        }
    }
}

/// The profile.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs, reason = "the fields are those of preopen::Profile")]
pub struct ProfileInfo {
    pub account_id: Option<String>,
    pub name: Option<String>,
    pub exchanges: Vec<String>,
    pub products: Vec<String>,
    pub order_types: Vec<String>,
}

impl From<Profile> for ProfileInfo {
    fn from(profile: Profile) -> Self {
        Self {
            account_id: profile.account_id,
            name: profile.name,
            exchanges: profile.exchanges,
            products: profile.products,
            order_types: profile.order_types,
        }
    }
}

/// One reason to believe that the session ends at a time.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs, reason = "the fields are those of preopen::Evidence")]
pub struct EvidenceInfo {
    pub source: &'static str,
    /// Milliseconds since the Unix epoch.
    pub at_ms: i64,
}

/// What a session is doing.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs, reason = "the fields are those of preopen::SessionState")]
pub struct StateInfo {
    /// `signed_out`, `opening`, `active`, `expired`, `blocked` or `closed`.
    pub name: &'static str,
    pub generation: u64,
    /// Milliseconds since the Unix epoch.
    pub issued_at_ms: Option<i64>,
    /// Milliseconds since the Unix epoch.
    pub expires_at_ms: Option<i64>,
    /// The source of the evidence that decides.
    pub expiry_source: Option<&'static str>,
    pub expiry_evidence: Vec<EvidenceInfo>,
    /// Milliseconds since the Unix epoch.
    pub renewable_until_ms: Option<i64>,
    /// Seconds that the broker's clock was ahead of this machine's at the login, where its reply told.
    pub clock_skew: Option<f64>,
    pub blocked_by: Option<ErrorInfo>,
    pub reason: String,
}

impl From<SessionState> for StateInfo {
    fn from(state: SessionState) -> Self {
        let expiry = state.expiry.as_ref();
        Self {
            name: state.name.as_str(),
            generation: state.generation,
            issued_at_ms: state.issued_at.map(Timestamp::as_millis),
            expires_at_ms: expiry.map(|expiry| expiry.at().as_millis()),
            expiry_source: expiry.map(|expiry| expiry.decisive().source.as_str()),
            expiry_evidence: expiry.map_or_else(Vec::new, |expiry| {
                let info = |e: &preopen::Evidence| EvidenceInfo {
                    source: e.source.as_str(),
                    at_ms: e.at.as_millis(),
                };
                expiry.evidence().iter().map(info).collect()
            }),
            renewable_until_ms: state.renewable_until.map(Timestamp::as_millis),
            clock_skew: state.clock_skew.map(skew_seconds),
            blocked_by: state.blocked_by.map(ErrorInfo::from),
            reason: state.reason,
        }
    }
}

/// One event of a session.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs, reason = "the fields are those of preopen::SessionEvent")]
pub struct EventInfo {
    /// `renewed`, `expiring`, `expired`, `login_needed`, `blocked`, `failing`, `ip_mismatch`, `signed_out` or `lagged`.
    pub name: &'static str,
    /// Milliseconds since the Unix epoch.
    pub at_ms: i64,
    pub generation: u64,
    /// Milliseconds since the Unix epoch.
    pub expires_at_ms: Option<i64>,
    pub error: Option<ErrorInfo>,
    pub missed: u64,
    pub reason: String,
}

impl From<SessionEvent> for EventInfo {
    fn from(event: SessionEvent) -> Self {
        Self {
            name: event.name.as_str(),
            at_ms: event.at.as_millis(),
            generation: event.generation,
            expires_at_ms: event.expires_at.map(Timestamp::as_millis),
            error: event.error.map(ErrorInfo::from),
            missed: event.missed,
            reason: event.reason,
        }
    }
}

/// The names of all events, in the order of the documentation.
pub fn event_catalogue() -> Vec<&'static str> {
    EventName::ALL.iter().map(|name| name.as_str()).collect()
}

/// What came of a logout.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs, reason = "the fields are those of preopen::Logout")]
pub struct LogoutInfo {
    pub acknowledged: bool,
    pub message: String,
    pub error: Option<ErrorInfo>,
}

impl From<Logout> for LogoutInfo {
    fn from(logout: Logout) -> Self {
        Self {
            acknowledged: logout.acknowledged,
            message: logout.message,
            error: logout.error.map(ErrorInfo::from),
        }
    }
}
