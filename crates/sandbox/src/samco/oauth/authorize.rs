//! Asking for a code: the JSON endpoints that the broker's own page calls, and the checks behind them.

use http::StatusCode;
use serde_json::json;

use super::refusal::{ADDRESS, INACTIVE_KEY, REDIRECT, Refusal, SCOPES, SECRET, SECRET_FORMAT, UNKNOWN_KEY};
use super::{Claim, Code};
use crate::random;
use crate::redirect;
use crate::samco::{AppAt, Samco, has_secret_format};
use crate::source::Source;
use crate::state::State;
use crate::wire::{Reply, Request, text_field};
use preopen_core::static_ip::Verdict;

/// The only scope that apps have, and the default.
const ALL: &str = "all";

/// What an app asks for.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked {
    pub(super) api_key: String,
    pub(super) redirect_url: String,
    pub(super) state: Option<String>,
    scopes: Option<String>,
}

impl Asked {
    /// From named fields, wherever they are.
    pub(super) fn from_fields(field: impl Fn(&str) -> Option<String>) -> Self {
        Self {
            api_key: field("api_key").unwrap_or_default(),
            redirect_url: field("redirect_url").unwrap_or_default(),
            state: field("state").filter(|state| !state.is_empty()),
            scopes: field("scopes").filter(|scopes| !scopes.is_empty()),
        }
    }

    fn has_known_scopes(&self) -> bool {
        self.scopes
            .as_deref()
            .is_none_or(|scopes| scopes.split(',').all(|scope| scope.trim() == ALL))
    }

    /// The registered address with an answer and the state in its query.
    pub(super) fn callback(&self, answer: &[(&str, &str)]) -> String {
        let mut parameters = answer.to_vec();
        if let Some(state) = &self.state {
            parameters.push(("state", state));
        }
        redirect::with_query(&self.redirect_url, &parameters)
    }
}

/// The app that asks, if key and address are right.
pub(super) fn app_of(samco: &Samco, asked: &Asked) -> Result<AppAt, Refusal> {
    let Some(&at) = samco.by_api_key.get(&asked.api_key) else {
        return Err(UNKNOWN_KEY);
    };
    let app = &samco.members[at.member].apps[at.app];
    if !app.is_active() {
        return Err(INACTIVE_KEY);
    }
    if asked.redirect_url.is_empty() || app.redirect_url != asked.redirect_url {
        return Err(REDIRECT);
    }
    Ok(at)
}

/// The checks of `GET /oauth/authorize`.
pub(super) fn check(samco: &Samco, asked: &Asked) -> Result<AppAt, Refusal> {
    let at = app_of(samco, asked)?;
    if asked.has_known_scopes() {
        Ok(at)
    } else {
        Err(SCOPES)
    }
}

/// What is shown for the app's secret.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shown<'a> {
    /// This text.
    Secret(&'a str),
    /// What the owner of this account has: the right one for the own apps, and a wrong one for others'.
    SecretOf(&'a str),
}

/// The checks of `POST /oauth/authenticate` in their documented order; gives a new code.
pub(super) fn issue_code(
    state: &State,
    source: Source,
    asked: &Asked,
    shown: Shown<'_>,
) -> Result<String, Refusal> {
    let mut samco = state.samco();
    let at = app_of(&samco, asked)?;
    let member = &samco.members[at.member];
    let app = &member.apps[at.app];
    match shown {
        Shown::Secret(secret) if !has_secret_format(secret) => return Err(SECRET_FORMAT),
        Shown::Secret(secret) if !app.secret.is_of(secret) => return Err(SECRET),
        Shown::SecretOf(account) if account != member.id => return Err(SECRET),
        _ => {}
    }
    if app.addresses.verdict(&source.seen(&app.addresses.primary)) == Verdict::Mismatch {
        return Err(ADDRESS);
    }
    if !asked.has_known_scopes() {
        return Err(SCOPES);
    }
    let code = random::text::<32>();
    let entry = Code {
        at,
        era: member.grants_era(at.app),
        issued_at: state.now(),
        claim: Claim::Free,
    };
    samco.oauth.remember_code(&code, entry);
    Ok(code)
}

/// `GET /oauth/authorize`.
pub(crate) fn authorize(state: &State, request: &Request) -> Reply {
    let asked = Asked::from_fields(|name| request.query(name));
    let samco = state.samco();
    match check(&samco, &asked) {
        Ok(at) => {
            let member = &samco.members[at.member];
            let (account, app) = (member.id.clone(), member.apps[at.app].name.clone());
            drop(samco);
            let text = "Authorization request validated. Continue with POST /oauth/authenticate to complete login and consent.";
            let data = json!({
                "appName": app, "apiKey": asked.api_key, "redirectUrl": asked.redirect_url,
                "state": asked.state, "scopes": ALL, "clientUid": account, "nextAction": "/oauth/authenticate",
            });
            let body = json!({"status": "Success", "message": text, "data": data});
            Reply::json(StatusCode::OK, &body).for_account(&account)
        }
        Err(refusal) => refusal.reply(state),
    }
}

/// `POST /oauth/authenticate`.
pub(crate) fn authenticate(state: &State, request: &Request) -> Reply {
    let body = request.json().unwrap_or_default();
    let asked = Asked::from_fields(|name| text_field(&body, name));
    let secret = text_field(&body, "api_secret").unwrap_or_default();
    let reply = match issue_code(state, request.source, &asked, Shown::Secret(&secret)) {
        Ok(code) => {
            let body =
                json!({"status": "Success", "data": {"redirectTo": asked.callback(&[("code", &code)])}});
            Reply::json(StatusCode::OK, &body)
        }
        Err(refusal) => refusal.reply(state),
    };
    match state.samco().owner_of(&asked.api_key) {
        Some(owner) => reply.for_account(owner),
        None => reply,
    }
}
