//! One login, detached from its callers: it runs on the background thread, survives whoever asked for it, and
//! gives everybody who waits the same result.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Weak};

use futures_util::FutureExt as _;

use preopen_core::clock::{Clock, Now, Timestamp};
use preopen_core::lifecycle::{Event, FlightId, Record, retries_in_next_totp_step};
use preopen_core::totp::{OneTimeCode, step_start};
use preopen_core::{Error, ErrorKind, Result, broker::Login};

use crate::runtime;
use crate::session::Inner;

/// Starts the flight. Errors: `Internal` when the background thread cannot be made; the slot is free then.
pub(crate) fn start(inner: &Arc<Inner>, flight: FlightId) -> Result<()> {
    let worker = runtime::worker().inspect_err(|error| {
        inner.apply(Event::Failed {
            flight,
            error: error.clone(),
        });
    })?;
    worker.spawn(fly(Arc::downgrade(inner), flight));
    Ok(())
}

/// The error of a flight that ended without a result.
pub(crate) fn lost() -> Error {
    Error::new(ErrorKind::Internal, "the login ended without a result").with_advice(preopen_core::Advice::Now)
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
    if let Some(late) = inner.apply(event) {
        // The user logged out meanwhile: the broker's side of this login is ended too, best effort.
        let now = inner.clock.now();
        let record = Record::new(0, *late, now, &inner.adapter.policy().expiry);
        let _ = inner.send_logout(&record).await;
    }
}

async fn attempts(session: &Weak<Inner>, flight: FlightId) -> Result<(Login, Now)> {
    let mut attempt = 0;
    loop {
        let code = one_time_code(session, flight).await?;
        let inner = session.upgrade().ok_or_else(lost)?;
        match login(&inner, code).await {
            Err(error) if retries_in_next_totp_step(attempt, &error) => attempt += 1,
            result => return result,
        }
    }
}

/// The code for a login, if one is needed; waits for the next step when this one's code was sent already.
async fn one_time_code(session: &Weak<Inner>, flight: FlightId) -> Result<Option<OneTimeCode>> {
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
            match inner.last_totp_step() {
                Some(last) if policy.totp_single_use && code.step() <= last => {
                    (Arc::clone(&inner.clock), step_start(last + 1))
                }
                _ => {
                    inner.apply(Event::CodeSpent { step: code.step() });
                    return Ok(Some(code));
                }
            }
        };
        // The session is not held meanwhile: dropping it ends this wait.
        tokio::time::sleep(clock.nap(until)).await;
    }
}

async fn login(inner: &Inner, code: Option<OneTimeCode>) -> Result<(Login, Now)> {
    let request = inner.adapter.login(code);
    let endpoint = request.endpoint.clone();
    let sent = inner.clock.now();
    let raw = inner.send(&request, inner.timeout).await;
    let login = raw.and_then(|raw| inner.adapter.read_login(&endpoint, &raw));
    match login {
        Ok(login) => Ok((login, sent)),
        Err(error) => Err(inner.explain(error, &endpoint, None)),
    }
}
