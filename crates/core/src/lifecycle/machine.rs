//! The state machine. It owns no clock, task or lock: the caller feeds it events one at a time and carries
//! out the effects. Compare-and-set on the generation and on the flight is what keeps late news out. What is special where
//! only a person can log in is in `person`.

mod person;

pub(super) use person::A_PERSON;

use std::sync::Arc;
use std::time::Duration;

use super::back_off::BackOff;
use super::events::{EXPIRING_BEFORE, EventName, FAILING_AFTER, SessionEvent, mismatch};
use super::jitter::share_of;
use super::record::{Record, SessionState, StateName};
use super::shared::Origin;
use super::step::{Effect, Event, FlightId};
use crate::audit::Why;
use crate::broker::Login;
use crate::clock::{Now, Timestamp};
use crate::consent::consent_needed;
use crate::error::{Advice, Error, ErrorKind, LoginReason, Phase as ErrorPhase};
use crate::expiry::ExpiryPolicy;
use crate::skew::Skew;

/// A session that is kept warm is renewed this long after its end, at the earliest: the broker's own clock may turn
/// a little later than ours.
const WARM_AFTER: Duration = Duration::from_secs(5);
/// And up to this much later, each account at its own time: a broker should not see all of its clients at once.
const WARM_SPREAD: Duration = Duration::from_mins(2);
/// After this many failures in a row, the last of them a refusal that no table lists, nobody logs in unasked.
const UNKNOWN_REFUSALS: u32 = 3;

#[derive(Clone, Debug, Default)]
enum Phase {
    #[default]
    SignedOut,
    Active(Arc<Record>),
    /// The session ended by the broker's word; an end by the clock is seen when it is looked at. Its record is
    /// kept for the refresh token in it.
    Expired(Arc<Record>),
    Closed,
}

/// What those who watch were told of the present session's end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Told {
    #[default]
    Nothing,
    Expiring,
    Expired,
}

/// Who said that a session is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Ended {
    /// Its time came.
    #[default]
    ByTime,
    /// The broker refused its token.
    ByBroker,
    /// The broker revoked all tokens of the app, since a login code was used twice.
    Revoked,
    /// Another program logged out, or was refused its token.
    Elsewhere,
    /// The user wants a newer one.
    ByUser,
}

impl Ended {
    /// What those who watch the session are told.
    fn reason(self) -> &'static str {
        match self {
            Self::ByTime => "its time came",
            Self::ByBroker => "the broker refused its token",
            Self::Revoked => "the broker revoked it: a login code was used twice",
            Self::Elsewhere => "another program logged out, or was refused its token",
            Self::ByUser => "a newer one was asked for",
        }
    }

    /// Why the next login begins.
    fn why(self) -> Why {
        match self {
            Self::ByTime => Why::Expired,
            Self::ByBroker | Self::Revoked => Why::RefusedToken,
            Self::Elsewhere => Why::EndedElsewhere,
            Self::ByUser => Why::Asked,
        }
    }
}

/// What never changes about a session.
#[derive(Clone, Copy, Debug, Default)]
struct Habits {
    /// It is renewed after its end without being asked for.
    warm: bool,
    /// Only a person can log in.
    needs_consent: bool,
}

/// What the next login is for.
#[derive(Clone, Copy, Debug, Default)]
struct Cause {
    /// Why the session that is over does not live any more.
    ended_by: Ended,
    /// `reset()` let go of what held logins back, and none began since.
    was_reset: bool,
}

/// The lifecycle of one session.
#[derive(Clone, Debug, Default)]
pub struct Machine {
    phase: Phase,
    /// The broker refused the login for good: nothing is sent until `reset()`. A session may still be there, for
    /// example one that was imported.
    blocked: Option<Error>,
    told: Told,
    seed: u64,
    habits: Habits,
    /// A person was called and has not logged in yet.
    called: bool,
    /// Nothing is renewed without being asked for until somebody asks: the last login needs a person.
    resting: bool,
    /// The queued flight is there for what a person consented to, and nobody else waits for it.
    for_person: bool,
    /// The session whose refresh token the running flight may use.
    renewing: Option<u64>,
    generation: u64,
    cause: Cause,
    /// The last session that is known to be dead, of those that are kept in a store.
    dead: Option<Origin>,
    /// The last generation that was there when the user logged out.
    signed_out: u64,
    flights: u64,
    /// The login that callers wait for: running, or queued while another one drains.
    flight: Option<FlightId>,
    /// Waits between failed logins.
    back_off: BackOff,
    /// Logouts on their way, and a login that was abandoned by one and still runs. No other login starts before they
    /// have ended, since a logout at the broker could end the newer session too.
    draining: Vec<FlightId>,
}

impl Machine {
    /// The lifecycle of one account, before its first login. `seed` spreads the waits and renewals of different
    /// accounts.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            back_off: BackOff::new(seed),
            ..Self::default()
        }
    }

    /// The same, renewed after each end without being asked for, once somebody asked for the first session.
    #[must_use]
    pub fn keeping_warm(self, warm: bool) -> Self {
        let habits = Habits { warm, ..self.habits };
        Self { habits, ..self }
    }

    /// The same, for credentials that only a person can log in with.
    #[must_use]
    pub fn needing_consent(self, needs_consent: bool) -> Self {
        let habits = Habits {
            needs_consent,
            ..self.habits
        };
        Self { habits, ..self }
    }

    /// One step: the next state, and what is to be done. Pure: equal inputs give equal outputs.
    #[must_use]
    pub fn step(mut self, event: Event, now: Now, policy: &ExpiryPolicy) -> (Self, Vec<Effect>) {
        let mut effects = self.notice_time(now);
        effects.extend(match event {
            Event::Needed => vec![self.needed(now)],
            Event::Granted => vec![self.granted(now)],
            Event::Opened { flight, login, sent } => self.opened(flight, login, sent, now, policy),
            Event::Failed { flight, error } => self.failed(flight, &error, now),
            Event::Drained { flight } => self.drained(flight, now),
            Event::Imported { login, issued_at } => self.imported(*login, issued_at, now, policy),
            Event::Adopted {
                flight,
                login,
                issued_at,
            } => self.adopted(flight, *login, issued_at, now, policy),
            Event::Tick => self.ticked(now),
            Event::AddressRefused(_) if matches!(self.phase, Phase::Closed) => Vec::new(),
            Event::AddressRefused(error) => {
                vec![because(EventName::IpMismatch, now, self.generation, &error)]
            }
            Event::Invalidated { generation } => {
                self.ended(now, Ended::ByBroker, |record| record.generation == generation)
            }
            Event::PassedOver { generation } => {
                self.ended(now, Ended::ByUser, |record| record.generation == generation)
            }
            Event::EndedElsewhere { origin } => {
                self.ended(now, Ended::Elsewhere, |record| record.origin == Some(origin))
            }
            Event::SignedOut => self.signed_out(now),
            Event::Reset => {
                let held = self.blocked.take().is_some() || self.back_off.failures() > 0 || self.resting;
                self.called = false;
                self.resting = false;
                self.back_off.clear();
                // A login that is under way began before, and one that nothing held back has a reason of its own.
                self.cause.was_reset = held && self.flight.is_none();
                Vec::new()
            }
            Event::Closed => self.closed(),
            Event::Forked => {
                self.flight = None;
                self.draining.clear();
                Vec::new()
            }
        });
        effects.extend(self.calls_a_person(now));
        (self, effects)
    }

    /// Time itself ends sessions; it is noticed at the first event after.
    fn notice_time(&mut self, now: Now) -> Vec<Effect> {
        let Phase::Active(record) = &self.phase else {
            return Vec::new();
        };
        let (told, name, verb) = if !record.is_live(now) {
            (Told::Expired, EventName::Expired, "ended")
        } else if now.wall >= expiring_at(record) {
            (Told::Expiring, EventName::Expiring, "ends")
        } else {
            return Vec::new();
        };
        if self.told >= told {
            return Vec::new();
        }
        self.told = told;
        let reason = format!("{verb} at {}", record.expiry.at().to_ist());
        vec![announce(SessionEvent::of(name, now.wall, record, reason))]
    }

    fn needed(&mut self, now: Now) -> Effect {
        match &self.phase {
            Phase::Active(record) if record.is_live(now) => return Effect::Serve(Arc::clone(record)),
            Phase::Closed => return Effect::Refuse(closed_error()),
            _ => {}
        }
        if let Some(error) = &self.blocked {
            return Effect::Refuse(error.clone());
        }
        if let Some(flight) = self.flight {
            self.for_person = false;
            return Effect::Join(flight);
        }
        if let Some(error) = self.back_off.holds(now) {
            return Effect::Refuse(error);
        }
        self.begin(self.why_needed(), now)
    }

    /// Why a caller who needs a session makes a login begin.
    fn why_needed(&self) -> Why {
        if self.cause.was_reset {
            return Why::Reset;
        }
        if self.back_off.failures() > 0 {
            return Why::Retry;
        }
        match &self.phase {
            Phase::Active(_) => Why::Expired,
            Phase::Expired(_) => self.cause.ended_by.why(),
            Phase::SignedOut if self.generation > 0 => Why::LoggedOut,
            Phase::SignedOut | Phase::Closed => Why::FirstUse,
        }
    }

    /// A new login, now or behind the one that drains.
    fn begin(&mut self, why: Why, now: Now) -> Effect {
        self.resting = false;
        self.for_person = false;
        self.cause.was_reset = false;
        let flight = self.next_flight(why);
        self.flight = Some(flight);
        if self.draining.is_empty() {
            self.started(flight, now)
        } else {
            Effect::Join(flight)
        }
    }

    fn started(&mut self, flight: FlightId, now: Now) -> Effect {
        self.renewing = self.renewable(now).map(|record| record.generation);
        Effect::Start(flight)
    }

    fn next_flight(&mut self, why: Why) -> FlightId {
        self.flights += 1;
        let number = self.flights;
        FlightId { number, why }
    }

    /// When the machine wants an [`Event::Tick`], as things are at `now`; `None` when time alone changes nothing.
    pub fn wakes_at(&self, now: Now) -> Option<Timestamp> {
        match &self.phase {
            Phase::Active(record) if self.told == Told::Nothing => Some(expiring_at(record)),
            Phase::Active(record) if self.told == Told::Expiring => Some(record.expiry.at()),
            _ => self.warm_at(now).into_iter().chain(self.person_at()).min(),
        }
    }

    /// When a session that is kept warm is renewed: after its end, each account at its own time, and after any
    /// wait between failed logins. A session that the broker ended early is left alone until its boundary: another
    /// login elsewhere may have ended it, and two programs must not chase each other.
    fn warm_at(&self, now: Now) -> Option<Timestamp> {
        let idle = self.flight.is_none() && self.blocked.is_none() && !self.resting;
        let (Phase::Active(record) | Phase::Expired(record)) = &self.phase else {
            return None;
        };
        let due = || {
            let late = record.skew.map_or(Duration::ZERO, Skew::behind);
            let jitter = share_of(WARM_SPREAD, self.seed, 0);
            let due = record.expiry.at().plus(late + WARM_AFTER + jitter);
            due.max(now.wall.plus(self.back_off.rest(now)))
        };
        // Where only a person logs in, nothing but a refresh token can renew.
        let renews = |due: &Timestamp| {
            !self.habits.needs_consent || record.renewable_until.is_some_and(|until| *due < until)
        };
        (self.habits.warm && idle).then(due).filter(renews)
    }

    /// Whether an [`Event::Tick`] at `now` starts a login.
    pub fn renews_by_itself(&self, now: Now) -> bool {
        let over = match &self.phase {
            Phase::Active(record) => !record.is_live(now),
            _ => true,
        };
        over && self.warm_at(now).is_some_and(|due| due <= now.wall)
    }

    fn ticked(&mut self, now: Now) -> Vec<Effect> {
        if self.renews_by_itself(now) {
            vec![self.begin(Why::KeepWarm, now)]
        } else {
            Vec::new()
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
        let (record, mut effects) = match self.publish(*login, sent.wall, sent, now, policy) {
            Ok(published) => published,
            Err(over) => {
                self.used_up();
                let mut effects = self.keep_over(over, now);
                effects.extend(self.failed(flight, &dead_on_arrival(), now));
                return effects;
            }
        };
        self.flight = None;
        self.back_off.clear();
        effects.push(Effect::Settle(flight, Ok(record)));
        effects
    }

    /// Takes a session that was opened at `issued_at`; both clocks are known at `known`. One that is over already is given
    /// back, and nothing has changed.
    fn publish(
        &mut self,
        login: Login,
        issued_at: Timestamp,
        known: Now,
        now: Now,
        policy: &ExpiryPolicy,
    ) -> Result<(Arc<Record>, Vec<Effect>), Arc<Record>> {
        // All programs of a store call a session by the same number, unless the store was wiped.
        let stored = login.origin.map_or(0, |origin| origin.generation);
        let generation = stored.max(self.generation + 1);
        let told = login.addresses.as_ref();
        let refused = told.filter(|told| told.are_refused()).map(mismatch);
        let record = Record::new(generation, login, issued_at, known, policy);
        let record = Arc::new(record);
        if !record.is_live(now) {
            return Err(record);
        }
        self.generation = record.generation;
        self.called = false;
        self.resting = false;
        self.phase = Phase::Active(Arc::clone(&record));
        self.cause.ended_by = Ended::ByTime;
        self.told = Told::Nothing;
        let reason = format!("a new session, until {}", record.expiry.at().to_ist());
        let renewed = SessionEvent::of(EventName::Renewed, now.wall, &record, reason);
        let mut effects = vec![Effect::Publish(Arc::clone(&record)), announce(renewed)];
        // Orders from here will be refused.
        let told = |error| because(EventName::IpMismatch, now, generation, &error);
        effects.extend(refused.map(told));
        Ok((record, effects))
    }

    /// Takes over what another program opened. A login that is under way goes on, and replaces it when it is done;
    /// whoever waits for it is served already.
    fn imported(
        &mut self,
        login: Login,
        issued_at: Timestamp,
        now: Now,
        policy: &ExpiryPolicy,
    ) -> Vec<Effect> {
        let refuse = |problem: &str| vec![Effect::Refuse(Error::invalid_input("record", problem))];
        match &self.phase {
            Phase::Closed => return vec![Effect::Refuse(closed_error())],
            Phase::Active(record) if record.is_live(now) => {
                if record.tokens.access() == login.tokens.access() {
                    return Vec::new();
                }
                if record.issued_at >= issued_at {
                    return refuse("is older than the session that is live here");
                }
            }
            Phase::Expired(record) if record.tokens.access() == login.tokens.access() => {
                return refuse("is the session whose token the broker has just refused");
            }
            _ => {}
        }
        if issued_at.since(now.wall) > Skew::LIMIT {
            return refuse("was issued in the future: one of the two clocks is wrong");
        }
        // The other program's clock may be ahead of ours: what is here was issued before now, and ends at the boundary
        // after that.
        let issued_at = issued_at.min(now.wall);
        let Ok((record, mut effects)) = self.publish(login, issued_at, now, now, policy) else {
            return refuse("is of a session that is over: export a live one");
        };
        if let Some(flight) = self.flight {
            effects.push(Effect::Settle(flight, Ok(record)));
        }
        effects
    }

    /// Takes over what the store holds: it is right, whatever was here.
    fn adopted(
        &mut self,
        flight: Option<FlightId>,
        login: Login,
        issued_at: Timestamp,
        now: Now,
        policy: &ExpiryPolicy,
    ) -> Vec<Effect> {
        let unwanted = flight.is_some() && self.flight != flight;
        let dead = login.origin.is_some() && login.origin == self.dead;
        if matches!(self.phase, Phase::Closed) || unwanted || (dead && flight.is_none()) {
            return Vec::new();
        }
        let (record, mut effects) = match self.live(now) {
            Some(record) if !is_newer(&login, issued_at, &record) => (record, Vec::new()),
            _ => {
                let mine = self.renewable(now);
                let better = mine.is_none_or(|mine| is_newer(&login, issued_at, &mine));
                // The clock of its host may be ahead of ours.
                let issued_at = issued_at.min(now.wall);
                match self.publish(login, issued_at, now, now, policy) {
                    Ok(published) => published,
                    Err(over) => {
                        let kept = better.then(|| self.keep_over(over, now));
                        let failed = flight.map(|flight| self.failed(flight, &dead_on_arrival(), now));
                        return kept.into_iter().chain(failed).flatten().collect();
                    }
                }
            }
        };
        self.back_off.clear();
        effects.extend(self.flight.map(|waited| Effect::Settle(waited, Ok(record))));
        if flight.is_some() {
            self.flight = None;
        }
        effects
    }

    fn failed(&mut self, flight: FlightId, error: &Error, now: Now) -> Vec<Effect> {
        let wanted = self.flight == Some(flight);
        let closed = matches!(self.phase, Phase::Closed);
        if closed || !(wanted || self.draining.contains(&flight)) {
            return Vec::new();
        }
        // Of an abandoned login, too: what the broker said of the credentials, or that it wants to be left alone, is
        // as true for the next login.
        let mut effects = Vec::new();
        if error.is_terminal_for_login() {
            let again = format!("{} (not sent again: fix it, then call reset())", error.message());
            self.blocked = Some(error.clone().with_message(again));
            effects.push(because(EventName::Blocked, now, self.generation, error));
        }
        if error.kind() == ErrorKind::StaticIpMismatch && self.back_off.failures() == 0 {
            effects.push(because(EventName::IpMismatch, now, self.generation, error));
        }
        if self.back_off.failed(error, now) && self.back_off.failures() == FAILING_AFTER {
            effects.push(because(EventName::Failing, now, self.generation, error));
        }
        if !wanted {
            return effects;
        }
        self.flight = None;
        effects.extend(self.lost_with(error, now));
        // A failed renewal never displaces a session that is still valid.
        if let Some(record) = self.live(now) {
            effects.push(Effect::Settle(flight, Ok(record)));
            return effects;
        }
        if error.kind() == ErrorKind::LoginRequired {
            effects.extend(self.call_a_person(now, error));
        }
        // These need a person: trying on unasked would only repeat them. So does, after a few times, a refusal that
        // nobody knows: it may be of the credentials, and a night of it could lock the account.
        self.resting = match error.kind() {
            ErrorKind::LoginRequired | ErrorKind::InvalidInput => true,
            ErrorKind::BrokerRejected => self.back_off.failures() >= UNKNOWN_REFUSALS,
            _ => false,
        };
        effects.push(Effect::Settle(flight, Err(error.clone())));
        effects
    }

    /// A login that is queued behind what ended goes now, if there is still a reason for it.
    fn drained(&mut self, flight: FlightId, now: Now) -> Vec<Effect> {
        let before = self.draining.len();
        self.draining.retain(|draining| *draining != flight);
        let Some(queued) = self.flight else {
            return Vec::new();
        };
        if self.draining.len() == before || !self.draining.is_empty() {
            return Vec::new();
        }
        let verdict = match self.live(now) {
            Some(record) => Ok(record),
            None => match self.blocked.clone().or_else(|| self.back_off.holds(now)) {
                Some(error) => Err(error),
                // The person's answer comes with a flight of its own.
                None if self.for_person => Err(consent_needed()),
                None => return vec![self.started(queued, now)],
            },
        };
        self.flight = None;
        vec![Effect::Settle(queued, verdict)]
    }

    /// The session is dead at the broker, if it is the one that is meant.
    fn ended(&mut self, now: Now, by: Ended, is_meant: impl Fn(&Record) -> bool) -> Vec<Effect> {
        let Phase::Active(record) = &self.phase else {
            return Vec::new();
        };
        if !is_meant(record) {
            return Vec::new();
        }
        let record = Arc::clone(record);
        self.dead = record.origin.or(self.dead);
        let mut effects = vec![Effect::Withdraw];
        if self.told < Told::Expired {
            let expired = SessionEvent::of(EventName::Expired, now.wall, &record, by.reason());
            effects.push(announce(expired));
        }
        self.cause.ended_by = by;
        self.phase = Phase::Expired(record);
        effects
    }

    fn signed_out(&mut self, now: Now) -> Vec<Effect> {
        let mut effects = vec![Effect::Withdraw];
        if let Phase::Active(record) = &self.phase {
            self.dead = record.origin.or(self.dead);
        }
        let queued = !self.draining.is_empty();
        // A refused credential stays refused: logging out must not buy another attempt.
        let idle = match &self.phase {
            Phase::Closed => return vec![Effect::Refuse(closed_error())],
            // A refresh token that opens the next session is ended with this one.
            Phase::Active(record) | Phase::Expired(record)
                if is_ended_by_logout(&self.phase, record, now) =>
            {
                let record = Arc::clone(record);
                let logout = self.next_flight(Why::Asked);
                self.draining.push(logout);
                effects.push(Effect::SignOut(logout, record));
                false
            }
            Phase::SignedOut => self.flight.is_none(),
            _ => false,
        };
        self.phase = Phase::SignedOut;
        self.signed_out = self.generation;
        if !idle {
            self.called = false;
            let reason = "the account was logged out";
            let event = SessionEvent::new(EventName::SignedOut, now.wall, self.generation, reason);
            effects.push(announce(event));
        }
        if let Some(flight) = self.flight.take() {
            // A queued flight never ran; what it waited for goes on draining.
            if !queued {
                self.draining.push(flight);
            }
            effects.push(Effect::Settle(flight, Err(signed_out_error())));
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

    /// The last session that is known here to be dead, of those that are kept in a store.
    pub fn dead(&self) -> Option<Origin> {
        self.dead
    }

    /// The session whose token the broker refused, or that another program ended, until there is the next one.
    pub fn refused(&self) -> Option<Arc<Record>> {
        match &self.phase {
            Phase::Expired(record) => Some(Arc::clone(record)),
            _ => None,
        }
    }

    /// Errors: `InvalidInput` (`session`) once the session is closed.
    pub fn check_open(&self) -> Result<(), Error> {
        match self.phase {
            Phase::Closed => Err(closed_error()),
            _ => Ok(()),
        }
    }

    /// Whether this flight is still the one that is waited for.
    pub fn is_current(&self, flight: FlightId) -> bool {
        self.flight == Some(flight)
    }

    /// What to tell somebody who waited for the login of this generation and was slower than the user's logout.
    pub fn signed_out_of(&self, generation: u64) -> Option<Error> {
        (generation <= self.signed_out).then(signed_out_error)
    }

    /// The session whose refresh token may still renew it: the broker ended it before its boundary, or the token outlives
    /// it.
    pub fn renewable(&self, now: Now) -> Option<Arc<Record>> {
        match &self.phase {
            Phase::Expired(record) if record.is_renewable(now) => Some(Arc::clone(record)),
            Phase::Active(record) if !record.is_live(now) && record.is_renewable(now) => {
                Some(Arc::clone(record))
            }
            _ => None,
        }
    }

    /// The session that may be used at `now`.
    fn live(&self, now: Now) -> Option<Arc<Record>> {
        match &self.phase {
            Phase::Active(record) if record.is_live(now) => Some(Arc::clone(record)),
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
            renewable_until: None,
            clock_skew: None,
            blocked_by: None,
            reason: reason.to_owned(),
        };
        let live = matches!(&self.phase, Phase::Active(record) if record.is_live(now));
        if let (Some(error), false) = (&self.blocked, live || matches!(self.phase, Phase::Closed)) {
            return SessionState {
                blocked_by: Some(error.clone()),
                ..state(StateName::Blocked, error.message())
            };
        }
        match &self.phase {
            Phase::Active(record) if live => SessionState::active(record),
            Phase::Closed => state(StateName::Closed, "the session is closed: make a new one"),
            _ if self.flight.is_some() => state(StateName::Opening, "a login is running"),
            Phase::SignedOut => state(StateName::SignedOut, &self.next_step(None, now)),
            Phase::Active(record) => SessionState {
                renewable_until: record.outlives(now),
                issued_at: Some(record.issued_at),
                expiry: Some(record.expiry.clone()),
                ..state(
                    StateName::Expired,
                    &format!(
                        "ended at {}; {}",
                        record.expiry.at().to_ist(),
                        self.next_step(Some(record), now)
                    ),
                )
            },
            Phase::Expired(record) => SessionState {
                renewable_until: record.outlives(now),
                ..state(
                    StateName::Expired,
                    &format!(
                        "the broker ended the session; {}",
                        self.next_step(Some(record), now)
                    ),
                )
            },
        }
    }
}

fn expiring_at(record: &Record) -> Timestamp {
    let early = i64::try_from(EXPIRING_BEFORE.as_millis()).unwrap_or_default();
    record.expiry.at().plus_millis(-early)
}

/// Whether there is something at the broker for a logout to end: a live session, or a refresh token that outlives it.
fn is_ended_by_logout(phase: &Phase, record: &Record, now: Now) -> bool {
    let live = matches!(phase, Phase::Active(_)) && record.is_live(now);
    live || record.outlives_its_end(now)
}

fn announce(event: SessionEvent) -> Effect {
    Effect::Announce(Box::new(event))
}

fn because(name: EventName, now: Now, generation: u64, error: &Error) -> Effect {
    announce(SessionEvent::because(name, now.wall, generation, error))
}

/// Whether what a store holds replaces a session that is live here. One that only this program knows of is as good as a
/// stored one.
fn is_newer(login: &Login, issued_at: Timestamp, here: &Record) -> bool {
    match (login.origin, here.origin) {
        (Some(stored), Some(mine)) => stored.epoch != mine.epoch || stored.generation > mine.generation,
        _ => issued_at > here.issued_at,
    }
}

fn closed_error() -> Error {
    Error::invalid_input("session", "is closed: make a new one")
}

fn signed_out_error() -> Error {
    Error::new(
        ErrorKind::LoginRequired,
        "the session was logged out while its login was under way",
    )
    .with(|context| context.login_reason = Some(LoginReason::SignedOut))
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
