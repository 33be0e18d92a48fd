//! The pages that apps send browsers to, as they look: Samco's consent and SmartAPI's publisher login. What they do is
//! in `samco::oauth` and `angelone::publisher`. They need no script and have no navigation.

use askama::Template;
use http::StatusCode;

use super::frame::{Frame, OWN_FORMS, go, show};
use super::guard::Visitor;
use crate::redirect;
use crate::state::State;
use crate::wire::{Reply, Request};

/// Samco's page that asks for the secret of an app.
#[derive(Template)]
#[template(path = "consent.html")]
struct Consent<'a> {
    frame: Frame,
    app: &'a str,
    account: &'a str,
    redirect_url: &'a str,
    problem: String,
}

/// SmartAPI's page that asks for client code, PIN and one-time code.
#[derive(Template)]
#[template(path = "publisher.html")]
struct Publisher<'a> {
    frame: Frame,
    client_code: &'a str,
    redirect_url: &'a str,
    problem: String,
}

/// Says why an app gets nothing.
#[derive(Template)]
#[template(path = "refused.html")]
struct Refused<'a> {
    frame: Frame,
    problem: String,
    text: &'a str,
}

/// A browser at one of these pages. `primary` is the registered address of the account that it is about.
pub(crate) struct At<'a> {
    pub(crate) state: &'a State,
    pub(crate) request: &'a Request,
    pub(crate) visitor: &'a Visitor,
    pub(crate) primary: &'a str,
}

/// What was wrong with what was typed: the broker's text and code.
pub(crate) type Problem<'a> = Option<(&'a str, &'a str)>;

fn said(problem: Problem<'_>) -> String {
    problem
        .map(|(code, text)| format!("{text} ({code})"))
        .unwrap_or_default()
}

impl At<'_> {
    fn frame(&self, title: &str) -> Frame {
        Frame::bare(self.state, self.request, self.visitor, title, self.primary)
    }

    pub(crate) fn consent(
        &self,
        app: &str,
        account: &str,
        redirect_url: &str,
        problem: Problem<'_>,
    ) -> Reply {
        let page = Consent {
            frame: self.frame("Approve access"),
            app,
            account,
            redirect_url,
            problem: said(problem),
        };
        self.form(&page, redirect_url, problem)
    }

    pub(crate) fn publisher(&self, client_code: &str, redirect_url: &str, problem: Problem<'_>) -> Reply {
        let page = Publisher {
            frame: self.frame("Sign in to SmartAPI"),
            client_code,
            redirect_url,
            problem: said(problem),
        };
        self.form(&page, redirect_url, problem)
    }

    pub(crate) fn refused(&self, status: StatusCode, title: &str, problem: &str, text: &str) -> Reply {
        let page = Refused {
            frame: self.frame(title),
            problem: problem.to_owned(),
            text,
        };
        show(self.state, self.visitor, status, &page, "'none'")
    }

    /// Sends the browser back to the app.
    pub(crate) fn go(&self, to: &str) -> Reply {
        go(self.state, self.visitor, to)
    }

    fn form(&self, page: &impl Template, redirect_url: &str, problem: Problem<'_>) -> Reply {
        let status = problem.map_or(StatusCode::OK, |_| StatusCode::UNAUTHORIZED);
        // Browsers hold a form to this list when its answer redirects, too.
        let forms = redirect::origin(redirect_url)
            .map_or_else(|| OWN_FORMS.to_owned(), |origin| format!("{OWN_FORMS} {origin}"));
        show(self.state, self.visitor, status, page, &forms)
    }
}
