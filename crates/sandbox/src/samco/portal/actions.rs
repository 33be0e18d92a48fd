//! Each action: whether the rules allow it now, and doing it.

use preopen_core::Timestamp;
use preopen_core::static_ip::Slot;

use super::{Action, Outcome, Problem, addresses, apps};
use crate::samco::{App, AppAt, Member, Pair, Samco};
use crate::state::State;

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
pub(super) fn checked(
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
            let ip = addresses::registrable(&ip)
                .map_err(|problem| Problem::new("ip", format!("This {problem}.")))?;
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
    addresses::check(samco, &state.switches, at, app, pair, now)
        .map_err(|refusal| Problem::new("ip", refusal.to_string()))
}

/// Does what was found allowed.
pub(super) fn done(
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
            addresses::apply(samco, at, app, allowed, now);
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
            addresses::apply(samco, at, app, allowed, now);
            Outcome::Done(format!(
                "The {} address of \u{201c}{name}\u{201d} is deleted.",
                slot.as_str()
            ))
        }
    })
}
