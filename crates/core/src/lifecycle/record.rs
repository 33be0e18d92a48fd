//! A published session, and the view of it that users see.

use std::sync::Arc;

use super::holder::Holder;
use super::shared::Origin;
use crate::broker::{Login, Profile, Tokens};
use crate::clock::{Clock, Now, Timestamp};
use crate::error::Error;
use crate::expiry::{Deadline, Expiry, ExpiryPolicy};
use crate::skew::Skew;
use crate::static_ip::Addresses;

/// Until when a refresh token renews that the broker has refused: by no clock, however far it is behind.
pub(super) const NOT_RENEWABLE: Timestamp = Timestamp::from_millis(0);

/// One live session. It never changes after it is published, so a reader can never see fields of two logins.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Record {
    /// Grows by one with every login of this session object.
    pub generation: u64,
    /// Which login of all programs that share a store it comes from; `None` for a session of this program alone.
    pub origin: Option<Origin>,
    /// The tokens.
    pub tokens: Tokens,
    /// How far the broker's clock was from this machine's at the login, if the reply told.
    pub skew: Option<Skew>,
    /// When the login was sent.
    pub issued_at: Timestamp,
    /// When the session ends, and why.
    pub expiry: Expiry,
    /// The end on both clocks.
    pub deadline: Deadline,
    /// What the login reply told of the holder.
    holder: Holder,
    /// Until when the refresh token may renew it; `None` where that ends with the session itself.
    pub renewable_until: Option<Timestamp>,
}

impl Record {
    /// The record of a login that was sent at `issued_at`. Both clocks are known at `known`: the same moment, or, for
    /// a login of another program, now.
    pub fn new(
        generation: u64,
        login: Login,
        issued_at: Timestamp,
        known: Now,
        policy: &ExpiryPolicy,
    ) -> Self {
        let expiry = policy.expiry(issued_at, login.skew.unwrap_or_default(), &login.evidence);
        Self {
            generation,
            origin: login.origin,
            tokens: login.tokens,
            skew: login.skew,
            issued_at,
            deadline: Deadline::new(known, expiry.at()),
            expiry,
            holder: Holder::new(&login.profile, login.addresses.as_ref()),
            renewable_until: login.renewable_until,
        }
    }

    /// The holder, as far as the login reply told.
    pub fn profile(&self) -> Profile {
        self.holder.profile()
    }

    /// The addresses that the login reply told.
    pub fn addresses(&self) -> Option<Addresses> {
        self.holder.addresses()
    }

    /// Whether the session may be used at `now`.
    pub fn is_live(&self, now: Now) -> bool {
        !self.deadline.has_passed(now)
    }

    /// Whether it may be used now, by this clock.
    pub fn is_live_by(&self, clock: &dyn Clock) -> bool {
        !self.deadline.has_passed_by(clock)
    }

    /// Whether its refresh token may still renew it at `now`.
    pub fn is_renewable(&self, now: Now) -> bool {
        match self.renewable_until {
            Some(until) => now.wall < until,
            None => self.is_live(now),
        }
    }

    /// Whether its refresh token opens a session after this one is over.
    pub fn outlives_its_end(&self, now: Now) -> bool {
        self.outlives(now).is_some()
    }

    /// Until when it does.
    pub(super) fn outlives(&self, now: Now) -> Option<Timestamp> {
        self.renewable_until.filter(|until| now.wall < *until)
    }
}

/// The name of a session's state.
///
/// ```
/// use preopen_core::lifecycle::StateName;
///
/// assert_eq!(StateName::SignedOut.as_str(), "signed_out");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StateName {
    /// No session: never logged in, or logged out.
    SignedOut,
    /// A login is running and there is no session to use meanwhile.
    Opening,
    /// There is a session.
    Active,
    /// The session is over; the next call logs in.
    Expired,
    /// The broker refused the login for good; nothing is sent until `reset()`.
    Blocked,
    /// The session object was closed; it cannot be used any more.
    Closed,
}

impl StateName {
    /// The stable text of this name, the same in every language.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SignedOut => "signed_out",
            Self::Opening => "opening",
            Self::Active => "active",
            Self::Expired => "expired",
            Self::Blocked => "blocked",
            Self::Closed => "closed",
        }
    }
}

/// What a session is doing. Reading it has no side effect.
///
/// ```
/// use preopen_core::lifecycle::{SessionState, StateName};
///
/// fn is_usable(state: &SessionState) -> bool {
///     state.name == StateName::Active && state.blocked_by.is_none()
/// }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SessionState {
    /// The state.
    pub name: StateName,
    /// The generation of the last login; 0 before the first.
    pub generation: u64,
    /// When the session was issued, while there is one.
    pub issued_at: Option<Timestamp>,
    /// When the session ends, while there is one, with all evidence.
    pub expiry: Option<Expiry>,
    /// Until when a refresh token opens the next session without a person, where that outlives the session.
    pub renewable_until: Option<Timestamp>,
    /// How far the broker's clock was from this machine's at the login, while there is a session and it told.
    pub clock_skew: Option<Skew>,
    /// Why the session is blocked.
    pub blocked_by: Option<Error>,
    /// One line for a person.
    pub reason: String,
}

impl SessionState {
    pub(super) fn active(record: &Arc<Record>) -> Self {
        let decisive = record.expiry.decisive();
        Self {
            name: StateName::Active,
            generation: record.generation,
            issued_at: Some(record.issued_at),
            expiry: Some(record.expiry.clone()),
            renewable_until: record.renewable_until.filter(|until| *until > record.issued_at),
            clock_skew: record.skew,
            blocked_by: None,
            reason: format!("ends at {} ({})", decisive.at.to_ist(), decisive.source.as_str()),
        }
    }
}
