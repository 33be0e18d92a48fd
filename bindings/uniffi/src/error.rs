//! The one error: a case for each kind, so that Kotlin's `when` and Swift's `switch` know them all.

use preopen_ffi::preopen::{Error, ErrorKind};

use crate::records::text;

/// Everything an error tells. All of it is redacted already.
#[derive(Clone, Debug, uniffi::Record)]
pub struct ErrorInfo {
    /// The stable code of the kind, the same in every language.
    pub code: String,
    /// One line for a person, without broker, endpoint and status.
    pub message: String,
    /// The message with broker, endpoint, status and code.
    pub text: String,
    /// Whether to try the same call again: `never`, `now`, `after` or `after_login`.
    pub advice: String,
    /// Seconds, for `after`.
    pub advice_seconds: Option<f64>,
    /// The field that was refused, for `InvalidInput`.
    pub field: Option<String>,
    /// The broker.
    pub broker: Option<String>,
    /// Method and path of the call.
    pub endpoint: Option<String>,
    /// HTTP status of the reply.
    pub http_status: Option<u16>,
    /// The broker's own error code.
    pub broker_code: Option<String>,
    /// The broker's message id.
    pub message_id: Option<String>,
    /// The broker's clock: RFC 3339, UTC.
    pub server_time: Option<String>,
    /// For `CredentialsRejected` and `AccountActionRequired`: the credential, or what is to be done.
    pub which: Option<String>,
    /// For `LoginRequired`: why.
    pub reason: Option<String>,
    /// For `Timeout` and `Network`: `lock`, `connect`, `login` or `read`.
    pub phase: Option<String>,
    /// Seconds that the broker's clock is ahead of this machine's, when that is a likely cause.
    pub clock_skew: Option<f64>,
    /// Seconds that the broker asked to wait.
    pub retry_after: Option<f64>,
    /// The address that the broker sees.
    pub source_ip: Option<String>,
    /// The registered address.
    pub primary_ip: Option<String>,
    /// The second registered address.
    pub secondary_ip: Option<String>,
    /// What the broker says is wrong with parts of the request.
    pub validation_errors: Vec<String>,
    /// The reply that fits no known shape, redacted and cut.
    pub body: Option<String>,
    /// Messages of the lower-level causes, nearest first.
    pub causes: Vec<String>,
}

impl From<preopen_ffi::ErrorInfo> for ErrorInfo {
    fn from(info: preopen_ffi::ErrorInfo) -> Self {
        Self {
            code: info.code.to_owned(),
            message: info.message,
            text: info.text,
            advice: info.advice.to_owned(),
            advice_seconds: info.advice_seconds,
            field: info.field,
            broker: text(info.broker),
            endpoint: info.endpoint,
            http_status: info.http_status,
            broker_code: info.broker_code,
            message_id: info.message_id,
            server_time: info.server_time,
            which: text(info.which),
            reason: text(info.reason),
            phase: text(info.phase),
            clock_skew: info.clock_skew,
            retry_after: info.retry_after,
            source_ip: info.source_ip,
            primary_ip: info.primary_ip,
            secondary_ip: info.secondary_ip,
            validation_errors: info.validation_errors,
            body: info.body,
            causes: info.causes,
        }
    }
}

/// Each kind with its documentation, and the way from Rust's error to it.
macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $kind:ident,)+) => {
        /// Why a call failed: the case says what to do about it.
        #[derive(Debug, thiserror::Error, uniffi::Error)]
        pub enum PreopenError {
            $(
                $(#[doc = $doc])+
                #[error("{}", .info.text)]
                $kind {
                    /// Everything it tells.
                    info: ErrorInfo,
                },
            )+
        }

        impl From<Error> for PreopenError {
            fn from(error: Error) -> Self {
                let info = ErrorInfo::from(preopen_ffi::ErrorInfo::from(&error));
                match error.kind() {
                    $(ErrorKind::$kind => Self::$kind { info },)+
                    // No other exists: a test counts them.
                    _ => Self::Internal { info },
                }
            }
        }
    };
}

kinds! {
    /// Refused before any I/O: fix the named field.
    InvalidInput,
    /// The broker refused a credential: fix it.
    CredentialsRejected,
    /// A person must act at the broker.
    AccountActionRequired,
    /// A new interactive login is needed.
    LoginRequired,
    /// The broker refused the token, and this call may not be repeated.
    SessionExpired,
    /// This host's address is not registered with the broker.
    StaticIpMismatch,
    /// Too many calls: wait.
    RateLimited,
    /// The deadline passed.
    Timeout,
    /// DNS, connect, TLS, or a connection that broke.
    Network,
    /// The broker answered with a 5xx, an HTML page, gateway text, or nothing.
    BrokerUnavailable,
    /// A write may have happened: look at the order book before repeating it.
    OutcomeUnknown,
    /// The broker said no to this request.
    BrokerRejected,
    /// JSON that fits no known shape.
    MalformedResponse,
    /// The session store cannot be used.
    StoreUnavailable,
    /// The caller gave up; the login it waited for goes on.
    Cancelled,
    /// A bug in Preopen: report it.
    Internal,
}
