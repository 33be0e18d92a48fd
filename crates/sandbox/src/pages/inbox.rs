//! The emails and SMS that the brokers sent, newest first.

use askama::Template;
use http::{Method, StatusCode};
use serde_json::Value;

use super::form::Form;
use super::frame::{Frame, OWN_FORMS, go, show};
use super::guard::Visitor;
use crate::control::perform;
use crate::inbox::Message;
use crate::state::State;
use crate::wire::{Reply, Request};

const PATH: &str = "/inbox";
/// How many messages are shown.
const SHOWN: usize = 200;
/// How many accounts can be chosen from.
const ACCOUNTS: usize = 200;

#[derive(Template)]
#[template(path = "inbox.html")]
struct Page {
    frame: Frame,
    filter: Form,
    accounts: Vec<String>,
    messages: Vec<Shown>,
    count: usize,
}

struct Shown {
    at: String,
    account: String,
    channel: &'static str,
    kind: &'static str,
    value: String,
}

pub(super) fn look(state: &State, request: &Request, visitor: &Visitor) -> Reply {
    let chosen = request.query("account").unwrap_or_default();
    let all = state.inbox().list(None);
    let mut accounts: Vec<String> = Vec::new();
    for message in all.iter().rev() {
        if !accounts.contains(&message.account) && accounts.len() < ACCOUNTS {
            accounts.push(message.account.clone());
        }
    }
    accounts.sort_unstable();
    let wanted = |message: &&Message| chosen.is_empty() || message.account == chosen;
    let page = Page {
        frame: Frame::new(state, request, visitor, "Inbox", PATH).noting(
            match request.query("done").as_deref() {
                Some("cleared") => "All messages are deleted.",
                _ => "",
            },
        ),
        count: all.iter().filter(wanted).count(),
        messages: all.iter().rev().filter(wanted).take(SHOWN).map(shown).collect(),
        filter: Form::filled(&[("account", &chosen)]),
        accounts,
    };
    show(state, visitor, StatusCode::OK, &page, OWN_FORMS)
}

pub(super) fn send(state: &State, request: &Request, visitor: &Visitor) -> Reply {
    if Form::sent(request).is("do", "clear") && perform(state, Method::DELETE, PATH, &Value::Null).is_ok() {
        return go(state, visitor, "/inbox?done=cleared");
    }
    super::unknown_form()
}

fn shown(message: &Message) -> Shown {
    Shown {
        at: message.at.to_ist(),
        account: message.account.clone(),
        channel: match message.channel.as_str() {
            "email" => "Email",
            _ => "SMS",
        },
        kind: match message.kind.as_str() {
            "otp" => "One-time code",
            "secret_api_key" => "Key of the deprecated login",
            _ => "API key",
        },
        value: message.value.clone(),
    }
}
