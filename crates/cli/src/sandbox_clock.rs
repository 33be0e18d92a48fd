//! Sessions on the embedded broker follow its clock when `PREOPEN_SANDBOX_TOKEN` holds its control token: on a clock that
//! was moved to tomorrow, this machine's own says nothing of when a session ends.

use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_util::rt::TokioIo;
use preopen::{Clock, Error, Json, Result, Timestamp, VirtualClock};
use tokio::net::TcpStream;

/// The variable with the control token.
pub(crate) const VARIABLE: &str = "PREOPEN_SANDBOX_TOKEN";

/// How often the broker is asked.
const EVERY: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(2);
const LIMIT: usize = 64 * 1024;

/// The clock of the embedded broker at this address, as long as it is used; `None` for the machine's own. Errors:
/// `InvalidInput` when the broker does not tell its time.
pub(crate) async fn of(base_url: Option<&str>) -> Result<Option<Arc<dyn Clock>>> {
    let token = std::env::var(VARIABLE).ok().filter(|token| !token.is_empty());
    let authority = base_url.and_then(|url| url.strip_prefix("http://127.0.0.1:"));
    let (Some(token), Some(port)) = (token, authority.and_then(|rest| rest.split('/').next())) else {
        return Ok(None);
    };
    let authority = format!("127.0.0.1:{port}");
    let (now, rate) = read(&authority, &token).await.ok_or_else(|| {
        Error::invalid_input(
            VARIABLE,
            "is set, but the sandbox at --base-url does not tell its time with it",
        )
    })?;
    let clock = Arc::new(VirtualClock::new(now, rate));
    tokio::spawn(follow(Arc::downgrade(&clock), authority, token));
    Ok(Some(clock))
}

async fn follow(clock: Weak<VirtualClock>, authority: String, token: String) {
    loop {
        tokio::time::sleep(EVERY).await;
        let read = read(&authority, &token).await;
        let Some(clock) = clock.upgrade() else { return };
        let Some((now, rate)) = read else { continue };
        // What the way took is no step of the clock.
        let apart = now.as_millis().abs_diff(clock.now().wall.as_millis());
        if apart > 50 || (rate - clock.rate()).abs() > f64::EPSILON {
            clock.set(now);
            clock.set_rate(rate);
        }
    }
}

/// The broker's time and how fast it runs.
async fn read(authority: &str, token: &str) -> Option<(Timestamp, f64)> {
    let asked = tokio::time::timeout(PATIENCE, ask(authority, token));
    let clock: Json = asked.await.ok()??;
    let now = clock["now"].as_str().and_then(Timestamp::parse_rfc3339)?;
    Some((now, clock["rate"].as_f64()?))
}

async fn ask(authority: &str, token: &str) -> Option<Json> {
    let stream = TcpStream::connect(authority).await.ok()?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .ok()?;
    let asking = async move {
        let request = hyper::Request::get("/_sandbox/clock")
            .header("host", authority)
            .header("x-sandbox-token", token)
            .body(Empty::<Bytes>::new())
            .ok()?;
        let reply = sender.send_request(request).await.ok()?;
        let body = Limited::new(reply.into_body(), LIMIT).collect().await.ok()?;
        serde_json::from_slice(&body.to_bytes()).ok()
    };
    let (answer, _) = tokio::join!(asking, connection);
    answer
}
