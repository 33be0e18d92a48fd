//! One login, detached from its callers: it runs on the background thread, survives whoever asked for it, and
//! gives everybody who waits the same result.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;

use preopen_core::broker::Login;
use preopen_core::clock::{Clock, Now, Timestamp};
use preopen_core::error::Phase;
use preopen_core::lifecycle::{Event, FlightId, Record, dead_on_arrival, retries_in_next_totp_step};
use preopen_core::totp::{OneTimeCode, step_start};
use preopen_core::wire::Request;
use preopen_core::{Advice, Error, ErrorKind, Result, Secret};

use crate::runtime;
use crate::session::Inner;

/// The longest wait for a TOTP step whose code was not sent yet, in real time: two steps and a little.
const STEP_PATIENCE: Duration = Duration::from_secs(65);

/// Starts the flight. When the background thread cannot be made, the flight fails at once and its slot is free.
pub(crate) fn start(inner: &Arc<Inner>, flight: FlightId) {
    match runtime::worker() {
        Ok(worker) => drop(worker.spawn(fly(Arc::downgrade(inner), flight))),
        Err(error) => drop(inner.apply(Event::Failed { flight, error })),
    }
}

/// The error of a flight that ended without a result.
pub(crate) fn lost() -> Error {
    Error::new(ErrorKind::Internal, "the login ended without a result").with_advice(Advice::Now)
}

async fn fly(session: Weak<Inner>, flight: FlightId) {
    let result = AssertUnwindSafe(attempts(&session, flight)).catch_unwind().await;
    let Some(inner) = session.upgrade() else { return };
    let event = match result.unwrap_or_else(|_| Err(lost())) {
        Ok((login, sent)) => Event::Opened {
            flight,
            login: Box::new(login),
            sent,
        },
        Err(error) => Event::Failed { flight, error },
    };
    if let Some(late) = inner.apply(event).discard {
        // The user logged out meanwhile: the broker's side of this login is ended too, best effort.
        let record = Record::new(0, *late, inner.clock.now(), &inner.adapter.policy().expiry);
        let _ = inner.send_logout(&record).await;
    }
    // A login that was queued behind this one may go now.
    if let Some(next) = inner.apply(Event::Drained { flight }).start {
        start(&inner, next);
    }
}

async fn attempts(session: &Weak<Inner>, flight: FlightId) -> Result<(Login, Now)> {
    if let Some(renewed) = refreshed(session).await? {
        return Ok(renewed);
    }
    let (mut codes_refused, mut dead) = (0, false);
    loop {
        let code = one_time_code(session, flight).await?;
        let inner = session.upgrade().ok_or_else(lost)?;
        match login(&inner, code).await {
            Err(error) if retries_in_next_totp_step(codes_refused, &error) => codes_refused += 1,
            Err(error) => return Err(error),
            Ok((login, sent)) => {
                let policy = inner.adapter.policy();
                match dead_on_arrival(&login, sent, inner.clock.now(), &policy.expiry) {
                    None => return Ok((login, sent)),
                    Some(error) if dead => {
                        return Err(error.with(|context| context.broker = Some(policy.broker)));
                    }
                    Some(_) => dead = true,
                }
            }
        }
    }
}

/// Renews with the refresh token, where there is one and its day is not over. `None` means that a login is due: the
/// refusal of a refresh is no fault of the user's, and neither is an answer that cannot be read. Only when the
/// broker cannot be reached, or asks to wait, would a login fare no better: that is an error, and the refresh
/// token is kept.
async fn refreshed(session: &Weak<Inner>) -> Result<Option<(Login, Now)>> {
    let inner = session.upgrade().ok_or_else(lost)?;
    let Some(old) = inner.renewable() else {
        return Ok(None);
    };
    let Some(request) = inner.adapter.refresh(&old.tokens) else {
        return Ok(None);
    };
    match exchange(&inner, request, &old.tokens.all()).await {
        Ok((mut login, sent)) => {
            login.tokens.keep_from(&old.tokens);
            let policy = &inner.adapter.policy().expiry;
            let dead = dead_on_arrival(&login, sent, inner.clock.now(), policy).is_some();
            Ok((!dead).then_some((login, sent)))
        }
        Err(error) if error.kind() == ErrorKind::RateLimited => Err(error),
        Err(error) if error.context().phase == Some(Phase::Connect) => Err(error),
        Err(_) => Ok(None),
    }
}

/// The code for a login, if one is needed; waits for the next step when this one's code was sent already.
async fn one_time_code(session: &Weak<Inner>, flight: FlightId) -> Result<Option<OneTimeCode>> {
    let began = Instant::now();
    loop {
        let (clock, until): (Arc<dyn Clock>, Timestamp) = {
            let inner = session.upgrade().ok_or_else(lost)?;
            if !inner.is_current(flight) {
                return Err(lost());
            }
            let policy = inner.adapter.policy();
            let broker = |error: Error| error.with(|context| context.broker = Some(policy.broker));
            let Some(code) = inner
                .adapter
                .one_time_code(inner.clock.now().wall)
                .map_err(broker)?
            else {
                return Ok(None);
            };
            if inner.spend(code.step()) || !policy.totp_single_use {
                return Ok(Some(code));
            }
            if began.elapsed() > STEP_PATIENCE {
                return Err(broker(clock_stands_still()));
            }
            (Arc::clone(&inner.clock), step_start(code.step() + 1))
        };
        // The session is not held meanwhile: dropping it ends this wait.
        tokio::time::sleep(clock.nap(until)).await;
    }
}

fn clock_stands_still() -> Error {
    Error::new(
        ErrorKind::Timeout,
        "no new one-time code within a minute: this machine's clock stands still or was set back",
    )
    .with(|context| context.phase = Some(Phase::Login))
}

async fn login(inner: &Inner, code: Option<OneTimeCode>) -> Result<(Login, Now)> {
    let sent_code: Vec<Secret> = code.iter().map(OneTimeCode::for_redaction).collect();
    exchange(inner, inner.adapter.login(code), &sent_code).await
}

/// Sends a request that opens a session and reads its reply; `secrets` are those of the request.
async fn exchange(inner: &Inner, request: Request, secrets: &[Secret]) -> Result<(Login, Now)> {
    let endpoint = request.endpoint.clone();
    let sent = inner.clock.now();
    let raw = inner.send(&request, inner.timeout).await;
    let login = raw.and_then(|raw| inner.adapter.read_login(&endpoint, &raw));
    match login {
        Ok(mut login) => {
            login.profile.clean(&inner.redactor(&login.tokens.all()));
            Ok((login, sent))
        }
        Err(error) => Err(inner.explain(error, &endpoint, &inner.redactor(secrets))),
    }
}
