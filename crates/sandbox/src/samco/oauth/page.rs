//! The page in the browser where the owner of an app pastes its secret and approves.

use http::{Method, StatusCode};

use super::authorize::{Asked, Shown, check, issue_code};
use super::refusal::{REDIRECT, Refusal, SECRET, SECRET_FORMAT};
use crate::control::{is_own_form, is_own_host};
use crate::html::{document, escape, secured};
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
    if !is_own_host(state, request) {
        let text = "open this page by its loopback address\n";
        return secured(Reply::text(StatusCode::FORBIDDEN, text), "'none'");
    }
    let secret = request.form("api_secret").unwrap_or_default();
    let pressed = request.form("decision").unwrap_or_default();
    let decision = match (request.method.clone(), pressed.as_str()) {
        (Method::GET, _) => Decision::Look,
        (Method::POST, _) if !is_own_form(state, request) => {
            let text = "this form belongs to another site\n";
            return secured(Reply::text(StatusCode::FORBIDDEN, text), "'none'");
        }
        (Method::POST, "cancel") => Decision::Cancel,
        (Method::POST, "approve") => Decision::Approve(secret.trim()),
        (Method::POST, _) => {
            let text = "decision must be approve or cancel\n";
            return secured(Reply::text(StatusCode::BAD_REQUEST, text), "'none'");
        }
        _ => {
            let text = "GET or POST only\n";
            return secured(Reply::text(StatusCode::METHOD_NOT_ALLOWED, text), "'none'");
        }
    };
    let asked = Asked::from_fields(|name| request.query(name));
    match answer(state, request.source, &asked, decision) {
        Answer::Redirect { to } => {
            let reply = secured(Reply::see_other(&to), "'none'");
            match state.samco().owner_of(&asked.api_key) {
                Some(owner) => reply.for_account(owner),
                None => reply,
            }
        }
        Answer::Form {
            account,
            app,
            problem,
        } => form(&asked, &account, &app, problem).for_account(&account),
        Answer::Refuse(refusal) => refused(refusal),
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

fn form(asked: &Asked, account: &str, app: &str, problem: Option<Refusal>) -> Reply {
    let status = problem.map_or(StatusCode::OK, |_| StatusCode::UNAUTHORIZED);
    let problem = problem
        .map(|p| format!("<p class=\"problem\" role=\"alert\">{} ({})</p>", p.text, p.code))
        .unwrap_or_default();
    let body = format!(
        "<p><strong>{}</strong> asks for access to the account <strong>{}</strong>.</p>\
         <dl><div><dt>It sends you back to</dt><dd><code>{}</code></dd></div></dl>{problem}\
         <form method=\"post\"><label>API secret of the app, as it was delivered\
         <input name=\"api_secret\" type=\"password\" autocomplete=\"off\" required></label>\
         <div class=\"actions\"><button name=\"decision\" value=\"approve\">Approve</button>\
         <button name=\"decision\" value=\"cancel\" formnovalidate>Cancel</button></div></form>",
        escape(app),
        escape(account),
        escape(&asked.redirect_url),
    );
    // Browsers hold a form to this list when its answer redirects, too.
    let forms = redirect::origin(&asked.redirect_url)
        .map_or_else(|| "'self'".to_owned(), |origin| format!("'self' {origin}"));
    secured(Reply::html(status, document("Approve access", &body)), &forms)
}

fn refused(refusal: Refusal) -> Reply {
    let body = format!(
        "<p class=\"problem\" role=\"alert\">{} ({})</p><p>The app that sent you here has to change its request.</p>",
        refusal.text, refusal.code
    );
    let page = document("This request cannot be approved", &body);
    secured(Reply::html(StatusCode::BAD_REQUEST, page), "'none'")
}
