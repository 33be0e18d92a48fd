//! SmartAPI's envelopes. Success and service failures have `status`/`errorcode`, gateway failures
//! `success`/`errorCode` and no `status`, the rate limit is plain text, and flags may be quoted (documented
//! and observed).

use serde_json::{Map, Value};

use super::faults;
use super::requests::without_bearer;
use crate::broker::{Login, Profile, Tokens};
use crate::envelope::{self, Body, Refusal, Reply, classify, list, text};
use crate::error::Result;
use crate::expiry::{Evidence, EvidenceSource, jwt_expiry};
use crate::secret::Secret;
use crate::wire::{Endpoint, RawReply};

pub(super) const NO_WHOAMI: &str = "SmartAPI has no call that tells which address it sees: only an order shows whether this host is registered";

pub(super) fn login(endpoint: &Endpoint, raw: &RawReply) -> Result<Login> {
    let reply = read(endpoint, raw)?;
    let Some(access) = token(&reply.data, "jwtToken") else {
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
        .with("refresh", token(&reply.data, "refreshToken"))
        .with("feed", token(&reply.data, "feedToken"));
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
        Value::Number(number) => Some(Secret::new(number.to_string())),
        _ => None,
    }
}

/// Reads any reply. HTTP 200 is not success: the gateway's failures come with it (observed).
pub(super) fn read(endpoint: &Endpoint, raw: &RawReply) -> Result<Reply> {
    let mut body = match envelope::body(endpoint, raw)? {
        Body::Json(Value::Object(body)) => body,
        Body::Json(_) => {
            return Err(envelope::unknown_shape(
                endpoint,
                raw,
                "the reply is JSON but not an object",
            ));
        }
        Body::Text(text) => return Err(envelope::plain_text(faults::ROWS, endpoint, raw, text)),
    };
    let ok = flag(body.get("status")).or_else(|| flag(body.get("success")));
    let success_status = (200..300).contains(&raw.status);
    match ok {
        Some(true) if success_status => {
            let mut reply = Reply::new(body.remove("data").unwrap_or(Value::Null), raw.status);
            reply.message = string(body.get("message"));
            Ok(reply)
        }
        None if success_status => Err(envelope::unknown_shape(
            endpoint,
            raw,
            "the reply says neither that it succeeded nor that it failed",
        )),
        _ => Err(classify(faults::ROWS, endpoint, raw, refusal(&body))),
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

pub(in crate::brokers) fn refusal(body: &Map<String, Value>) -> Refusal {
    let first = |keys: &[&str]| keys.iter().find_map(|key| string(body.get(*key)));
    Refusal {
        code: first(&["errorcode", "errorCode"]),
        text: first(&["message"]).unwrap_or_default(),
        ..Refusal::default()
    }
}

fn string(value: Option<&Value>) -> Option<String> {
    value?
        .as_str()
        .map(str::trim)
        .filter(|text| !text.is_empty() && *text != "null")
        .map(str::to_owned)
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
