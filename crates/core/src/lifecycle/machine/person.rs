//! The machine where only a person can log in: what a consent leads to, when a person is called, and what becomes of the
//! refresh token that spares one.

use std::sync::Arc;

use super::{Effect, Ended, EventName, Machine, Phase, because, closed_error};
use crate::audit::Why;
use crate::clock::{Now, Timestamp};
use crate::consent::consent_needed;
use crate::error::{Error, LoginReason};
use crate::lifecycle::record::{NOT_RENEWABLE, Record};

/// What a state says of a session that only a person can open again.
pub(in crate::lifecycle) const A_PERSON: &str = "a person must log in at the broker's page";

impl Machine {
    /// A person may have consented. What was refused before, and any wait, is lifted once that is certain: by a `Reset`.
    pub(super) fn granted(&mut self, now: Now) -> Effect {
        if matches!(self.phase, Phase::Closed) {
            return Effect::Refuse(closed_error());
        }
        if let Some(flight) = self.flight {
            return Effect::Join(flight);
        }
        let effect = self.begin(Why::Asked, now);
        // It exchanges a code and uses no refresh token.
        self.renewing = None;
        self.for_person = matches!(effect, Effect::Join(_));
        effect
    }

    /// The session is over, nothing renews it and nobody is logging in: that is told at once, not when the first order
    /// fails.
    pub(super) fn calls_a_person(&mut self, now: Now) -> Option<Effect> {
        let (Phase::Active(record) | Phase::Expired(record)) = &self.phase else {
            return None;
        };
        let over = matches!(self.phase, Phase::Expired(_)) || !record.is_live(now);
        let lost = over && !record.outlives_its_end(now);
        (self.habits.needs_consent && lost && self.flight.is_none())
            .then(consent_needed)
            .and_then(|error| self.call_a_person(now, &error))
    }

    /// A person is called to the broker's page once for each end, however many callers find that there is no session. One who
    /// is asked by a callback was there each time, and did not answer.
    pub(super) fn call_a_person(&mut self, now: Now, why: &Error) -> Option<Effect> {
        let first = !std::mem::replace(&mut self.called, true) || !self.habits.needs_consent;
        first.then(|| because(EventName::LoginNeeded, now, self.generation, why))
    }

    /// What becomes of a session that is over, for a person.
    pub(super) fn next_step(&self, over: Option<&Record>, now: Now) -> String {
        if self.habits.needs_consent && over.is_none_or(|record| !record.is_renewable(now)) {
            return A_PERSON.to_owned();
        }
        match self.back_off.last() {
            Some(error) => format!(
                "the last login failed, and the next call tries again: {}",
                error.message()
            ),
            None => "the next call logs in".to_owned(),
        }
    }

    /// When a person is called, if nobody renews the session that is over before: its refresh token ends then.
    pub(super) fn person_at(&self) -> Option<Timestamp> {
        let (Phase::Active(record) | Phase::Expired(record)) = &self.phase else {
            return None;
        };
        let end = record.expiry.at();
        let last = record.renewable_until.map_or(end, |until| until.max(end));
        (self.habits.needs_consent && !self.called && self.flight.is_none()).then_some(last)
    }

    /// Keeps a session that was over before anybody could use it, if its refresh token is not and no session lives.
    pub(super) fn keep_over(&mut self, record: Arc<Record>, now: Now) -> Vec<Effect> {
        if !record.outlives_its_end(now) || self.live(now).is_some() {
            return Vec::new();
        }
        self.generation = record.generation;
        self.called = false;
        self.cause.ended_by = Ended::ByTime;
        self.phase = Phase::Expired(record);
        // A clock that is set back must not bring back the session before it.
        vec![Effect::Withdraw]
    }

    /// What a failed login says of the session before it: a refused refresh token is not tried again, and a code that was
    /// used twice has ended every session of the app.
    pub(super) fn lost_with(&mut self, error: &Error, now: Now) -> Vec<Effect> {
        let reason = error.context().login_reason;
        if reason == Some(LoginReason::CodeReplayed) {
            let effects = self.ended(now, Ended::Revoked, |_| true);
            self.phase = Phase::SignedOut;
            return effects;
        }
        let refused = matches!(
            reason,
            Some(LoginReason::RefreshExpired | LoginReason::RefreshRejected)
        );
        if refused {
            self.used_up();
        }
        Vec::new()
    }

    /// The refresh token that the running flight used is worth nothing any more. Another session may have come meanwhile, with
    /// one of its own.
    pub(super) fn used_up(&mut self) {
        if let Phase::Active(record) | Phase::Expired(record) = &mut self.phase
            && self.renewing == Some(record.generation)
        {
            let mut over = Record::clone(record);
            over.renewable_until = Some(NOT_RENEWABLE);
            *record = Arc::new(over);
        }
    }
}
