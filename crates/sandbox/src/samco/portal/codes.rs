//! What waits for a one-time code at the portal: each code is for one proposal, for a few minutes, for one use.

use preopen_core::Timestamp;
use preopen_core::clock::IST_OFFSET_SECONDS;
use serde::{Deserialize, Serialize};

use super::{Action, Problem, when};
use crate::digest::Salted;
use crate::inbox::{Channel, MessageKind};
use crate::random;
use crate::state::State;
use crate::switch::Switch;

/// How many proposals of an account are remembered; the oldest go first.
const REMEMBERED: usize = 10;
const DIGITS: usize = 6;
const DAY_MILLIS: i64 = 86_400_000;

/// What the owner of an account has under way at the portal.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(in crate::samco) struct Desk {
    proposals: Vec<Proposal>,
    /// The day in India that codes were last sent on, in days since 1970, and how many.
    sent_on: i64,
    sent: i64,
    pub(super) wrong_passwords: i64,
    pub(super) locked_until: Option<Timestamp>,
}

/// An action that waits for its code, or waited.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Proposal {
    number: u64,
    action: Action,
    code: Salted,
    sent_at: Timestamp,
    wrong: i64,
    used: bool,
}

impl Proposal {
    /// When its code is worth nothing any more.
    fn ends_at(&self, state: &State) -> Timestamp {
        let life = state.switches.number(Switch::SamcoOtpSeconds);
        self.sent_at.plus_millis(life.saturating_mul(1000))
    }
}

fn day_in_india(at: Timestamp) -> i64 {
    let offset = i64::from(IST_OFFSET_SECONDS) * 1000;
    at.as_millis().saturating_add(offset).div_euclid(DAY_MILLIS)
}

fn midnight_after(day: i64) -> Timestamp {
    let offset = i64::from(IST_OFFSET_SECONDS) * 1000;
    Timestamp::from_millis((day + 1) * DAY_MILLIS - offset)
}

impl Desk {
    /// Sends a code for an action that was found allowed; `about` is the action in a few words.
    pub(super) fn open(
        &mut self,
        state: &State,
        account: &str,
        number: u64,
        action: Action,
        about: &str,
        now: Timestamp,
    ) -> Result<(), Problem> {
        let today = day_in_india(now);
        let sent = if self.sent_on == today { self.sent } else { 0 };
        let limit = state.switches.number(Switch::SamcoOtpDailyLimit);
        if limit > 0 && sent >= limit {
            let text = format!(
                "No more codes today: {sent} have been sent to this account. The next one is possible from {} on.",
                when(midnight_after(today))
            );
            return Err(Problem::form(text));
        }
        (self.sent_on, self.sent) = (today, sent.saturating_add(1));
        let code = random::of_alphabet("0123456789", DIGITS);
        if self.proposals.len() >= REMEMBERED {
            self.proposals.remove(0);
        }
        self.proposals.push(Proposal {
            number,
            action,
            code: Salted::of(&code),
            sent_at: now,
            wrong: 0,
            used: false,
        });
        let channels = [Channel::Sms, Channel::Email];
        let mut inbox = state.inbox();
        inbox.send(now, account, &channels, MessageKind::Otp, &code, about);
        Ok(())
    }

    /// The action of a proposal that still waits.
    pub(super) fn waiting(&self, number: u64) -> Option<&Action> {
        let found = self.proposals.iter().find(|one| one.number == number);
        found.filter(|one| !one.used).map(|one| &one.action)
    }

    /// Whether a code can still confirm a proposal.
    pub(super) fn is_open(&self, state: &State, number: u64, now: Timestamp) -> bool {
        let found = self.proposals.iter().find(|one| one.number == number);
        found.is_some_and(|one| {
            let tries = state.switches.number(Switch::SamcoOtpTries);
            !one.used && one.wrong < tries && now < one.ends_at(state)
        })
    }

    /// Takes the action out with its code; the code is used up then, whatever becomes of the action.
    pub(super) fn redeem(
        &mut self,
        state: &State,
        number: u64,
        otp: &str,
        now: Timestamp,
    ) -> Result<Action, Problem> {
        let otp: String = otp.chars().filter(|c| !c.is_whitespace()).collect();
        let Some(found) = self.proposals.iter_mut().find(|one| one.number == number) else {
            return Err(Problem::form("There is nothing to confirm here. Start again."));
        };
        if found.used {
            return Err(Problem::otp(
                "This code has been used already. Start again for a new one.",
            ));
        }
        let end = found.ends_at(state);
        if now >= end {
            let text = format!("This code ended at {}. Start again for a new one.", when(end));
            return Err(Problem::otp(text));
        }
        let tries = state.switches.number(Switch::SamcoOtpTries);
        if found.wrong >= tries {
            return Err(Problem::otp("Too many wrong codes. Start again for a new one."));
        }
        if otp.is_empty() {
            return Err(Problem::otp("Enter the code that was sent by SMS and email."));
        }
        // A slip of the finger is no guess.
        if otp.len() != DIGITS || !otp.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Problem::otp(format!(
                "A code has {DIGITS} digits. This took no try."
            )));
        }
        if !found.code.is_of(&otp) {
            found.wrong += 1;
            return Err(Problem::otp(match tries - found.wrong {
                left if left <= 0 => {
                    "That is not the code. Too many wrong ones: start again for a new one.".to_owned()
                }
                1 => "That is not the code. One try is left.".to_owned(),
                left => format!("That is not the code. {left} tries are left."),
            }));
        }
        found.used = true;
        Ok(found.action.clone())
    }
}
