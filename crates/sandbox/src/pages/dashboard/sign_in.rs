//! Signing in to Samco's dashboard, and out.

use std::time::Instant;

use askama::Template;
use http::StatusCode;

use super::{API_KEYS, LOGIN, STATIC_IPS};
use crate::pages::form::Form;
use crate::pages::frame::{Frame, OWN_FORMS, go, show};
use crate::pages::guard::Visitor;
use crate::samco::portal::sign_in;
use crate::state::State;
use crate::wire::{Reply, Request};

/// How many made-up accounts are offered.
const OFFERED: usize = 5;

#[derive(Template)]
#[template(path = "sign_in.html")]
struct Page {
    frame: Frame,
    form: Form,
    problem: String,
    next: &'static str,
    accounts: Vec<(String, String)>,
}

/// Where to go after signing in: to one of the own pages, whatever the address says.
fn next(asked: Option<&str>) -> &'static str {
    if asked == Some(STATIC_IPS) {
        STATIC_IPS
    } else {
        API_KEYS
    }
}

pub(super) fn look(state: &State, request: &Request, visitor: &Visitor) -> Reply {
    let next = next(request.query("next").as_deref());
    if visitor.account.is_some() {
        return go(state, visitor, next);
    }
    let notice = match request.query("done").as_deref() {
        Some("out") => "You are signed out.",
        _ => "",
    };
    page(state, request, visitor, Form::default(), next, notice)
}

pub(super) fn send(state: &State, request: &Request, visitor: &Visitor) -> Reply {
    let form = Form::sent(request);
    if form.is("do", "sign-out") {
        state.visitors.sign_out(&visitor.cookie);
        let visitor = Visitor::renamed(state);
        return go(state, &visitor, &format!("{LOGIN}?done=out"));
    }
    let next = next(Some(form.value("next")));
    // A password may begin or end with a space.
    let password = request.form("password").unwrap_or_default();
    match sign_in(state, form.value("user_id"), &password) {
        Ok(account) => {
            let cookie = state.visitors.sign_in(&visitor.cookie, &account, Instant::now());
            go(state, &Visitor::of_cookie(state, cookie), next)
        }
        Err(problem) => {
            let form = form.refused(problem.field, problem.text);
            page(state, request, visitor, form, next, "")
        }
    }
}

fn page(
    state: &State,
    request: &Request,
    visitor: &Visitor,
    form: Form,
    next: &'static str,
    notice: &str,
) -> Reply {
    let accounts: Vec<_> = state.samco().accounts().take(OFFERED).collect();
    let accounts = accounts
        .into_iter()
        .map(|account| (account.account, account.password));
    let page = Page {
        frame: Frame::new(state, request, visitor, "Sign in to Samco", LOGIN).noting(notice),
        problem: form.problem_beside(&["user_id", "password"]).to_owned(),
        next,
        accounts: accounts.collect(),
        form,
    };
    let status = match page.form.status() {
        StatusCode::OK => StatusCode::OK,
        _ => StatusCode::UNAUTHORIZED,
    };
    show(state, visitor, status, &page, OWN_FORMS)
}
