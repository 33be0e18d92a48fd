//! The apps of an account: the table, the form for a new one, and what can be done with each.

use askama::Template;
use http::StatusCode;

use super::{API_KEYS, Owner};
use crate::pages::form::Form;
use crate::pages::frame::{Frame, OWN_FORMS, show};
use crate::samco::portal::{Action, AppView};
use crate::wire::Reply;

#[derive(Template)]
#[template(path = "api_keys.html")]
struct List {
    frame: Frame,
    apps: Vec<Shown>,
    room: usize,
}

#[derive(Template)]
#[template(path = "new_app.html")]
struct New {
    frame: Frame,
    form: Form,
    problem: String,
    room: usize,
}

#[derive(Template)]
#[template(path = "app.html")]
struct One {
    frame: Frame,
    form: Form,
    problem: String,
    app: Shown,
}

struct Shown {
    id: u64,
    name: String,
    redirect_url: String,
    active: bool,
    updated: String,
}

impl From<&AppView> for Shown {
    fn from(app: &AppView) -> Self {
        Self {
            id: app.id,
            name: app.name.clone(),
            redirect_url: app.redirect_url.clone(),
            active: app.active,
            updated: app.updated_at.to_ist(),
        }
    }
}

/// The fields that have a place for what is wrong with them.
const FIELDS: &[&str] = &["name", "redirect_url"];

pub(super) fn look(owner: &Owner<'_>) -> Reply {
    let page = List {
        frame: Frame::new(owner.state, owner.request, owner.visitor, "API Keys", API_KEYS)
            .noting(owner.notice()),
        apps: owner.portal.apps.iter().map(Shown::from).collect(),
        room: owner.portal.room,
    };
    show(owner.state, owner.visitor, StatusCode::OK, &page, OWN_FORMS)
}

pub(super) fn look_new(owner: &Owner<'_>) -> Reply {
    page_new(owner, Form::default())
}

pub(super) fn send_new(owner: &Owner<'_>) -> Reply {
    let form = Form::sent(owner.request);
    let action = Action::CreateApp {
        name: form.value("name").to_owned(),
        redirect_url: form.value("redirect_url").to_owned(),
    };
    owner
        .propose(action, API_KEYS)
        .unwrap_or_else(|problem| page_new(owner, form.refused(problem.field, problem.text)))
}

fn page_new(owner: &Owner<'_>, form: Form) -> Reply {
    let page = New {
        frame: Frame::new(
            owner.state,
            owner.request,
            owner.visitor,
            "Create new app",
            API_KEYS,
        ),
        problem: form.problem_beside(FIELDS).to_owned(),
        room: owner.portal.room,
        form,
    };
    show(owner.state, owner.visitor, page.form.status(), &page, OWN_FORMS)
}

pub(super) fn look_one(owner: &Owner<'_>, app: u64) -> Reply {
    page_one(owner, app, None)
}

pub(super) fn send_one(owner: &Owner<'_>, app: u64) -> Reply {
    let form = Form::sent(owner.request);
    let action = match form.value("do") {
        "edit" => Action::EditApp {
            app,
            name: form.value("name").to_owned(),
            redirect_url: form.value("redirect_url").to_owned(),
        },
        "deactivate" => Action::Deactivate { app },
        "activate" => Action::Activate { app },
        "regenerate-key" => Action::RegenerateKey { app },
        "regenerate-secret" => Action::RegenerateSecret { app },
        _ => return crate::pages::unknown_form(),
    };
    owner
        .propose(action, API_KEYS)
        .unwrap_or_else(|problem| page_one(owner, app, Some(form.refused(problem.field, problem.text))))
}

fn page_one(owner: &Owner<'_>, app: u64, sent: Option<Form>) -> Reply {
    let Some(app) = owner.portal.apps.iter().find(|known| known.id == app) else {
        return owner.missing();
    };
    let kept = Form::filled(&[("name", &app.name), ("redirect_url", &app.redirect_url)]);
    let problem = sent
        .as_ref()
        .map_or("", |form| form.problem_beside(FIELDS))
        .to_owned();
    let form = match sent {
        Some(form) if form.is("do", "edit") => form,
        Some(_) => kept.refused("", problem.clone()),
        None => kept,
    };
    let page = One {
        frame: Frame::new(
            owner.state,
            owner.request,
            owner.visitor,
            app.name.clone(),
            API_KEYS,
        ),
        app: app.into(),
        problem,
        form,
    };
    show(owner.state, owner.visitor, page.form.status(), &page, OWN_FORMS)
}
