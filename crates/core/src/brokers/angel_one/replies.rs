//! SmartAPI's envelopes. Success and service failures have `status`/`errorcode`, gateway failures
//! `success`/`errorCode` and no `status`, the rate limit is plain text, and flags may be quoted (documented
//! and observed).

use serde_json::Value;

use super::faults;
use super::requests::without_bearer;
use crate::broker::{Login, Profile, Tokens};
use crate::envelope::{self, DataPlace, Refusal, Rejection, Reply, classify, list, text};
use crate::error::Result;
use crate::expiry::{Evidence, EvidenceSource, jwt_expiry};
use crate::outline::Keep;
use crate::secret::Secret;
use crate::wire::{Endpoint, RawReply};

const DATA: DataPlace = DataPlace::Member("data");

/// Where a quote tells what it has none of.
const UNFETCHED: &str = "unfetched";

pub(super) const NO_WHOAMI: &str = "SmartAPI has no call that tells which address it sees, only an \
    order shows whether this host is registered: compare its public IPv4 address, which its provider or router tells, \
    with those of the app in the SmartAPI portal";

/// Reads the reply to a login or a refresh. `state` is what was sent with it: the broker echoes it (documented), and a reply
/// with another one belongs to another login.
pub(super) fn login(endpoint: &Endpoint, raw: &RawReply, state: Option<&str>) -> Result<Login> {
    let mut body = envelope::object(faults::ROWS, endpoint, raw)?;
    succeeded(endpoint, raw, &body)?;
    let data = body.remove("data");
    let echo = text(&data, "state").filter(|_| state.is_some());
    if echo.is_some_and(|echo| Some(echo) != state) {
        let what = "the reply echoes another state than was sent: it belongs to another login";
        return Err(envelope::unknown_shape(endpoint, raw, what).with(|context| context.body = None));
    }
    let Some(access) = token(&data, "jwtToken") else {
        return Err(envelope::unknown_shape(
            endpoint,
            raw,
            "the login succeeded but its reply holds no usable jwtToken",
        )
        .with(|context| context.body = None));
    };
    let evidence = jwt_expiry(access.expose()).map(|at| Evidence {
        source: EvidenceSource::JwtExpiry,
        at,
    });
    let tokens = Tokens::new(access)
        .with("refresh", token(&data, "refreshToken"))
        .with("feed", token(&data, "feedToken"));
    let mut login = Login::new(tokens);
    login.evidence.extend(evidence);
    Ok(login)
}

/// A token is an opaque string; the feed token has been seen as a number (inferred from older clients).
fn token(data: &Value, key: &str) -> Option<Secret> {
    match data.get(key)? {
        Value::String(text) => Some(without_bearer(text))
            .filter(|text| envelope::is_token(text))
            .map(Secret::new),
        Value::Number(number) => Some(Secret::format(format_args!("{number}"))),
        _ => None,
    }
}

/// Reads any reply.
pub(super) fn read(endpoint: &Endpoint, raw: &RawReply) -> Result<Reply> {
    let body = envelope::object(faults::ROWS, endpoint, raw)?;
    succeeded(endpoint, raw, &body)?;
    Ok(about(&body, raw.status).with_data(body.into_data(DATA)))
}

/// The same without a tree of the data.
pub(super) fn read_lazily(endpoint: &Endpoint, raw: RawReply) -> Result<Reply> {
    let outline = envelope::outline(endpoint, &raw, |name| match name {
        "status" | "success" | "message" => Keep::Value,
        "data" => Keep::Member(UNFETCHED),
        _ => Keep::Name,
    });
    match outline {
        Some(outline) if said(&outline) == Some(true) => {
            Ok(about(&outline, raw.status).with_data_at(DATA).of(raw.body))
        }
        // What a refusal means is in the whole of it.
        _ => read(endpoint, &raw).map(|reply| reply.of(raw.body)),
    }
}

/// What a success says beside its data.
fn about(body: &Value, http_status: u16) -> Reply {
    let mut reply = Reply::new(Value::Null, http_status);
    reply.message = string(body.get("message")).map(str::to_owned);
    reply.status = envelope::word(body.get("status").or_else(|| body.get("success")));
    reply.rejections = body.get("data").map(unfetched).unwrap_or_default();
    reply
}

/// The symbols of a quote that the broker has none for, each with its reason (documented).
fn unfetched(data: &Value) -> Vec<Rejection> {
    let items = data
        .get(UNFETCHED)
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    items
        .enumerate()
        .map(|(nth, item)| {
            let reason = text(item, "message").or_else(|| text(item, "errorCode"));
            Rejection::new(format!("/unfetched/{nth}"), None, reason.unwrap_or_default())
        })
        .collect()
}

/// Whether an envelope says that the call succeeded.
fn said(body: &Value) -> Option<bool> {
    flag(body.get("status")).or_else(|| flag(body.get("success")))
}

/// Whether it is the envelope of a success. HTTP 200 is none: the gateway's failures come with it (observed).
fn succeeded(endpoint: &Endpoint, raw: &RawReply, body: &Value) -> Result<()> {
    let success_status = (200..300).contains(&raw.status);
    match said(body) {
        Some(true) if success_status => Ok(()),
        None if success_status => Err(envelope::unknown_shape(
            endpoint,
            raw,
            "the reply says neither that it succeeded nor that it failed",
        )),
        _ => Err(classify(faults::ROWS, endpoint, raw, &refusal(body))),
    }
}

/// `true`, `"true"` and their opposites: the documents show both.
fn flag(value: Option<&Value>) -> Option<bool> {
    match value? {
        Value::Bool(flag) => Some(*flag),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Some(true),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

pub(in crate::brokers) fn refusal(body: &Value) -> Refusal<'_> {
    let first = |keys: &[&str]| keys.iter().find_map(|key| string(body.get(*key)));
    Refusal {
        code: first(&["errorcode", "errorCode"]),
        text: first(&["message"]).unwrap_or_default(),
        payload: envelope::members(body, |key| key == "data"),
        ..Refusal::default()
    }
}

fn string(value: Option<&Value>) -> Option<&str> {
    value?
        .as_str()
        .map(str::trim)
        .filter(|text| !text.is_empty() && *text != "null")
}

pub(super) fn profile(data: &Value) -> Profile {
    Profile {
        account_id: text(data, "clientcode").map(str::to_owned),
        name: text(data, "name").map(str::to_owned),
        exchanges: list(data, "exchanges"),
        products: list(data, "products"),
        order_types: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::login;
    use crate::error::ErrorKind;
    use crate::wire::{CallClass, Endpoint, Method, RawReply};

    #[test]
    fn a_reply_with_another_state_belongs_to_another_login() {
        let endpoint = Endpoint::new(Method::Post, "/login", CallClass::Login);
        let kind = |echo: &str, sent| {
            let body = format!(r#"{{"status":true,"data":{{"jwtToken":"j"{echo}}}}}"#);
            login(&endpoint, &RawReply::new(200, body), sent).map_err(|error| error.kind())
        };
        assert!(kind("", Some("mine")).is_ok(), "not echoed");
        assert!(kind(r#","state":"mine""#, Some("mine")).is_ok());
        assert!(kind(r#","state":"theirs""#, None).is_ok(), "none was sent");
        let other = kind(r#","state":"theirs""#, Some("mine"));
        assert_eq!(other.unwrap_err(), ErrorKind::MalformedResponse);
    }
}
