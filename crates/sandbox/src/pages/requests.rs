//! What arrived: counts and the last requests, by broker and path.

use askama::Template;
use http::{Method, StatusCode};
use preopen_core::Timestamp;
use serde_json::Value;

use super::form::Form;
use super::frame::{Frame, OWN_FORMS, go, show};
use super::guard::Visitor;
use crate::account::Broker;
use crate::control::perform;
use crate::request_log::RequestRecord;
use crate::state::State;
use crate::wire::{Reply, Request};

const PATH: &str = "/requests";
/// How many requests are shown.
const SHOWN: usize = 100;

#[derive(Template)]
#[template(path = "requests.html")]
struct Page {
    frame: Frame,
    filter: Form,
    count: u64,
    samco: u64,
    angelone: u64,
    requests: Vec<Shown>,
}

struct Shown {
    seq: u64,
    at: String,
    broker: &'static str,
    method: String,
    path: String,
    query: String,
    status: String,
    is_failure: bool,
    source_ip: String,
    account: String,
    fault: String,
}

pub(super) fn look(state: &State, request: &Request, visitor: &Visitor) -> Reply {
    let broker = request.query("broker").unwrap_or_default();
    let path = request.query("path").unwrap_or_default().trim().to_owned();
    let named = Broker::parse(&broker);
    let filter = Some(path.as_str()).filter(|path| !path.is_empty());
    let report = state.requests.report(named, filter);
    let today = day(state.here());
    let page = Page {
        frame: Frame::new(state, request, visitor, "Requests", PATH).noting(
            match request.query("done").as_deref() {
                Some("cleared") => "The log is empty again.",
                _ => "",
            },
        ),
        filter: Form::filled(&[("broker", &broker), ("path", &path)]),
        count: report.count,
        samco: state.requests.report(Some(Broker::Samco), None).count,
        angelone: state.requests.report(Some(Broker::AngelOne), None).count,
        requests: report
            .requests
            .into_iter()
            .rev()
            .take(SHOWN)
            .map(|record| shown(record, &today))
            .collect(),
    };
    show(state, visitor, StatusCode::OK, &page, OWN_FORMS)
}

pub(super) fn send(state: &State, request: &Request, visitor: &Visitor) -> Reply {
    if Form::sent(request).is("do", "clear") && perform(state, Method::DELETE, PATH, &Value::Null).is_ok() {
        return go(state, visitor, "/requests?done=cleared");
    }
    super::unknown_form()
}

fn day(at: Timestamp) -> String {
    at.format_ist("%Y-%m-%d")
}

fn shown(record: RequestRecord, today: &str) -> Shown {
    let is_today = day(record.at) == today;
    Shown {
        seq: record.seq,
        at: record
            .at
            .format_ist(if is_today { "%H:%M:%S" } else { "%Y-%m-%d %H:%M:%S" }),
        broker: super::broker_name(record.broker),
        method: record.method,
        path: record.path,
        // Shorter than the mark of the log: a login's query is full of them.
        query: record.query.replace("**redacted**", "…"),
        is_failure: record.status.is_none_or(|status| status >= 400),
        status: record
            .status
            .map_or_else(|| "none".to_owned(), |status| status.to_string()),
        source_ip: record.source_ip,
        account: record.account.unwrap_or_default(),
        fault: record.fault.map(|id| format!("#{id}")).unwrap_or_default(),
    }
}
