//! The virtual clock: what it shows, how fast it runs, and buttons to move it.

use askama::Template;
use http::Method;
use serde_json::{Value, json};

use super::form::Form;
use super::frame::{Frame, OWN_FORMS, go, show};
use super::guard::Visitor;
use crate::control::perform;
use crate::error::ControlError;
use crate::state::State;
use crate::wire::{Reply, Request};

const PATH: &str = "/clock";

#[derive(Template)]
#[template(path = "clock.html")]
struct Page {
    frame: Frame,
    form: Form,
    utc: String,
    /// The time as the field for it wants it.
    local: String,
}

pub(super) fn look(state: &State, request: &Request, visitor: &Visitor) -> Reply {
    let notice = match request.query("done").as_deref() {
        Some("set") => "The clock is set.",
        Some("moved") => "The clock is moved.",
        Some("rate") => "The speed is set.",
        _ => "",
    };
    page(state, request, visitor, Form::default(), notice)
}

pub(super) fn send(state: &State, request: &Request, visitor: &Visitor) -> Reply {
    let form = Form::sent(request);
    let change = |method, path, body: Value| perform(state, method, path, &body);
    let (done, answer) = match form.value("do") {
        "set" => (
            "set",
            indian(form.value("now")).and_then(|now| change(Method::PUT, PATH, json!({"now": now}))),
        ),
        "rate" => (
            "rate",
            number("rate", form.value("rate"))
                .and_then(|rate| change(Method::PUT, PATH, json!({"rate": rate}))),
        ),
        "seconds" => (
            "moved",
            seconds(&form).and_then(|by| change(Method::POST, "/clock/advance", json!({"seconds": by}))),
        ),
        "to" => {
            let to = format!("{} IST", form.value("to"));
            ("moved", change(Method::POST, "/clock/advance", json!({"to": to})))
        }
        _ => return super::unknown_form(),
    };
    match answer {
        Ok(_) => go(state, visitor, &format!("{PATH}?done={done}")),
        Err(error) => page(state, request, visitor, form.refused_by(&error), ""),
    }
}

/// What the browser's field for a time sends is a time of day in India here.
fn indian(typed: &str) -> Result<String, ControlError> {
    if typed.is_empty() {
        return Err(ControlError::field("now", "is missing: give a date and a time"));
    }
    let seconds = if typed.len() == "2026-11-20T10:00".len() {
        ":00"
    } else {
        ""
    };
    Ok(format!("{typed}{seconds}+05:30"))
}

fn number(field: &'static str, typed: &str) -> Result<f64, ControlError> {
    typed
        .parse::<f64>()
        .ok()
        .filter(|number| number.is_finite())
        .ok_or_else(|| ControlError::field(field, "must be a number"))
}

fn seconds(form: &Form) -> Result<f64, ControlError> {
    let unit = match form.value("unit") {
        "minutes" => 60.0,
        "hours" => 3600.0,
        "days" => 86_400.0,
        _ => 1.0,
    };
    Ok(number("seconds", form.value("seconds"))? * unit)
}

fn page(state: &State, request: &Request, visitor: &Visitor, form: Form, notice: &str) -> Reply {
    let now = state.here();
    let status = form.status();
    let page = Page {
        frame: Frame::new(state, request, visitor, "Clock", PATH).noting(notice),
        form,
        utc: now
            .to_rfc3339()
            .chars()
            .take(19)
            .collect::<String>()
            .replace('T', " "),
        local: now.format_ist("%Y-%m-%dT%H:%M:%S"),
    };
    show(state, visitor, status, &page, OWN_FORMS)
}
