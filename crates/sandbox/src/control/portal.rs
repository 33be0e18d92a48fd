//! Samco's dashboard over the control API: what an account's owner does there, for scripts and other languages.

use http::StatusCode;
use preopen_core::Timestamp;
use preopen_core::static_ip::Slot;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, ok, read};
use crate::error::ControlError;
use crate::samco::App;
use crate::samco::portal::{self, Action, Outcome, Problem};
use crate::state::State;
use crate::wire::Request;

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum WantedSlot {
    Primary,
    Secondary,
}

impl WantedSlot {
    fn slot(&self) -> Slot {
        match self {
            Self::Primary => Slot::Primary,
            Self::Secondary => Slot::Secondary,
        }
    }
}

/// `{"create_app": {"name", "redirect_url"}}` and so on: the name of the action, and what it needs.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum WantedAction {
    CreateApp {
        name: String,
        redirect_url: String,
    },
    /// What is left out stays.
    EditApp {
        app: u64,
        name: Option<String>,
        redirect_url: Option<String>,
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
    SetAddress {
        app: u64,
        slot: WantedSlot,
        ip: String,
    },
    DeleteAddress {
        app: u64,
        slot: WantedSlot,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Proposal {
    account: String,
    action: WantedAction,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Confirmation {
    account: String,
    proposal: u64,
    otp: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignIn {
    account: String,
    password: String,
}

/// The dashboard refuses: HTTP 422 with its sentence, and the field that it stands beside.
fn refused(problem: Problem) -> ControlError {
    let text = if problem.field.is_empty() {
        problem.text
    } else {
        format!("{}: {}", problem.field, problem.text)
    };
    ControlError::new(StatusCode::UNPROCESSABLE_ENTITY, "refused", text)
}

fn no_account(id: &str) -> ControlError {
    ControlError::not_found(format!("there is no Samco account {id}"))
}

fn time(at: Option<Timestamp>) -> Value {
    at.map_or(Value::Null, |at| at.to_rfc3339().into())
}

/// An app as `GET /accounts` shows it: its key too, its secret never.
pub(super) fn app_to_json(app: &App) -> Value {
    json!({
        "id": app.id, "name": app.name, "redirect_url": app.redirect_url, "active": app.is_active(),
        "api_key": app.api_key, "primary_ip": app.addresses.primary, "secondary_ip": app.addresses.secondary,
        "created_at": app.created_at.to_rfc3339(), "updated_at": app.updated_at.to_rfc3339(),
    })
}

/// `GET /portal?account=`.
pub(super) fn look(state: &State, request: &Request) -> Answer {
    let id = request.query("account").unwrap_or_default();
    if id.is_empty() {
        return Err(ControlError::field("account", "is needed"));
    }
    let portal = portal::look(state, &id).ok_or_else(|| no_account(&id))?;
    let apps: Vec<Value> = portal
        .apps
        .iter()
        .map(|app| {
            json!({
                "id": app.id, "name": app.name, "redirect_url": app.redirect_url, "active": app.active,
                "updated_at": app.updated_at.to_rfc3339(), "primary_ip": app.primary,
                "secondary_ip": app.secondary, "ips_updated_at": time(app.ips_updated_at),
            })
        })
        .collect();
    ok(json!({
        "account": portal.account, "apps": apps, "room": portal.room,
        "next_change": time(portal.next_change), "last_change": time(portal.last_change),
    }))
}

/// `POST /portal`: the code is in the inbox then.
pub(super) fn propose(state: &State, request: &Request) -> Answer {
    let Proposal { account, action } = read(request)?;
    let Some(portal) = portal::look(state, &account) else {
        return Err(no_account(&account));
    };
    let action = match action {
        WantedAction::CreateApp { name, redirect_url } => Action::CreateApp { name, redirect_url },
        WantedAction::EditApp {
            app,
            name,
            redirect_url,
        } => {
            let before = portal.apps.into_iter().find(|known| known.id == app);
            let (old, url) = before.map(|app| (app.name, app.redirect_url)).unwrap_or_default();
            Action::EditApp {
                app,
                name: name.unwrap_or(old),
                redirect_url: redirect_url.unwrap_or(url),
            }
        }
        WantedAction::Deactivate { app } => Action::Deactivate { app },
        WantedAction::Activate { app } => Action::Activate { app },
        WantedAction::RegenerateKey { app } => Action::RegenerateKey { app },
        WantedAction::RegenerateSecret { app } => Action::RegenerateSecret { app },
        WantedAction::SetAddress { app, slot, ip } => Action::SetAddress {
            app,
            slot: slot.slot(),
            ip,
        },
        WantedAction::DeleteAddress { app, slot } => Action::DeleteAddress {
            app,
            slot: slot.slot(),
        },
    };
    let number = portal::propose(state, &account, action).map_err(refused)?;
    let what = portal::describe(state, &account, number).unwrap_or_default();
    Ok((StatusCode::CREATED, json!({"proposal": number, "text": what})))
}

/// `POST /portal/confirm`.
pub(super) fn confirm(state: &State, request: &Request) -> Answer {
    let given: Confirmation = read(request)?;
    if !state.samco().has_account(&given.account) {
        return Err(no_account(&given.account));
    }
    match portal::confirm(state, &given.account, given.proposal, &given.otp).map_err(refused)? {
        Outcome::Secret { app, secret } => ok(json!({"app": app, "secret": secret})),
        Outcome::Done(text) => ok(json!({"done": text})),
    }
}

/// `POST /portal/sign-in`: whether the dashboard takes a password; what follows needs no sign-in here.
pub(super) fn sign_in(state: &State, request: &Request) -> Answer {
    let given: SignIn = read(request)?;
    let account = portal::sign_in(state, &given.account, &given.password).map_err(refused)?;
    ok(json!({"account": account}))
}
