//! The first page: where clients point, who has accounts, where requests seem to come from.

use askama::Template;
use http::Method;
use preopen_core::totp::{TotpSecret, step_at, step_start};
use preopen_core::{Clock as _, SystemClock, Timestamp};
use serde_json::{Value, json};

use super::form::Form;
use super::frame::{Frame, OWN_FORMS, go, show};
use super::guard::Visitor;
use crate::account::{Account, SamcoAccount};
use crate::control::perform;
use crate::source::SourceIp;
use crate::state::State;
use crate::switch::Switch;
use crate::wire::{Reply, Request};

const PATH: &str = "/";
/// How many accounts are shown.
const SHOWN: usize = 50;
/// How many codes of an authenticator are given to the page, so that it can show the next one by itself.
const CODES: i64 = 10;

#[derive(Template)]
#[template(path = "overview.html")]
struct Page {
    frame: Frame,
    form: Form,
    origin: String,
    accounts: Vec<Shown>,
    more: usize,
    live: usize,
    waiting: usize,
    /// How far the script has come; empty without one.
    script: String,
    /// One that opens a session, as it is typed.
    command: String,
}

struct Shown {
    id: String,
    broker: &'static str,
    live: usize,
    rows: Vec<(&'static str, String)>,
    totp: Option<Totp>,
}

/// What an authenticator shows.
struct Totp {
    code: String,
    /// The codes after this one, separated by spaces.
    next: String,
    left: i64,
    left_millis: i64,
    rate: f64,
}

pub(super) fn look(state: &State, request: &Request, visitor: &Visitor) -> Reply {
    let notice = match request.query("done").as_deref() {
        Some("source") => "The source address is set.",
        _ => "",
    };
    let (kind, ip) = match state.source_ip() {
        SourceIp::Home => ("home", String::new()),
        SourceIp::Fixed(ip) => ("fixed", ip.to_string()),
        SourceIp::Peer => ("peer", String::new()),
    };
    let form = Form::filled(&[("from", kind), ("ip", &ip)]);
    page(state, request, visitor, form, notice)
}

pub(super) fn send(state: &State, request: &Request, visitor: &Visitor) -> Reply {
    let form = Form::sent(request);
    let ip = match form.value("from") {
        "home" => json!("home"),
        "peer" => Value::Null,
        "fixed" if form.value("ip") == "home" => json!("?"),
        "fixed" if form.value("ip").is_empty() => {
            let form = form.refused("ip", "Give the address, for example 198.51.100.7.");
            return page(state, request, visitor, form, "");
        }
        "fixed" => json!(form.value("ip")),
        _ => {
            let form = form.refused("from", "Choose where requests seem to come from.");
            return page(state, request, visitor, form, "");
        }
    };
    match perform(state, Method::PUT, "/source-ip", &json!({"ip": ip})) {
        Ok(_) => go(state, visitor, "/?done=source"),
        Err(error) => page(state, request, visitor, form.refused_by(&error), ""),
    }
}

fn page(state: &State, request: &Request, visitor: &Visitor, form: Form, notice: &str) -> Reply {
    let now = state.now();
    let mut live = state.samco().live_sessions(now);
    live.extend(state.angelone().live_sessions(now));
    let all = state.accounts();
    let first = all.iter().find_map(Account::as_samco);
    let status = form.status();
    let page = Page {
        form,
        frame: Frame::new(state, request, visitor, "Overview", PATH).noting(notice),
        origin: state.origin(),
        more: all.len().saturating_sub(SHOWN),
        live: live.iter().sum(),
        script: script(state),
        waiting: state
            .faults
            .list()
            .iter()
            .filter(|fault| fault.remaining != Some(0))
            .count(),
        command: command(state, first),
        accounts: all
            .iter()
            .zip(live)
            .take(SHOWN)
            .map(|(account, live)| shown(state, account, live))
            .collect(),
    };
    show(state, visitor, status, &page, OWN_FORMS)
}

fn script(state: &State) -> String {
    let Some(script) = &state.script else {
        return String::new();
    };
    let report = script.report();
    let done = match report.done_count {
        1 => "1 step done".to_owned(),
        n => format!("{n} steps done"),
    };
    let next = match &report.next {
        _ if report.ended => "it is over".to_owned(),
        None => format!("ends at {}", report.ends_at.to_ist()),
        Some(step) => {
            let what = step.name.as_deref().unwrap_or(&step.what);
            format!("next at {}: {what}", step.at.to_ist())
        }
    };
    format!("{}: {done}, {next}", report.script)
}

fn command(state: &State, account: Option<&SamcoAccount>) -> String {
    let (key, secret) = account.map_or(("", ""), |account| (&account.api_key, &account.api_secret));
    format!(
        "curl -s {}/session/token -H 'content-type: application/json' \\\n  -d '{{\"apiKey\": \"{key}\", \"apiSecret\": \"{secret}\"}}'",
        state.origin()
    )
}

fn shown(state: &State, account: &Account, live: usize) -> Shown {
    let (broker, rows, totp) = match account {
        Account::Samco(a) => (
            "Samco",
            vec![
                ("User ID", a.account.clone()),
                ("Password", a.password.clone()),
                ("API key", a.api_key.clone()),
                ("API secret", a.api_secret.clone()),
                ("Primary IP", a.primary_ip.clone()),
                ("Secondary IP", a.secondary_ip.clone()),
                ("Redirect URL", a.redirect_url.clone()),
            ],
            None,
        ),
        Account::AngelOne(a) => (
            "Angel One",
            vec![
                ("Client code", a.client_code.clone()),
                ("PIN", a.pin.clone()),
                ("API key", a.api_key.clone()),
                ("TOTP secret", a.totp_secret.clone()),
                ("Primary IP", a.primary_ip.clone()),
                ("Secondary IP", a.secondary_ip.clone()),
                ("Redirect URL", a.redirect_url.clone()),
            ],
            totp(state, &a.totp_secret),
        ),
    };
    Shown {
        id: account.id().to_owned(),
        broker,
        live,
        rows,
        totp,
    }
}

fn totp(state: &State, secret: &str) -> Option<Totp> {
    let (now, rate) = if state.switches.word(Switch::TotpClock) == "real" {
        (SystemClock.now().wall, 1.0)
    } else {
        (state.here(), state.clock.rate())
    };
    let secret = TotpSecret::new(secret);
    let code = |at: Timestamp| Some(secret.code_at(at).ok()?.spend().expose().to_owned());
    let step = step_at(now);
    let next = (1..CODES).filter_map(|more| code(step_start(step + more)));
    let left_millis = step_start(step + 1).as_millis() - now.as_millis();
    Some(Totp {
        code: code(now)?,
        next: next.collect::<Vec<_>>().join(" "),
        left: (left_millis + 999) / 1000,
        left_millis,
        rate,
    })
}
