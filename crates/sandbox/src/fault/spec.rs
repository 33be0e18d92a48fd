//! The description of one fault, as scripts write it in JSON and Rust callers build it.

use std::collections::BTreeMap;

use preopen_core::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::account::Broker;
use crate::error::ControlError;

/// A body in place of the real one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum BodyKind {
    /// An HTML page, as a proxy or firewall sends; status 502 unless told otherwise.
    Html,
    /// Nothing, with `Content-Length: 0`.
    Empty,
    /// The first half of the real reply, then the connection is closed.
    Truncated,
    /// Valid JSON of `size` bytes; 10 MiB unless told otherwise.
    Large,
    /// `size` bytes of zeros, compressed; 32 MiB unless told otherwise.
    GzipBomb,
    /// Text that begins like the real thing and is not JSON.
    Malformed,
}

/// Where a reply stops for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stall {
    /// Nothing is ever sent, and the endpoint never sees the request.
    Before,
    /// The head and half of the body are sent.
    MidBody,
}

impl Serialize for Stall {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Before => serializer.serialize_str("before"),
            Self::MidBody => serializer.serialize_bool(true),
        }
    }
}

/// When the connection is reset, relative to the endpoint handling the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reset {
    /// The endpoint never sees the request.
    Before,
    /// The endpoint handles the request; its reply is lost.
    After,
}

/// A fault for requests of one broker and path.
///
/// Without `times`, `probability` and `until` it hits one request. A fault that gives a reply of its own (`status`,
/// `body`, `body_kind` other than `truncated`, `redirect_to`) keeps the request from the endpoint unless
/// `handled` is set; the others let it through.
///
/// ```
/// use preopen_sandbox::{Broker, Fault};
/// let fault = Fault::on(Broker::Samco, "/order/*").times(3).status(503).body("busy");
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Fault {
    pub(crate) broker: Broker,
    pub(crate) path: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) method: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) times: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) probability: Option<f64>,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) skip: u32,
    #[serde(default, with = "super::time", skip_serializing_if = "Option::is_none")]
    pub(crate) from: Option<Timestamp>,
    #[serde(default, with = "super::time", skip_serializing_if = "Option::is_none")]
    pub(crate) until: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) body: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) body_kind: Option<BodyKind>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) size: Option<usize>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) headers: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) delay_ms: Option<u64>,
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "read_stall"
    )]
    pub(crate) stall: Option<Stall>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) drip_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reset: Option<Reset>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) redirect_to: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) handled: Option<bool>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) duplicate: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde passes a reference
fn is_zero(number: &u32) -> bool {
    *number == 0
}

fn read_stall<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Stall>, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Bool(true) => Ok(Some(Stall::MidBody)),
        Value::Bool(false) | Value::Null => Ok(None),
        Value::String(text) if text == "before" => Ok(Some(Stall::Before)),
        _ => Err(serde::de::Error::custom(
            "must be true (half of the body) or \"before\" (no reply at all)",
        )),
    }
}

macro_rules! setters {
    ($($(#[$doc:meta])* $name:ident($argument:ident: $kind:ty) => $value:expr;)*) => {
        $($(#[$doc])* pub fn $name(mut self, $argument: $kind) -> Self { self.$name = $value; self })*
    };
}

impl Fault {
    /// A fault for requests to `path` of `broker`; a path that ends in `*` is a prefix.
    pub fn on(broker: Broker, path: impl Into<String>) -> Self {
        Self {
            broker,
            path: path.into(),
            method: None,
            times: None,
            probability: None,
            skip: 0,
            from: None,
            until: None,
            status: None,
            body: None,
            body_kind: None,
            size: None,
            headers: BTreeMap::new(),
            delay_ms: None,
            stall: None,
            drip_ms: None,
            reset: None,
            redirect_to: None,
            handled: None,
            duplicate: false,
        }
    }

    setters! {
        /// Hits only requests of this HTTP method.
        method(method: &str) => Some(method.to_ascii_uppercase());
        /// Hits this many requests.
        times(times: u32) => Some(times);
        /// Hits each request with this probability, from 0 to 1; without `times` until cleared.
        probability(probability: f64) => Some(probability);
        /// Lets this many matching requests pass first.
        skip(skip: u32) => skip;
        /// Hits only requests from this time of the virtual clock on.
        from(at: Timestamp) => Some(at);
        /// Hits only requests before this time of the virtual clock; without `times` all of them.
        until(at: Timestamp) => Some(at);
        /// Answers with this HTTP status.
        status(status: u16) => Some(status);
        /// Answers with this body: JSON if it reads as JSON, else text.
        body(body: &str) => Some(Value::String(body.to_owned()));
        /// Answers with a body of this kind.
        body_kind(kind: BodyKind) => Some(kind);
        /// The size in bytes of a large body or of an unpacked gzip bomb.
        size(size: usize) => Some(size);
        /// Waits this many milliseconds of real time first.
        delay_ms(delay: u64) => Some(delay);
        /// Stops for good.
        stall(stall: Stall) => Some(stall);
        /// Sends one byte of the body every so many milliseconds.
        drip_ms(every: u64) => Some(every);
        /// Resets the connection.
        reset(reset: Reset) => Some(reset);
        /// Redirects (HTTP 307) to this address.
        redirect_to(address: &str) => Some(address.to_owned());
        /// Whether the endpoint handles the request although the reply is replaced.
        handled(handled: bool) => Some(handled);
        /// Whether the endpoint handles the request twice; the first reply is sent.
        duplicate(duplicate: bool) => duplicate;
    }

    /// Adds or replaces a header of the reply.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Whether it can hit a request at this time of the virtual clock.
    pub(crate) fn is_on(&self, now: Timestamp) -> bool {
        self.from.is_none_or(|from| from <= now) && self.until.is_none_or(|until| now < until)
    }

    /// What it does, in the names of its fields.
    pub(crate) fn words(&self) -> String {
        let fields = serde_json::to_value(self).unwrap_or_default();
        let hidden = ["broker", "path", "from", "until"];
        let mut shown: Vec<_> = fields
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(name, _)| !hidden.contains(&name.as_str()))
            .map(|(name, value)| match value {
                Value::Number(_) => format!("{name} {value}"),
                Value::String(word) if name != "body" => format!("{name} {word}"),
                _ => name.clone(),
            })
            .collect();
        shown.sort_unstable();
        format!("{} {}: {}", self.broker.as_str(), self.path, shown.join(", "))
    }

    /// Whether the fault has a reply of its own.
    pub(crate) fn replaces_reply(&self) -> bool {
        self.status.is_some()
            || self.body.is_some()
            || self.redirect_to.is_some()
            || self.body_kind.is_some_and(|kind| kind != BodyKind::Truncated)
    }

    /// Whether the endpoint sees the request.
    pub(crate) fn reaches_endpoint(&self) -> bool {
        self.handled
            .unwrap_or(!self.replaces_reply() || self.duplicate || self.reset == Some(Reset::After))
    }

    pub(crate) fn check(&self) -> Result<(), ControlError> {
        let wrong = |field: &str, problem: &str| Err(ControlError::field(field, problem));
        if !self.path.starts_with('/') {
            return wrong("path", "must begin with / (and may end in * for a prefix)");
        }
        if self.path.starts_with("/_sandbox") {
            return wrong("path", "must be a path of a broker");
        }
        if self.times == Some(0) {
            return wrong("times", "must be at least 1");
        }
        if self.probability.is_some_and(|p| !(p > 0.0 && p <= 1.0)) {
            return wrong("probability", "must be above 0 and at most 1");
        }
        if let (Some(from), Some(until)) = (self.from, self.until)
            && until <= from
        {
            return wrong("until", "must be after from");
        }
        if self.status.is_some_and(|status| !(200..=599).contains(&status)) {
            return wrong("status", "must be an HTTP status from 200 to 599");
        }
        if self.body.is_some() && self.body_kind.is_some_and(|kind| kind != BodyKind::Truncated) {
            return wrong("body_kind", "cannot be combined with body (except truncated)");
        }
        if self.size.is_some_and(|size| size > MAXIMUM_SIZE) {
            return wrong("size", "must be at most 268435456 bytes");
        }
        if self.size.is_some() && !matches!(self.body_kind, Some(BodyKind::Large | BodyKind::GzipBomb)) {
            return wrong("size", "needs body_kind large or gzip_bomb");
        }
        for (name, value) in &self.headers {
            let framing = ["content-length", "transfer-encoding", "connection"];
            if framing.iter().any(|known| name.eq_ignore_ascii_case(known)) {
                return wrong(
                    "headers",
                    &format!("cannot set {name}: use body_kind, stall or reset"),
                );
            }
            if name.parse::<http::HeaderName>().is_err() || value.parse::<http::HeaderValue>().is_err() {
                return wrong(
                    "headers",
                    &format!("has a name or value that HTTP does not allow: {name:?}"),
                );
            }
        }
        if self
            .redirect_to
            .as_deref()
            .is_some_and(|to| to.parse::<http::HeaderValue>().is_err())
        {
            return wrong("redirect_to", "must be an address");
        }
        let does_something = self.replaces_reply()
            || self.body_kind.is_some()
            || !self.headers.is_empty()
            || self.delay_ms.is_some()
            || self.stall.is_some()
            || self.drip_ms.is_some()
            || self.reset.is_some()
            || self.duplicate;
        if does_something {
            Ok(())
        } else {
            wrong(
                "fault",
                "does nothing: give status, body, body_kind, headers, delay_ms, stall, drip_ms, reset, redirect_to \
                 or duplicate",
            )
        }
    }
}

/// The largest body that a fault may make.
const MAXIMUM_SIZE: usize = 256 << 20;
