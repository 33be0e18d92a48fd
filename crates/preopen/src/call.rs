//! One call to the broker, put together and sent.

use std::fmt;
use std::time::Duration;

use preopen_core::broker::Adapter;
use preopen_core::envelope::Reply;
use preopen_core::wire::{CallClass, Endpoint, Method, Request, check_path, check_query};
use preopen_core::{Error, Result, Secret};

use crate::session::Session;

/// Headers that the session or the transport sets itself.
const OWN_HEADERS: [&str; 10] = [
    "accept-encoding",
    "authorization",
    "connection",
    "content-length",
    "host",
    "te",
    "transfer-encoding",
    "upgrade",
    "x-privatekey",
    "x-session-token",
];

/// A call to the broker; [`Call::send`] sends it with a live token.
///
/// A read is repeated once after a renewal when the broker refused the token, once when a kept connection had died before
/// the reply began, and twice after answers that the broker's table lists as transient (a gateway's 502, 503 and 504, and
/// SmartAPI's AB1004 and AB2001), after 100 to 200 and 200 to 400 ms or what `Retry-After` asks for. A write is sent at
/// most once: see `OutcomeUnknown` and `SessionExpired`.
///
/// Every call has its turn under the limits of its account (`SessionBuilder::rate_limits`).
///
/// ```no_run
/// # async fn example(session: preopen::Session) -> preopen::Result<()> {
/// use std::time::Duration;
///
/// let reply = session
///     .get("/quote/getQuote")
///     .query("symbolName", "INFY")
///     .header("x-strategy", "mean-reversion")
///     .timeout(Duration::from_secs(3))
///     .send()
///     .await?;
/// println!("{} {:?}", reply.http_status, reply.message);
/// // A POST that only reads, and that the broker's table does not know, may be declared so; `json_text` sends text as it is.
/// session.post("/quote/multiQuote").json_text(r#"{"symbols":[]}"#).replay_safe(true).send().await?;
/// session.post("/order/placeOrder").json(&serde_json::json!({"quantity": "1"})).send().await?;
/// # Ok(()) }
/// ```
#[must_use = "a call does nothing until it is sent"]
pub struct Call {
    session: Session,
    method: Method,
    path: String,
    query: Vec<(String, String)>,
    headers: Vec<(String, Secret)>,
    body: Option<Result<Secret>>,
    replay_safe: Option<bool>,
    timeout: Option<Duration>,
    lazy: bool,
}

impl Call {
    pub(crate) fn new(session: Session, method: Method, path: String) -> Self {
        Self {
            session,
            method,
            path,
            query: Vec::new(),
            headers: Vec::new(),
            body: None,
            replay_safe: None,
            timeout: None,
            lazy: false,
        }
    }

    /// Adds a query parameter; it is encoded for you.
    pub fn query(mut self, name: impl Into<String>, value: impl fmt::Display) -> Self {
        self.query.push((name.into(), value.to_string()));
        self
    }

    /// Sets the JSON body.
    pub fn json(self, body: &impl serde::Serialize) -> Self {
        let text = Secret::json(body)
            .map_err(|error| Error::invalid_input("json", &format!("cannot be written as JSON: {error}")));
        self.body(text)
    }

    /// Sets the body to text that is JSON already; it is checked when the call is sent.
    pub fn json_text(self, body: impl Into<String>) -> Self {
        let body = body.into();
        let checked = serde_json::from_str::<serde::de::IgnoredAny>(&body)
            .map_err(|error| Error::invalid_input("json", &format!("is not valid JSON: {error}")));
        self.body(checked.map(|_| Secret::new(body)))
    }

    fn body(mut self, body: Result<Secret>) -> Self {
        self.body = Some(body);
        self
    }

    /// Adds a header beside those of the session.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<Secret>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Says whether this call may be repeated, whatever its method: `true` for a POST of your broker that only
    /// reads, `false` for a GET that does not.
    pub fn replay_safe(mut self, safe: bool) -> Self {
        self.replay_safe = Some(safe);
        self
    }

    /// The longest that this call may take with its repetitions and waits, in place of the session's `timeout`; a login
    /// counts on its own.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Leaves the reply's data in its text, of which all is checked as ever, until somebody looks. It saves the tree where
    /// nobody asks for [`Reply::data`]: [`Reply::deserialize`] reads the text into types of yours.
    ///
    /// ```no_run
    /// # async fn example(session: preopen::Session) -> Result<(), Box<dyn std::error::Error>> {
    /// #[derive(serde::Deserialize)]
    /// struct Holding {
    ///     #[serde(rename = "tradingSymbol")]
    ///     symbol: String,
    /// }
    ///
    /// #[derive(serde::Deserialize)]
    /// struct Holdings {
    ///     #[serde(rename = "holdingDetails")]
    ///     list: Vec<Holding>,
    /// }
    ///
    /// let reply = session.get("/holding/getHoldings").lazy().send().await?;
    /// let holdings: Holdings = reply.deserialize()?;
    /// # Ok(()) }
    /// ```
    pub fn lazy(mut self) -> Self {
        self.lazy = true;
        self
    }

    /// Sends the call with a live token and reads the broker's envelope.
    ///
    /// Errors: those of `token`, and `InvalidInput`, `SessionExpired` (writes), `StaticIpMismatch`,
    /// `RateLimited`, `Timeout`, `Network`, `BrokerUnavailable`, `OutcomeUnknown` (writes), `BrokerRejected`,
    /// `MalformedResponse`.
    pub async fn send(self) -> Result<Reply> {
        let session = self.session.clone();
        let deadline = self.timeout.unwrap_or(session.default_timeout());
        let request = self.check().map_err(|error| session.inner.named(error))?;
        session.execute(request, deadline).await
    }

    fn check(self) -> Result<Request> {
        check_path(&self.path)?;
        check_query(&self.query)?;
        if self.timeout.is_some_and(|timeout| timeout.is_zero()) {
            return Err(Error::invalid_input("timeout", "must be more than 0"));
        }
        if let Some((name, _)) = self
            .headers
            .iter()
            .find(|(name, _)| OWN_HEADERS.contains(&name.to_ascii_lowercase().as_str()))
        {
            return Err(Error::invalid_input(
                "headers",
                &format!("must not set {name}: the session does"),
            ));
        }
        let mut endpoint = self.session.adapter().endpoint(self.method, &self.path);
        refuse_own(self.session.adapter(), &endpoint)?;
        match self.replay_safe {
            Some(true) => endpoint.class = CallClass::Read,
            Some(false) => endpoint.class = CallClass::Write,
            None => {}
        }
        let mut request = Request::new(endpoint).headers(self.headers);
        request.query = self.query;
        request.body = self.body.transpose()?;
        request.lazy = self.lazy;
        Ok(request)
    }
}

/// Refuses what the session calls itself. Errors: `InvalidInput` (`path`).
pub(crate) fn refuse_own(adapter: &dyn Adapter, endpoint: &Endpoint) -> Result<()> {
    let problem = match endpoint.class {
        _ if !adapter.is_own(endpoint) => return Ok(()),
        CallClass::Login => "is the login of this broker: the session calls it itself",
        CallClass::Logout => "is the logout of this broker: call logout(), so that the session knows of it",
        _ => return Ok(()),
    };
    Err(Error::invalid_input("path", problem))
}

impl fmt::Debug for Call {
    /// Method and path only: parameters, headers and body may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Call({} {})", self.method, self.path)
    }
}
