//! Requests and replies as plain values. Sending them is `preopen-http`'s business, reading them the
//! brokers'.

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::time::Duration;

use zeroize::Zeroize as _;

use crate::clock::Timestamp;
use crate::error::{Cause, Error, ErrorKind, Phase, Result};
use crate::secret::{Secret, Text};
use crate::static_ip::NetworkPath;
use crate::target::Target;

/// An HTTP method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Method {
    /// GET
    Get,
    /// POST
    Post,
    /// PUT
    Put,
    /// DELETE
    Delete,
}

impl Method {
    /// The method in capitals.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }

    /// Reads a method in any case. Errors: `InvalidInput` (`method`).
    pub fn parse(text: &str) -> Result<Self> {
        [Self::Get, Self::Post, Self::Put, Self::Delete]
            .into_iter()
            .find(|method| method.as_str().eq_ignore_ascii_case(text.trim()))
            .ok_or_else(|| Error::invalid_input("method", "must be GET, POST, PUT or DELETE"))
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a call does, which decides whether it may be repeated and how its failures read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CallClass {
    /// Opens a session.
    Login,
    /// Reads: safe to repeat.
    Read,
    /// Changes something, or may: never repeated.
    Write,
    /// Ends a session: not repeated, and a lost reply is nothing to worry about.
    Logout,
}

/// The names of a call: method, path without query, and class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The HTTP method.
    pub method: Method,
    /// The path, beginning with `/`, without a query.
    pub path: String,
    /// What the call does.
    pub class: CallClass,
    /// Whether the reply may hold tokens or codes that nobody knows yet: none of it is kept in an error.
    pub sensitive: bool,
}

impl Endpoint {
    /// Names a call.
    pub fn new(method: Method, path: impl Into<String>, class: CallClass) -> Self {
        Self {
            method,
            path: path.into(),
            class,
            sensitive: class == CallClass::Login,
        }
    }

    /// Marks the reply as one that may hold tokens or codes.
    pub fn sensitive(mut self, sensitive: bool) -> Self {
        self.sensitive |= sensitive;
        self
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

/// A request to a broker, relative to its base URL. `Debug` shows method and path only: query, headers and
/// body may hold secrets.
#[derive(Clone)]
pub struct Request {
    /// Which call this is.
    pub endpoint: Endpoint,
    /// Query parameters in order, not yet encoded.
    pub query: Vec<(String, String)>,
    /// Headers; a later one of the same name wins.
    pub headers: Vec<(String, Secret)>,
    /// A JSON body.
    pub body: Option<Secret>,
    /// Whether the reply is read by [`Adapter::read_lazily`](crate::broker::Adapter::read_lazily).
    pub lazy: bool,
}

impl Request {
    /// A request without query, headers or body.
    pub fn new(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            query: Vec::new(),
            headers: Vec::new(),
            body: None,
            lazy: false,
        }
    }

    /// Adds headers.
    pub fn headers(mut self, headers: impl IntoIterator<Item = (String, Secret)>) -> Self {
        self.headers.extend(headers);
        self
    }

    /// Sets the JSON body.
    pub fn json(mut self, body: &serde_json::Value) -> Self {
        self.body = Some(Secret::format(format_args!("{body}")));
        self
    }

    /// Sets the body to a JSON object of texts. For secrets: a `Value` that holds them would leave them in memory.
    pub fn json_texts(mut self, fields: &[(&str, &str)]) -> Self {
        let mut body = Text::default();
        for (at, (name, value)) in fields.iter().enumerate() {
            body.push(if at == 0 { "{" } else { "," });
            body.push_json(name);
            body.push(":");
            body.push_json(value);
        }
        body.push("}");
        self.body = Some(body.into());
        self
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Request({})", self.endpoint)
    }
}

/// Checks a path that a caller gave: it must be relative to the broker, so that a token cannot be sent
/// elsewhere. Errors: `InvalidInput` (`path`).
pub fn check_path(path: &str) -> Result<()> {
    let bad = |problem: &str| Err(Error::invalid_input("path", problem));
    if !path.starts_with('/') || path.starts_with("//") {
        return bad("must begin with one slash and name no host, for example /quote/getQuote");
    }
    if path.len() > LONGEST_PATH {
        return bad("is longer than 2048 bytes");
    }
    if path.contains(['?', '#']) {
        return bad("must not hold a query or fragment: pass parameters as `params`/`query`");
    }
    let bad_char = |c: char| c.is_control() || c.is_whitespace() || c == '\\';
    if path.contains(bad_char) {
        return bad("must not hold spaces, backslashes or control characters");
    }
    let dotted = |part: &str| part.contains('%') && part.to_ascii_lowercase().contains("%2e");
    if path
        .split('/')
        .any(|part| matches!(part, "." | "..") || dotted(part))
    {
        return bad("must not hold `.` or `..` segments");
    }
    Ok(())
}

/// Whether a path names `known` in any spelling that a server may take for it: other case, a trailing slash,
/// letters percent-encoded.
pub(crate) fn same_path(path: &str, known: &str) -> bool {
    plain_path(path).eq_ignore_ascii_case(known)
}

/// A path without what only spells it: no letter percent-encoded, no slash at its end. For one path and many known ones.
pub(crate) fn plain_path(path: &str) -> Cow<'_, str> {
    if !path.contains('%') {
        return Cow::Borrowed(path.trim_end_matches('/'));
    }
    match percent_encoding::percent_decode_str(path).decode_utf8_lossy() {
        Cow::Borrowed(plain) => Cow::Borrowed(plain.trim_end_matches('/')),
        Cow::Owned(mut plain) => {
            plain.truncate(plain.trim_end_matches('/').len());
            Cow::Owned(plain)
        }
    }
}

/// The longest path and the longest encoded query that a call may have, in bytes: servers refuse longer ones.
const LONGEST_PATH: usize = 2048;
const LONGEST_QUERY: usize = 8192;

/// Checks the query parameters of a call. Errors: `InvalidInput` (`params`).
pub fn check_query(query: &[(String, String)]) -> Result<()> {
    let long: usize = query
        .iter()
        .map(|(name, value)| name.len() + value.len() + 2)
        .sum();
    if long > LONGEST_QUERY {
        return Err(Error::invalid_input(
            "params",
            "are longer than 8192 bytes in all: send long data as JSON",
        ));
    }
    Ok(())
}

/// A reply as it came from the network, body decompressed.
#[derive(Clone)]
pub struct RawReply {
    /// HTTP status.
    pub status: u16,
    /// `Content-Type`, if sent.
    pub content_type: Option<String>,
    /// `Retry-After` as a wait, if sent.
    pub retry_after: Option<Duration>,
    /// `Date`: the broker's time when it answered, if sent.
    pub date: Option<Timestamp>,
    /// Host of `Location`, if this is a redirect. Redirects are never followed.
    pub redirect_host: Option<String>,
    /// The body.
    pub body: Body,
}

/// The bytes of a reply. Those of a sensitive reply are wiped when they are dropped, and so is the block that they
/// leave when they outgrow it.
#[derive(Clone)]
pub struct Body {
    bytes: Vec<u8>,
    sensitive: bool,
}

impl Body {
    /// No bytes yet, with room for so many.
    pub fn with_capacity(bytes: usize, sensitive: bool) -> Self {
        Self {
            bytes: Vec::with_capacity(bytes),
            sensitive,
        }
    }

    /// Adds `more`.
    pub fn push(&mut self, more: &[u8]) {
        let needed = self.bytes.len() + more.len();
        if self.sensitive && needed > self.bytes.capacity() {
            let mut larger = Vec::with_capacity(needed.max(self.bytes.capacity() * 2));
            larger.extend_from_slice(&self.bytes);
            self.bytes.zeroize();
            self.bytes = larger;
        }
        self.bytes.extend_from_slice(more);
    }
}

impl PartialEq for Body {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        if self.sensitive {
            self.bytes.zeroize();
        }
    }
}

impl std::ops::Deref for Body {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl<T: Into<Vec<u8>>> From<T> for Body {
    /// Bytes of which nothing is known are sensitive.
    fn from(bytes: T) -> Self {
        Self {
            bytes: bytes.into(),
            sensitive: true,
        }
    }
}

impl io::Write for Body {
    fn write(&mut self, more: &[u8]) -> io::Result<usize> {
        self.push(more);
        Ok(more.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Body({} bytes)", self.len())
    }
}

impl RawReply {
    /// A reply of `status` with `body` and no headers.
    pub fn new(status: u16, body: impl Into<Body>) -> Self {
        Self {
            status,
            content_type: None,
            retry_after: None,
            date: None,
            redirect_host: None,
            body: body.into(),
        }
    }

    /// How long the broker asks to wait, between one second and five minutes.
    pub fn wait(&self) -> Option<Duration> {
        self.retry_after
            .map(|wait| wait.clamp(Duration::from_secs(1), Duration::from_mins(5)))
    }
}

impl fmt::Debug for RawReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RawReply(HTTP {}, {} bytes)", self.status, self.body.len())
    }
}

/// Why no whole reply came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FailureCause {
    /// The total deadline passed, perhaps after the request was sent.
    Deadline,
    /// No connection in time: nothing was sent.
    ConnectTimeout,
    /// Name look-up, TCP or TLS failed: nothing was sent.
    Connect,
    /// A kept connection, on which an earlier request was answered, broke before the reply to this one began: the other
    /// side had most likely closed it before the request came.
    Stale,
    /// The connection broke after the request may have been sent.
    Broken,
    /// The body is larger than the cap, compressed or decompressed.
    TooLarge,
    /// The body's compression is broken or unknown.
    Encoding,
}

/// A failed exchange, before it is known what it means for the call.
#[derive(Clone, Debug)]
pub struct TransportFailure {
    /// What happened.
    pub cause: FailureCause,
    /// One line that says where, without a URL's query.
    pub message: String,
    /// The lower-level causes.
    pub source: Option<Cause>,
    /// The error as it is, when nothing was sent because the request or its settings are wrong.
    pub refused: Option<Error>,
}

impl TransportFailure {
    /// The error of a call to `endpoint` that failed like this.
    pub fn into_error(self, endpoint: &Endpoint) -> Error {
        if let Some(error) = self.refused {
            return error;
        }
        let reading = if endpoint.class == CallClass::Login {
            Phase::Login
        } else {
            Phase::Read
        };
        let (kind, phase) = match self.cause {
            FailureCause::Deadline => (ErrorKind::Timeout, Some(reading)),
            FailureCause::ConnectTimeout => (ErrorKind::Timeout, Some(Phase::Connect)),
            FailureCause::Connect => (ErrorKind::Network, Some(Phase::Connect)),
            FailureCause::Stale | FailureCause::Broken => (ErrorKind::Network, Some(reading)),
            FailureCause::TooLarge | FailureCause::Encoding => (ErrorKind::MalformedResponse, None),
        };
        let mut error = Error::new(kind, &self.message).with(|context| {
            context.endpoint = Some(endpoint.to_string());
            context.phase = phase;
        });
        if let Some(source) = self.source {
            error = error.with_source(source);
        }
        if endpoint.class == CallClass::Write {
            error.for_write()
        } else {
            error
        }
    }
}

/// A future that is owned by the trait object that made it.
pub type BoxFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Sends requests. `preopen-http` has the real one, tests have their own.
pub trait Transport: Send + Sync + fmt::Debug {
    /// Sends `request` to `target` and reads the whole reply within `deadline`, which covers everything from
    /// connecting to the last byte. Redirects are not followed.
    fn send<'a>(
        &'a self,
        target: &'a Target,
        request: &'a Request,
        deadline: Duration,
    ) -> BoxFuture<'a, Result<RawReply, TransportFailure>>;

    /// How requests to `target` leave this host, when the transport knows. It sends nothing.
    fn path(&self, _target: &Target) -> Option<NetworkPath> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::{CallClass, Endpoint, FailureCause, Method, RawReply, Request, TransportFailure, check_path};
    use crate::error::{ErrorKind, Phase};
    use std::time::Duration;

    #[test]
    fn x3_a_path_cannot_name_another_host() {
        for bad in [
            "",
            "quote",
            "//evil/x",
            "https://evil/x",
            "/a?b=c",
            "/a#b",
            "/a b",
            "/a/../b",
            "/%2e%2e/b",
            "/a\\b",
            "/a\nb",
        ] {
            assert_eq!(check_path(bad).unwrap_err().field(), Some("path"), "{bad:?}");
        }
        assert!(check_path("/rest/secure/angelbroking/user/v1/getProfile").is_ok());
    }

    #[test]
    fn retry_after_is_clamped() {
        let wait = |seconds| {
            RawReply {
                retry_after: Some(Duration::from_secs(seconds)),
                ..RawReply::new(429, "")
            }
            .wait()
        };
        assert_eq!(wait(0), Some(Duration::from_secs(1)));
        assert_eq!(wait(7), Some(Duration::from_secs(7)));
        assert_eq!(wait(999_999), Some(Duration::from_mins(5)));
        assert_eq!(RawReply::new(429, "").wait(), None);
    }

    #[test]
    fn a_failure_reads_by_the_class_of_the_call() {
        let fail = |cause, class| {
            TransportFailure {
                cause,
                message: "m".into(),
                source: None,
                refused: None,
            }
            .into_error(&Endpoint::new(Method::Post, "/p", class))
        };
        assert_eq!(
            fail(FailureCause::Deadline, CallClass::Login).context().phase,
            Some(Phase::Login)
        );
        assert_eq!(
            fail(FailureCause::Deadline, CallClass::Read).kind(),
            ErrorKind::Timeout
        );
        assert_eq!(
            fail(FailureCause::Deadline, CallClass::Write).kind(),
            ErrorKind::OutcomeUnknown
        );
        assert_eq!(
            fail(FailureCause::Connect, CallClass::Write).kind(),
            ErrorKind::Network
        );
        assert_eq!(
            fail(FailureCause::ConnectTimeout, CallClass::Write).kind(),
            ErrorKind::Timeout
        );
        for cause in [FailureCause::Broken, FailureCause::Stale] {
            assert_eq!(fail(cause, CallClass::Write).kind(), ErrorKind::OutcomeUnknown);
            let read = fail(cause, CallClass::Read);
            assert_eq!(
                (read.kind(), read.context().phase),
                (ErrorKind::Network, Some(Phase::Read))
            );
        }
        assert_eq!(
            fail(FailureCause::TooLarge, CallClass::Read).kind(),
            ErrorKind::MalformedResponse
        );
    }

    #[test]
    fn debug_of_a_request_shows_no_secret() {
        let request = Request::new(Endpoint::new(Method::Post, "/session/token", CallClass::Login))
            .json(&serde_json::json!({"apiSecret": "CANARY"}))
            .headers([("x-session-token".into(), "CANARY".into())]);
        assert_eq!(format!("{request:?}"), "Request(POST /session/token)");
    }
}
