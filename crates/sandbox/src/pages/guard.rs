//! Who may use the pages: browsers that opened them by their loopback address, and forms of the pages themselves. A
//! page of anybody else's must not drive a developer's sandbox, nor read what it shows.

use std::time::Instant;

use http::{Method, StatusCode};

use super::frame::problem;
use super::visitors::Visitors;
use crate::control::{is_own_form, is_own_host};
use crate::state::State;
use crate::wire::{Reply, Request};

/// The largest form, and the longest query of a page.
const FORM: usize = 64 << 10;
const QUERY: usize = 8 << 10;

/// Where a page is opened from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A page of the dashboard: by its own links, or by hand.
    Dashboard,
    /// A page that apps send browsers to.
    SentTo,
}

/// The browser at the page.
pub(crate) struct Visitor {
    /// Which pages the cookie is for.
    kind: Kind,
    pub(super) cookie: String,
    /// Whether the cookie has to be set.
    pub(super) is_new: bool,
    /// The account that is signed in.
    pub(super) account: Option<String>,
    /// What its last form said.
    pub(super) notice: String,
    pub(super) token: String,
}

impl Visitor {
    fn of(state: &State, request: &Request, kind: Kind) -> Self {
        let name = cookie_name(state, kind);
        let cookie = request
            .headers
            .get_all("cookie")
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .find_map(|(known, value)| (known == name && Visitors::is_cookie(value)).then_some(value));
        let is_new = cookie.is_none();
        let cookie = cookie.map_or_else(Visitors::cookie, str::to_owned);
        let (account, notice) = state.visitors.account(&cookie, Instant::now()).unzip();
        Self {
            kind,
            is_new,
            account,
            notice: notice.unwrap_or_default(),
            token: state.visitors.token(&cookie),
            cookie,
        }
    }

    /// The same browser at the dashboard with a new cookie, signed out.
    pub(super) fn renamed(state: &State) -> Self {
        Self::of_cookie(state, Visitors::cookie())
    }

    /// The same browser at the dashboard with this new cookie.
    pub(super) fn of_cookie(state: &State, cookie: String) -> Self {
        Self {
            kind: Kind::Dashboard,
            is_new: true,
            account: None,
            notice: String::new(),
            token: state.visitors.token(&cookie),
            cookie,
        }
    }

    /// The name of its cookie.
    pub(super) fn cookie_name(&self, state: &State) -> String {
        cookie_name(state, self.kind)
    }
}

/// Browsers keep cookies by host and not by port, so two sandboxes need two names. Pages that apps send browsers to have
/// one of their own: a browser that comes from another site does not show its cookie, and so gets a new one, which must
/// not take the place of the one that a person is signed in with.
fn cookie_name(state: &State, kind: Kind) -> String {
    let of = match kind {
        Kind::Dashboard => "",
        Kind::SentTo => "-page",
    };
    format!("preopen-sandbox-{}{of}", state.port)
}

/// The browser at a page, or why it gets nothing.
pub(crate) fn admit(state: &State, request: &Request, kind: Kind) -> Result<Visitor, Box<Reply>> {
    let refuse = |status, text: &str| Err(Box::new(problem(status, text)));
    let forbid = |text: &str| refuse(StatusCode::FORBIDDEN, text);
    if !is_own_host(state, request) {
        return forbid("Open this page by the loopback address that the sandbox printed at its start.");
    }
    let sends = request.method == Method::POST;
    let site = request.header("sec-fetch-site");
    let comes_from_here = matches!(site, "" | "same-origin" | "none");
    if !is_own_form(state, request) || (sends && !comes_from_here) {
        return forbid("This form came from another site. Nothing was changed.");
    }
    if kind == Kind::Dashboard {
        if !comes_from_here {
            return forbid("Another site sent you here. Open the page by its own link or address.");
        }
        if request.query.len() > QUERY {
            return refuse(StatusCode::URI_TOO_LONG, "The address is too long.");
        }
    }
    if sends && request.body.len() > FORM {
        return refuse(StatusCode::PAYLOAD_TOO_LARGE, "The form is larger than 64 KiB.");
    }
    let visitor = Visitor::of(state, request, kind);
    if sends {
        let token = request.form("token").unwrap_or_default();
        if visitor.is_new || !state.visitors.is_token(&visitor.cookie, &token) {
            return forbid(
                "This form is too old, or cookies are switched off. Go back, reload the page and try again.",
            );
        }
    }
    Ok(visitor)
}
