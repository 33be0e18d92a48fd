//! What a store holds for an account, as a person sees it.

use std::sync::Arc;

use super::guard::Obstacle;
use super::{Asker, Kept};
use crate::clock::Now;
use crate::expiry::ExpiryPolicy;
use crate::lifecycle::machine::A_PERSON;
use crate::lifecycle::record::{Record, SessionState, StateName};

impl Kept {
    /// The state at `now` for whoever has the credentials with this digest; `None` for credentials that are not
    /// complete, which may well be those that the broker refused.
    /// With `needs_person` nobody else can log in.
    pub fn state(
        &self,
        credentials: Option<&str>,
        needs_person: bool,
        now: Now,
        policy: &ExpiryPolicy,
    ) -> SessionState {
        let record = self.session.as_ref().map(|session| {
            let issued_at = session.issued_at.min(now.wall);
            let generation = session.origin.generation;
            Arc::new(Record::new(
                generation,
                session.login.clone(),
                issued_at,
                now,
                policy,
            ))
        });
        if let Some(record) = &record
            && self.usable(&Asker::default(), now, policy).is_some()
        {
            return SessionState::active(record);
        }
        let (name, mut reason) = match &record {
            None => (StateName::SignedOut, "no session is stored".to_owned()),
            Some(record) if record.is_live(now) => (
                StateName::Expired,
                "the broker ended the session, or another login did".to_owned(),
            ),
            Some(record) => (
                StateName::Expired,
                format!("ended at {}", record.expiry.at().to_ist()),
            ),
        };
        let mut state = SessionState {
            name,
            generation: self.guard.generation(),
            issued_at: record.as_ref().map(|record| record.issued_at),
            expiry: record.as_ref().map(|record| record.expiry.clone()),
            renewable_until: record.as_ref().and_then(|record| record.outlives(now)),
            clock_skew: None,
            blocked_by: None,
            reason: String::new(),
        };
        match self.guard.obstacle(credentials, now) {
            None if needs_person && self.renewable(now, policy).is_none() => {
                reason = format!("{reason}; {A_PERSON}");
            }
            None => reason.push_str("; the next call logs in"),
            Some(Obstacle::Blocked(error)) => {
                state.name = StateName::Blocked;
                error.message().clone_into(&mut reason);
                state.blocked_by = Some(error);
            }
            Some(Obstacle::Held(error, rest)) => {
                let rest = rest.as_secs_f64().ceil();
                reason =
                    format!("{reason}; the last login failed, and the next is sent in {rest} s: {error}");
            }
        }
        state.reason = reason;
        state
    }
}
