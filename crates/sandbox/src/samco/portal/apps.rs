//! Apps: making, renaming, deactivating and activating them, and new keys and secrets.

use preopen_core::Timestamp;

use super::{Outcome, Problem, addresses};
use crate::account::fake_secret;
use crate::inbox::{Channel, MessageKind};
use crate::random;
use crate::redirect;
use crate::samco::app::{APPS, App, Status, folded, is_joiner};
use crate::samco::{AppAt, Member, Samco};
use crate::state::State;
use crate::switch::Switch;

/// How many characters a name has (documented).
const NAME: std::ops::RangeInclusive<usize> = 3..=100;

/// Whether nothing shows one of these characters: two names would look the same, or the text after one would run
/// backwards. The joiners are letters' business in Indian scripts, and stay where one of those comes before them.
fn has_unseen(name: &str) -> bool {
    let mut before = ' ';
    name.chars().any(|c| {
        let joins = is_joiner(c) && !before.is_ascii() && !is_joiner(before);
        before = c;
        !joins
            && matches!(
                c,
                '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
            )
    })
}

/// The name as it is kept.
pub(super) fn check_name(member: &Member, own: Option<u64>, name: &str) -> Result<String, Problem> {
    let problem = |text: String| Err(Problem::new("name", text));
    let name = name.trim();
    let length = name.chars().count();
    if !NAME.contains(&length) {
        return problem(format!(
            "The name needs 3 to 100 characters; this one has {length}."
        ));
    }
    if name.chars().any(char::is_control) || has_unseen(name) {
        return problem(
            "The name must be one line of text, without control characters and invisible ones.".to_owned(),
        );
    }
    let mut others = member.apps().iter().filter(|app| Some(app.id) != own);
    match others.find(|app| folded(&app.name) == folded(name)) {
        Some(app) if app.is_active() => problem(format!(
            "You have an app named \u{201c}{}\u{201d}. Names differ by more than capitals and outer spaces.",
            app.name
        )),
        Some(app) => problem(format!(
            "\u{201c}{}\u{201d} is the name of a deactivated app, and stays taken. Activate that app, or choose another \
             name.",
            app.name
        )),
        None => Ok(name.to_owned()),
    }
}

/// The redirect URL as it is kept.
pub(super) fn check_redirect(state: &State, address: &str) -> Result<String, Problem> {
    let address = address.trim();
    match redirect::samco_problem(state, address) {
        None => Ok(address.to_owned()),
        Some(problem) => Err(Problem::new(
            "redirect_url",
            format!("The redirect URL {problem}."),
        )),
    }
}

/// Whether an account may have one more.
pub(super) fn check_room(member: &Member) -> Result<(), Problem> {
    if member.room() > 0 {
        return Ok(());
    }
    Err(Problem::form(format!(
        "An account has at most {APPS} apps. Deactivated ones count, and none can be removed: edit or activate one \
         instead."
    )))
}

fn new_key(account: &str) -> String {
    format!("sandbox-samco-key-{account}-{}", random::hex::<8>())
}

fn new_secret() -> String {
    fake_secret(&random::hex::<16>())
}

fn mail_key(state: &State, account: &str, app: &str, key: &str, now: Timestamp) {
    let mut inbox = state.inbox();
    inbox.send(now, account, &[Channel::Email], MessageKind::ApiKey, key, app);
}

/// A new app: its key goes out by email, its secret is told once.
pub(super) fn create(
    state: &State,
    samco: &mut Samco,
    at: usize,
    name: &str,
    redirect_url: &str,
    now: Timestamp,
) -> Outcome {
    let (key, secret) = (new_key(&samco.members[at].id), new_secret());
    let member = &mut samco.members[at];
    let index = member.apps.len();
    let id = u64::try_from(index).unwrap_or(u64::MAX).saturating_add(1);
    member
        .apps
        .push(App::new(id, name, redirect_url, &key, &secret, now));
    mail_key(state, &member.id, name, &key, now);
    samco.by_api_key.insert(
        key,
        AppAt {
            member: at,
            app: index,
        },
    );
    let app = name.to_owned();
    Outcome::Secret { app, secret }
}

pub(super) fn edit(app: &mut App, name: &str, redirect_url: &str, now: Timestamp) -> Outcome {
    name.clone_into(&mut app.name);
    redirect_url.clone_into(&mut app.redirect_url);
    app.updated_at = now;
    Outcome::Done(format!("\u{201c}{name}\u{201d} has been saved."))
}

/// Documented: sessions and tokens end, the credentials stop, the addresses are free, the slot and the name stay taken.
pub(super) fn deactivate(app: &mut App, now: Timestamp) -> Outcome {
    app.status = Status::Deactivated;
    app.updated_at = now;
    app.revoke();
    addresses::release(app, now);
    Outcome::Done(format!(
        "\u{201c}{}\u{201d} is deactivated: its sessions have ended and its addresses are released.",
        app.name
    ))
}

pub(super) fn activate(state: &State, samco: &mut Samco, at: AppAt, now: Timestamp) -> Outcome {
    let app = &mut samco.members[at.member].apps[at.app];
    app.status = Status::Active;
    app.updated_at = now;
    if state.switches.is_on(Switch::SamcoActivationRestoresIps) {
        addresses::restore(samco, at.member, at.app, now);
    }
    let app = &samco.members[at.member].apps[at.app];
    let next = if app.addresses.is_empty() {
        " Register its addresses before it places orders."
    } else {
        ""
    };
    Outcome::Done(format!("\u{201c}{}\u{201d} is active again.{next}", app.name))
}

pub(super) fn regenerate_key(state: &State, samco: &mut Samco, at: AppAt, now: Timestamp) -> Outcome {
    let member = &mut samco.members[at.member];
    let key = new_key(&member.id);
    mail_key(state, &member.id, &member.apps[at.app].name, &key, now);
    let app = &mut member.apps[at.app];
    samco.by_api_key.remove(&app.api_key);
    app.api_key.clone_from(&key);
    app.updated_at = now;
    app.revoke();
    let text = format!(
        "\u{201c}{}\u{201d} has a new API key, which has been emailed. Its sessions have ended.",
        app.name
    );
    samco.by_api_key.insert(key, at);
    Outcome::Done(text)
}

pub(super) fn regenerate_secret(member: &mut Member, app: usize, now: Timestamp) -> Outcome {
    let secret = new_secret();
    if app == 0 {
        // Whoever noted the old one has to note the new one.
        member.noted_secret.clear();
    }
    let app = &mut member.apps[app];
    app.secret = crate::digest::Salted::of(&secret);
    app.updated_at = now;
    app.revoke();
    let app = app.name.clone();
    Outcome::Secret { app, secret }
}
