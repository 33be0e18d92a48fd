//! What a session tells those who watch it. Who listens, and how far behind they may fall, is decided in `preopen`.

use std::time::Duration;

use super::record::Record;
use crate::clock::Timestamp;
use crate::error::{Error, ErrorKind};
use crate::static_ip::Addresses;

/// How long before the end of a session `expiring` is told.
pub(super) const EXPIRING_BEFORE: Duration = Duration::from_mins(15);

/// After so many failed logins in a row `failing` is told.
pub const FAILING_AFTER: u32 = 3;

/// What happened to a session.
///
/// ```
/// use preopen_core::lifecycle::EventName;
///
/// assert_eq!(EventName::LoginNeeded.as_str(), "login_needed");
/// assert!(EventName::ALL.contains(&EventName::Renewed));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EventName {
    /// A login, a refresh or an imported session gave a new token.
    Renewed,
    /// The session ends within 15 minutes.
    Expiring,
    /// The session is over: its time came, or the broker refused its token.
    Expired,
    /// Only a person can log in again.
    LoginNeeded,
    /// The broker refused the login for good; no login is sent until `reset()`.
    Blocked,
    /// Logins have failed [`FAILING_AFTER`] times in a row; trying goes on. Told once, until a login succeeds.
    Failing,
    /// The broker saw an address that is not registered.
    IpMismatch,
    /// The user logged out.
    SignedOut,
    /// The listener fell behind and missed events.
    Lagged,
}

impl EventName {
    /// Every name, in the order of the documentation.
    pub const ALL: &'static [Self] = &[
        Self::Renewed,
        Self::Expiring,
        Self::Expired,
        Self::LoginNeeded,
        Self::Blocked,
        Self::Failing,
        Self::IpMismatch,
        Self::SignedOut,
        Self::Lagged,
    ];

    /// The stable text of this name, the same in every language.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Renewed => "renewed",
            Self::Expiring => "expiring",
            Self::Expired => "expired",
            Self::LoginNeeded => "login_needed",
            Self::Blocked => "blocked",
            Self::Failing => "failing",
            Self::IpMismatch => "ip_mismatch",
            Self::SignedOut => "signed_out",
            Self::Lagged => "lagged",
        }
    }
}

/// One event. It holds no secret.
///
/// ```
/// use preopen_core::lifecycle::SessionEvent;
///
/// fn line(event: &SessionEvent) -> String {
///     format!("{} {} generation {}: {}", event.at.to_ist(), event.name.as_str(), event.generation, event.reason)
/// }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SessionEvent {
    /// What happened.
    pub name: EventName,
    /// When, by the session's clock.
    pub at: Timestamp,
    /// The generation that it is about; 0 when there was none yet.
    pub generation: u64,
    /// When that generation ends, while it is known.
    pub expires_at: Option<Timestamp>,
    /// Why, for `blocked`, `failing`, `login_needed` and `ip_mismatch`.
    pub error: Option<Error>,
    /// How many events were missed, for `lagged`; 0 otherwise.
    pub missed: u64,
    /// One line for a person.
    pub reason: String,
}

impl SessionEvent {
    pub(super) fn new(name: EventName, at: Timestamp, generation: u64, reason: impl Into<String>) -> Self {
        Self {
            name,
            at,
            generation,
            expires_at: None,
            error: None,
            missed: 0,
            reason: reason.into(),
        }
    }

    pub(super) fn of(name: EventName, at: Timestamp, record: &Record, reason: impl Into<String>) -> Self {
        Self {
            expires_at: Some(record.expiry.at()),
            ..Self::new(name, at, record.generation, reason)
        }
    }

    pub(super) fn because(name: EventName, at: Timestamp, generation: u64, error: &Error) -> Self {
        Self {
            error: Some(error.clone()),
            ..Self::new(name, at, generation, error.message())
        }
    }

    /// The marker for a listener that missed `missed` events.
    pub fn lagged(missed: u64, at: Timestamp) -> Self {
        let reason = format!("{missed} events were missed: read the state, then go on");
        Self {
            missed,
            ..Self::new(EventName::Lagged, at, 0, reason)
        }
    }
}

/// The error of addresses that do not match, with what to do.
pub fn mismatch(addresses: &Addresses) -> Error {
    let fix = addresses.fix().map(|fix| format!("; {fix}")).unwrap_or_default();
    let message = format!("{addresses}: orders from here will be refused{fix}");
    Error::new(ErrorKind::StaticIpMismatch, message).with_addresses(addresses)
}
