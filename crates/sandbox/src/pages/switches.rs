//! The switches for what nobody knows about the brokers, each with its default and the reason for it.

use askama::Template;
use http::Method;
use serde_json::{Value, json};

use super::form::Form;
use super::frame::{Frame, OWN_FORMS, go, show};
use super::guard::Visitor;
use crate::control::perform;
use crate::state::State;
use crate::wire::{Reply, Request};

const PATH: &str = "/switches";

#[derive(Template)]
#[template(path = "switches.html")]
struct Page {
    frame: Frame,
    groups: Vec<Group>,
    changed: usize,
}

struct Group {
    title: &'static str,
    switches: Vec<Shown>,
}

struct Shown {
    name: String,
    value: String,
    default: String,
    why: String,
    /// The words that it may be set to; none for a number.
    words: Vec<String>,
    from: String,
    to: String,
    problem: String,
}

impl Shown {
    fn is_changed(&self) -> bool {
        self.value != self.default
    }

    fn is_at(&self, word: &str) -> bool {
        self.value == word
    }
}

/// What the switches whose names begin so are about.
const GROUPS: [(&str, &str); 5] = [
    ("samco_", "Samco: sessions, orders, addresses and dashboard"),
    ("oauth_", "Samco: OAuth"),
    ("totp_", "One-time codes of SmartAPI"),
    ("angelone_", "Angel One SmartAPI"),
    ("publisher_", "Publisher login"),
];
const REST: &str = "The sandbox itself";

pub(super) fn look(state: &State, request: &Request, visitor: &Visitor) -> Reply {
    let done = request.query("done").unwrap_or_default();
    let name = known(state, &done);
    let notice = match (name, done.as_str()) {
        (Some(name), _) => format!("{name} is set."),
        (None, "reset") => "All switches are at their defaults.".to_owned(),
        _ => String::new(),
    };
    page(state, request, visitor, &Form::default(), &notice)
}

pub(super) fn send(state: &State, request: &Request, visitor: &Visitor) -> Reply {
    let form = Form::sent(request);
    let all = state.switches.to_json();
    let name = form.value("name");
    let (change, done) = match (form.value("do"), all.get(name)) {
        ("reset-all", _) => {
            let defaults = all.as_object().into_iter().flatten();
            let defaults = defaults.map(|(name, switch)| (name.clone(), switch["default"].clone()));
            (Value::Object(defaults.collect()), "reset".to_owned())
        }
        ("reset", Some(switch)) => (json!({name: switch["default"]}), format!("{name}#{name}")),
        ("set", Some(_)) => (json!({name: read(form.value("value"))}), format!("{name}#{name}")),
        _ => return super::unknown_form(),
    };
    match perform(state, Method::PATCH, PATH, &change) {
        Ok(_) => go(state, visitor, &format!("{PATH}?done={done}")),
        Err(error) => page(state, request, visitor, &form.refused_by(&error), ""),
    }
}

/// What was typed or chosen, as the control API takes it.
fn read(typed: &str) -> Value {
    match typed {
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        _ => typed.parse::<i64>().map_or_else(|_| typed.into(), Value::from),
    }
}

fn known(state: &State, name: &str) -> Option<String> {
    state.switches.to_json().get(name).map(|_| name.to_owned())
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn page(state: &State, request: &Request, visitor: &Visitor, form: &Form, notice: &str) -> Reply {
    let all = state.switches.to_json();
    let titles = std::iter::once(REST).chain(GROUPS.iter().map(|(_, title)| *title));
    let mut groups: Vec<Group> = titles
        .map(|title| Group {
            title,
            switches: Vec::new(),
        })
        .collect();
    for (name, switch) in all.as_object().into_iter().flatten() {
        let mut shown = Shown {
            name: name.clone(),
            value: text(&switch["value"]),
            default: text(&switch["default"]),
            why: text(&switch["why"]),
            words: switch["allowed"]
                .as_array()
                .into_iter()
                .flatten()
                .map(text)
                .collect(),
            from: text(&switch["allowed"]["from"]),
            to: text(&switch["allowed"]["to"]),
            problem: String::new(),
        };
        if !form.problem(name).is_empty() {
            form.problem(name).clone_into(&mut shown.problem);
            form.value("value").clone_into(&mut shown.value);
        }
        let at = GROUPS
            .iter()
            .position(|(start, _)| name.starts_with(start))
            .map_or(0, |at| at + 1);
        groups[at].switches.push(shown);
    }
    groups.retain(|group| !group.switches.is_empty());
    let page = Page {
        frame: Frame::new(state, request, visitor, "Switches", PATH).noting(notice),
        changed: groups
            .iter()
            .flat_map(|group| &group.switches)
            .filter(|switch| switch.is_changed())
            .count(),
        groups,
    };
    let status = form.status();
    show(state, visitor, status, &page, OWN_FORMS)
}
