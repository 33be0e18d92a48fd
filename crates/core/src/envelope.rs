//! What both brokers' replies have in common: is this JSON at all, and what do the shapes that are not say.
//! The brokers' own envelopes are in `brokers/*/replies.rs`, what their codes mean in `brokers/*/faults.rs`.

use std::fmt;
use std::io::{self, Write as _};

use serde_json::Value;

use crate::catalogue::{On, Row, Verdict};
use crate::clock::Timestamp;
use crate::error::{AccountAction, Advice, Cause, Credential, Error, ErrorKind, LoginReason, safe_text};
use crate::outline::Keep;
use crate::redact::UNREDACTED_LIMIT;
use crate::secret::Text;
use crate::tree::Tree;
use crate::wire::{CallClass, Endpoint, RawReply, same_path};

pub use crate::data::DataPlace;
pub use crate::reply::{Rejection, Reply};

/// A body by its form, before any broker's envelope is looked for.
#[derive(Debug)]
enum Body<'a> {
    Json(Tree),
    Text(&'a str),
}

/// Reads the body as a JSON object. Short text is classified by what a gateway can know of the table.
pub(crate) fn object(rows: &[Row], endpoint: &Endpoint, raw: &RawReply) -> Result<Tree, Error> {
    match body(endpoint, raw)? {
        Body::Json(tree) if tree.is_object() => Ok(tree),
        Body::Json(_) => Err(unknown_shape(
            endpoint,
            raw,
            "the reply is JSON but not an object",
        )),
        Body::Text(text) => Err(plain_text(rows, endpoint, raw, text)),
    }
}

/// The outline of a success that may be read so: the data of a sensitive reply is in a tree that is wiped.
pub(crate) fn outline(endpoint: &Endpoint, raw: &RawReply, keep: fn(&str) -> Keep) -> Option<Tree> {
    let may = (200..300).contains(&raw.status) && !endpoint.sensitive;
    may.then(|| Tree::outline(&raw.body, keep)).flatten()
}

/// Reads the body as JSON or short text. What can be neither is an error of the right kind already.
fn body<'a>(endpoint: &Endpoint, raw: &'a RawReply) -> Result<Body<'a>, Error> {
    if (300..400).contains(&raw.status) {
        let to = raw.redirect_host.as_deref().unwrap_or("another address");
        return Err(unavailable(
            raw,
            format_args!("answered with a redirect to {to}, which is not followed"),
        ));
    }
    let start = raw.body.iter().position(|byte| !byte.is_ascii_whitespace());
    let Some(start) = start else {
        return Err(unavailable(raw, format_args!("answered with an empty body")));
    };
    let html_type = raw
        .content_type
        .as_deref()
        .is_some_and(|t| t.to_ascii_lowercase().contains("html"));
    if raw.body[start] == b'<' || (html_type && raw.body[start] != b'{') {
        return Err(unavailable(
            raw,
            format_args!("answered with a web page instead of data"),
        ));
    }
    if matches!(raw.body[start], b'{' | b'[') {
        return Tree::read(&raw.body, endpoint.sensitive)
            .map(Body::Json)
            .map_err(|error| malformed(endpoint, raw, &error));
    }
    match std::str::from_utf8(&raw.body) {
        Ok(text) if text.len() <= 4096 => Ok(Body::Text(text.trim())),
        _ => Err(unavailable(
            raw,
            format_args!("answered with data that is not JSON"),
        )),
    }
}

/// `BrokerUnavailable` for an answer of a gateway rather than of the broker's service, and `RateLimited` for one that says so
/// by its status. The wait that it asks for counts, whatever its body is.
fn unavailable(raw: &RawReply, what: fmt::Arguments<'_>) -> Error {
    let message = Text::format(format_args!("the broker {what}"));
    let kind = if raw.status == 429 {
        ErrorKind::RateLimited
    } else {
        ErrorKind::BrokerUnavailable
    };
    let error = Error::new(kind, message).with(|context| {
        context.http_status = Some(raw.status);
        context.retry_after = raw.wait();
    });
    match raw.wait() {
        Some(wait) => error.with_advice(Advice::After(wait)),
        None => error,
    }
}

fn malformed(endpoint: &Endpoint, raw: &RawReply, error: &serde_json::Error) -> Error {
    let what = if error.is_eof() {
        "the reply ends in the middle of its JSON"
    } else {
        "the reply is not valid JSON"
    };
    unknown_shape(endpoint, raw, what).with_source(Cause::new(error.to_string()))
}

/// `MalformedResponse` for a reply that fits no known shape of the broker.
pub(crate) fn unknown_shape(endpoint: &Endpoint, raw: &RawReply, what: &str) -> Error {
    Error::new(ErrorKind::MalformedResponse, what).with(|context| {
        context.http_status = Some(raw.status);
        context.body = (!endpoint.sensitive).then(|| safe_text(&String::from_utf8_lossy(&raw.body)));
    })
}

/// Reads a reply that is neither JSON nor a web page: a gateway's word. Of the table only what a gateway can
/// know applies, the rate limit and the address; no text of unknown origin ends in a terminal verdict.
pub(crate) fn plain_text(rows: &[Row], endpoint: &Endpoint, raw: &RawReply, text: &str) -> Error {
    let refusal = Refusal {
        text,
        ..Refusal::default()
    };
    let row = listed(rows, endpoint, &refusal).map(|row| row.verdict);
    match row {
        Some(verdict @ (Verdict::RateLimited | Verdict::StaticIp)) => into_error(verdict, "", raw, &refusal),
        _ if raw.status == 429 => into_error(Verdict::RateLimited, "", raw, &refusal),
        // A success that is nothing but text may be the token itself.
        _ if endpoint.sensitive && (200..300).contains(&raw.status) => {
            unavailable(raw, format_args!("answered with text instead of data"))
        }
        _ => unavailable(raw, format_args!("answered with text instead of data: {text}")),
    }
}

/// What a broker's refusal says, drawn from whatever envelope it came in.
#[derive(Clone, Debug, Default)]
pub(crate) struct Refusal<'a> {
    pub(crate) code: Option<&'a str>,
    pub(crate) text: &'a str,
    pub(crate) validation_errors: Vec<&'a str>,
    pub(crate) message_id: Option<&'a str>,
    pub(crate) server_time: Option<Timestamp>,
    /// What stands beside the refusal: some tell the whole order that they refuse (documented).
    pub(crate) payload: Vec<(&'a str, &'a Value)>,
}

/// The row of the table that decides about a refusal.
pub(crate) fn listed<'a>(rows: &'a [Row], endpoint: &Endpoint, refusal: &Refusal<'_>) -> Option<&'a Row> {
    let code = refusal.code.unwrap_or_default();
    // Some refusals say what is wrong in their list of validation errors only (documented).
    let text = match refusal.text.trim_start() {
        "" => refusal.validation_errors.first().copied().unwrap_or_default(),
        text => text,
    };
    let text = text.trim_start().as_bytes();
    let begins_with = |start: &str| {
        text.get(..start.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(start.as_bytes()))
    };
    rows.iter().find(|row| {
        let here = match row.on {
            On::Any => true,
            On::Login => endpoint.class == CallClass::Login,
            On::Session => endpoint.class != CallClass::Login,
            On::Path(path) => same_path(&endpoint.path, path),
        };
        here && (row.code.is_empty() || row.code.eq_ignore_ascii_case(code)) && begins_with(row.text)
    })
}

/// Classifies a refusal by the broker's table, then by the HTTP status. Only a listed row gives a terminal
/// verdict, and none does with a 5xx; an unknown refusal of a login can be tried again.
pub(crate) fn classify(rows: &[Row], endpoint: &Endpoint, raw: &RawReply, refusal: &Refusal<'_>) -> Error {
    let login = endpoint.class == CallClass::Login;
    let faulty = (500..600).contains(&raw.status);
    let row = listed(rows, endpoint, refusal).filter(|row| !(faulty && row.verdict.is_terminal()));
    let verdict = match row {
        Some(row) => row.verdict,
        _ if faulty => Verdict::Unavailable,
        _ => match raw.status {
            401 if !login => Verdict::SessionExpired,
            429 => Verdict::RateLimited,
            _ => Verdict::Rejected,
        },
    };
    let error = into_error(verdict, row.map_or("", |row| row.advice), raw, refusal);
    error.with(|context| {
        context.body = (!endpoint.sensitive).then(|| payload(refusal)).flatten();
    })
}

/// What stands beside a refusal, as JSON on one line. It is in the body, too, which is not sensitive.
fn payload(refusal: &Refusal<'_>) -> Option<String> {
    // Of a long one only the beginning is kept; of white space nothing may be left that is short enough to be cut anew.
    let enough = UNREDACTED_LIMIT + UNREDACTED_LIMIT / 4;
    let line = |room| {
        let bytes = Vec::with_capacity(UNREDACTED_LIMIT / 2);
        let mut text = Beginning { bytes, room };
        let written = write_payload(&mut text, refusal);
        // It is written in whole texts.
        let told = std::str::from_utf8(&text.bytes).unwrap_or_default();
        (safe_text(told), written.is_ok())
    };
    let (mut told, whole) = line(enough);
    if !whole && told.chars().count() < UNREDACTED_LIMIT {
        (told, _) = line(usize::MAX);
    }
    (!refusal.payload.is_empty()).then_some(told)
}

fn write_payload(text: &mut Beginning, refusal: &Refusal<'_>) -> io::Result<()> {
    for (at, (key, value)) in refusal.payload.iter().enumerate() {
        text.write_all(if at == 0 { b"{" } else { b", " })?;
        serde_json::to_writer(&mut *text, key)?;
        text.write_all(b": ")?;
        serde_json::to_writer(&mut *text, value)?;
    }
    text.write_all(b"}")
}

/// The beginning of a text: whoever writes more is told to stop.
struct Beginning {
    bytes: Vec<u8>,
    room: usize,
}

impl io::Write for Beginning {
    fn write(&mut self, more: &[u8]) -> io::Result<usize> {
        self.write_all(more)?;
        Ok(more.len())
    }

    #[inline]
    fn write_all(&mut self, more: &[u8]) -> io::Result<()> {
        if self.bytes.len() >= self.room {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.bytes.extend_from_slice(more);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The members of a body that are a payload and not empty.
pub(crate) fn members(body: &Value, is_payload: impl Fn(&str) -> bool) -> Vec<(&str, &Value)> {
    let empty = |value: &Value| match value {
        Value::Null => true,
        Value::String(text) => matches!(text.trim(), "" | "null"),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    };
    let members = body.as_object().into_iter().flatten();
    members
        .map(|(key, value)| (key.as_str(), value))
        .filter(|(key, value)| is_payload(key) && !empty(value))
        .collect()
}

/// A word as an envelope says it: text, or a flag.
pub(crate) fn word(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) => Some(text.clone()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

fn into_error(verdict: Verdict, advice: &str, raw: &RawReply, refusal: &Refusal<'_>) -> Error {
    let kind = match verdict {
        Verdict::Credentials(_) => ErrorKind::CredentialsRejected,
        Verdict::Account(_) => ErrorKind::AccountActionRequired,
        Verdict::Login(_) => ErrorKind::LoginRequired,
        Verdict::SessionExpired => ErrorKind::SessionExpired,
        Verdict::StaticIp => ErrorKind::StaticIpMismatch,
        Verdict::RateLimited => ErrorKind::RateLimited,
        Verdict::Unavailable => ErrorKind::BrokerUnavailable,
        Verdict::Rejected => ErrorKind::BrokerRejected,
    };
    let mut text = Text::default();
    text.push(refusal.text);
    let told = |problem: &&str| !refusal.text.contains(*problem);
    for (at, problem) in refusal
        .validation_errors
        .iter()
        .filter(|problem| told(problem))
        .enumerate()
    {
        text.push(match (at, refusal.text.is_empty()) {
            (0, true) => "",
            (0, false) => ": ",
            _ => "; ",
        });
        text.push(problem);
    }
    if text.is_empty() {
        text.push("no reason given");
    }
    let meaning = match verdict {
        Verdict::Credentials(Credential::ApiKey) => "the API key was refused: ",
        Verdict::Credentials(Credential::ApiSecret) => "the API secret was refused: ",
        Verdict::Credentials(Credential::Pin) => "the client code or PIN was refused: ",
        Verdict::Credentials(Credential::Totp) => {
            "the one-time code was refused (check the TOTP secret, the PIN and this machine's clock): "
        }
        Verdict::Credentials(Credential::Password) => "the password was refused: ",
        Verdict::Credentials(Credential::Unknown) => "the credentials were refused: ",
        Verdict::Account(AccountAction::AppLogin) => {
            "log in to the broker's own app or website once, then call reset(): "
        }
        Verdict::Account(AccountAction::NotSubscribed) => {
            "subscribe to the broker's API, then call reset(): "
        }
        Verdict::Account(AccountAction::Blocked) => {
            "the account is blocked; get it unblocked at the broker, then call reset(): "
        }
        Verdict::StaticIp => {
            "this host's address is not registered with the broker; register it or use a registered host: "
        }
        Verdict::SessionExpired => "the broker ended the session: ",
        Verdict::RateLimited => "too many calls: ",
        Verdict::Login(LoginReason::CodeInvalid) => "the login code was refused, begin the login anew: ",
        Verdict::Login(LoginReason::CodeExpired) => "the login code is too old, begin the login anew: ",
        Verdict::Login(LoginReason::CodeReplayed) => {
            "the login code was used before, so the broker has revoked the tokens it gave; begin the login anew: "
        }
        Verdict::Login(_) | Verdict::Unavailable | Verdict::Rejected => advice,
    };
    let message = Text::format(format_args!("{meaning}{}", &*text));
    let retry_after = raw.wait();
    let error = Error::new(kind, message).with(|context| {
        context.http_status = Some(raw.status);
        context.broker_code = refusal.code.map(safe_text);
        context.message_id = refusal.message_id.map(safe_text);
        context.server_time = refusal.server_time;
        context.validation_errors = refusal
            .validation_errors
            .iter()
            .map(|text| safe_text(text))
            .collect();
        match verdict {
            Verdict::Credentials(which) => context.credential = Some(which),
            Verdict::Account(which) => context.account_action = Some(which),
            Verdict::Login(reason) => context.login_reason = Some(reason),
            Verdict::RateLimited | Verdict::Unavailable => context.retry_after = retry_after,
            _ => {}
        }
    });
    match retry_after {
        Some(wait) if matches!(verdict, Verdict::RateLimited | Verdict::Unavailable) => {
            error.with_advice(Advice::After(wait))
        }
        _ => error,
    }
}

/// Whether a text can be a token: visible ASCII, so that it can stand in a header.
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The text under `key`, if it is a non-empty string.
pub(crate) fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value
        .get(key)?
        .as_str()
        .map(str::trim)
        .filter(|text| !text.is_empty())
}

/// The strings of a list under `key`; SmartAPI's documents also show a list inside a quoted string.
pub(crate) fn list(value: &Value, key: &str) -> Vec<String> {
    let strings = |items: &[Value]| {
        items
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect()
    };
    match value.get(key) {
        Some(Value::Array(items)) => strings(items),
        Some(Value::String(inner)) => serde_json::from_str::<Vec<Value>>(inner)
            .map(|items| strings(&items))
            .unwrap_or_default(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::{
        Body, On, Refusal, UNREDACTED_LIMIT, Verdict, body, classify, list, object, payload, plain_text,
    };
    use crate::catalogue::row;
    use crate::error::{Advice, Credential, ErrorKind};
    use crate::wire::{CallClass, Endpoint, Method, RawReply};
    use std::time::Duration;

    #[test]
    fn what_is_not_json_has_a_kind() {
        let read = Endpoint::new(Method::Get, "/x", CallClass::Read);
        let kind = |status, text: &[u8]| {
            body(&read, &RawReply::new(status, text))
                .map(|_| ())
                .unwrap_err()
                .kind()
        };
        assert_eq!(kind(200, b""), ErrorKind::BrokerUnavailable);
        assert_eq!(kind(200, b" \r\n"), ErrorKind::BrokerUnavailable);
        assert_eq!(
            kind(502, b"<html>Bad Gateway</html>"),
            ErrorKind::BrokerUnavailable
        );
        assert_eq!(kind(200, b"\n<!DOCTYPE html>"), ErrorKind::BrokerUnavailable);
        assert_eq!(kind(307, b"{}"), ErrorKind::BrokerUnavailable);
        assert_eq!(kind(200, b"{\"status\":\"Succ"), ErrorKind::MalformedResponse);
        assert_eq!(kind(200, b"{\"status\":\"\xff\"}"), ErrorKind::MalformedResponse);
        assert_eq!(kind(200, b"\xff\xfe\x00"), ErrorKind::BrokerUnavailable);
        assert!(
            matches!(body(&read, &RawReply::new(403, "Access denied")), Ok(Body::Text(text)) if text == "Access denied")
        );
    }

    #[test]
    fn json_that_is_not_an_object_is_malformed() {
        let read = Endpoint::new(Method::Get, "/x", CallClass::Read);
        let kind = |text: &str| object(&[], &read, &RawReply::new(200, text)).unwrap_err().kind();
        for text in ["[{}]", "[]"] {
            assert_eq!(kind(text), ErrorKind::MalformedResponse, "{text}");
        }
        for text in ["Access denied", "\"x\"", "1", "null"] {
            assert_eq!(kind(text), ErrorKind::BrokerUnavailable, "{text}");
        }
        assert!(object(&[], &read, &RawReply::new(200, "{}")).is_ok());
    }

    #[test]
    fn x1_text_in_the_place_of_a_token_is_not_repeated() {
        let login = Endpoint::new(Method::Post, "/login", CallClass::Login);
        let read = Endpoint::new(Method::Get, "/x", CallClass::Read);
        for (endpoint, status, repeated) in [
            (&login, 200, false),
            (&login, 299, false),
            // A gateway's word tells why.
            (&login, 300, true),
            (&login, 403, true),
            (&read, 200, true),
            (&read, 403, true),
        ] {
            let error = plain_text(&[], endpoint, &RawReply::new(status, "CANARY"), "CANARY");
            assert_eq!(error.message().contains("CANARY"), repeated, "{status}: {error}");
        }
    }

    #[test]
    fn lists_come_as_arrays_or_quoted() {
        let value = serde_json::json!({"a": ["x", 1, "y"], "b": "[\"x\",\"y\"]", "c": "x", "d": null});
        assert_eq!(list(&value, "a"), ["x", "y"]);
        assert_eq!(list(&value, "b"), ["x", "y"]);
        assert!(list(&value, "c").is_empty() && list(&value, "d").is_empty() && list(&value, "e").is_empty());
    }

    #[test]
    fn a_web_page_is_known_by_its_type_unless_it_is_an_object() {
        let read = Endpoint::new(Method::Get, "/x", CallClass::Read);
        let html = |text: &str| {
            let mut raw = RawReply::new(200, text);
            raw.content_type = Some("Text/HTML; charset=utf-8".to_owned());
            raw
        };
        for page in ["Service down", "[maintenance]"] {
            let error = body(&read, &html(page)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::BrokerUnavailable);
            assert!(error.message().ends_with("a web page instead of data"), "{error}");
        }
        assert!(
            matches!(body(&read, &html("{\"a\":1}")), Ok(Body::Json(_))),
            "a gateway's wrong label"
        );
    }

    #[test]
    fn text_has_a_limit() {
        let read = Endpoint::new(Method::Get, "/x", CallClass::Read);
        let text = |length: usize| RawReply::new(200, "x".repeat(length));
        assert!(matches!(body(&read, &text(4096)), Ok(Body::Text(text)) if text.len() == 4096));
        assert_eq!(
            body(&read, &text(4097)).unwrap_err().kind(),
            ErrorKind::BrokerUnavailable
        );
    }

    #[test]
    fn only_a_limit_and_an_outage_advise_the_wait_that_was_asked_for() {
        let read = Endpoint::new(Method::Get, "/x", CallClass::Read);
        let wait = Duration::from_secs(9);
        for (verdict, waits) in [
            (Verdict::RateLimited, true),
            (Verdict::Unavailable, true),
            (Verdict::Rejected, false),
            (Verdict::Credentials(Credential::ApiKey), false),
            (Verdict::SessionExpired, false),
        ] {
            let mut raw = RawReply::new(400, "");
            raw.retry_after = Some(wait);
            let error = classify(
                &[row(On::Any, "", "", verdict, "")],
                &read,
                &raw,
                &Refusal::default(),
            );
            assert_eq!(error.advice() == Advice::After(wait), waits, "{verdict:?}");
        }
    }

    #[test]
    fn a_refusal_without_a_text_tells_its_problems_or_that_it_gave_none() {
        let read = Endpoint::new(Method::Get, "/x", CallClass::Read);
        let told = |text, problems: &[&'static str]| {
            let refusal = Refusal {
                text,
                validation_errors: problems.to_vec(),
                ..Refusal::default()
            };
            let error = classify(&[], &read, &RawReply::new(400, ""), &refusal);
            error.message().to_owned()
        };
        for (text, problems, ending) in [
            ("", &["no quantity", "no price"][..], "no quantity; no price"),
            ("", &["no quantity"], "no quantity"),
            ("wrong", &["no quantity"], "no quantity"),
            ("no quantity given", &["no quantity"], "no quantity given"),
            ("", &[], "no reason given"),
        ] {
            let message = told(text, problems);
            let (_, said) = message.rsplit_once(": ").unwrap_or(("", &message));
            assert_eq!(said, ending, "{message}");
        }
    }
    #[test]
    fn of_a_long_payload_the_beginning_is_told() {
        let told = |value: &str| {
            let value = serde_json::json!([value, {"é\"": 1}]);
            let refusal = Refusal {
                payload: vec![("order", &value), ("more", &value)],
                ..Refusal::default()
            };
            payload(&refusal).unwrap_or_default()
        };
        assert_eq!(payload(&Refusal::default()), None);
        assert_eq!(
            told("x"),
            r#"{"order": ["x",{"é\"":1}], "more": ["x",{"é\"":1}]}"#
        );
        let long = told(&"x".repeat(100_000));
        assert_eq!(long.chars().count(), UNREDACTED_LIMIT);
        assert!(long.starts_with(r#"{"order": ["xxx"#) && long.ends_with('…'));
        // White space that goes leaves room for what comes after it.
        let spaced = told(&format!("a{}b", " ".repeat(100_000)));
        assert!(spaced.starts_with(r#"{"order": ["a b","#) && spaced.ends_with(":1}]}"));
    }
}
