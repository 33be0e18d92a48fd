//! Plays the person at a browser: opens the page that a client wants opened, approves or cancels, and tells
//! where the browser would be sent. Nobody follows that address.

use http::StatusCode;
use preopen_core::totp::TotpSecret;
use serde::Deserialize;
use serde_json::json;
use url::Url;

use super::guard::is_own_origin;
use super::{Answer, ok, read};
use crate::account::AngelOneAccount;
use crate::angelone::publisher;
use crate::error::ControlError;
use crate::samco::oauth;
use crate::source::Source;
use crate::state::State;
use crate::wire::Request;

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Decision {
    Approve,
    Cancel,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    url: String,
    decision: Decision,
    #[serde(default)]
    account: Option<String>,
}

/// `POST /consent`.
pub(super) fn answer(state: &State, request: &Request) -> Answer {
    let wanted: Wanted = read(request)?;
    let approve = matches!(wanted.decision, Decision::Approve);
    let to = consent(
        state,
        request.source,
        &wanted.url,
        approve,
        wanted.account.as_deref(),
    )?;
    ok(json!({"redirect_to": to}))
}

/// What the person with this account (by default: the owner of the app) does at `url`, and where the browser
/// goes then. Errors never show the address, which carries keys and states.
pub(crate) fn consent(
    state: &State,
    source: Source,
    url: &str,
    approve: bool,
    account: Option<&str>,
) -> Result<String, ControlError> {
    let url = Url::parse(url).map_err(|_| ControlError::field("url", "is not a URL"))?;
    if !is_own_origin(state, &url.origin().ascii_serialization()) {
        return Err(ControlError::field(
            "url",
            "is not on this sandbox: host, port or scheme differ",
        ));
    }
    if let Some(id) = account
        && !state.has_account(id)
    {
        return Err(ControlError::not_found(format!("there is no account {id}")));
    }
    let field = |name: &str| {
        url.query_pairs()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    };
    let path = url.path().trim_end_matches('/');
    match path {
        oauth::PAGE => at_samco(state, source, field, approve, account),
        publisher::PAGE => at_smartapi(state, field, approve, account),
        _ => Err(ControlError::field(
            "url",
            format_args!(
                "must be one of {} (Samco) and {} (SmartAPI)",
                oauth::PAGE,
                publisher::PAGE
            ),
        )),
    }
}

/// The page was shown, and sent the browser nowhere.
fn stayed(code: &str, text: &str) -> ControlError {
    let message = format!("the page redirects nowhere: {text} ({code})");
    ControlError::new(StatusCode::UNPROCESSABLE_ENTITY, "no_redirect", message)
}

fn at_samco(
    state: &State,
    source: Source,
    field: impl Fn(&str) -> Option<String>,
    approve: bool,
    account: Option<&str>,
) -> Result<String, ControlError> {
    let key = field("api_key").unwrap_or_default();
    // A person has the secrets of the own apps, and of nobody else's.
    let owner = state.samco().owner_of(&key).map(str::to_owned);
    let person = account.or(owner.as_deref()).unwrap_or_default();
    let decision = if approve {
        oauth::Decision::ApproveAs(person)
    } else {
        oauth::Decision::Cancel
    };
    match oauth::decide(state, source, field, decision) {
        oauth::Answer::Redirect { to } => Ok(to),
        oauth::Answer::Form { problem, .. } => {
            let (code, text) = problem.map_or(("", "it waits for a decision"), |p| (p.code, p.text));
            Err(stayed(code, text))
        }
        oauth::Answer::Refuse(refusal) => Err(stayed(refusal.code, refusal.text)),
    }
}

fn at_smartapi(
    state: &State,
    field: impl Fn(&str) -> Option<String>,
    approve: bool,
    account: Option<&str>,
) -> Result<String, ControlError> {
    if !approve {
        return Err(ControlError::field(
            "decision",
            "cancel sends the browser nowhere: this page has no way to cancel",
        ));
    }
    let person = {
        let angelone = state.angelone();
        let key = field("api_key").unwrap_or_default();
        let who = account.or_else(|| angelone.owner_of(&key)).unwrap_or_default();
        let mut accounts = angelone.accounts();
        accounts.find(|known| known.client_code == who).cloned()
    };
    let (client_code, pin, totp) = person.map(|person| answers_of(state, person)).unwrap_or_default();
    let person = publisher::Person {
        client_code: &client_code,
        pin: &pin,
        totp: &totp,
    };
    match publisher::decide(state, field, Some(&person)) {
        publisher::Answer::Redirect { to, .. } => Ok(to),
        publisher::Answer::Form { problem } => {
            let (code, text) = problem.unwrap_or(("", "it waits for a login"));
            Err(stayed(code, text))
        }
        publisher::Answer::Refuse => Err(stayed("403", "Forbidden")),
    }
}

/// What a person types: client code, PIN, and the code that the authenticator shows.
fn answers_of(state: &State, person: AngelOneAccount) -> (String, String, String) {
    let secret = TotpSecret::new(person.totp_secret);
    let code = secret
        .code_at(state.here())
        .map(|code| code.spend().expose().to_owned());
    (person.client_code, person.pin, code.unwrap_or_default())
}
