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
    /// Every way that it went.
    channels: String,
    kind: &'static str,
    value: String,
    about: String,
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
        messages: rows(all.iter().rev().filter(wanted)),
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

/// A row for what was sent at one moment, whichever ways it went.
fn rows<'a>(messages: impl Iterator<Item = &'a Message>) -> Vec<Shown> {
    let mut rows: Vec<(&Message, Shown)> = Vec::new();
    for message in messages.take(SHOWN) {
        match rows.last_mut() {
            Some((last, row)) if is_same(last, message) => {
                row.channels = format!("{} and {}", channel(message), row.channels.to_lowercase());
            }
            _ => rows.push((message, shown(message))),
        }
    }
    rows.into_iter().map(|(_, row)| row).collect()
}

fn is_same(one: &Message, other: &Message) -> bool {
    (one.at, &one.account, one.kind, &one.value) == (other.at, &other.account, other.kind, &other.value)
}

fn channel(message: &Message) -> &'static str {
    match message.channel.as_str() {
        "email" => "Email",
        _ => "SMS",
    }
}

fn shown(message: &Message) -> Shown {
    Shown {
        at: message.at.to_ist(),
        account: message.account.clone(),
        channels: channel(message).to_owned(),
        kind: match message.kind.as_str() {
            "otp" => "One-time code",
            "secret_api_key" => "Key of the deprecated login",
            _ => "API key",
        },
        value: message.value.clone(),
        about: message.about.clone(),
    }
}
