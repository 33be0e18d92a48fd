//! The state machine. It owns no clock, task or lock: the caller feeds it events one at a time and carries
//! out the effects. Compare-and-set on the generation and on the flight is what keeps late news out.

use std::sync::Arc;

use super::record::{Record, SessionState, StateName};
use crate::broker::Login;
use crate::clock::Now;
use crate::error::{Error, ErrorKind, LoginReason};
use crate::expiry::ExpiryPolicy;

/// Names one login attempt. A result that names another flight than the running one is too late.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FlightId(u64);

/// What can happen to a session.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// A caller needs a session.
    Needed,
    /// A one-time code of this step is about to be sent.
    CodeSpent {
        /// The TOTP step.
        step: i64,
    },
    /// A login succeeded.
    Opened {
        /// The flight that did it.
        flight: FlightId,
        /// What it gave.
        login: Box<Login>,
        /// When it was sent.
        sent: Now,
    },
    /// A login failed.
    Failed {
        /// The flight that failed.
        flight: FlightId,
        /// Why.
        error: Error,
    },
    /// The broker refused the token of this generation.
    Invalidated {
        /// The generation of the refused token.
        generation: u64,
    },
    /// The user logged out.
    SignedOut,
    /// The user wants a blocked session to try again.
    Reset,
}

/// What the caller of the machine must do.
#[derive(Debug)]
#[non_exhaustive]
pub enum Effect {
    /// Serve this session to whoever asked.
    Serve(Arc<Record>),
    /// Tell whoever asked that it failed.
    Refuse(Error),
    /// Start a login; whoever asked waits for it.
    Start(FlightId),
    /// A login is running already: whoever asked waits for it.
    Join(FlightId),
    /// Make this session the one that readers see.
    Publish(Arc<Record>),
    /// Make readers see no session.
    Withdraw,
    /// Give everybody who waits for this flight its result.
    Settle(FlightId, Result<Arc<Record>, Error>),
    /// A login that nobody wants any more succeeded: end it at the broker, best effort.
    Discard(Box<Login>),
}

#[derive(Clone, Debug, Default)]
enum Phase {
    #[default]
    SignedOut,
    Active(Arc<Record>),
    /// The session ended by the broker's word; an end by the clock is seen when it is looked at.
    Expired,
    Blocked(Error),
}

/// The lifecycle of one session.
#[derive(Clone, Debug, Default)]
pub struct Machine {
    phase: Phase,
    generation: u64,
    flight: Option<FlightId>,
    flights: u64,
    last_totp_step: Option<i64>,
}

impl Machine {
    /// One step: the next state, and what is to be done. Pure: equal inputs give equal outputs.
    #[must_use]
    pub fn step(mut self, event: Event, now: Now, policy: &ExpiryPolicy) -> (Self, Vec<Effect>) {
        let effects = match event {
            Event::Needed => vec![self.needed(now)],
            Event::CodeSpent { step } => {
                self.last_totp_step = self.last_totp_step.max(Some(step));
                Vec::new()
            }
            Event::Opened { flight, login, sent } => self.opened(flight, login, sent, now, policy),
            Event::Failed { flight, error } => self.failed(flight, &error, now),
            Event::Invalidated { generation } => self.invalidated(generation),
            Event::SignedOut => self.signed_out(),
            Event::Reset => {
                if matches!(self.phase, Phase::Blocked(_)) {
                    self.phase = Phase::SignedOut;
                }
                Vec::new()
            }
        };
        (self, effects)
    }

    fn needed(&mut self, now: Now) -> Effect {
        match &self.phase {
            Phase::Active(record) if record.is_live(now) => return Effect::Serve(Arc::clone(record)),
            Phase::Blocked(error) => return Effect::Refuse(error.clone()),
            _ => {}
        }
        if let Some(flight) = self.flight {
            return Effect::Join(flight);
        }
        self.flights += 1;
        let flight = FlightId(self.flights);
        self.flight = Some(flight);
        Effect::Start(flight)
    }

    fn opened(
        &mut self,
        flight: FlightId,
        login: Box<Login>,
        sent: Now,
        now: Now,
        policy: &ExpiryPolicy,
    ) -> Vec<Effect> {
        if self.flight != Some(flight) {
            return vec![Effect::Discard(login)];
        }
        self.flight = None;
        self.generation += 1;
        let record = Arc::new(Record::new(self.generation, *login, sent, policy));
        if !record.is_live(now) {
            // The reply took so long that the boundary passed: nobody may be served with it.
            self.phase = Phase::Expired;
            let error = Error::new(
                ErrorKind::LoginRequired,
                "the session ended while its login was under way: try again",
            )
            .with_advice(crate::error::Advice::Now);
            return vec![Effect::Withdraw, Effect::Settle(flight, Err(error))];
        }
        self.phase = Phase::Active(Arc::clone(&record));
        vec![
            Effect::Publish(Arc::clone(&record)),
            Effect::Settle(flight, Ok(record)),
        ]
    }

    fn failed(&mut self, flight: FlightId, error: &Error, now: Now) -> Vec<Effect> {
        if self.flight != Some(flight) {
            return Vec::new();
        }
        self.flight = None;
        // A failed renewal never displaces a session that is still valid.
        if let Phase::Active(record) = &self.phase
            && record.is_live(now)
        {
            return vec![Effect::Settle(flight, Ok(Arc::clone(record)))];
        }
        if error.is_terminal_for_login() {
            self.phase = Phase::Blocked(error.clone());
        }
        vec![Effect::Withdraw, Effect::Settle(flight, Err(error.clone()))]
    }

    fn invalidated(&mut self, generation: u64) -> Vec<Effect> {
        match &self.phase {
            Phase::Active(record) if record.generation == generation => {
                self.phase = Phase::Expired;
                vec![Effect::Withdraw]
            }
            _ => Vec::new(),
        }
    }

    fn signed_out(&mut self) -> Vec<Effect> {
        // A refused credential stays refused: logging out must not buy another attempt.
        if !matches!(self.phase, Phase::Blocked(_)) {
            self.phase = Phase::SignedOut;
        }
        let mut effects = vec![Effect::Withdraw];
        if let Some(flight) = self.flight.take() {
            let error = Error::new(
                ErrorKind::LoginRequired,
                "the session was logged out while its login was under way",
            )
            .with(|context| context.login_reason = Some(LoginReason::SignedOut));
            effects.push(Effect::Settle(flight, Err(error)));
        }
        effects
    }

    /// The last TOTP step that was sent: the next login waits for a later one.
    pub fn last_totp_step(&self) -> Option<i64> {
        self.last_totp_step
    }

    /// Whether this flight is still the one that is waited for.
    pub fn is_current(&self, flight: FlightId) -> bool {
        self.flight == Some(flight)
    }

    /// The state that users see at `now`.
    pub fn state(&self, now: Now) -> SessionState {
        let state = |name, reason: &str| SessionState {
            name,
            generation: self.generation,
            issued_at: None,
            expiry: None,
            blocked_by: None,
            reason: reason.to_owned(),
        };
        match &self.phase {
            Phase::Active(record) if record.is_live(now) => SessionState::active(record),
            Phase::Blocked(error) => SessionState {
                blocked_by: Some(error.clone()),
                ..state(
                    StateName::Blocked,
                    &format!("fix this, then call reset(): {}", error.message()),
                )
            },
            _ if self.flight.is_some() => state(StateName::Opening, "a login is running"),
            Phase::SignedOut => state(StateName::SignedOut, "the next call logs in"),
            Phase::Active(record) => SessionState {
                issued_at: Some(record.issued_at),
                expiry: Some(record.expiry.clone()),
                ..state(
                    StateName::Expired,
                    &format!("ended at {}; the next call logs in", record.expiry.at().to_ist()),
                )
            },
            Phase::Expired => state(
                StateName::Expired,
                "the broker ended the session; the next call logs in",
            ),
        }
    }
}
