//! What must not be forgotten between logins, programs and restarts: the newest generation, what the broker refused, how
//! long it wants to be left alone, and which one-time codes were sent.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::told::Told;
use super::{Asker, Origin};
use crate::clock::{Now, Timestamp};
use crate::consent::Pending;
use crate::error::{Advice, Error};
use crate::lifecycle::back_off;
use crate::totp::SpentSteps;

/// How far apart the clocks of two programs may be for the distance between their logins to hold.
const CLOCKS_DIFFER: Duration = Duration::from_mins(10);

/// How many refused credentials are remembered.
const REFUSED_KEPT: usize = 8;

/// The memory of an account, written before and after every login.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Guard {
    /// Grows with every write: an older guard beside a newer session is seen.
    serial: u64,
    epoch: u64,
    /// The newest generation that was published.
    generation: u64,
    /// The newest generation that is known to be dead.
    ended: u64,
    /// The logins that were begun, and the last of them whose end is known.
    attempts: u64,
    answered: u64,
    /// When the last login was about to be sent, or, once that is known, was over; in milliseconds since the Unix epoch.
    last_login: Option<i64>,
    spent_steps: SpentSteps,
    /// The credentials that the broker refused for good, the last ones at the end.
    #[serde(default)]
    refused: Vec<Blocked>,
    held: Option<Held>,
    /// Logins that persons began at the broker's page.
    #[serde(default, skip_serializing_if = "Pending::is_empty")]
    pending: Pending,
}

/// The broker refused these credentials for good.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Blocked {
    credentials: String,
    error: Told,
}

/// The last login failed, and for how long nobody tries again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Held {
    attempt: u64,
    failures: u32,
    /// Milliseconds since the Unix epoch, and the length of the wait: a clock that was set back must not make it longer.
    until: i64,
    wait: u64,
    error: Told,
}

impl Held {
    fn rest(&self, now: Now) -> Duration {
        let until = Timestamp::from_millis(self.until);
        until.since(now.wall).min(Duration::from_millis(self.wait))
    }
}

/// What keeps a program from logging in.
pub(super) enum Obstacle {
    /// The broker refused the credentials for good.
    Blocked(Error),
    /// The last login failed, and nobody tries again for so long.
    Held(Error, Duration),
}

impl Guard {
    /// How many logins had ended: whoever looks now waits for the next one, if it is under way.
    pub fn answered(&self) -> u64 {
        self.answered
    }

    /// The one-time codes that were sent.
    pub fn spent_steps(&self) -> &SpentSteps {
        &self.spent_steps
    }

    /// When the last login was sent, or was over, by the clock of whoever sent it.
    pub fn last_login(&self) -> Option<Timestamp> {
        self.last_login.map(Timestamp::from_millis)
    }

    /// How long a login that is sent at `now` must wait for the one before it, when two may not be closer than `interval`.
    /// Unless that was our `own`, another clock than ours said when it was, and it may have been just now.
    pub fn login_rest(&self, now: Now, interval: Duration, own: bool) -> Duration {
        let Some(last) = self.last_login() else {
            return Duration::ZERO;
        };
        let passed = now.wall.since(last);
        if !own && passed < CLOCKS_DIFFER {
            return interval;
        }
        // A last login in the future was sent by a clock that is ahead, or ours was set back.
        interval.saturating_sub(passed)
    }

    /// A login, with whatever code of `spent`, is about to be sent.
    pub fn begins(&mut self, now: Now, spent: &SpentSteps) {
        self.serial += 1;
        self.attempts += 1;
        self.last_login = Some(now.wall.as_millis());
        self.spent_steps.learn(spent);
    }

    /// The login that was begun last is over, whatever came of it. What is written before a login is sent, and its way to
    /// the broker, take their time: only from now on is it certain that it arrived.
    pub fn is_over(&mut self, now: Now) {
        self.last_login = Some(now.wall.as_millis());
    }

    /// The login that was begun last failed. `seed` spreads the waits of accounts.
    pub fn failed(&mut self, error: &Error, credentials: &str, seed: u64, now: Now) {
        self.serial += 1;
        self.answered = self.attempts;
        let error_told = Told::of(error);
        if error.is_terminal_for_login() {
            self.held = None;
            self.accept(credentials);
            if self.refused.len() >= REFUSED_KEPT {
                self.refused.remove(0);
            }
            self.refused.push(Blocked {
                credentials: credentials.to_owned(),
                error: error_told,
            });
            return;
        }
        let before = self.held.as_ref().map_or(0, |held| held.failures);
        let Some((failures, wait)) = back_off::wait_after(before, error, seed) else {
            return;
        };
        self.held = Some(Held {
            attempt: self.attempts,
            failures,
            until: now.wall.plus(wait).as_millis(),
            wait: u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
            error: error_told,
        });
    }

    /// Why no login is sent at `now`, if one would be for nothing.
    pub(super) fn refuses(&self, asker: &Asker<'_>, now: Now) -> Option<Error> {
        if asker.overrule {
            return None;
        }
        if let Some(blocked) = self
            .refused
            .iter()
            .find(|refused| asker.credentials == Some(&refused.credentials))
        {
            let error = blocked.error.to_error();
            let message = format!(
                "{} (it was refused before: nothing was sent now)",
                error.message()
            );
            return Some(error.with_message(message));
        }
        let held = self.held.as_ref()?;
        let rest = held.rest(now);
        let mine = asker.answered_before.is_some_and(|seen| held.attempt > seen);
        if rest.is_zero() && !mine {
            return None;
        }
        let error = held.error.to_error();
        Some(if rest.is_zero() {
            error
        } else {
            error.with_advice(Advice::After(rest))
        })
    }

    /// What keeps whoever has the credentials with this digest from logging in at `now`.
    pub(super) fn obstacle(&self, credentials: Option<&str>, now: Now) -> Option<Obstacle> {
        let mine = |refused: &&Blocked| credentials.is_none_or(|mine| mine == refused.credentials);
        if let Some(blocked) = self.refused.iter().rev().find(mine) {
            return Some(Obstacle::Blocked(blocked.error.to_error()));
        }
        let held = self.held.as_ref()?;
        let rest = held.rest(now);
        (!rest.is_zero()).then(|| Obstacle::Held(held.error.to_error(), rest))
    }

    /// The logins that persons began at the broker's page. Whatever changes here is to be written.
    pub fn pending(&mut self) -> &mut Pending {
        self.serial += 1;
        &mut self.pending
    }

    pub(super) fn serial(&self) -> u64 {
        self.serial
    }

    /// The newest generation that was published.
    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    /// These credentials are not refused any more.
    fn accept(&mut self, credentials: &str) {
        self.refused.retain(|refused| refused.credentials != credentials);
    }

    /// A session was opened with these credentials. What was refused to others stays refused: a program with a wrong secret
    /// beside one with the right one must not send it again each day.
    pub(super) fn opened(&mut self, epoch: u64, credentials: &str) -> Origin {
        if self.generation == 0 {
            self.epoch = epoch;
        }
        self.generation += 1;
        self.answered = self.attempts;
        self.accept(credentials);
        self.held = None;
        Origin {
            epoch: self.epoch,
            generation: self.generation,
        }
    }

    /// What was decided is to be written.
    pub(super) fn stamped(&mut self) {
        self.serial += 1;
    }

    /// The newest session that is known to be dead.
    pub fn newest_ended(&self) -> Option<Origin> {
        (self.ended > 0).then_some(Origin {
            epoch: self.epoch,
            generation: self.ended,
        })
    }

    /// Whether this session was published here, or came before one that was.
    pub(super) fn knows(&self, origin: Origin) -> bool {
        origin.epoch == self.epoch && origin.generation <= self.generation
    }

    pub(super) fn has_ended(&self, origin: Origin) -> bool {
        origin.epoch == self.epoch && origin.generation <= self.ended
    }

    pub(super) fn ended(&mut self, origin: Origin) -> bool {
        let news = origin.epoch == self.epoch && origin.generation > self.ended;
        if news {
            self.serial += 1;
            self.ended = origin.generation;
        }
        news
    }

    pub(super) fn signed_out(&mut self) {
        self.ended = self.generation;
    }

    /// Whether a session that was written with this origin and serial belongs beside this guard: it is the newest one,
    /// or the one that its writer could not tell the guard of any more.
    pub(super) fn fits(&self, origin: Origin, serial: u64) -> bool {
        let first = self.generation == 0 && origin.generation == 1;
        let newest = origin.generation == self.generation || origin.generation == self.generation + 1;
        (first || origin.epoch == self.epoch) && newest && serial <= self.serial
    }

    /// Takes in a session whose writer died before it could tell the guard.
    pub(super) fn catch_up(&mut self, origin: Origin) {
        if origin.generation > self.generation {
            self.epoch = origin.epoch;
            self.generation = origin.generation;
            self.held = None;
        }
    }
}
