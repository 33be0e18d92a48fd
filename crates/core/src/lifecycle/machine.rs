//! The state machine. It owns no clock, task or lock: the caller feeds it events one at a time and carries
//! out the effects. Compare-and-set on the generation and on the flight is what keeps late news out.

use std::sync::Arc;
use std::time::Duration;

use super::back_off::BackOff;
use super::record::{Record, SessionState, StateName};
use crate::broker::Login;
use crate::clock::Now;
use crate::error::{Advice, Error, ErrorKind, LoginReason, Phase as ErrorPhase};
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
    /// An abandoned flight has ended, and whatever it opened is closed at the broker.
    Drained {
        /// The flight.
        flight: FlightId,
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
    /// The user is done with this session object; nothing may be sent for it any more.
    Closed,
    /// This is another process than before: logins of the parent do not exist here.
    Forked,
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
    /// A login is running or queued: whoever asked waits for it.
    Join(FlightId),
    /// Make this session the one that readers see.
    Publish(Arc<Record>),
    /// Make readers see no session.
    Withdraw,
    /// Give everybody who waits for this flight its result.
    Settle(FlightId, Result<Arc<Record>, Error>),
    /// The user logged out of this session: end it at the broker.
    SignOut(Arc<Record>),
    /// A login that nobody wants any more succeeded: end it at the broker, best effort.
    Discard(Box<Login>),
}

#[derive(Clone, Debug, Default)]
enum Phase {
    #[default]
    SignedOut,
    Active(Arc<Record>),
    /// The session ended by the broker's word; an end by the clock is seen when it is looked at. Its record is
    /// kept for the refresh token in it.
    Expired(Option<Arc<Record>>),
    Blocked(Error),
    Closed,
}

/// The lifecycle of one session.
#[derive(Clone, Debug, Default)]
pub struct Machine {
    phase: Phase,
    generation: u64,
    flights: u64,
    /// The login that callers wait for: running, or queued while another one drains.
    flight: Option<FlightId>,
    /// Waits between failed logins.
    back_off: BackOff,
    /// A login that was abandoned by a logout and still runs. No other login starts before it has ended, since
    /// its own logout at the broker could end the newer session too.
    draining: Option<FlightId>,
}

impl Machine {
    /// The lifecycle of one account, before its first login. `seed` spreads the waits of different accounts.
    pub fn new(seed: u64) -> Self {
        Self {
            back_off: BackOff::new(seed),
            ..Self::default()
        }
    }

    /// One step: the next state, and what is to be done. Pure: equal inputs give equal outputs.
    #[must_use]
    pub fn step(mut self, event: Event, now: Now, policy: &ExpiryPolicy) -> (Self, Vec<Effect>) {
        let effects = match event {
            Event::Needed => vec![self.needed(now)],
            Event::Opened { flight, login, sent } => self.opened(flight, login, sent, now, policy),
            Event::Failed { flight, error } => self.failed(flight, &error, now),
            Event::Drained { flight } => self.drained(flight),
            Event::Invalidated { generation } => self.invalidated(generation),
            Event::SignedOut => self.signed_out(now),
            Event::Reset => {
                if matches!(self.phase, Phase::Blocked(_)) {
                    self.phase = Phase::SignedOut;
                }
                self.back_off.clear();
                Vec::new()
            }
            Event::Closed => self.closed(),
            Event::Forked => {
                self.flight = None;
                self.draining = None;
                Vec::new()
            }
        };
        (self, effects)
    }

    fn needed(&mut self, now: Now) -> Effect {
        match &self.phase {
            Phase::Active(record) if record.is_live(now) => return Effect::Serve(Arc::clone(record)),
            Phase::Blocked(error) => return Effect::Refuse(error.clone()),
            Phase::Closed => return Effect::Refuse(closed_error()),
            _ => {}
        }
        if let Some(flight) = self.flight {
            return Effect::Join(flight);
        }
        if let Some(error) = self.back_off.holds(now) {
            return Effect::Refuse(error);
        }
        self.flights += 1;
        let flight = FlightId(self.flights);
        self.flight = Some(flight);
        if self.draining.is_some() {
            Effect::Join(flight)
        } else {
            Effect::Start(flight)
        }
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
            // Closing never logs out: what a closed session still opens is left to the broker's own end of it.
            let closed = matches!(self.phase, Phase::Closed);
            return if closed {
                Vec::new()
            } else {
                vec![Effect::Discard(login)]
            };
        }
        self.flight = None;
        self.back_off.clear();
        self.generation += 1;
        let record = Arc::new(Record::new(self.generation, *login, sent, policy));
        if !record.is_live(now) {
            self.phase = Phase::Expired(None);
            return vec![Effect::Withdraw, Effect::Settle(flight, Err(dead_on_arrival()))];
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
            let again = format!("{} (not sent again: fix it, then call reset())", error.message());
            self.phase = Phase::Blocked(error.clone().with_message(again));
        }
        self.back_off.failed(error, now);
        vec![Effect::Withdraw, Effect::Settle(flight, Err(error.clone()))]
    }

    fn drained(&mut self, flight: FlightId) -> Vec<Effect> {
        if self.draining != Some(flight) {
            return Vec::new();
        }
        self.draining = None;
        self.flight.map(Effect::Start).into_iter().collect()
    }

    fn invalidated(&mut self, generation: u64) -> Vec<Effect> {
        match &self.phase {
            Phase::Active(record) if record.generation == generation => {
                self.phase = Phase::Expired(Some(Arc::clone(record)));
                vec![Effect::Withdraw]
            }
            _ => Vec::new(),
        }
    }

    fn signed_out(&mut self, now: Now) -> Vec<Effect> {
        let mut effects = vec![Effect::Withdraw];
        match &self.phase {
            // A refused credential stays refused: logging out must not buy another attempt.
            Phase::Blocked(_) => {}
            Phase::Closed => return vec![Effect::Refuse(closed_error())],
            Phase::Active(record) if record.is_live(now) => {
                effects.push(Effect::SignOut(Arc::clone(record)));
                self.phase = Phase::SignedOut;
            }
            _ => self.phase = Phase::SignedOut,
        }
        if let Some(flight) = self.flight.take() {
            // A queued flight never ran; the one that it waited for goes on draining.
            self.draining.get_or_insert(flight);
            let error = Error::new(
                ErrorKind::LoginRequired,
                "the session was logged out while its login was under way",
            )
            .with(|context| context.login_reason = Some(LoginReason::SignedOut));
            effects.push(Effect::Settle(flight, Err(error)));
        }
        effects
    }

    fn closed(&mut self) -> Vec<Effect> {
        self.phase = Phase::Closed;
        let mut effects = vec![Effect::Withdraw];
        effects.extend(
            self.flight
                .take()
                .map(|flight| Effect::Settle(flight, Err(closed_error()))),
        );
        effects
    }

    /// Whether this flight is still the one that is waited for.
    pub fn is_current(&self, flight: FlightId) -> bool {
        self.flight == Some(flight)
    }

    /// The session that the broker ended before its boundary: its refresh token may still renew it.
    pub fn renewable(&self, now: Now) -> Option<Arc<Record>> {
        match &self.phase {
            Phase::Expired(Some(record)) if record.is_live(now) => Some(Arc::clone(record)),
            _ => None,
        }
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
                ..state(StateName::Blocked, error.message())
            },
            Phase::Closed => state(StateName::Closed, "the session is closed: make a new one"),
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
            Phase::Expired(_) => state(
                StateName::Expired,
                "the broker ended the session; the next call logs in",
            ),
        }
    }
}

fn closed_error() -> Error {
    Error::invalid_input("session", "is closed: make a new one")
}

/// The error of a login whose session was over before anybody could use it.
pub(super) fn dead_on_arrival() -> Error {
    Error::new(
        ErrorKind::Timeout,
        "the session was over before its login was complete: the broker ended it meanwhile, or this machine's \
         clock is ahead",
    )
    .with_advice(Advice::After(Duration::from_secs(5)))
    .with(|context| context.phase = Some(ErrorPhase::Login))
}
