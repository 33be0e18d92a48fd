//! What all pages share: the frame around them, and headers that keep scripts, frames and caches out.

use askama::Template;
use http::{HeaderName, HeaderValue, StatusCode, header};
use preopen_core::Timestamp;

use super::guard::Visitor;
use crate::account::Broker;
use crate::source::SourceIp;
use crate::state::State;
use crate::wire::{Reply, Request};

/// The policy for forms that stay on these pages.
pub(crate) const OWN_FORMS: &str = "'self'";

/// The frame around a page.
pub(crate) struct Frame {
    pub(crate) title: String,
    /// The address of the entry in the navigation that is open.
    pub(crate) here: &'static str,
    /// Without navigation, clock and script.
    pub(crate) is_bare: bool,
    pub(crate) account: Option<String>,
    pub(crate) token: String,
    pub(crate) notice: String,
    pub(crate) ip: String,
    pub(crate) ip_why: String,
    pub(crate) ist: String,
    pub(crate) millis: i64,
    pub(crate) rate: f64,
}

/// An entry of the navigation.
pub(crate) struct Entry {
    pub(crate) path: &'static str,
    pub(crate) name: &'static str,
}

const fn entry(path: &'static str, name: &'static str) -> Entry {
    Entry { path, name }
}

impl Frame {
    pub(crate) fn new(
        state: &State,
        request: &Request,
        visitor: &Visitor,
        title: impl Into<String>,
        here: &'static str,
    ) -> Self {
        let account = visitor.account.clone();
        let primary = account
            .as_deref()
            .map(|account| state.primary_ip(Broker::Samco, account))
            .unwrap_or_default();
        let ip = request.source.seen(&primary);
        let ip_why = match (request.source.0, state.source_ip(), &account) {
            (None, _, Some(account)) if !primary.is_empty() => {
                format!("The primary address of {account}: every account seems to call from its own.")
            }
            (None, _, Some(account)) => {
                format!("{account} has no primary address, so the sandbox plays this one.")
            }
            (None, ..) => "Every account seems to call from its own primary address.".to_owned(),
            (Some(_), SourceIp::Fixed(_), _) => "Every request seems to come from this address.".to_owned(),
            (Some(_), SourceIp::Peer, _) => "The real address of this browser.".to_owned(),
            (Some(_), SourceIp::Home, _) => "The address in this request's X-Sandbox-Source-IP.".to_owned(),
        };
        let now = state.here();
        Self {
            title: title.into(),
            here,
            is_bare: false,
            account,
            token: visitor.token.clone(),
            notice: String::new(),
            ip,
            ip_why,
            ist: now.to_ist(),
            millis: now.as_millis(),
            rate: state.clock.rate(),
        }
    }

    /// The frame of a page that belongs to none of the sandbox's own; `primary` is the address of its account.
    pub(crate) fn bare(
        state: &State,
        request: &Request,
        visitor: &Visitor,
        title: &str,
        primary: &str,
    ) -> Self {
        let mut frame = Self::new(state, request, visitor, title, "");
        frame.is_bare = true;
        frame.account = None;
        frame.ip = request.source.seen(primary);
        frame
    }

    /// The frame of a page for somebody who must learn nothing here.
    fn blank(title: &str) -> Self {
        Self {
            title: title.to_owned(),
            here: "",
            is_bare: true,
            account: None,
            token: String::new(),
            notice: String::new(),
            ip: String::new(),
            ip_why: String::new(),
            ist: String::new(),
            millis: 0,
            rate: 0.0,
        }
    }

    /// The same frame, with what the last form did.
    pub(crate) fn noting(mut self, notice: impl Into<String>) -> Self {
        self.notice = notice.into();
        self
    }

    /// How fast the clock goes.
    pub(crate) fn speed(&self) -> String {
        if self.rate == 0.0 {
            "stands still".to_owned()
        } else {
            format!("{} × real time", self.rate)
        }
    }

    pub(crate) fn groups(&self) -> [(&'static str, &'static [Entry]); 2] {
        const SANDBOX: &[Entry] = &[
            entry("/", "Overview"),
            entry("/inbox", "Inbox"),
            entry("/clock", "Clock"),
            entry("/faults", "Faults"),
            entry("/requests", "Requests"),
            entry("/switches", "Switches"),
        ];
        const SIGNED_IN: &[Entry] = &[
            entry("/app/api-keys", "API Keys"),
            entry("/app/static-ips", "Static IPs"),
        ];
        const SIGNED_OUT: &[Entry] = &[entry("/app/login", "Sign in")];
        let samco = if self.account.is_some() {
            SIGNED_IN
        } else {
            SIGNED_OUT
        };
        [("Sandbox", SANDBOX), ("Samco dashboard", samco)]
    }
}

#[derive(Template)]
#[template(path = "problem.html")]
struct Problem<'a> {
    frame: Frame,
    text: &'a str,
}

fn title_of(status: StatusCode) -> &'static str {
    match status {
        StatusCode::NOT_FOUND => "Not found",
        StatusCode::METHOD_NOT_ALLOWED => "Not possible here",
        StatusCode::FORBIDDEN => "Refused",
        _ => "That did not work",
    }
}

/// A page that only says what is wrong, to whoever it may be.
pub(crate) fn problem(status: StatusCode, text: &str) -> Reply {
    let frame = Frame::blank(title_of(status));
    let page = Problem { frame, text };
    secured(Reply::html(status, page.render().unwrap_or_default()), "'none'")
}

/// A page for this browser; its forms may be sent to `forms`, a source list of a policy.
pub(crate) fn show(
    state: &State,
    visitor: &Visitor,
    status: StatusCode,
    page: &impl Template,
    forms: &str,
) -> Reply {
    match page.render() {
        Ok(text) => secured(with_cookie(state, visitor, Reply::html(status, text)), forms),
        Err(_) => problem(
            StatusCode::INTERNAL_SERVER_ERROR,
            "The page could not be written.",
        ),
    }
}

/// A page that only says what is wrong, to a browser that may see the others.
pub(crate) fn explain(
    state: &State,
    request: &Request,
    visitor: &Visitor,
    status: StatusCode,
    text: &str,
) -> Reply {
    let frame = Frame::new(state, request, visitor, title_of(status), "");
    show(state, visitor, status, &Problem { frame, text }, "'self'")
}

/// Sends this browser on to another page.
pub(crate) fn go(state: &State, visitor: &Visitor, to: &str) -> Reply {
    secured(with_cookie(state, visitor, Reply::see_other(to)), "'none'")
}

fn with_cookie(state: &State, visitor: &Visitor, reply: Reply) -> Reply {
    if !visitor.is_new {
        return reply;
    }
    let secure = if state.options.tls { "; Secure" } else { "" };
    let cookie = format!(
        "{}={}; Path=/; HttpOnly; SameSite=Strict{secure}",
        visitor.cookie_name(state),
        visitor.cookie
    );
    match HeaderValue::try_from(cookie) {
        Ok(cookie) => reply.with_header(header::SET_COOKIE, cookie),
        Err(_) => reply,
    }
}

/// A reply with the headers of every page.
pub(crate) fn secured(reply: Reply, forms: &str) -> Reply {
    let policy = format!(
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; base-uri 'none'; \
         form-action {forms}; frame-ancestors 'none'"
    );
    let fixed = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        // With `no-referrer` browsers would hide the Origin of forms, by which pages know their own.
        (header::REFERRER_POLICY, "same-origin"),
        (header::CACHE_CONTROL, "no-store"),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
    ];
    let reply = fixed.into_iter().fold(reply, |reply, (name, value)| {
        reply.with_header(name, HeaderValue::from_static(value))
    });
    match HeaderValue::try_from(policy) {
        Ok(policy) => reply.with_header(header::CONTENT_SECURITY_POLICY, policy),
        Err(_) => reply,
    }
}

/// When something becomes possible. A part of a second counts as a whole one, so that what is promised for this time is
/// true when a clock shows it.
pub(crate) fn opens(at: Timestamp) -> String {
    let up = (1000 - at.as_millis().rem_euclid(1000)) % 1000;
    at.plus_millis(up).to_ist()
}
