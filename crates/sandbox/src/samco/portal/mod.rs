//! What the owner of a Samco account does at the broker's dashboard: look, propose a change, confirm it with the one-time
//! code that was sent. The pages and the control API both go through here.

mod actions;
mod addresses;
mod apps;
mod codes;
mod sign_in;
mod words;

use preopen_core::Timestamp;
use preopen_core::static_ip::Slot;
use serde::{Deserialize, Serialize};

use super::Samco;
use crate::state::State;
use actions::{checked, done};
pub(super) use addresses::{Refusal, apply, check, registrable};
pub(super) use codes::Desk;
pub(super) use sign_in::Tries;
pub(crate) use sign_in::sign_in;
use words::{sentence, subject};

/// Why something is not done: a sentence for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The field that the sentence belongs beside; empty for the whole form.
    pub(crate) field: &'static str,
    pub(crate) text: String,
}

impl Problem {
    fn new(field: &'static str, text: impl Into<String>) -> Self {
        Self {
            field,
            text: text.into(),
        }
    }

    fn form(text: impl Into<String>) -> Self {
        Self::new("", text)
    }

    fn otp(text: impl Into<String>) -> Self {
        Self::new("otp", text)
    }
}

/// An app as the dashboard shows it: without key and secret, which it never shows again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AppView {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) redirect_url: String,
    pub(crate) active: bool,
    pub(crate) updated_at: Timestamp,
    /// The registered addresses; empty for none.
    pub(crate) primary: String,
    pub(crate) secondary: String,
    pub(crate) ips_updated_at: Option<Timestamp>,
}

/// The dashboard of one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Portal {
    pub(crate) account: String,
    pub(crate) apps: Vec<AppView>,
    /// How many apps more can be made.
    pub(crate) room: usize,
    /// When a change of addresses is possible; `None` when it is now.
    pub(crate) next_change: Option<Timestamp>,
    /// The last change of addresses that counts.
    pub(crate) last_change: Option<Timestamp>,
}

/// What an owner wants to do. `app` is the number of an app of the own account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Action {
    CreateApp {
        name: String,
        redirect_url: String,
    },
    EditApp {
        app: u64,
        name: String,
        redirect_url: String,
    },
    Deactivate {
        app: u64,
    },
    Activate {
        app: u64,
    },
    RegenerateKey {
        app: u64,
    },
    RegenerateSecret {
        app: u64,
    },
    /// Adds an address, or puts another one in its place.
    SetAddress {
        app: u64,
        slot: Slot,
        ip: String,
    },
    DeleteAddress {
        app: u64,
        slot: Slot,
    },
}

/// What came of it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// A secret, told this once.
    Secret {
        app: String,
        secret: String,
    },
    Done(String),
}

impl std::fmt::Debug for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Secret { app, .. } => f.debug_struct("Secret").field("app", app).finish_non_exhaustive(),
            Self::Done(text) => f.debug_tuple("Done").field(text).finish(),
        }
    }
}

/// A time for a person, to the second; a part of a second counts as a whole one, so that nobody comes too early.
fn when(at: Timestamp) -> String {
    at.plus_millis(999).to_ist()
}

/// The dashboard of an account; `None` when there is no such account.
pub(crate) fn look(state: &State, account: &str) -> Option<Portal> {
    let now = state.now();
    let samco = state.samco();
    let member = samco.member(account)?;
    let apps = member.apps().iter().map(|app| AppView {
        id: app.id,
        name: app.name.clone(),
        redirect_url: app.redirect_url.clone(),
        active: app.is_active(),
        updated_at: app.updated_at,
        primary: app.addresses.primary.clone(),
        secondary: app.addresses.secondary.clone(),
        ips_updated_at: app.addresses_changed_at,
    });
    Some(Portal {
        account: member.id.clone(),
        apps: apps.collect(),
        room: member.room(),
        next_change: addresses::next_change(member, now),
        last_change: member.last_counted_change,
    })
}

/// Checks an action by all rules, remembers it and sends a one-time code for it. Gives the number of the proposal.
pub(crate) fn propose(state: &State, account: &str, action: Action) -> Result<u64, Problem> {
    let now = state.now();
    let mut samco = state.samco();
    let at = member_at(&samco, account)?;
    let action = checked(state, &samco, at, action, now)?;
    let number = samco.proposals_made.saturating_add(1);
    let about = subject(&samco.members[at], &action);
    let desk = &mut samco.members[at].desk;
    desk.open(state, account, number, action, &about, now)?;
    samco.proposals_made.set(number);
    Ok(number)
}

/// What a proposal that waits for its code will do, for the person who is asked for it.
pub(crate) fn describe(state: &State, account: &str, proposal: u64) -> Option<String> {
    let samco = state.samco();
    let member = samco.member(account)?;
    Some(sentence(member, member.desk.waiting(proposal)?))
}

/// Whether a code can still confirm a proposal: it is not used, not over, and not guessed at too often.
pub(crate) fn is_open(state: &State, account: &str, proposal: u64) -> bool {
    let samco = state.samco();
    let member = samco.member(account);
    member.is_some_and(|member| member.desk.is_open(state, proposal, state.now()))
}

/// Checks the code and the rules again, and does what was proposed.
pub(crate) fn confirm(state: &State, account: &str, proposal: u64, otp: &str) -> Result<Outcome, Problem> {
    let now = state.now();
    let mut samco = state.samco();
    let at = member_at(&samco, account)?;
    let action = samco.members[at].desk.redeem(state, proposal, otp, now)?;
    let action = checked(state, &samco, at, action, now)?;
    done(state, &mut samco, at, action, now)
}

fn blocked() -> Problem {
    Problem::form("This account is blocked. Write to Samco's support.")
}

/// The account, if it may do something.
fn member_at(samco: &Samco, account: &str) -> Result<usize, Problem> {
    let Some(&at) = samco.by_account.get(account) else {
        return Err(Problem::form("There is no such account."));
    };
    if samco.members[at].standing.blocked {
        return Err(blocked());
    }
    Ok(at)
}

#[cfg(test)]
mod tests;
