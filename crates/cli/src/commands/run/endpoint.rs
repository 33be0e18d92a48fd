//! The endpoint that a running command reads its session from: loopback, one token, two addresses, GET only.

use std::sync::Arc;
use std::{fmt, io};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body as _, Incoming};
use hyper::header::{
    ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HOST, HeaderValue, ORIGIN, RETRY_AFTER,
};
use hyper::http::uri::Authority;
use hyper::{Method, Request, Response, StatusCode};
use preopen::{Advice, Error, ErrorKind, Headers, Secret, Session, Token};
use serde::{Serialize, Serializer};
use serde_json::json;
use subtle::ConstantTimeEq as _;
use tokio::net::TcpListener;

use crate::http_server::{Answer, serve};
use crate::output::error_json;

const SESSION: &str = "/v1/session";
const HEADERS: &str = "/v1/session/headers";

/// Answers for one session.
pub(super) struct Endpoint {
    listener: TcpListener,
    authority: String,
    serving: Arc<Serving>,
}

struct Serving {
    session: Session,
    bearer: Secret,
    host: String,
}

impl Endpoint {
    /// Opens a free port of this machine alone.
    pub(super) async fn open(session: Session, bearer: Secret) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let authority = listener.local_addr()?.to_string();
        let serving = Arc::new(Serving {
            session,
            bearer,
            host: authority.clone(),
        });
        Ok(Self {
            listener,
            authority,
            serving,
        })
    }

    /// Where the session is.
    pub(super) fn url(&self) -> String {
        format!("http://{}{SESSION}", self.authority)
    }

    /// Answers until it is dropped.
    pub(super) async fn serve(&self) {
        serve(&self.listener, &self.serving).await;
    }
}

impl Answer for Serving {
    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        self.reply_to(&request).await
    }
}

impl Serving {
    async fn reply_to(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        let wanted = match self.check(request) {
            Ok(wanted) => wanted,
            Err((status, why)) => return refusal(status, why),
        };
        if let Some(refused) = wanted.after {
            self.session.invalidate(refused);
        }
        match self.live().await {
            Ok((token, headers)) => match wanted.what {
                What::Session => match self.answer_of(&token, &headers) {
                    Ok(answer) => reply(StatusCode::OK, "application/json", answer),
                    Err(error) => trouble(&error),
                },
                What::Headers => reply(StatusCode::OK, "text/plain; charset=utf-8", lines(&headers)),
            },
            Err(error) => trouble(&error),
        }
    }

    /// What is wanted, if this request may want anything.
    fn check(&self, request: &Request<Incoming>) -> Result<Wanted, (StatusCode, &'static str)> {
        let headers = request.headers();
        let one = |name| {
            let mut all = headers.get_all(name).iter();
            all.next()
                .filter(|_| all.next().is_none())
                .map(HeaderValue::as_bytes)
        };
        let target = request.uri().authority().map(Authority::as_str);
        if one(HOST) != Some(self.host.as_bytes()) || target.is_some_and(|target| target != self.host) {
            return Err((
                StatusCode::FORBIDDEN,
                "the Host is not that of the address that was given",
            ));
        }
        if headers.contains_key(ORIGIN) {
            return Err((StatusCode::FORBIDDEN, "web pages are not answered"));
        }
        let bearer = one(AUTHORIZATION).and_then(|value| value.strip_prefix(b"Bearer "));
        if !bearer.is_some_and(|bearer| bool::from(bearer.ct_eq(self.bearer.expose().as_bytes()))) {
            return Err((
                StatusCode::UNAUTHORIZED,
                "send the header line in the file that PREOPEN_CREDENTIALS_AUTH_FILE names",
            ));
        }
        let what = match request.uri().path() {
            SESSION => What::Session,
            HEADERS => What::Headers,
            _ => return Err((StatusCode::NOT_FOUND, "there is nothing here")),
        };
        if request.method() != Method::GET {
            return Err((StatusCode::METHOD_NOT_ALLOWED, "only GET is answered"));
        }
        if !request.body().is_end_stream() {
            return Err((StatusCode::PAYLOAD_TOO_LARGE, "a request has no body"));
        }
        let after = match request.uri().query() {
            None => None,
            Some(query) => Some(
                query
                    .strip_prefix("after=")
                    .and_then(|generation| generation.parse().ok())
                    .ok_or((StatusCode::BAD_REQUEST, "the query can only be after=GENERATION"))?,
            ),
        };
        Ok(Wanted { what, after })
    }

    /// The token and the headers of one session.
    async fn live(&self) -> Result<(Token, Headers), Error> {
        loop {
            let token = self.session.token().await?;
            let headers = self.session.headers().await?;
            let same = |now: Token| now.generation() == token.generation();
            if self.session.try_token().is_some_and(same) {
                return Ok((token, headers));
            }
        }
    }

    fn answer_of(&self, token: &Token, headers: &Headers) -> Result<Secret, Error> {
        let answer = Told {
            broker: self.session.broker(),
            environment: self.session.environment().as_str(),
            token: token.expose(),
            headers: Pairs(headers),
            generation: token.generation(),
            expires_at: token.expires_at().to_rfc3339(),
        };
        Secret::json(&answer).map_err(|error| {
            Error::new(
                ErrorKind::Internal,
                format!("the answer cannot be written: {error}"),
            )
        })
    }
}

/// A session as its command reads it.
#[derive(Serialize)]
struct Told<'a> {
    broker: &'static str,
    environment: &'static str,
    token: &'a str,
    headers: Pairs<'a>,
    generation: u64,
    expires_at: String,
}

struct Pairs<'a>(&'a Headers);

impl Serialize for Pairs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.expose())
    }
}

/// A body that is wiped when nobody needs it any more.
struct Wiped(Secret);

impl AsRef<[u8]> for Wiped {
    fn as_ref(&self) -> &[u8] {
        self.0.expose().as_bytes()
    }
}

struct Wanted {
    what: What,
    /// The generation that the broker refused.
    after: Option<u64>,
}

enum What {
    Session,
    Headers,
}

fn lines(headers: &Headers) -> Secret {
    struct Lines<'a>(&'a Headers);
    impl fmt::Display for Lines<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0
                .expose()
                .try_for_each(|(name, value)| writeln!(f, "{name}: {value}"))
        }
    }
    Secret::format(format_args!("{}", Lines(headers)))
}

/// Why there is no session: 503 when another try is worth it, 502 when it is not.
fn trouble(error: &Error) -> Response<Full<Bytes>> {
    let wait = match error.advice() {
        Advice::After(wait) => Some(wait.as_secs().max(1)),
        Advice::Now => Some(1),
        _ => None,
    };
    let status = wait.map_or(StatusCode::BAD_GATEWAY, |_| StatusCode::SERVICE_UNAVAILABLE);
    let mut response = reply(
        status,
        "application/json",
        json!({"error": error_json(error)}).to_string().into(),
    );
    if let Some(wait) = wait {
        response.headers_mut().insert(RETRY_AFTER, wait.into());
    }
    response
}

fn refusal(status: StatusCode, why: &str) -> Response<Full<Bytes>> {
    let body = json!({"error": {"code": "refused", "message": why}}).to_string();
    let mut response = reply(status, "application/json", body.into());
    if status == StatusCode::METHOD_NOT_ALLOWED {
        response
            .headers_mut()
            .insert(ALLOW, HeaderValue::from_static("GET"));
    }
    response
}

fn reply(status: StatusCode, kind: &'static str, body: Secret) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_owner(Wiped(body))));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
