//! Sending one request: deadline over everything, no redirects, failures told apart by whether bytes may have
//! left.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use preopen_core::error::Cause;
use preopen_core::static_ip::NetworkPath;
use preopen_core::target::Target;
use preopen_core::wire::{
    BoxFuture, CallClass, FailureCause, Method, RawReply, Request, Transport, TransportFailure,
};
use preopen_core::{Error, Secret, Timestamp};
use reqwest::header::{
    ACCEPT_ENCODING, CONTENT_TYPE, DATE, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER,
};
use reqwest::{Response, Url};

use tokio::sync::SemaphorePermit;
use tokio::time::{Instant, timeout};

use crate::body;
use crate::client::{Pool, pool};
use crate::fresh;
use crate::options::HttpOptions;
use crate::path::path;

/// The real transport. Making one does no I/O; the client behind it is made on first use and shared.
///
/// It must be used inside a tokio runtime with I/O and time enabled.
#[derive(Clone, Debug)]
pub struct HttpTransport {
    options: Arc<HttpOptions>,
}

impl Default for HttpTransport {
    fn default() -> Self {
        Self::new(HttpOptions::default())
    }
}

impl HttpTransport {
    /// A transport over this network path.
    pub fn new(options: HttpOptions) -> Self {
        let options = options.shared();
        Self { options }
    }

    /// Waits for a turn, and exchanges the request for its reply within what is left of `deadline` then.
    async fn take_turn(
        &self,
        target: &Target,
        request: &Request,
        deadline: Duration,
    ) -> Result<RawReply, Broken> {
        let pool = pool(&self.options, target).map_err(Broken::refused)?;
        let (_turn, rest) = match pool.room.try_acquire() {
            Ok(turn) => (turn, deadline),
            Err(_) => self.queue(&pool, target, request, deadline).await?,
        };
        let exchange = self.exchange(&pool, target, request);
        let done = timeout(rest, exchange).await;
        if pool.room.available_permits() == 0 {
            // Two tasks give the connection back; whoever is next would open another one before they have run.
            tokio::task::yield_now().await;
            tokio::task::yield_now().await;
        }
        done.unwrap_or_else(|_| {
            let seconds = deadline.as_secs_f64();
            let problem = format!("no whole reply from {} within {seconds} s", target.authority());
            Err(Broken::new(FailureCause::Deadline, problem))
        })
    }

    /// A turn, and the time that is left after it. Whoever does not get one has sent nothing.
    ///
    /// The wait is part of the deadline, but never more than half of it: a request that is sent with a moment
    /// left would only leave doubts about what came of it. A login is sent with its whole deadline, and waits for
    /// as long at most: after 08:00 IST all of them queue at once, and none belongs to one caller.
    async fn queue<'a>(
        &self,
        pool: &'a Pool,
        target: &Target,
        request: &Request,
        deadline: Duration,
    ) -> Result<(SemaphorePermit<'a>, Duration), Broken> {
        let login = request.endpoint.class == CallClass::Login;
        let patience = if login { deadline } else { deadline / 2 };
        let began = Instant::now();
        match timeout(patience, pool.room.acquire()).await {
            Ok(Ok(turn)) if login => Ok((turn, deadline)),
            Ok(Ok(turn)) => Ok((turn, deadline.saturating_sub(began.elapsed()))),
            _ => Err(Broken::new(
                FailureCause::ConnectTimeout,
                format!(
                    "no free connection to {} within {} s: {} requests are under way to it",
                    target.authority(),
                    patience.as_secs_f64(),
                    self.options.max_connections
                ),
            )),
        }
    }

    async fn exchange(&self, pool: &Pool, target: &Target, request: &Request) -> Result<RawReply, Broken> {
        let url = target.url(request).map_err(Broken::refused)?;
        let method = match request.endpoint.method {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
            Method::Put => reqwest::Method::PUT,
            _ => reqwest::Method::DELETE,
        };
        // A builder would merge the headers into a map that is empty.
        let mut call = reqwest::Request::new(method, url);
        *call.headers_mut() = headers(request)?;
        *call.body_mut() = request.body.as_ref().map(|json| lent(json).into());
        let (sent, kept) = fresh::watch(pool.client.execute(call)).await;
        let response = sent.map_err(|error| Broken::from_reqwest(error).before_a_reply(kept))?;
        let mut reply = RawReply::new(response.status().as_u16(), "");
        reply.content_type = text(&response, CONTENT_TYPE).map(str::to_owned);
        reply.retry_after = text(&response, RETRY_AFTER).and_then(wait);
        reply.date = text(&response, DATE).and_then(date);
        reply.redirect_host = text(&response, LOCATION).and_then(|to| redirect_host(target, to));
        reply.body = body::read(response, self.options.max_body, request.endpoint.sensitive).await?;
        Ok(reply)
    }
}

impl Transport for HttpTransport {
    fn send<'a>(
        &'a self,
        target: &'a Target,
        request: &'a Request,
        deadline: Duration,
    ) -> BoxFuture<'a, Result<RawReply, TransportFailure>> {
        Box::pin(async move {
            let sent = self.take_turn(target, request, deadline).await;
            sent.map_err(|broken| broken.into_failure(target))
        })
    }

    fn path(&self, target: &Target) -> Option<NetworkPath> {
        Some(path(&self.options, target))
    }
}

/// A failure inside one exchange.
#[derive(Debug)]
pub(crate) struct Broken {
    cause: FailureCause,
    message: Option<String>,
    source: Option<Cause>,
    refused: Option<Error>,
}

impl Broken {
    pub(crate) fn new(cause: FailureCause, message: impl Into<String>) -> Self {
        Self {
            cause,
            message: Some(message.into()),
            source: None,
            refused: None,
        }
    }

    /// Nothing was sent: the request or its settings are wrong.
    fn refused(error: Error) -> Self {
        Self {
            refused: Some(error),
            ..Self::new(FailureCause::Connect, "")
        }
    }

    /// The URL is dropped from the error: its query may hold what the user would not post on a forum.
    pub(crate) fn from_reqwest(error: reqwest::Error) -> Self {
        let error = error.without_url();
        if error.is_builder() {
            return Self::refused(Error::invalid_input(
                "path",
                "and parameters do not make a URL that can be sent",
            ));
        }
        if error.is_connect() && has_io_kind(&error, ErrorKind::AddrNotAvailable) {
            let problem = "is not an address of this host: give one of its own, or none";
            return Self::refused(Error::invalid_input("source_ip", problem));
        }
        let cause = match (error.is_connect(), error.is_timeout()) {
            (true, true) => FailureCause::ConnectTimeout,
            (true, false) => FailureCause::Connect,
            _ => FailureCause::Broken,
        };
        Self {
            cause,
            message: None,
            source: Some(Cause::from_chain(&error)),
            refused: None,
        }
    }

    /// No reply had begun. On a kept connection the other side may have closed it before the request came.
    fn before_a_reply(mut self, kept: bool) -> Self {
        if kept && self.cause == FailureCause::Broken {
            self.cause = FailureCause::Stale;
        }
        self
    }

    fn into_failure(self, target: &Target) -> TransportFailure {
        let at = target.authority();
        let message = self.message.unwrap_or_else(|| match self.cause {
            FailureCause::ConnectTimeout => format!("no connection to {at} in time"),
            FailureCause::Connect => {
                let why = self.source.as_ref().map(deepest).unwrap_or_default();
                format!("no connection to {at}: {why}")
            }
            _ => format!("the connection to {at} broke before the reply was complete"),
        });
        TransportFailure {
            cause: self.cause,
            message,
            source: self.source,
            refused: self.refused,
        }
    }
}

fn has_io_kind(error: &reqwest::Error, kind: ErrorKind) -> bool {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        if error
            .downcast_ref::<std::io::Error>()
            .is_some_and(|io| io.kind() == kind)
        {
            return true;
        }
        next = error.source();
    }
    false
}

/// The last cause of a chain says most: `Connection refused`, `invalid peer certificate: Expired`.
fn deepest(cause: &Cause) -> String {
    let mut deepest: &dyn std::error::Error = cause;
    while let Some(below) = deepest.source() {
        deepest = below;
    }
    deepest.to_string()
}

fn headers(request: &Request) -> Result<HeaderMap, Broken> {
    let mut headers = HeaderMap::with_capacity(request.headers.len() + 1);
    // A decompressor keeps what it unpacked in a window that nobody can wipe.
    let encoding = if request.endpoint.sensitive {
        "identity"
    } else {
        "gzip"
    };
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(encoding));
    for (name, value) in &request.headers {
        let bad = |what: &str| {
            Broken::refused(Error::invalid_input(
                "headers",
                &format!("hold {name:?} with {what}"),
            ))
        };
        let key = HeaderName::try_from(name.as_str()).map_err(|_| bad("a name that cannot be sent"))?;
        let mut value = HeaderValue::from_maybe_shared(lent(value))
            .map_err(|_| bad("a value that cannot be sent in a header"))?;
        value.set_sensitive(true);
        headers.insert(key, value);
    }
    Ok(headers)
}

/// The bytes of a secret, lent to the HTTP client without a copy.
fn lent(secret: &Secret) -> Bytes {
    struct Lent(Secret);
    impl AsRef<[u8]> for Lent {
        fn as_ref(&self) -> &[u8] {
            self.0.expose().as_bytes()
        }
    }
    Bytes::from_owner(Lent(secret.clone()))
}

fn text(response: &Response, name: HeaderName) -> Option<&str> {
    response.headers().get(name)?.to_str().ok()
}

fn redirect_host(target: &Target, location: &str) -> Option<String> {
    let base = Url::parse(target.base_url()).ok()?;
    base.join(location).ok()?.host_str().map(str::to_owned)
}

/// The time of a `Date` header: nearly always in the one form that HTTP prefers.
fn date(text: &str) -> Option<Timestamp> {
    let preferred = httpdate::parse_http_date(text).ok();
    let preferred = preferred.and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok());
    let preferred = preferred.map(|since| Timestamp::from_millis(0).plus(since));
    preferred.or_else(|| Timestamp::parse_http_date(text))
}

/// Seconds or an HTTP date.
fn wait(text: &str) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let at = httpdate::parse_http_date(text).ok()?;
    Some(at.duration_since(SystemTime::now()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::{date, wait};
    use preopen_core::Timestamp;
    use std::time::Duration;

    #[test]
    fn a_date_is_read_in_every_form() {
        let at = Timestamp::parse_rfc3339("2015-10-21T07:28:00Z");
        assert_eq!(date("Wed, 21 Oct 2015 07:28:00 GMT"), at);
        assert_eq!(date("Wednesday, 21-Oct-15 07:28:00 GMT"), at);
        assert_eq!(date("Wed, 21 Oct 2015 12:58:00 +0530"), at);
        assert_eq!(date("soon"), None);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(wait(" 7 "), Some(Duration::from_secs(7)));
        assert_eq!(wait("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::ZERO));
        assert_eq!(wait("soon"), None);
    }
}
