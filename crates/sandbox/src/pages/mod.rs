//! The pages in the browser: the sandbox's own and those of Samco's dashboard. Rendered on the server; every form works
//! without scripts and needs the token of its browser. What a form of the sandbox does is a call of the control API,
//! what one of the dashboard does is `samco::portal`'s.

mod assets;
pub(crate) mod brokers;
mod clock;
mod dashboard;
mod faults;
mod form;
mod frame;
mod guard;
mod inbox;
mod overview;
mod requests;
mod switches;
mod visitors;

use http::{HeaderName, HeaderValue, Method, StatusCode, header};

use crate::account::Broker;
use crate::control::is_own_host;
use crate::state::State;
use crate::wire::{Reply, Request};
use frame::explain;
pub(crate) use guard::{Kind, Visitor, admit};
pub(crate) use visitors::Visitors;

/// What brokers' own pages answer, logged and bent by faults like all of their endpoints.
const BROKERS: [&str; 2] = [crate::samco::oauth::PAGE, crate::angelone::publisher::PAGE];

/// Shows a page, or takes its form.
type Page = fn(&State, &Request, &Visitor) -> Reply;

const NOT_ALLOWED: &str = "This address does not take requests of this kind.";

/// Whether a path belongs to the pages. All other paths are the brokers'.
pub(crate) fn has(path: &str) -> bool {
    let alone = [
        "/",
        "/inbox",
        "/clock",
        "/faults",
        "/requests",
        "/switches",
        "/app",
        "/favicon.ico",
    ];
    alone.contains(&path)
        || path.starts_with("/assets/")
        || (path.starts_with("/app/") && !BROKERS.contains(&path))
}

/// Whether it is a page of a broker's, which apps send browsers to.
pub(crate) fn is_brokers(path: &str) -> bool {
    // What is below a page is an error of the broker's, where a browser can end up.
    BROKERS.iter().any(|page| {
        path.strip_prefix(page)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

/// Answers a request for a page.
pub(crate) fn answer(state: &State, request: &Request) -> Reply {
    // A page that opened one of these in a window of its own gets no hold of it. Not so for the pages that apps send
    // browsers to: some apps open those in a window and wait for it.
    answered(state, request).with_header(
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("same-origin"),
    )
}

fn answered(state: &State, request: &Request) -> Reply {
    if let Some(reply) = assets::answer(request) {
        return if is_own_host(state, request) {
            reply
        } else {
            refuse(StatusCode::FORBIDDEN, "Open this page by its loopback address.")
        };
    }
    let visitor = match admit(state, request, Kind::Dashboard) {
        Ok(visitor) => visitor,
        Err(refusal) => return *refusal,
    };
    if request.path == "/app" || request.path.starts_with("/app/") {
        return dashboard::answer(state, request, &visitor);
    }
    let (look, send): (Page, Option<Page>) = match request.path.as_str() {
        "/" => (overview::look, Some(overview::send)),
        "/inbox" => (inbox::look, Some(inbox::send)),
        "/clock" => (clock::look, Some(clock::send)),
        "/faults" => (faults::look, Some(faults::send)),
        "/requests" => (requests::look, Some(requests::send)),
        "/switches" => (switches::look, Some(switches::send)),
        _ => {
            let text = "There is no page at this address.";
            return explain(state, request, &visitor, StatusCode::NOT_FOUND, text);
        }
    };
    match (&request.method, send) {
        (&Method::GET | &Method::HEAD, _) => look(state, request, &visitor),
        (&Method::POST, Some(send)) => send(state, request, &visitor),
        _ => {
            let status = StatusCode::METHOD_NOT_ALLOWED;
            let reply = explain(state, request, &visitor, status, NOT_ALLOWED);
            let allowed = if send.is_some() {
                "GET, HEAD, POST"
            } else {
                "GET, HEAD"
            };
            reply.with_header(header::ALLOW, HeaderValue::from_static(allowed))
        }
    }
}

/// A page that says why there is no other.
pub(crate) fn refuse(status: StatusCode, text: &str) -> Reply {
    frame::problem(status, text)
}

/// A page that says which methods there are.
pub(crate) fn not_allowed(allowed: &'static str) -> Reply {
    let reply = refuse(StatusCode::METHOD_NOT_ALLOWED, NOT_ALLOWED);
    reply.with_header(header::ALLOW, HeaderValue::from_static(allowed))
}

/// A form that no page here has.
fn unknown_form() -> Reply {
    refuse(
        StatusCode::BAD_REQUEST,
        "This page has no such form. Go back and reload it.",
    )
}

const fn broker_name(broker: Broker) -> &'static str {
    match broker {
        Broker::Samco => "Samco",
        Broker::AngelOne => "Angel One",
    }
}
