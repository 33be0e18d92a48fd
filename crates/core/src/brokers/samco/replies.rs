//! Samco's envelope: payload keys at the top beside `serverTime`, `msgId`, `status`, `statusMessage`
//! (documented), and the irregular shapes that the documentation itself shows.

use serde_json::Value;

use super::faults;
use crate::broker::{Login, Profile, Tokens};
use crate::clock::Timestamp;
use crate::envelope::{self, Refusal, Reply, classify, list, text};
use crate::error::Result;
use crate::expiry::{Evidence, EvidenceSource, jwt_expiry};
use crate::static_ip::{Addresses, WhoAmI};
use crate::tree::Tree;
use crate::wire::{Endpoint, RawReply};

/// Envelope keys that are taken out of the payload.
const ENVELOPE: [&str; 4] = ["serverTime", "msgId", "status", "statusMessage"];

/// Keys that say something about a reply but are no payload: a body of nothing else is no success.
const ABOUT: [&str; 6] = [
    "statusMsg",
    "message",
    "errorMessage",
    "errorCode",
    "code",
    "validationErrors",
];

pub(super) fn login(endpoint: &Endpoint, raw: &RawReply) -> Result<Login> {
    let body = success(endpoint, raw)?;
    let Some(token) = text(&body, "sessionToken").filter(|token| envelope::is_token(token)) else {
        let what = "the login succeeded but its reply holds no usable sessionToken";
        return Err(envelope::unknown_shape(endpoint, raw, what));
    };
    let mut login = Login::new(Tokens::new(token));
    login.evidence.extend(jwt_expiry(token).map(|at| Evidence {
        source: EvidenceSource::JwtExpiry,
        at,
    }));
    login.addresses = addresses(&body);
    login.profile = profile(&body);
    login.server_time = server_time(body.get("serverTime"));
    Ok(login)
}

/// Reads any reply.
pub(super) fn read(endpoint: &Endpoint, raw: &RawReply) -> Result<Reply> {
    Ok(unwrap(success(endpoint, raw)?, raw.status))
}

/// The envelope of a success. It needs a 2xx status and no failure inside: a business failure may come with HTTP
/// 200 (observed by third parties), and some success bodies carry no `status` at all (documented).
fn success(endpoint: &Endpoint, raw: &RawReply) -> Result<Tree> {
    let body = envelope::object(faults::ROWS, endpoint, raw)?;
    let said = match body.get("status") {
        Some(Value::String(status)) if status.eq_ignore_ascii_case("success") => Some(true),
        Some(Value::String(status))
            if ["failure", "error"]
                .iter()
                .any(|no| status.eq_ignore_ascii_case(no)) =>
        {
            Some(false)
        }
        Some(Value::Bool(flag)) => Some(*flag),
        Some(Value::Null) | None => None,
        Some(_) => {
            return Err(envelope::unknown_shape(
                endpoint,
                raw,
                "the reply's status is none that is known",
            ));
        }
    };
    let blamed = body.get("errorCode").is_some() || body.get("validationErrors").is_some();
    if said == Some(false) || (said.is_none() && blamed) || !(200..300).contains(&raw.status) {
        return Err(classify(faults::ROWS, endpoint, raw, &refusal(&body)));
    }
    // A payload key is proof enough for the shapes that are documented without a `status`.
    let payload = |key: &String| !ENVELOPE.contains(&key.as_str()) && !ABOUT.contains(&key.as_str());
    if said.is_none() && !body.as_object().is_some_and(|body| body.keys().any(payload)) {
        return Err(envelope::unknown_shape(
            endpoint,
            raw,
            "the reply has neither a status nor a payload",
        ));
    }
    Ok(body)
}

fn unwrap(mut body: Tree, http_status: u16) -> Reply {
    let mut reply = Reply::new(Value::Null, http_status);
    reply.server_time = server_time(body.get("serverTime"));
    reply.message_id = string(body.get("msgId")).map(str::to_owned);
    let message = body
        .get("statusMessage")
        .or_else(|| body.get("statusMsg"))
        .or_else(|| body.get("message"));
    reply.message = string(message).map(str::to_owned);
    for key in ENVELOPE {
        drop(body.remove(key));
    }
    reply.data = body.into_value();
    reply
}

pub(in crate::brokers) fn refusal(body: &Value) -> Refusal<'_> {
    let first = |keys: &[&str]| keys.iter().find_map(|key| string(body.get(*key)));
    let validation_errors = match body.get("validationErrors") {
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    Refusal {
        code: first(&["errorCode", "code"]),
        text: first(&["statusMessage", "message", "errorMessage", "statusMsg"]).unwrap_or_default(),
        validation_errors,
        message_id: string(body.get("msgId")),
        server_time: server_time(body.get("serverTime")),
    }
}

fn string(value: Option<&Value>) -> Option<&str> {
    value?.as_str().map(str::trim).filter(|text| !text.is_empty())
}

/// `dd/MM/yy HH:mm:ss` without a zone, in Indian time (documented, and proven by a sample that pairs it with
/// a UTC time).
fn server_time(value: Option<&Value>) -> Option<Timestamp> {
    Timestamp::parse_ist("%d/%m/%y %H:%M:%S", value?.as_str()?)
}

fn addresses(data: &Value) -> Option<Addresses> {
    let keys = ["srcIp", "primaryIp", "secondaryIp"];
    keys.iter()
        .any(|key| data.get(key).is_some())
        .then(|| Addresses::new(text(data, keys[0]), text(data, keys[1]), text(data, keys[2])))
}

pub(super) fn profile(data: &Value) -> Profile {
    Profile {
        account_id: text(data, "accountID").map(str::to_owned),
        name: text(data, "accountName").map(str::to_owned),
        exchanges: list(data, "exchangeList"),
        products: list(data, "productList"),
        order_types: list(data, "orderTypeList"),
    }
}

/// A mismatch is an HTTP 200 with `matches: false` (documented). The verdict is drawn from the addresses
/// themselves, which say more than the flag.
pub(super) fn whoami(reply: &Reply) -> Result<WhoAmI> {
    let shape = |what: &str| {
        crate::Error::new(crate::ErrorKind::MalformedResponse, what).with(|context| {
            context.http_status = Some(reply.http_status);
        })
    };
    let addresses = addresses(&reply.data).ok_or_else(|| shape("the whoami reply names no address"))?;
    let verdict = addresses
        .verdict()
        .ok_or_else(|| shape("the whoami reply does not say which address it saw"))?;
    let message = reply.message.clone().unwrap_or_default();
    Ok(WhoAmI {
        addresses,
        verdict,
        message: crate::error::safe_text(&message),
    }
    .explained())
}
