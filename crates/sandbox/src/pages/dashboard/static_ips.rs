//! The registered addresses of an account's apps: one primary and one secondary each.

use askama::Template;
use preopen_core::Timestamp;
use preopen_core::static_ip::Slot;

use super::{Owner, STATIC_IPS};
use crate::pages::form::Form;
use crate::pages::frame::{Frame, OWN_FORMS, opens, show};
use crate::samco::portal::{Action, AppView};
use crate::wire::Reply;

#[derive(Template)]
#[template(path = "static_ips.html")]
struct List {
    frame: Frame,
    apps: Vec<Shown>,
    /// When Edit and Delete are possible again; empty when they are now.
    opens: String,
    last: String,
    problem: String,
}

#[derive(Template)]
#[template(path = "static_ip.html")]
struct One {
    frame: Frame,
    form: Form,
    problem: String,
    app: String,
    before: String,
    /// When any other address is taken again; empty when it is now.
    opens: String,
}

struct Shown {
    id: u64,
    name: String,
    active: bool,
    updated: String,
    slots: [(&'static str, String); 2],
}

impl From<&AppView> for Shown {
    fn from(app: &AppView) -> Self {
        Self {
            id: app.id,
            name: app.name.clone(),
            active: app.active,
            updated: app.ips_updated_at.map(Timestamp::to_ist).unwrap_or_default(),
            slots: [
                ("primary", app.primary.clone()),
                ("secondary", app.secondary.clone()),
            ],
        }
    }
}

fn slot_of(name: &str) -> Slot {
    if name == "secondary" {
        Slot::Secondary
    } else {
        Slot::Primary
    }
}

pub(super) fn look(owner: &Owner<'_>) -> Reply {
    page(owner, &Form::default())
}

/// Deletes an address.
pub(super) fn send(owner: &Owner<'_>) -> Reply {
    let form = Form::sent(owner.request);
    let slot = form.value("slot").to_owned();
    let app = form.value("app").parse::<u64>();
    let (Ok(app), "delete", "primary" | "secondary") = (app, form.value("do"), slot.as_str()) else {
        return crate::pages::unknown_form();
    };
    let action = Action::DeleteAddress {
        app,
        slot: slot_of(&slot),
    };
    owner
        .propose(action, STATIC_IPS)
        .unwrap_or_else(|problem| page(owner, &form.refused(problem.field, problem.text)))
}

fn page(owner: &Owner<'_>, form: &Form) -> Reply {
    let portal = &owner.portal;
    let page = List {
        frame: Frame::new(
            owner.state,
            owner.request,
            owner.visitor,
            "Static IPs",
            STATIC_IPS,
        )
        .noting(owner.notice()),
        apps: portal.apps.iter().map(Shown::from).collect(),
        opens: portal.next_change.map(opens).unwrap_or_default(),
        last: portal.last_change.map(Timestamp::to_ist).unwrap_or_default(),
        problem: form.problem_beside(&[]).to_owned(),
    };
    show(owner.state, owner.visitor, form.status(), &page, OWN_FORMS)
}

pub(super) fn look_one(owner: &Owner<'_>, app: u64, slot: &str) -> Reply {
    page_one(owner, app, slot, None)
}

/// Adds an address, or puts another one in its place.
pub(super) fn send_one(owner: &Owner<'_>, app: u64, slot: &str) -> Reply {
    let form = Form::sent(owner.request);
    let action = Action::SetAddress {
        app,
        slot: slot_of(slot),
        ip: form.value("ip").to_owned(),
    };
    owner
        .propose(action, STATIC_IPS)
        .unwrap_or_else(|problem| page_one(owner, app, slot, Some(form.refused(problem.field, problem.text))))
}

fn page_one(owner: &Owner<'_>, app: u64, slot: &str, sent: Option<Form>) -> Reply {
    let Some(app) = owner.portal.apps.iter().find(|known| known.id == app) else {
        return owner.missing();
    };
    let (slot, before) = match slot_of(slot) {
        Slot::Secondary => ("secondary", &app.secondary),
        _ => ("primary", &app.primary),
    };
    let verb = if before.is_empty() { "Add" } else { "Edit" };
    let title = format!("{verb} {slot} IP");
    let frame = Frame::new(owner.state, owner.request, owner.visitor, title, STATIC_IPS);
    let form = sent.unwrap_or_else(|| {
        let current = owner.request.query("ip").as_deref() == Some("current");
        Form::filled(&[("ip", if current { frame.ip.as_str() } else { before })])
    });
    let page = One {
        app: app.name.clone(),
        before: before.clone(),
        opens: owner.portal.next_change.map(opens).unwrap_or_default(),
        problem: form.problem_beside(&["ip"]).to_owned(),
        frame,
        form,
    };
    show(owner.state, owner.visitor, page.form.status(), &page, OWN_FORMS)
}
