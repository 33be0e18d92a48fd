//! Flat records: those of `preopen_ffi` with owned texts and the language's own times.

use std::time::SystemTime;

use preopen_ffi::{
    CheckInfo, EventInfo, LogoutInfo, PreflightInfo, ProfileInfo, RejectionInfo, ReplyInfo, StateInfo,
    WhoAmIInfo, preopen,
};

use crate::clock::from_millis;
use crate::error::ErrorInfo;

fn time(millis: Option<i64>) -> Option<SystemTime> {
    millis.map(from_millis)
}

pub(crate) fn text(text: Option<&'static str>) -> Option<String> {
    text.map(str::to_owned)
}

fn all<T, U: From<T>>(many: Vec<T>) -> Vec<U> {
    many.into_iter().map(U::from).collect()
}

/// A broker's reply.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Reply {
    /// What the reply holds, as JSON text: the keys in the broker's order.
    pub data: String,
    /// The reply as the broker sent it.
    pub text: String,
    /// The broker's message.
    pub message: Option<String>,
    /// The broker's clock.
    pub server_time: Option<SystemTime>,
    /// The broker's id of the message.
    pub message_id: Option<String>,
    /// What the broker says is wrong with parts of the request.
    pub validation_errors: Vec<String>,
    /// The broker's own status.
    pub status: Option<String>,
    /// The parts of the request that the broker refused in a reply that is a success.
    pub rejections: Vec<Rejection>,
    /// The HTTP status.
    pub http_status: u16,
}

impl From<preopen::Reply> for Reply {
    fn from(reply: preopen::Reply) -> Self {
        let info = ReplyInfo::from(&reply);
        Self {
            data: reply.data().to_string(),
            text: reply.text().to_owned(),
            message: info.message,
            server_time: time(info.server_time_ms),
            message_id: info.message_id,
            validation_errors: info.validation_errors,
            status: info.status,
            rejections: all(info.rejections),
            http_status: info.http_status,
        }
    }
}

/// One part of a request that the broker refused.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Rejection {
    /// Where it is in the reply.
    pub at: String,
    /// The order that it is about.
    pub order_id: Option<String>,
    /// Why.
    pub reason: String,
}

impl From<RejectionInfo> for Rejection {
    fn from(info: RejectionInfo) -> Self {
        Self {
            at: info.at,
            order_id: info.order_id,
            reason: info.reason,
        }
    }
}

/// The answer to `whoami`.
#[derive(Clone, Debug, uniffi::Record)]
pub struct WhoAmI {
    /// The address that the broker sees.
    pub source_ip: Option<String>,
    /// The registered address.
    pub primary_ip: Option<String>,
    /// The second registered address.
    pub secondary_ip: Option<String>,
    /// `primary` or `secondary`, if one matched.
    pub matched_as: Option<String>,
    /// `match`, `mismatch`, `unregistered` or `unsupported`.
    pub verdict: String,
    /// One line for a person.
    pub message: String,
}

impl From<WhoAmIInfo> for WhoAmI {
    fn from(info: WhoAmIInfo) -> Self {
        Self {
            source_ip: info.source_ip,
            primary_ip: info.primary_ip,
            secondary_ip: info.secondary_ip,
            matched_as: text(info.matched_as),
            verdict: info.verdict.to_owned(),
            message: info.message,
        }
    }
}

/// Who the session belongs to.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Profile {
    /// The account's id.
    pub account_id: Option<String>,
    /// The owner's name.
    pub name: Option<String>,
    /// Where it may trade.
    pub exchanges: Vec<String>,
    /// What it may trade.
    pub products: Vec<String>,
    /// Which orders it may place.
    pub order_types: Vec<String>,
}

impl From<ProfileInfo> for Profile {
    fn from(info: ProfileInfo) -> Self {
        Self {
            account_id: info.account_id,
            name: info.name,
            exchanges: info.exchanges,
            products: info.products,
            order_types: info.order_types,
        }
    }
}

/// One finding of `preflight`.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Check {
    /// What was looked at.
    pub name: String,
    /// `pass`, `warn`, `fail` or `unknown`.
    pub status: String,
    /// What was found.
    pub message: String,
    /// What to do about it.
    pub fix: Option<String>,
    /// The error behind it.
    pub error: Option<ErrorInfo>,
}

impl From<CheckInfo> for Check {
    fn from(info: CheckInfo) -> Self {
        Self {
            name: info.name.to_owned(),
            status: info.status.to_owned(),
            message: info.message,
            fix: info.fix,
            error: info.error.map(ErrorInfo::from),
        }
    }
}

/// Whether this host can place orders now.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Preflight {
    /// The broker.
    pub broker: String,
    /// When it was asked.
    pub at: SystemTime,
    /// Whether nothing stands in the way.
    pub ready: bool,
    /// The address that the broker sees.
    pub source_ip: Option<String>,
    /// The registered address.
    pub primary_ip: Option<String>,
    /// The second registered address.
    pub secondary_ip: Option<String>,
    /// The findings, in order.
    pub checks: Vec<Check>,
}

impl From<PreflightInfo> for Preflight {
    fn from(info: PreflightInfo) -> Self {
        Self {
            broker: info.broker.to_owned(),
            at: from_millis(info.at_ms),
            ready: info.ready,
            source_ip: info.source_ip,
            primary_ip: info.primary_ip,
            secondary_ip: info.secondary_ip,
            checks: all(info.checks),
        }
    }
}

/// One reason to believe that the session ends at a time.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Evidence {
    /// Where it comes from.
    pub source: String,
    /// The time.
    pub at: SystemTime,
}

/// What a session is doing.
#[derive(Clone, Debug, uniffi::Record)]
pub struct SessionState {
    /// `signed_out`, `opening`, `active`, `expired`, `blocked` or `closed`.
    pub name: String,
    /// The number of the last login.
    pub generation: u64,
    /// When the session began.
    pub issued_at: Option<SystemTime>,
    /// When it ends, at the latest.
    pub expires_at: Option<SystemTime>,
    /// The source of the evidence that decides.
    pub expiry_source: Option<String>,
    /// All evidence of its end.
    pub expiry_evidence: Vec<Evidence>,
    /// Until when it can be renewed without a person.
    pub renewable_until: Option<SystemTime>,
    /// Seconds that the broker's clock was ahead of this machine's at the login.
    pub clock_skew: Option<f64>,
    /// Why it is blocked.
    pub blocked_by: Option<ErrorInfo>,
    /// One line for a person.
    pub reason: String,
}

impl From<StateInfo> for SessionState {
    fn from(info: StateInfo) -> Self {
        let evidence = info.expiry_evidence.into_iter().map(|one| Evidence {
            source: one.source.to_owned(),
            at: from_millis(one.at_ms),
        });
        Self {
            name: info.name.to_owned(),
            generation: info.generation,
            issued_at: time(info.issued_at_ms),
            expires_at: time(info.expires_at_ms),
            expiry_source: text(info.expiry_source),
            expiry_evidence: evidence.collect(),
            renewable_until: time(info.renewable_until_ms),
            clock_skew: info.clock_skew,
            blocked_by: info.blocked_by.map(ErrorInfo::from),
            reason: info.reason,
        }
    }
}

/// One event of a session.
#[derive(Clone, Debug, uniffi::Record)]
pub struct SessionEvent {
    /// One of `event_catalogue`.
    pub name: String,
    /// When it happened.
    pub at: SystemTime,
    /// The number of the login that it is about.
    pub generation: u64,
    /// When the session ends, at the latest.
    pub expires_at: Option<SystemTime>,
    /// The error behind it.
    pub error: Option<ErrorInfo>,
    /// How many events were lost before this one.
    pub missed: u64,
    /// One line for a person.
    pub reason: String,
}

impl From<EventInfo> for SessionEvent {
    fn from(info: EventInfo) -> Self {
        Self {
            name: info.name.to_owned(),
            at: from_millis(info.at_ms),
            generation: info.generation,
            expires_at: time(info.expires_at_ms),
            error: info.error.map(ErrorInfo::from),
            missed: info.missed,
            reason: info.reason,
        }
    }
}

/// What came of a logout.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Logout {
    /// Whether the broker confirmed it.
    pub acknowledged: bool,
    /// One line for a person.
    pub message: String,
    /// Why it was not confirmed.
    pub error: Option<ErrorInfo>,
}

impl From<LogoutInfo> for Logout {
    fn from(info: LogoutInfo) -> Self {
        Self {
            acknowledged: info.acknowledged,
            message: info.message,
            error: info.error.map(ErrorInfo::from),
        }
    }
}
