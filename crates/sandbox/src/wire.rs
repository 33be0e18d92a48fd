//! Requests as the endpoints read them and replies as they give them. HTTP itself lives in `server`.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use preopen_core::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::source::Source;

/// A request whose body has been read.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: Method,
    /// The path without a trailing slash.
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) source: Source,
    /// When it was there as a whole, by this machine's clock.
    pub(crate) arrived: Timestamp,
}

impl Request {
    /// A header as text; empty when it is missing or not text.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .trim()
    }

    /// The first value of a query parameter.
    pub(crate) fn query(&self, name: &str) -> Option<String> {
        form_field(self.query.as_bytes(), name)
    }

    /// The first value of a field of a form that a browser posted.
    pub(crate) fn form(&self, name: &str) -> Option<String> {
        form_field(&self.body, name)
    }

    /// The body as JSON; `None` when it is not JSON.
    pub(crate) fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }
}

/// A whole reply, before faults bend it.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) body: Bytes,
    /// The account that the request acted for, for the request log.
    pub(crate) account: Option<String>,
    /// The address that it was seen to come from, where that is not the account's own; for the log too.
    pub(crate) seen: Option<String>,
    /// How much real time the broker takes before it sends this.
    pub(crate) hold: Duration,
}

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");

impl Reply {
    pub(crate) fn new(status: StatusCode, content_type: HeaderValue, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            headers: vec![(header::CONTENT_TYPE, content_type)],
            body: body.into(),
            account: None,
            seen: None,
            hold: Duration::ZERO,
        }
    }

    /// A body of JSON. What is given is plain data, so writing it cannot fail; if it did, the body is empty.
    pub(crate) fn json(status: StatusCode, body: &impl Serialize) -> Self {
        Self::new(status, JSON, serde_json::to_vec(body).unwrap_or_default())
    }

    pub(crate) fn text(status: StatusCode, body: impl Into<Bytes>) -> Self {
        Self::new(status, TEXT, body)
    }

    pub(crate) fn html(status: StatusCode, body: impl Into<Bytes>) -> Self {
        Self::new(status, HTML, body)
    }

    /// HTTP 303: a browser goes on to `address` with GET. An address that no header can carry is a fault of
    /// whoever registered it, and stays here.
    pub(crate) fn see_other(address: &str) -> Self {
        match HeaderValue::from_str(address) {
            Ok(address) => Self::text(StatusCode::SEE_OTHER, "").with_header(header::LOCATION, address),
            Err(_) => Self::text(StatusCode::INTERNAL_SERVER_ERROR, "the address cannot be sent\n"),
        }
    }

    pub(crate) fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.set_header(name, value);
        self
    }

    pub(crate) fn set_header(&mut self, name: HeaderName, value: HeaderValue) {
        self.headers.retain(|(known, _)| *known != name);
        self.headers.push((name, value));
    }

    pub(crate) fn seen_from(mut self, ip: String) -> Self {
        self.seen = Some(ip);
        self
    }

    pub(crate) fn for_account(mut self, account: &str) -> Self {
        self.account = Some(account.to_owned());
        self
    }
}

fn form_field(form: &[u8], name: &str) -> Option<String> {
    form_urlencoded::parse(form)
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}

/// A field of a JSON object as trimmed text; numbers count, because loosely typed clients send them.
pub(crate) fn text_field(body: &Value, name: &str) -> Option<String> {
    match body.get(name)? {
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
