//! Signing in at the dashboard: user id and password, and a pause after too many wrong ones.

use std::time::Duration;

use super::{Problem, when};
use crate::digest::is_same;
use crate::state::State;
use crate::switch::Switch;

/// How long sign-in is refused after too many wrong passwords in a row. Not documented.
const PAUSE: Duration = Duration::from_mins(15);

/// Whose dashboard a person gets to see. A wrong user id and a wrong password are told alike.
pub(crate) fn sign_in(state: &State, user_id: &str, password: &str) -> Result<String, Problem> {
    let user_id = user_id.trim();
    if user_id.is_empty() {
        return Err(Problem::new("user_id", "Enter your Samco user ID."));
    }
    if password.is_empty() {
        return Err(Problem::new("password", "Enter your password."));
    }
    let wrong = || Err(Problem::new("password", "The user ID or the password is wrong."));
    let now = state.now();
    let mut samco = state.samco();
    let Some(&at) = samco.by_account.get(user_id) else {
        return wrong();
    };
    let member = &mut samco.members[at];
    let desk = &mut member.desk;
    if let Some(until) = desk.locked_until.filter(|until| now < *until) {
        let text = format!(
            "Too many wrong passwords. Sign-in is possible again from {} on.",
            when(until)
        );
        return Err(Problem::form(text));
    }
    if !is_same(&member.password, password) {
        desk.wrong_passwords += 1;
        let tries = state.switches.number(Switch::SamcoSignInTries);
        if tries > 0 && desk.wrong_passwords >= tries {
            desk.wrong_passwords = 0;
            desk.locked_until = Some(now.plus(PAUSE));
        }
        return wrong();
    }
    (desk.wrong_passwords, desk.locked_until) = (0, None);
    if member.standing.blocked {
        return Err(Problem::form(
            "This account is blocked. Write to Samco's support.",
        ));
    }
    Ok(member.id.clone())
}
