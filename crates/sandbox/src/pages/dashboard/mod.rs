//! The pages of Samco's dashboard, for whoever is signed in. The rules behind them are in `samco::portal`.

mod api_keys;
mod confirm;
mod sign_in;
mod static_ips;

use http::{HeaderValue, Method, StatusCode, header};

use super::frame::{explain, go};
use super::guard::Visitor;
use crate::samco::portal::{Action, Portal, Problem, look, propose};
use crate::state::State;
use crate::wire::{Reply, Request};

const LOGIN: &str = "/app/login";
const API_KEYS: &str = "/app/api-keys";
const STATIC_IPS: &str = "/app/static-ips";

/// A signed-in browser at a page.
struct Owner<'a> {
    state: &'a State,
    request: &'a Request,
    visitor: &'a Visitor,
    portal: Portal,
}

/// Answers a request below `/app`.
pub(super) fn answer(state: &State, request: &Request, visitor: &Visitor) -> Reply {
    let path = request.path.as_str();
    if path == "/app" {
        return go(state, visitor, LOGIN);
    }
    let parts: Vec<&str> = path.split('/').skip(2).collect();
    let known = match parts.as_slice() {
        ["login" | "api-keys" | "static-ips"] | ["api-keys", "new"] => true,
        ["api-keys" | "confirm", number] | ["static-ips", number, "primary" | "secondary"] => {
            number.parse::<u64>().is_ok()
        }
        _ => false,
    };
    if !known {
        let text = "There is no page at this address.";
        return explain(state, request, visitor, StatusCode::NOT_FOUND, text);
    }
    let sends = request.method == Method::POST;
    if !sends && request.method != Method::GET && request.method != Method::HEAD {
        let reply = explain(
            state,
            request,
            visitor,
            StatusCode::METHOD_NOT_ALLOWED,
            super::NOT_ALLOWED,
        );
        return reply.with_header(header::ALLOW, HeaderValue::from_static("GET, HEAD, POST"));
    }
    if path == LOGIN {
        return if sends {
            sign_in::send(state, request, visitor)
        } else {
            sign_in::look(state, request, visitor)
        };
    }
    let Some(portal) = visitor
        .account
        .as_deref()
        .and_then(|account| look(state, account))
    else {
        // A form that comes too late leads nowhere: what it wanted has to be asked for again.
        let next = if parts.first() == Some(&"static-ips") {
            STATIC_IPS
        } else {
            API_KEYS
        };
        return go(state, visitor, &format!("{LOGIN}?next={next}"));
    };
    let owner = Owner {
        state,
        request,
        visitor,
        portal,
    };
    let number = parts.get(1).and_then(|number| number.parse::<u64>().ok());
    match (parts.as_slice(), number, sends) {
        (["api-keys"], ..) if sends => super::unknown_form(),
        (["api-keys"], ..) => api_keys::look(&owner),
        (["api-keys", "new"], _, false) => api_keys::look_new(&owner),
        (["api-keys", "new"], _, true) => api_keys::send_new(&owner),
        (["api-keys", _], Some(app), false) => api_keys::look_one(&owner, app),
        (["api-keys", _], Some(app), true) => api_keys::send_one(&owner, app),
        (["static-ips"], _, false) => static_ips::look(&owner),
        (["static-ips"], _, true) => static_ips::send(&owner),
        (["static-ips", _, slot], Some(app), false) => static_ips::look_one(&owner, app, slot),
        (["static-ips", _, slot], Some(app), true) => static_ips::send_one(&owner, app, slot),
        (["confirm", _], Some(proposal), false) => confirm::look(&owner, proposal),
        (["confirm", _], Some(proposal), true) => confirm::send(&owner, proposal),
        _ => owner.missing(),
    }
}

impl Owner<'_> {
    /// What the last form said, on the page that it led to.
    fn notice(&self) -> &str {
        if self.request.query("done").is_some() {
            &self.visitor.notice
        } else {
            ""
        }
    }

    fn missing(&self) -> Reply {
        let text = "This account has no such app.";
        explain(
            self.state,
            self.request,
            self.visitor,
            StatusCode::NOT_FOUND,
            text,
        )
    }

    /// Proposes an action and goes where its code is asked for, and from there to `back`; or says what is wrong.
    fn propose(&self, action: Action, back: &str) -> Result<Reply, Problem> {
        let proposal = propose(self.state, &self.portal.account, action)?;
        let back = back.trim_start_matches("/app/");
        Ok(go(
            self.state,
            self.visitor,
            &format!("/app/confirm/{proposal}?back={back}"),
        ))
    }
}
