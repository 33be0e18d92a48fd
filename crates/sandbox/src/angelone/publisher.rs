//! The publisher login: a page in the browser where a client signs in, and is sent back to the app with
//! tokens in the query. There is no refresh token in it.

use http::{Method, StatusCode};

use super::AngelOne;
use super::session::{Refused, access_and_feed, check_person, open};
use crate::pages::brokers::At;
use crate::pages::{self, Kind, admit};
use crate::redirect;
use crate::state::State;
use crate::switch::Switch;
use crate::wire::{Reply, Request};

/// Where the page is.
pub(crate) const PAGE: &str = "/publisher-login";

/// What a person types in.
#[derive(Clone, Copy)]
pub(crate) struct Person<'a> {
    pub(crate) client_code: &'a str,
    pub(crate) pin: &'a str,
    pub(crate) totp: &'a str,
}

/// What the page does.
pub(crate) enum Answer {
    /// Shows itself, with the code and text of what was wrong.
    Form {
        problem: Option<(&'static str, &'static str)>,
    },
    /// Sends the browser to the app.
    Redirect { to: String, account: String },
    /// HTTP 403.
    Refuse,
}

/// Answers `GET` and `POST` of the page.
pub(crate) fn page(state: &State, request: &Request) -> Reply {
    let visitor = match admit(state, request, Kind::SentTo) {
        Ok(visitor) => visitor,
        Err(refusal) => return *refusal,
    };
    let typed = |name| request.form(name).unwrap_or_default().trim().to_owned();
    let (client_code, pin, totp) = (typed("client_code"), typed("pin"), typed("totp"));
    let person = Person {
        client_code: &client_code,
        pin: &pin,
        totp: &totp,
    };
    let person = match request.method {
        Method::GET | Method::HEAD => None,
        Method::POST => Some(&person),
        _ => return pages::not_allowed("GET, HEAD, POST"),
    };
    let app = app_of(&state.angelone(), |name| request.query(name));
    let primary = app
        .as_ref()
        .map(|(app, _)| state.angelone().members[*app].account.primary_ip.clone());
    let at = At {
        state,
        request,
        visitor: &visitor,
        primary: primary.as_deref().unwrap_or_default(),
    };
    match decide(state, |name| request.query(name), person) {
        Answer::Redirect { to, account } => at.go(&to).for_account(&account),
        Answer::Form { problem } => {
            let back = app.map(|(_, address)| address).unwrap_or_default();
            at.publisher(&client_code, &back, problem)
        }
        Answer::Refuse => at.refused(
            StatusCode::FORBIDDEN,
            "403 Forbidden",
            "SmartAPI sends no browser to this app.",
            "Its redirect address must be https with a host name that is not this machine's, and the one in the link \
             must be the registered one.",
        ),
    }
}

/// What the page does for a request whose parameters `field` gives; `person` is nobody who only looks.
pub(crate) fn decide(
    state: &State,
    field: impl Fn(&str) -> Option<String>,
    person: Option<&Person<'_>>,
) -> Answer {
    let mut angelone = state.angelone();
    let Some((app, redirect_url)) = app_of(&angelone, &field) else {
        return Answer::Refuse;
    };
    let Some(person) = person else {
        return Answer::Form { problem: None };
    };
    let now = state.now();
    let account = person.client_code.to_owned();
    let wrong = |refused: Refused| Answer::Form {
        problem: Some(refused.shown()),
    };
    let Some(index) = angelone.position(&account) else {
        return wrong(Refused::Login);
    };
    if let Err(refused) = check_person(state, &mut angelone, index, person.pin, person.totp, now) {
        return wrong(refused);
    }
    let number = open(state, &mut angelone, index, app, now);
    let Some((access, feed)) = access_and_feed(state, &mut angelone, number, now) else {
        return Answer::Refuse;
    };
    drop(angelone);
    let mut answer = vec![("auth_token", access.as_str()), ("feed_token", feed.as_str())];
    let echo = field("state").filter(|_| state.switches.is_on(Switch::PublisherEchoesState));
    if let Some(echo) = &echo {
        answer.push(("state", echo));
    }
    let to = if state.switches.is_on(Switch::PublisherRedirectsToUndefined) {
        format!("{}{PAGE}/undefined", state.origin())
    } else {
        redirect_url
    };
    Answer::Redirect {
        to: redirect::with_query(&to, &answer),
        account,
    }
}

/// The app that asks, and where it wants the browser back. A `redirect_url` in the query must be the
/// registered one; older clients send none.
fn app_of(angelone: &AngelOne, field: impl Fn(&str) -> Option<String>) -> Option<(usize, String)> {
    let app = *angelone.by_api_key.get(&field("api_key")?)?;
    let member = &angelone.members[app];
    let registered = member.account.redirect_url.as_str();
    let asked = field("redirect_url").filter(|asked| !asked.is_empty());
    let same = asked.is_none_or(|asked| asked == registered);
    (member.app_active && same && redirect::publisher_accepts(registered))
        .then(|| (app, registered.to_owned()))
}
