//! The control API under `/_sandbox/`: who may use it, and which call goes where. What the calls do is in
//! `clock` and `accounts` and in the parts of the sandbox that they drive.
//!
//! Every call carries the header `x-sandbox-token`; failures are `{"error": {"code", "message"}}`.
//!
//! | call | does |
//! | --- | --- |
//! | `GET` / `PUT /clock` | shows the clock; sets `now` (RFC 3339) and `rate` |
//! | `POST /clock/advance` | moves it `to` the next `08:00 IST`, or by `seconds` |
//! | `POST` / `GET` / `DELETE /faults` | adds a fault, lists them with what is left, clears them |
//! | `GET` / `DELETE /requests` | `?broker=&path=&limit=`: count and last requests; forgets them |
//! | `GET` / `PATCH /switches` | shows all with default, values and reason; sets some |
//! | `GET` / `PUT /source-ip` | `{"ip"}`: an address, `"home"` or `null` (the peer) |
//! | `GET` / `POST /accounts`, `PATCH /accounts/{id}` | lists, adds one or `count`, changes standing or credentials |
//! | `POST /consent` | `{"url", "decision"}`: plays the person at a browser; where it is sent next |
//! | `GET` / `POST /portal`, `POST /portal/confirm`, `POST /portal/sign-in` | what an account's owner does at Samco's dashboard |
//! | `GET` / `DELETE /inbox` | `?account=`: emails and SMS that the brokers sent; forgets them |
//! | `GET /script` | the steps of the script that were done, the next one, and when it is over |
//! | `DELETE /sessions` | `?broker=&account=`: ends sessions at once |

mod accounts;
mod clock;
mod consent;
mod guard;
mod portal;

use http::{HeaderMap, Method, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::account::Broker;
use crate::error::ControlError;
use crate::fault::{Fault, FaultRecord};
use crate::inbox::Message;
use crate::source::{Source, SourceIp};
use crate::state::State;
use crate::switch::SwitchValue;
use crate::wire::{Reply, Request};
use crate::wording;
pub(crate) use accounts::{add_made_up, change_account};
pub(crate) use clock::next_occurrence;
pub(crate) use consent::consent;
pub(crate) use guard::{is_own_form, is_own_host};

type Answer = Result<(StatusCode, Value), ControlError>;

/// Answers one request to the control API.
pub(crate) fn answer(state: &State, request: &Request) -> Reply {
    let answered = guard::check(state, request).and_then(|()| route(state, request));
    match answered {
        Ok((status, body)) => Reply::json(status, &body),
        Err(error) => refuse(error.status(), error.code(), error.message()),
    }
}

/// Does what one call of the control API does, for the pages: one way to check, one way to act.
pub(crate) fn perform(
    state: &State,
    method: Method,
    path: &str,
    body: &Value,
) -> Result<Value, ControlError> {
    let request = Request {
        method,
        path: format!("/_sandbox{path}"),
        query: String::new(),
        headers: HeaderMap::new(),
        body: body.to_string().into(),
        source: Source(None),
        arrived: state.here(),
    };
    route(state, &request).map(|(_, body)| body)
}

/// How much of a message is sent: it may quote what the caller sent.
const MESSAGE: usize = 1000;

/// A refusal of the control API.
pub(crate) fn refuse(status: StatusCode, code: &str, message: &str) -> Reply {
    let message = match message.char_indices().nth(MESSAGE) {
        Some((end, _)) => format!("{}...", &message[..end]),
        None => message.to_owned(),
    };
    Reply::json(status, &json!({"error": {"code": code, "message": message}}))
}

#[allow(clippy::unnecessary_wraps)] // so that the table of routes reads evenly
fn ok(body: Value) -> Answer {
    Ok((StatusCode::OK, body))
}

fn route(state: &State, request: &Request) -> Answer {
    let path = request.path.strip_prefix("/_sandbox").unwrap_or_default();
    let method = &request.method;
    let allowed: &[Method] = match path {
        "/clock" | "/source-ip" => &[Method::GET, Method::PUT],
        "/clock/advance" | "/consent" | "/portal/confirm" | "/portal/sign-in" => &[Method::POST],
        "/faults" => &[Method::GET, Method::POST, Method::DELETE],
        "/requests" | "/inbox" => &[Method::GET, Method::DELETE],
        "/switches" => &[Method::GET, Method::PATCH],
        "/accounts" | "/portal" => &[Method::GET, Method::POST],
        "/sessions" => &[Method::DELETE],
        "/script" => &[Method::GET],
        _ if path.starts_with("/accounts/") => &[Method::PATCH],
        _ => {
            return Err(ControlError::not_found(format!(
                "{path} is not part of the control API"
            )));
        }
    };
    if !allowed.contains(method) {
        let names: Vec<_> = allowed.iter().map(Method::as_str).collect();
        let text = format!("{path} takes {}, not {method}", names.join(", "));
        return Err(ControlError::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            text,
        ));
    }
    match (method.as_str(), path) {
        ("GET", "/clock") => ok(clock::show(state)),
        ("PUT", "/clock") => clock::set(state, request),
        (_, "/clock/advance") => clock::advance(state, request),
        ("POST", "/faults") => {
            let record = state.faults.add(read::<Fault>(request)?)?;
            Ok((StatusCode::CREATED, record.to_json()))
        }
        ("GET", "/faults") => {
            let list: Vec<_> = state.faults.list().iter().map(FaultRecord::to_json).collect();
            ok(json!({"faults": list}))
        }
        ("DELETE", "/faults") => {
            state.faults.clear();
            ok(json!({"faults": []}))
        }
        ("GET", "/requests") => {
            let path = request.query("path").filter(|path| !path.is_empty());
            let mut report = state.requests.report(broker_of(request)?, path.as_deref());
            if let Some(limit) = request.query("limit") {
                let wrong = |_| ControlError::field("limit", "must be a whole number");
                let limit: usize = limit.parse().map_err(wrong)?;
                report
                    .requests
                    .drain(..report.requests.len().saturating_sub(limit));
            }
            ok(report.to_json())
        }
        ("DELETE", "/requests") => {
            state.requests.clear();
            ok(json!({"count": 0, "requests": []}))
        }
        ("PATCH", "/switches") => {
            set_switches(state, request)?;
            ok(state.switches.to_json())
        }
        (_, "/switches") => ok(state.switches.to_json()),
        ("PUT", "/source-ip") => {
            state.set_source_ip(read_source_ip(request)?);
            ok(json!({"ip": state.source_ip().to_json()}))
        }
        (_, "/source-ip") => ok(json!({"ip": state.source_ip().to_json()})),
        ("POST", "/accounts") => accounts::add(state, request),
        ("GET", "/accounts") => ok(accounts::list(state)),
        (_, "/script") => ok(state
            .script
            .as_ref()
            .map_or(json!({"script": null}), |script| script.report().to_json())),
        (_, "/consent") => consent::answer(state, request),
        ("GET", "/portal") => portal::look(state, request),
        (_, "/portal") => portal::propose(state, request),
        (_, "/portal/confirm") => portal::confirm(state, request),
        (_, "/portal/sign-in") => portal::sign_in(state, request),
        ("GET", "/inbox") => {
            let account = request.query("account").filter(|account| !account.is_empty());
            let messages = state.inbox().list(account.as_deref());
            ok(json!({"messages": messages.iter().map(Message::to_json).collect::<Vec<_>>()}))
        }
        ("DELETE", "/inbox") => {
            state.inbox().clear();
            ok(json!({"messages": []}))
        }
        ("DELETE", _) => accounts::end_sessions(state, request),
        _ => accounts::change(
            state,
            request,
            &decoded(path.strip_prefix("/accounts/").unwrap_or_default()),
        ),
    }
}

/// The last part of a path as it was before it was put there.
fn decoded(part: &str) -> String {
    // What a query would take for something else.
    let part = part.replace('+', "%2B").replace('&', "%26").replace('=', "%3D");
    let decoded = form_urlencoded::parse(part.as_bytes()).next();
    decoded.map_or_else(String::new, |(text, _)| text.into_owned())
}

/// The broker named in the query, if one is.
fn broker_of(request: &Request) -> Result<Option<Broker>, ControlError> {
    let Some(name) = request.query("broker").filter(|name| !name.is_empty()) else {
        return Ok(None);
    };
    Broker::parse(&name)
        .map(Some)
        .ok_or_else(|| ControlError::field("broker", "must be samco or angelone"))
}

fn set_switches(state: &State, request: &Request) -> Result<(), ControlError> {
    let body: serde_json::Map<String, Value> = read(request)?;
    let mut changes = Vec::new();
    for (name, value) in &body {
        let value = SwitchValue::from_json(value)
            .ok_or_else(|| ControlError::field(name, "must be true, false, a whole number or a word"))?;
        changes.push((name.as_str(), value));
    }
    state.switches.set(&changes)
}

fn read_source_ip(request: &Request) -> Result<SourceIp, ControlError> {
    let body: Value = read(request)?;
    match body.get("ip") {
        Some(Value::Null) => Ok(SourceIp::Peer),
        Some(Value::String(text)) if text == "home" => Ok(SourceIp::Home),
        Some(Value::String(text)) => text
            .parse()
            .map(SourceIp::Fixed)
            .map_err(|_| ControlError::field("ip", "is not an IP address")),
        _ => Err(ControlError::field(
            "ip",
            "must be an address, \"home\" (each account's own primary) or null",
        )),
    }
}

/// What is told of JSON that is no `T`; `path` is where the reader found that, `.` for the whole body.
fn misfit(path: &str, error: &serde_json::Error) -> ControlError {
    let message = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    let message = message.strip_suffix(&place).unwrap_or(&message);
    let (path, message) = match (path, message.split_once(": ")) {
        // What is read by way of a value (`accounts`) says itself which part of it is meant.
        (".", Some((part, rest))) if wording::of_value(message).is_none() => (part, rest),
        _ => (path, message),
    };
    if let Some((name, problem)) = wording::of_field(message) {
        // An unknown field is part of the path, a missing one is not.
        let is_in_path = path == name || path.ends_with(&format!(".{name}"));
        let field = match path {
            "." => name.to_owned(),
            _ if is_in_path => path.to_owned(),
            _ => format!("{path}.{name}"),
        };
        return ControlError::field(&field, problem);
    }
    let field = if path == "." { "body" } else { path };
    let problem = wording::of_value(message).unwrap_or_else(|| format!("is wrong: {message}"));
    ControlError::field(field, problem)
}

/// The body as `T`; the error names the field that is wrong.
fn read<T: DeserializeOwned>(request: &Request) -> Result<T, ControlError> {
    // Read as `T`, a list would be its fields in the order of their definition.
    if request.body.trim_ascii_start().starts_with(b"[") {
        return Err(ControlError::field("body", "must be an object, not a list"));
    }
    let mut reader = serde_json::Deserializer::from_slice(&request.body);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let field = error.path().to_string();
        let inner = error.into_inner();
        if matches!(
            inner.classify(),
            serde_json::error::Category::Syntax | serde_json::error::Category::Eof
        ) {
            return ControlError::new(
                StatusCode::BAD_REQUEST,
                "invalid_json",
                format!("the body is not JSON: {inner}"),
            );
        }
        misfit(&field, &inner)
    })?;
    reader.end().map_err(|error| {
        ControlError::new(
            StatusCode::BAD_REQUEST,
            "invalid_json",
            format!("the body goes on after its JSON: {error}"),
        )
    })?;
    Ok(value)
}
