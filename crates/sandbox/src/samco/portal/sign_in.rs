//! Signing in at the dashboard: user id and password, and a pause after too many wrong ones.

use std::time::Duration;

use preopen_core::Timestamp;

use super::{Problem, Samco, blocked, when};
use crate::digest::is_same;
use crate::state::State;
use crate::switch::Switch;

/// How long sign-in is refused after too many wrong passwords in a row. Not documented.
const PAUSE: Duration = Duration::from_mins(15);

/// How many ids that nobody has are remembered, and how much of one.
const STRANGERS: usize = 1000;
const ID_LENGTH: usize = 40;

/// Wrong tries with an id that nobody has. They are counted like those with an account's, so that no refusal tells which
/// ids there are.
#[derive(Debug, Default)]
pub(in crate::samco) struct Tries {
    wrong: i64,
    until: Option<Timestamp>,
}

/// Counts a wrong try; in a pause it says when the next one is possible.
fn refuse(wrong: &mut i64, until: &mut Option<Timestamp>, limit: i64, now: Timestamp) -> Problem {
    if let Some(until) = until.filter(|until| now < *until) {
        return Problem::form(format!(
            "Too many wrong passwords. Sign-in is possible again from {} on.",
            when(until)
        ));
    }
    *wrong += 1;
    if limit > 0 && *wrong >= limit {
        *wrong = 0;
        *until = Some(now.plus(PAUSE));
    }
    Problem::new("password", "The user ID or the password is wrong.")
}

/// Who signs in with this user id, whatever its capitals.
fn member_of(samco: &Samco, user_id: &str) -> Option<usize> {
    let typed = samco.by_account.get(user_id).copied();
    typed.or_else(|| {
        let mut members = samco.members().iter();
        members.position(|member| member.id.eq_ignore_ascii_case(user_id))
    })
}

/// Whose dashboard a person gets to see. A wrong user id and a wrong password are told alike.
pub(crate) fn sign_in(state: &State, user_id: &str, password: &str) -> Result<String, Problem> {
    let user_id = user_id.trim();
    if user_id.is_empty() {
        return Err(Problem::new("user_id", "Enter your Samco user ID."));
    }
    if password.is_empty() {
        return Err(Problem::new("password", "Enter your password."));
    }
    let (now, limit) = (state.now(), state.switches.number(Switch::SamcoSignInTries));
    let mut samco = state.samco();
    let Some(at) = member_of(&samco, user_id) else {
        if samco.strangers.len() >= STRANGERS {
            samco.strangers.clear();
        }
        let id = user_id.chars().take(ID_LENGTH).collect::<String>();
        let id = id.to_ascii_uppercase();
        let tries = samco.strangers.entry(id).or_default();
        return Err(refuse(&mut tries.wrong, &mut tries.until, limit, now));
    };
    let member = &mut samco.members[at];
    let right = is_same(&member.password, password);
    let desk = &mut member.desk;
    if !right || desk.locked_until.is_some_and(|until| now < until) {
        return Err(refuse(
            &mut desk.wrong_passwords,
            &mut desk.locked_until,
            limit,
            now,
        ));
    }
    (desk.wrong_passwords, desk.locked_until) = (0, None);
    if member.standing.blocked {
        return Err(blocked());
    }
    Ok(member.id.clone())
}
