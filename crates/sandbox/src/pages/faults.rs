//! Faults: those that wait, what is left of them, and a form that adds one.

use askama::Template;
use http::Method;
use preopen_core::Timestamp;
use serde_json::{Map, Value};

use super::form::Form;
use super::frame::{Frame, OWN_FORMS, go, show};
use super::guard::Visitor;
use crate::control::perform;
use crate::error::ControlError;
use crate::fault::FaultRecord;
use crate::state::State;
use crate::wire::{Reply, Request};

const PATH: &str = "/faults";
/// How many faults are shown.
const SHOWN: usize = 200;

/// The fields of the form that have a place for what is wrong with them.
const FIELDS: &[&str] = &[
    "broker",
    "path",
    "method",
    "times",
    "probability",
    "skip",
    "status",
    "body",
    "body_kind",
    "size",
    "headers",
    "delay_ms",
    "stall",
    "drip_ms",
    "reset",
    "redirect_to",
    "handled",
    "duplicate",
];

/// The fields of a form with their values.
type Fields = &'static [(&'static str, &'static str)];

/// Faults that people ask for most: name, what it is, and the fields of the form that make it.
const COMMON: [(&str, &str, Fields); 7] = [
    (
        "outage",
        "Outage",
        &[
            ("path", "/*"),
            ("times", "5"),
            ("status", "503"),
            ("body_kind", "html"),
            ("headers", "Retry-After: 2"),
        ],
    ),
    (
        "limit",
        "Rate limit",
        &[
            ("path", "/quote/*"),
            ("times", "1"),
            ("status", "429"),
            ("headers", "Retry-After: 5"),
        ],
    ),
    (
        "firewall",
        "Firewall page",
        &[("path", "/*"), ("times", "1"), ("body_kind", "html")],
    ),
    (
        "slow",
        "Slow reply",
        &[("path", "/quote/*"), ("times", "1"), ("delay_ms", "5000")],
    ),
    (
        "silence",
        "No answer",
        &[("path", "/order/*"), ("times", "1"), ("stall", "before")],
    ),
    (
        "lost",
        "Lost reply",
        &[
            ("path", "/order/placeOrder"),
            ("method", "POST"),
            ("times", "1"),
            ("reset", "after"),
        ],
    ),
    (
        "flaky",
        "One in five fails",
        &[("path", "/*"), ("probability", "0.2"), ("status", "502")],
    ),
];

#[derive(Template)]
#[template(path = "faults.html")]
struct Page {
    frame: Frame,
    form: Form,
    problem: String,
    faults: Vec<Shown>,
    more: usize,
    common: Vec<(&'static str, &'static str)>,
}

struct Shown {
    id: u64,
    broker: &'static str,
    target: String,
    does: String,
    left: String,
    is_over: bool,
    hits: u64,
}

pub(super) fn look(state: &State, request: &Request, visitor: &Visitor) -> Reply {
    let notice = match request.query("done").as_deref() {
        Some("added") => "The fault waits for requests.",
        Some("cleared") => "All faults are gone.",
        _ => "",
    };
    let asked = request.query("fill").unwrap_or_default();
    let common = COMMON.iter().find(|(name, ..)| *name == asked);
    let form = Form::filled(common.map_or(&[("path", "/quote/*"), ("times", "1")], |(_, _, fields)| *fields));
    page(state, request, visitor, form, notice)
}

pub(super) fn send(state: &State, request: &Request, visitor: &Visitor) -> Reply {
    let form = Form::sent(request);
    let (answer, done) = match form.value("do") {
        "clear" => (perform(state, Method::DELETE, PATH, &Value::Null), "cleared"),
        "add" => (
            fault(&form).and_then(|fault| perform(state, Method::POST, PATH, &fault)),
            "added",
        ),
        _ => return super::unknown_form(),
    };
    match answer {
        Ok(_) => go(state, visitor, &format!("{PATH}?done={done}")),
        Err(error) => page(state, request, visitor, form.refused_by(&error), ""),
    }
}

/// The fault as the control API takes it. What is left empty is left out.
fn fault(form: &Form) -> Result<Value, ControlError> {
    let mut fault = Map::new();
    for name in [
        "broker",
        "path",
        "method",
        "body",
        "body_kind",
        "reset",
        "redirect_to",
    ] {
        if !form.is(name, "") {
            fault.insert(name.to_owned(), form.value(name).into());
        }
    }
    for name in ["times", "skip", "status", "size", "delay_ms", "drip_ms"] {
        if !form.is(name, "") {
            let number = form.value(name).parse::<u64>();
            let number =
                number.map_err(|_| ControlError::field(name, "must be a whole number, 0 or more"))?;
            fault.insert(name.to_owned(), number.into());
        }
    }
    if !form.is("probability", "") {
        let number = form.value("probability").parse::<f64>();
        let number = number.map_err(|_| ControlError::field("probability", "must be a number"))?;
        fault.insert("probability".to_owned(), number.into());
    }
    match form.value("stall") {
        "" => {}
        "middle" => drop(fault.insert("stall".to_owned(), true.into())),
        other => drop(fault.insert("stall".to_owned(), other.into())),
    }
    if !form.is("handled", "") {
        fault.insert("handled".to_owned(), form.is("handled", "yes").into());
    }
    if !form.is("duplicate", "") {
        fault.insert("duplicate".to_owned(), true.into());
    }
    let mut headers = Map::new();
    for line in form
        .value("headers")
        .lines()
        .filter(|line| !line.trim().is_empty())
    {
        let pair = line.split_once(':');
        let pair =
            pair.ok_or_else(|| ControlError::field("headers", "must be lines such as Retry-After: 5"))?;
        headers.insert(pair.0.trim().to_owned(), pair.1.trim().into());
    }
    if !headers.is_empty() {
        fault.insert("headers".to_owned(), headers.into());
    }
    Ok(fault.into())
}

fn page(state: &State, request: &Request, visitor: &Visitor, form: Form, notice: &str) -> Reply {
    let (list, now) = (state.faults.list(), state.here());
    let status = form.status();
    let page = Page {
        frame: Frame::new(state, request, visitor, "Faults", PATH).noting(notice),
        problem: form.problem_beside(FIELDS).to_owned(),
        form,
        more: list.len().saturating_sub(SHOWN),
        common: COMMON.iter().map(|(name, text, _)| (*name, *text)).collect(),
        faults: list
            .iter()
            .rev()
            .take(SHOWN)
            .map(|record| shown(record, now))
            .collect(),
    };
    show(state, visitor, status, &page, OWN_FORMS)
}

fn shown(record: &FaultRecord, now: Timestamp) -> Shown {
    let (from, until) = (record.fault.from, record.fault.until);
    let fault = serde_json::to_value(&record.fault).unwrap_or_default();
    let hidden = ["broker", "path", "method", "times", "from", "until"];
    let does = fault.as_object().into_iter().flatten();
    let does = does.filter(|(name, _)| !hidden.contains(&name.as_str()));
    Shown {
        id: record.id,
        broker: super::broker_name(record.fault.broker),
        target: format!(
            "{} {}",
            record.fault.method.as_deref().unwrap_or("any"),
            record.fault.path
        ),
        does: does
            .map(|(name, value)| said(name, value))
            .chain(from.map(|at| format!("from {}", at.to_ist())))
            .collect::<Vec<_>>()
            .join(", "),
        left: match (record.remaining, until) {
            (Some(left), None) => left.to_string(),
            (Some(left), Some(at)) => format!("{left}, until {}", at.to_ist()),
            (None, Some(at)) => format!("until {}", at.to_ist()),
            (None, None) => "until cleared".to_owned(),
        },
        is_over: record.remaining == Some(0) || until.is_some_and(|at| at <= now),
        hits: record.hits,
    }
}

/// One property of a fault in a few words.
fn said(name: &str, value: &Value) -> String {
    const LONG: usize = 60;
    let text = match value {
        Value::String(text) => text.clone(),
        // Headers.
        Value::Object(fields) => {
            let fields = fields
                .iter()
                .map(|(name, value)| format!("{name}: {}", value.as_str().unwrap_or_default()));
            fields.collect::<Vec<_>>().join("; ")
        }
        value => value.to_string(),
    };
    let mut short: String = text.chars().take(LONG).collect();
    if text.chars().count() > LONG {
        short.push('…');
    }
    match (name, short.as_str()) {
        ("stall", "true") => "stalls in the middle of the body".to_owned(),
        ("stall", _) => "never answers".to_owned(),
        ("reset", "before") => "resets before it is handled".to_owned(),
        ("reset", _) => "resets after it is handled".to_owned(),
        ("duplicate", _) => "handled twice".to_owned(),
        ("handled", "true") => "handled all the same".to_owned(),
        ("handled", _) => "not handled".to_owned(),
        ("delay_ms", _) => format!("{short} ms late"),
        ("drip_ms", _) => format!("one byte every {short} ms"),
        ("redirect_to", _) => format!("redirects to {short}"),
        ("body_kind", _) => format!("body: {}", short.replace('_', " ")),
        ("headers", _) => format!("with {short}"),
        ("skip", _) => format!("lets {short} pass first"),
        _ => format!("{name} {short}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{COMMON, fault};
    use crate::fault::{Fault, Faults};
    use crate::pages::form::Form;

    #[test]
    fn common_faults_are_taken_as_they_are() {
        let faults = Faults::default();
        for (name, _, fields) in COMMON {
            let fields: Vec<_> = fields.iter().copied().chain([("broker", "samco")]).collect();
            let read: Fault = serde_json::from_value(fault(&Form::filled(&fields)).unwrap()).unwrap();
            assert!(faults.add(read).is_ok(), "{name}");
        }
    }
}
