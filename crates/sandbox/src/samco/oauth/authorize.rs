//! Asking for a code: the JSON endpoints that the broker's own page calls, and the checks behind them.

use http::StatusCode;
use serde_json::json;

use super::refusal::{ADDRESS, INACTIVE_KEY, REDIRECT, Refusal, SCOPES, SECRET, SECRET_FORMAT, UNKNOWN_KEY};
use super::{Claim, Code};
use crate::random;
use crate::redirect;
use crate::samco::{Samco, has_secret_format, session};
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

/// The member whose app asks, if key and address are right.
pub(super) fn app_of(samco: &Samco, asked: &Asked) -> Result<usize, Refusal> {
    let Some(&index) = samco.by_api_key.get(&asked.api_key) else {
        return Err(UNKNOWN_KEY);
    };
    let member = &samco.members[index];
    if !member.app_active {
        return Err(INACTIVE_KEY);
    }
    if asked.redirect_url.is_empty() || member.account.redirect_url != asked.redirect_url {
        return Err(REDIRECT);
    }
    Ok(index)
}

/// The checks of `GET /oauth/authorize`.
pub(super) fn check(samco: &Samco, asked: &Asked) -> Result<usize, Refusal> {
    let index = app_of(samco, asked)?;
    if asked.has_known_scopes() {
        Ok(index)
    } else {
        Err(SCOPES)
    }
}

/// The checks of `POST /oauth/authenticate` in their documented order; gives a new code.
pub(super) fn issue_code(
    state: &State,
    source: Source,
    asked: &Asked,
    secret: &str,
) -> Result<String, Refusal> {
    let mut samco = state.samco();
    let index = app_of(&samco, asked)?;
    let account = &samco.members[index].account;
    if !has_secret_format(secret) {
        return Err(SECRET_FORMAT);
    }
    if account.api_secret != secret {
        return Err(SECRET);
    }
    let seen = source.seen(&account.primary_ip);
    if session::verdict(&seen, account) == Verdict::Mismatch {
        return Err(ADDRESS);
    }
    if !asked.has_known_scopes() {
        return Err(SCOPES);
    }
    let code = random::text::<32>();
    let entry = Code {
        member: index,
        grants_era: samco.members[index].grants_era,
        issued_at: state.now(),
        claim: Claim::Free,
    };
    samco.oauth.remember_code(code.clone(), entry);
    Ok(code)
}

/// `GET /oauth/authorize`.
pub(crate) fn authorize(state: &State, request: &Request) -> Reply {
    let asked = Asked::from_fields(|name| request.query(name));
    let samco = state.samco();
    match check(&samco, &asked) {
        Ok(index) => {
            let account = samco.members[index].account.account.clone();
            drop(samco);
            let text = "Authorization request validated. Continue with POST /oauth/authenticate to complete login and consent.";
            let data = json!({
                "appName": app_name(&account), "apiKey": asked.api_key, "redirectUrl": asked.redirect_url,
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
    let reply = match issue_code(state, request.source, &asked, &secret) {
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

/// The name of the one app of an account.
pub(super) fn app_name(account: &str) -> String {
    format!("Sandbox app of {account}")
}
