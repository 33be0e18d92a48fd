//! The page in the browser where the owner of an app pastes its secret and approves.

use http::{Method, StatusCode};

use super::authorize::{Asked, Shown, check, issue_code};
use super::refusal::{REDIRECT, Refusal, SECRET, SECRET_FORMAT};
use crate::pages::brokers::At;
use crate::pages::{self, Kind, admit};
use crate::redirect;
use crate::source::Source;
use crate::state::State;
use crate::switch::Switch;
use crate::wire::{Reply, Request};

/// Where the page is.
pub(crate) const PAGE: &str = "/app/oauth/authorize";

/// What the person at the page does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Decision<'a> {
    /// Looks at it.
    Look,
    /// Pastes this secret and approves.
    Approve(&'a str),
    /// Pastes what the owner of this account has, and approves: only the own apps' secrets are known to a person.
    ApproveAs(&'a str),
    /// Cancels.
    Cancel,
}

/// What the page does then.
#[derive(Debug)]
pub(crate) enum Answer {
    /// Shows itself, to be decided upon.
    Form {
        account: String,
        /// The name of the app.
        app: String,
        problem: Option<Refusal>,
    },
    /// Sends the browser back to the app.
    Redirect { to: String },
    /// Explains why it does nothing.
    Refuse(Refusal),
}

/// Answers `GET` and `POST` of the page.
pub(crate) fn page(state: &State, request: &Request) -> Reply {
    let visitor = match admit(state, request, Kind::SentTo) {
        Ok(visitor) => visitor,
        Err(refusal) => return *refusal,
    };
    let secret = request.form("api_secret").unwrap_or_default();
    let pressed = request.form("decision").unwrap_or_default();
    let decision = match (&request.method, pressed.as_str()) {
        (&Method::GET | &Method::HEAD, _) => Decision::Look,
        (&Method::POST, "cancel") => Decision::Cancel,
        (&Method::POST, "approve") => Decision::Approve(secret.trim()),
        (&Method::POST, _) => {
            return pages::refuse(
                StatusCode::BAD_REQUEST,
                "Approve or cancel: this form says neither.",
            );
        }
        _ => return pages::not_allowed("GET, HEAD, POST"),
    };
    let asked = Asked::from_fields(|name| request.query(name));
    let answer = answer(state, request.source, &asked, decision);
    let (owner, primary) = {
        let samco = state.samco();
        let at = samco.by_api_key.get(&asked.api_key);
        at.map(|at| {
            let member = &samco.members[at.member];
            (member.id.clone(), member.apps[at.app].addresses.primary.clone())
        })
        .unzip()
    };
    let at = At {
        state,
        request,
        visitor: &visitor,
        primary: primary.as_deref().unwrap_or_default(),
    };
    let reply = match answer {
        Answer::Redirect { to } => at.go(&to),
        Answer::Form {
            account,
            app,
            problem,
        } => {
            let problem = problem.map(|problem| (problem.code, problem.text));
            at.consent(&app, &account, &asked.redirect_url, problem)
        }
        Answer::Refuse(refusal) => {
            return at.refused(
                StatusCode::BAD_REQUEST,
                "This request cannot be approved",
                &format!("{} ({})", refusal.text, refusal.code),
                "The app that sent you here has to change its request.",
            );
        }
    };
    match owner {
        Some(owner) => reply.for_account(&owner),
        None => reply,
    }
}

/// What the page does for a request whose parameters `field` gives.
pub(crate) fn decide(
    state: &State,
    source: Source,
    field: impl Fn(&str) -> Option<String>,
    decision: Decision<'_>,
) -> Answer {
    answer(state, source, &Asked::from_fields(field), decision)
}

fn answer(state: &State, source: Source, asked: &Asked, decision: Decision<'_>) -> Answer {
    let checked = {
        let samco = state.samco();
        check(&samco, asked).map(|at| {
            let member = &samco.members[at.member];
            (member.id.clone(), member.apps[at.app].name.clone())
        })
    };
    let (account, app) = match checked {
        Ok(found) => found,
        Err(refusal) => return send_back(state, asked, refusal),
    };
    let shown = match decision {
        Decision::Look => {
            return Answer::Form {
                account,
                app,
                problem: None,
            };
        }
        Decision::Cancel => {
            let answer = [
                ("error", "access_denied"),
                ("errorMessage", "The user cancelled the authorization"),
            ];
            return Answer::Redirect {
                to: asked.callback(&answer),
            };
        }
        Decision::Approve(secret) => Shown::Secret(secret),
        Decision::ApproveAs(person) => Shown::SecretOf(person),
    };
    match issue_code(state, source, asked, shown) {
        Ok(code) => Answer::Redirect {
            to: asked.callback(&[("code", &code)]),
        },
        // A person who pasted the wrong thing tries again.
        Err(refusal) if refusal == SECRET || refusal == SECRET_FORMAT => Answer::Form {
            account,
            app,
            problem: Some(refusal),
        },
        Err(refusal) => send_back(state, asked, refusal),
    }
}

/// A refusal goes back to the app when its address can be trusted, and is shown otherwise.
fn send_back(state: &State, asked: &Asked, refusal: Refusal) -> Answer {
    let address = asked.redirect_url.as_str();
    let trusted = if state.switches.word(Switch::OauthErrorRedirect) == "any" {
        redirect::problem(address).is_none()
    } else {
        // Of the app itself, whatever is wrong with it. An unknown key or address stays on the page.
        let samco = state.samco();
        refusal != REDIRECT
            && samco
                .by_api_key
                .get(&asked.api_key)
                .is_some_and(|at| samco.members[at.member].apps[at.app].redirect_url == address)
    };
    if trusted && !address.is_empty() {
        let text = format!("{}: {}", refusal.code, refusal.text);
        let answer = [("error", "invalid_request"), ("errorMessage", text.as_str())];
        return Answer::Redirect {
            to: asked.callback(&answer),
        };
    }
    Answer::Refuse(refusal)
}
