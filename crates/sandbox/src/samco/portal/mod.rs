//! What the owner of a Samco account does at the broker's dashboard: look, propose a change, confirm it with the one-time
//! code that was sent. The pages and the control API both go through here.

mod addresses;
mod apps;
mod codes;
mod sign_in;

use preopen_core::Timestamp;
use preopen_core::static_ip::Slot;
use serde::{Deserialize, Serialize};

use super::app::{App, Pair};
use super::{AppAt, Member, Samco};
use crate::state::State;
pub(super) use addresses::{Refusal, apply, check, registrable};
pub(super) use codes::Desk;
pub(crate) use sign_in::sign_in;

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
    let number = *samco.proposals_made + 1;
    let desk = &mut samco.members[at].desk;
    desk.open(state, account, number, action, now)?;
    samco.proposals_made.set(number);
    Ok(number)
}

/// What a proposal that waits for its code will do, for the person who is asked for it.
pub(crate) fn describe(state: &State, account: &str, proposal: u64) -> Option<String> {
    let samco = state.samco();
    let member = samco.member(account)?;
    Some(sentence(member, member.desk.waiting(proposal)?))
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

fn member_at(samco: &Samco, account: &str) -> Result<usize, Problem> {
    let found = samco.by_account.get(account).copied();
    found.ok_or_else(|| Problem::form("There is no such account."))
}

/// Where the app with this number is among the account's.
fn app_at(member: &Member, id: u64) -> Result<usize, Problem> {
    let found = member.apps.iter().position(|app| app.id == id);
    found.ok_or_else(|| Problem::form("This account has no such app."))
}

/// The same, for what only an active app can have done.
fn active_at(member: &Member, id: u64) -> Result<usize, Problem> {
    let at = app_at(member, id)?;
    if member.apps[at].is_active() {
        return Ok(at);
    }
    Err(Problem::form(format!(
        "\u{201c}{}\u{201d} is deactivated. Activate it first.",
        member.apps[at].name
    )))
}

/// The addresses that an app would have.
fn wanted(app: &App, slot: Slot, ip: String) -> Pair {
    match slot {
        Slot::Secondary => Pair::new(app.addresses.primary.clone(), ip),
        _ => Pair::new(ip, app.addresses.secondary.clone()),
    }
}

/// The action with tidied texts, if the rules allow it now.
fn checked(
    state: &State,
    samco: &Samco,
    at: usize,
    action: Action,
    now: Timestamp,
) -> Result<Action, Problem> {
    let member = &samco.members[at];
    Ok(match action {
        Action::CreateApp { name, redirect_url } => {
            apps::check_room(member)?;
            Action::CreateApp {
                name: apps::check_name(member, None, &name)?,
                redirect_url: apps::check_redirect(state, &redirect_url)?,
            }
        }
        Action::EditApp {
            app,
            name,
            redirect_url,
        } => {
            app_at(member, app)?;
            Action::EditApp {
                app,
                name: apps::check_name(member, Some(app), &name)?,
                redirect_url: apps::check_redirect(state, &redirect_url)?,
            }
        }
        Action::Deactivate { app } | Action::RegenerateKey { app } | Action::RegenerateSecret { app } => {
            active_at(member, app)?;
            action
        }
        Action::Activate { app } => {
            let found = &member.apps[app_at(member, app)?];
            if found.is_active() {
                let text = format!("\u{201c}{}\u{201d} is active already.", found.name);
                return Err(Problem::form(text));
            }
            action
        }
        Action::SetAddress { app, slot, ip } => {
            let index = active_at(member, app)?;
            let ip = registrable(&ip).map_err(|problem| Problem::new("ip", format!("This {problem}.")))?;
            let pair = wanted(&member.apps[index], slot, ip.clone());
            if pair == member.apps[index].addresses {
                let text = format!("{ip} is the {} address of this app already.", slot.as_str());
                return Err(Problem::new("ip", text));
            }
            allowed(state, samco, at, index, pair, now)?;
            Action::SetAddress { app, slot, ip }
        }
        Action::DeleteAddress { app, slot } => {
            let index = active_at(member, app)?;
            let pair = wanted(&member.apps[index], slot, String::new());
            if pair == member.apps[index].addresses {
                let text = format!("This app has no {} address.", slot.as_str());
                return Err(Problem::new("ip", text));
            }
            allowed(state, samco, at, index, pair, now)?;
            action
        }
    })
}

fn allowed(
    state: &State,
    samco: &Samco,
    at: usize,
    app: usize,
    pair: Pair,
    now: Timestamp,
) -> Result<addresses::Allowed, Problem> {
    check(samco, &state.switches, at, app, pair, now)
        .map_err(|refusal| Problem::new("ip", refusal.to_string()))
}

/// Does what was found allowed.
fn done(
    state: &State,
    samco: &mut Samco,
    at: usize,
    action: Action,
    now: Timestamp,
) -> Result<Outcome, Problem> {
    let member = &mut samco.members[at];
    Ok(match action {
        Action::CreateApp { name, redirect_url } => apps::create(state, samco, at, &name, &redirect_url, now),
        Action::EditApp {
            app,
            name,
            redirect_url,
        } => {
            let app = app_at(member, app)?;
            apps::edit(&mut member.apps[app], &name, &redirect_url, now)
        }
        Action::Deactivate { app } => {
            let app = app_at(member, app)?;
            apps::deactivate(&mut member.apps[app], now)
        }
        Action::Activate { app } => {
            let app = app_at(member, app)?;
            apps::activate(state, samco, AppAt { member: at, app }, now)
        }
        Action::RegenerateKey { app } => {
            let app = app_at(member, app)?;
            apps::regenerate_key(state, samco, AppAt { member: at, app }, now)
        }
        Action::RegenerateSecret { app } => {
            let app = app_at(member, app)?;
            apps::regenerate_secret(member, app, now)
        }
        Action::SetAddress { app, slot, ip } => {
            let app = app_at(member, app)?;
            let pair = wanted(&member.apps[app], slot, ip.clone());
            let name = member.apps[app].name.clone();
            let allowed = allowed(state, samco, at, app, pair, now)?;
            apply(samco, at, app, allowed, now);
            Outcome::Done(format!(
                "{ip} is the {} address of \u{201c}{name}\u{201d}.",
                slot.as_str()
            ))
        }
        Action::DeleteAddress { app, slot } => {
            let app = app_at(member, app)?;
            let pair = wanted(&member.apps[app], slot, String::new());
            let name = member.apps[app].name.clone();
            let allowed = allowed(state, samco, at, app, pair, now)?;
            apply(samco, at, app, allowed, now);
            Outcome::Done(format!(
                "The {} address of \u{201c}{name}\u{201d} is deleted.",
                slot.as_str()
            ))
        }
    })
}

/// What an action will do and what it ends.
fn sentence(member: &Member, action: &Action) -> String {
    let app = |id: u64| member.apps.iter().find(|app| app.id == id);
    let name = |id| app(id).map_or("", |app| app.name.as_str());
    let address = |id, slot| app(id).map_or("", |app| app.addresses.at(slot));
    match action {
        Action::CreateApp { name, redirect_url } => format!(
            "Create the app \u{201c}{name}\u{201d}, which sends browsers back to {redirect_url}. Its key will be emailed, \
             its secret shown once."
        ),
        Action::EditApp {
            app,
            name: new,
            redirect_url,
        } => format!(
            "Save \u{201c}{}\u{201d} as \u{201c}{new}\u{201d}, which sends browsers back to {redirect_url}. Its sessions go \
             on.",
            name(*app)
        ),
        Action::Deactivate { app } => format!(
            "Deactivate \u{201c}{}\u{201d}. Its sessions end, its key and secret stop working and its addresses are \
             released; its place and its name stay taken.",
            name(*app)
        ),
        Action::Activate { app } => format!(
            "Activate \u{201c}{}\u{201d}. Its key and secret work again; its addresses have to be registered again.",
            name(*app)
        ),
        Action::RegenerateKey { app } => format!(
            "Make a new API key for \u{201c}{}\u{201d} and email it. The old one stops working and the app's sessions end.",
            name(*app)
        ),
        Action::RegenerateSecret { app } => format!(
            "Make a new API secret for \u{201c}{}\u{201d} and show it once. The old one stops working and the app's \
             sessions end.",
            name(*app)
        ),
        Action::SetAddress { app, slot, ip } => match address(*app, *slot) {
            "" => format!(
                "Register {ip} as the {} address of \u{201c}{}\u{201d}.",
                slot.as_str(),
                name(*app)
            ),
            before => format!(
                "Change the {} address of \u{201c}{}\u{201d} from {before} to {ip}. Orders from {before} are refused at \
                 once.",
                slot.as_str(),
                name(*app)
            ),
        },
        Action::DeleteAddress { app, slot } => {
            let before = address(*app, *slot);
            format!(
                "Delete the {} address {before} of \u{201c}{}\u{201d}. Orders from it are refused at once, and this counts \
                 as a change.",
                slot.as_str(),
                name(*app)
            )
        }
    }
}
