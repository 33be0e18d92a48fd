//! Where the one-time code for a change is asked for, and where a new secret is shown: once.

use askama::Template;
use http::StatusCode;

use super::{API_KEYS, Owner, STATIC_IPS};
use crate::pages::form::Form;
use crate::pages::frame::{Frame, OWN_FORMS, explain, go, show};
use crate::redirect;
use crate::samco::portal::{Outcome, confirm, describe, is_open};
use crate::wire::Reply;

#[derive(Template)]
#[template(path = "confirm.html")]
struct Page {
    frame: Frame,
    form: Form,
    problem: String,
    /// What will happen.
    what: String,
    /// Whether a code can still confirm it.
    open: bool,
    back: &'static str,
    /// Where the code is.
    inbox: String,
}

#[derive(Template)]
#[template(path = "secret.html")]
struct Secret {
    frame: Frame,
    app: String,
    value: String,
    back: &'static str,
}

/// The page that the change was asked for on.
fn back(owner: &Owner<'_>) -> &'static str {
    match owner.request.query("back").as_deref() {
        Some("static-ips") => STATIC_IPS,
        _ => API_KEYS,
    }
}

pub(super) fn look(owner: &Owner<'_>, proposal: u64) -> Reply {
    match describe(owner.state, &owner.portal.account, proposal) {
        Some(what) => page(owner, proposal, what, Form::default()),
        None => nothing(owner),
    }
}

pub(super) fn send(owner: &Owner<'_>, proposal: u64) -> Reply {
    let Owner {
        state,
        request,
        visitor,
        portal,
    } = owner;
    let form = Form::sent(request);
    let Some(what) = describe(state, &portal.account, proposal) else {
        return nothing(owner);
    };
    match confirm(state, &portal.account, proposal, form.value("otp")) {
        Ok(Outcome::Done(text)) => {
            state.visitors.tell(&visitor.cookie, &text);
            go(state, visitor, &format!("{}?done=1", back(owner)))
        }
        Ok(Outcome::Secret { app, secret }) => {
            let page = Secret {
                frame: Frame::new(state, request, visitor, "API secret", back(owner)),
                app,
                value: secret,
                back: back(owner),
            };
            show(state, visitor, StatusCode::OK, &page, OWN_FORMS)
        }
        Err(problem) => {
            // A problem with the change itself is one of the whole form here: the page asks for a code alone.
            let field = if problem.field == "otp" { "otp" } else { "" };
            page(
                owner,
                proposal,
                what,
                Form::default().refused(field, problem.text),
            )
        }
    }
}

fn page(owner: &Owner<'_>, proposal: u64, what: String, form: Form) -> Reply {
    let page = Page {
        open: is_open(owner.state, &owner.portal.account, proposal),
        frame: Frame::new(
            owner.state,
            owner.request,
            owner.visitor,
            "Enter the one-time code",
            back(owner),
        ),
        problem: form.problem_beside(&["otp"]).to_owned(),
        back: back(owner),
        inbox: redirect::with_query("/inbox", &[("account", &owner.portal.account)]),
        what,
        form,
    };
    show(owner.state, owner.visitor, page.form.status(), &page, OWN_FORMS)
}

fn nothing(owner: &Owner<'_>) -> Reply {
    let text = "There is nothing to confirm here: the change was made, or its code was replaced. A secret is not shown \
                again; if it was lost, regenerate it on the API Keys page.";
    explain(
        owner.state,
        owner.request,
        owner.visitor,
        StatusCode::NOT_FOUND,
        text,
    )
}
