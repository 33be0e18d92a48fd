//! Samco's envelope: payload keys at the top beside `serverTime`, `msgId`, `status`, `statusMessage`
//! (documented), and the irregular shapes that the documentation itself shows.

use std::time::Duration;

use serde_json::Value;

use super::faults;
use crate::broker::{Login, Profile, Tokens};
use crate::clock::Timestamp;
use crate::envelope::{self, DataPlace, Refusal, Rejection, Reply, classify, list, text};
use crate::error::Result;
use crate::expiry::{Evidence, EvidenceSource, jwt_expiry};
use crate::outline::Keep;
use crate::secret::Secret;
use crate::static_ip::{Addresses, WhoAmI};
use crate::wire::{Endpoint, Method, RawReply};

/// How long a refresh token lasts when the reply does not tell (documented).
const REFRESH_LASTS: Duration = Duration::from_hours(7 * 24);

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
    let body = envelope::object(faults::ROWS, endpoint, raw)?;
    succeeded(endpoint, raw, &body)?;
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

/// The reply of `/oauth/token`: its payload is wrapped in `data`, and the envelope has a `message` only (documented).
pub(super) fn oauth_login(endpoint: &Endpoint, raw: &RawReply) -> Result<Login> {
    let mut body = envelope::object(faults::ROWS, endpoint, raw)?;
    succeeded(endpoint, raw, &body)?;
    let data = body.remove("data");
    let token = |key: &str| text(&data, key).filter(|token| envelope::is_token(token));
    let Some(access) = token("access_token") else {
        let what = "the login succeeded but its reply holds no usable access_token";
        return Err(envelope::unknown_shape(endpoint, raw, what));
    };
    let refresh = token("refresh_token");
    let tokens = Tokens::new(access).with("refresh", refresh.map(Secret::new));
    let mut login = Login::new(tokens);
    login.evidence.extend(jwt_expiry(access).map(|at| Evidence {
        source: EvidenceSource::JwtExpiry,
        at,
    }));
    login.expires_in = seconds(&data, "expires_in");
    login.renewable_for =
        refresh.map(|_| seconds(&data, "refresh_token_expires_in").unwrap_or(REFRESH_LASTS));
    login.addresses = addresses(&data);
    login.profile = profile(&data);
    if login.profile.account_id.is_none() {
        login.profile.account_id = text(&data, "user_id").map(str::to_owned);
    }
    Ok(login)
}

/// A life in seconds, as a number or as its text.
fn seconds(data: &Value, key: &str) -> Option<Duration> {
    let value = data.get(key)?;
    let seconds = value.as_u64().or_else(|| value.as_str()?.trim().parse().ok())?;
    // More would be nonsense, and less than the login itself takes.
    (1..=366 * 86_400)
        .contains(&seconds)
        .then(|| Duration::from_secs(seconds))
}

/// `data` holds the code and the seconds that are left of it (documented).
pub(super) fn login_code(reply: &Reply) -> Result<(Secret, Duration)> {
    let data = reply.data();
    let data = data.get("data").unwrap_or(data);
    let found = text(data, "OTP").zip(seconds(data, "timeRemainingInSeconds"));
    let (code, rest) = found.ok_or_else(|| {
        crate::Error::new(
            crate::ErrorKind::MalformedResponse,
            "the reply holds no login code",
        )
        .with(|context| context.http_status = Some(reply.http_status))
    })?;
    Ok((Secret::new(code), rest))
}

/// The token that the deprecated login wants. The documents' sample has no `statusMessage`.
pub(super) fn legacy_access_token(endpoint: &Endpoint, raw: &RawReply) -> Result<Secret> {
    let body = envelope::object(faults::ROWS, endpoint, raw)?;
    succeeded(endpoint, raw, &body)?;
    let token = text(&body, "accessToken").filter(|token| envelope::is_token(token));
    token.map(Secret::new).ok_or_else(|| {
        let what = "the reply holds no usable accessToken";
        envelope::unknown_shape(endpoint, raw, what)
    })
}

/// Reads any reply.
pub(super) fn read(endpoint: &Endpoint, raw: &RawReply) -> Result<Reply> {
    let body = envelope::object(faults::ROWS, endpoint, raw)?;
    succeeded(endpoint, raw, &body)?;
    let (reply, place) = about(&body, raw.status);
    let mut reply = reply.with_data(body.into_data(place));
    if tells_rejections(endpoint) {
        reply.rejections = rejections(reply.data());
    }
    Ok(reply)
}

/// The same without a tree of the data, where nothing in it must be looked at.
pub(super) fn read_lazily(endpoint: &Endpoint, raw: RawReply) -> Result<Reply> {
    let outline = (!tells_rejections(endpoint)).then(|| {
        envelope::outline(endpoint, &raw, |name| {
            if is_payload(name) { Keep::Name } else { Keep::Value }
        })
    });
    match outline.flatten() {
        Some(outline) if succeeded(endpoint, &raw, &outline).is_ok() => {
            let (reply, place) = about(&outline, raw.status);
            Ok(reply.with_data_at(place).of(raw.body))
        }
        // What a refusal means is in the whole of it.
        _ => read(endpoint, &raw).map(|reply| reply.of(raw.body)),
    }
}

/// What a GET tells of orders was there before it.
fn tells_rejections(endpoint: &Endpoint) -> bool {
    endpoint.method != Method::Get
}

/// Whether it is the envelope of a success. It needs a 2xx status and no failure inside: a business failure may come with HTTP
/// 200 (observed by third parties), and some success bodies carry no `status` at all (documented).
fn succeeded(endpoint: &Endpoint, raw: &RawReply, body: &Value) -> Result<()> {
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
    let blamed = !envelope::members(body, |key| matches!(key, "errorCode" | "validationErrors")).is_empty();
    if said == Some(false) || (said.is_none() && blamed) || !(200..300).contains(&raw.status) {
        return Err(classify(faults::ROWS, endpoint, raw, &refusal(body)));
    }
    // A payload key is proof enough for the shapes that are documented without a `status`.
    if said.is_none()
        && !body
            .as_object()
            .is_some_and(|body| body.keys().any(|key| is_payload(key)))
    {
        return Err(envelope::unknown_shape(
            endpoint,
            raw,
            "the reply has neither a status nor a payload",
        ));
    }
    Ok(())
}

fn is_payload(key: &str) -> bool {
    !ENVELOPE.contains(&key) && !ABOUT.contains(&key)
}

/// What a success says beside its data, and where that is.
fn about(body: &Value, http_status: u16) -> (Reply, DataPlace) {
    let mut reply = Reply::new(Value::Null, http_status);
    reply.server_time = server_time(body.get("serverTime"));
    reply.message_id = string(body.get("msgId")).map(str::to_owned);
    reply.status = envelope::word(body.get("status"));
    reply.validation_errors = list(body, "validationErrors");
    let message = ["statusMessage", "statusMsg", "message"]
        .into_iter()
        .find(|key| body.get(key).is_some());
    reply.message = string(message.and_then(|key| body.get(key))).map(str::to_owned);
    // OAuth's replies, the web login code and the IP calls wrap their payload in `data` (documented).
    let wrapped = body.as_object().is_some_and(|body| {
        body.contains_key("data")
            && body
                .keys()
                .map(String::as_str)
                .all(|key| key == "data" || ENVELOPE.contains(&key) || Some(key) == message)
    });
    let place = if wrapped {
        DataPlace::Member("data")
    } else {
        DataPlace::Without(&ENVELOPE)
    };
    (reply, place)
}

/// What was refused in a reply to a write that is a success: a rejected order (`placeOrder`, each of `bulkOrder`), or
/// an envelope of its own in the list of `squareOff` (documented).
fn rejections(data: &Value) -> Vec<Rejection> {
    let lists = data.as_object().into_iter().flatten();
    let items = lists
        .filter_map(|(key, value)| Some((key, value.as_array()?)))
        .flat_map(|(key, items)| {
            let at = move |nth| format!("/{}/{nth}", key.replace('~', "~0").replace('/', "~1"));
            items.iter().enumerate().map(move |(nth, item)| (at(nth), item))
        });
    std::iter::once((String::new(), data))
        .chain(items)
        .filter_map(|(at, part)| rejection(at, part))
        .collect()
}

fn rejection(at: String, part: &Value) -> Option<Rejection> {
    let says = |key, words: &[&str]| {
        text(part, key).is_some_and(|said| words.iter().any(|word| said.eq_ignore_ascii_case(word)))
    };
    let rejected = ["exchangeOrderStatus", "orderStatus"]
        .iter()
        .any(|key| says(key, &["rejected"]));
    if !rejected && !says("status", &["failure", "error"]) {
        return None;
    }
    let order_id = text(part, "orderNumber").or_else(|| text(part, "ordernumber"));
    let reason = ["rejectionReason", "statusMessage"]
        .iter()
        .find_map(|key| text(part, key).filter(|reason| !matches!(*reason, "--" | "NA")));
    let problems = list(part, "validationErrors").join("; ");
    Some(Rejection::new(at, order_id, reason.unwrap_or(&problems)))
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
        payload: envelope::members(body, is_payload),
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
    let addresses = addresses(reply.data()).ok_or_else(|| shape("the whoami reply names no address"))?;
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
