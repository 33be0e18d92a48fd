//! Sending an authenticated call: its turn under the limits, a live token, and what is repeated. A write is sent at most
//! once; everything that is spent on a call, but for logins, is spent within its deadline.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use preopen_core::audit::Outcome;
use preopen_core::envelope::Reply;
use preopen_core::error::Redactor;
use preopen_core::lifecycle::{Event, Record};
use preopen_core::limits::repeats_after;
use preopen_core::wire::{CallClass, FailureCause, Request};
use preopen_core::{Advice, Error, ErrorKind, Result};
use tracing::Instrument as _;

use crate::flight;
use crate::runtime::anywhere;
use crate::session::{Inner, Session};
use crate::state::Next;

/// Whatever is sent has at least this long.
const LEAST: Duration = Duration::from_millis(1);

/// Why an exchange failed.
pub(crate) struct Failed {
    pub(crate) error: Error,
    /// Whether a kept connection had died before the reply began.
    stale: bool,
}

/// What is left of a call's deadline. Logins are not the caller's time: they have their own.
struct Rest(Duration);

impl Rest {
    async fn spend<T>(&mut self, work: impl Future<Output = T>) -> T {
        let began = Instant::now();
        let done = work.await;
        self.0 = self.0.saturating_sub(began.elapsed());
        done
    }
}

impl Session {
    /// Sends an authenticated request, when it is its turn under the limits of its group, with a live token. A read is
    /// repeated once after a renewal when the broker refused the token, once when a kept connection had died, and a few
    /// times after answers that the broker's table lists as transient. A write is sent at most once.
    pub(crate) async fn execute(&self, request: Request, deadline: Duration) -> Result<Reply> {
        let (session, began) = (self.clone(), Instant::now());
        let span = self.inner.auditor.call_span(request.endpoint.class);
        let call = async move { session.execute_here(request, deadline, began).await };
        let result = anywhere(call.instrument(span.clone())).await;
        self.inner
            .auditor
            .call(&span, Outcome::of(&result), began.elapsed());
        result
    }

    async fn execute_here(&self, mut request: Request, deadline: Duration, began: Instant) -> Result<Reply> {
        let inner = &self.inner;
        // Those of the caller: each try adds the session's anew.
        let own = request.headers.clone();
        let repeatable = request.endpoint.class == CallClass::Read;
        let mut rest = Rest(deadline);
        let (mut renewed, mut reconnected, mut repeats) = (false, false, 0);
        loop {
            let record = self.record().await?;
            inner.check_url(&request, &record)?;
            // Half of the deadline, as for a connection: a call that is sent with a moment left only leaves doubts.
            let patience = rest.0 / 2;
            let slot = rest
                .spend(inner.pace.slot(inner, &request.endpoint, patience))
                .await
                .map_err(|error| inner.explain(error, &request.endpoint, &inner.redactor(&[])))?;
            // It may have ended, or been replaced, logged out or closed, while the call waited for its turn.
            let Some(live) = inner.live() else {
                drop(slot);
                inner.signed_out_of(&record)?;
                continue;
            };
            if live.generation != record.generation {
                inner.check_url(&request, &live)?;
            }
            let record = live;
            request.headers.clone_from(&own);
            let sent = rest
                .spend(inner.exchange(&mut request, &record, rest.0.max(LEAST)))
                .await;
            let sent = sent.map_err(|failed| Failed {
                error: slot.answered(failed.error),
                ..failed
            });
            let Failed { error, stale } = match sent {
                Ok(reply) => {
                    slot.accepted();
                    return Ok(reply);
                }
                Err(failed) => failed,
            };
            drop(slot);
            let again = repeatable && rest.0 >= LEAST;
            match error.kind() {
                // Refused twice in a row, the second time with a token that is moments old: the token is not
                // the reason, and another login could end somebody else's session for nothing.
                ErrorKind::SessionExpired if renewed => {
                    return Err(error.with_advice(Advice::After(Duration::from_secs(1))));
                }
                ErrorKind::SessionExpired => {
                    // Whoever logged out meanwhile does not want another login for this.
                    inner.signed_out_of(&record)?;
                    let generation = record.generation;
                    drop(inner.apply(Event::Invalidated { generation }));
                    if again {
                        renewed = true;
                        continue;
                    }
                    self.renew_behind();
                }
                ErrorKind::StaticIpMismatch => {
                    let asked = inner.with_addresses(error, &record, rest.0.max(LEAST));
                    let error = Box::pin(asked).await;
                    inner.address_refused(&error);
                    inner.auditor.answered(&error, began.elapsed());
                    return Err(error);
                }
                ErrorKind::Network if again && stale && !reconnected => {
                    reconnected = true;
                    continue;
                }
                _ if again => {
                    let table = inner.adapter.policy().transient;
                    // A wait that leaves less time than it takes is not worth it.
                    let wait = repeats_after(table, &error, repeats, inner.seed ^ next_turn())
                        .filter(|wait| *wait <= rest.0 / 2);
                    if let Some(wait) = wait {
                        rest.spend(tokio::time::sleep(wait)).await;
                        repeats += 1;
                        continue;
                    }
                }
                _ => {}
            }
            inner.auditor.answered(&error, began.elapsed());
            return Err(error);
        }
    }

    /// Starts a login without waiting for it, so that the caller's next try finds a session.
    pub(crate) fn renew_behind(&self) {
        if let Next::Start(flight, _) = self.inner.need() {
            drop(flight::start(&self.inner, flight));
        }
    }
}

/// Shorter ones are words of other things, too: a PIN may be a price.
const SHORTEST_IN_A_URL: usize = 8;

impl Inner {
    pub(crate) fn signed_out_of(&self, record: &Record) -> Result<()> {
        self.state
            .machine()
            .signed_out_of(record.generation)
            .map_or(Ok(()), Err)
    }

    /// Refuses a call whose URL would hold a secret of the session: URLs end in the logs of every server on the way.
    pub(crate) fn check_url(&self, request: &Request, record: &Record) -> Result<()> {
        let known = self.derived(record);
        let holds = |text: &str| known.redactor.finds_in(text, SHORTEST_IN_A_URL);
        let problem = "must not hold a secret of the session: it would end in logs";
        let field = if request
            .query
            .iter()
            .any(|(name, value)| holds(name) || holds(value))
        {
            "params"
        } else if holds(&request.endpoint.path) {
            "path"
        } else {
            return Ok(());
        };
        let error = Error::invalid_input(field, problem);
        Err(error.with(|context| context.broker = Some(self.adapter.policy().broker)))
    }

    /// Adds the session's headers to a request, sends it, and reads the reply.
    pub(crate) async fn exchange(
        &self,
        request: &mut Request,
        record: &Record,
        deadline: Duration,
    ) -> Result<Reply, Failed> {
        let now = self.clock.now().wall;
        self.adapter.authorize(request, &record.tokens, now);
        let derived = self.derived(record);
        self.converse(request, &derived.redactor, deadline).await
    }

    /// Sends a request that is complete, and reads its reply; `redactor` knows its secrets.
    pub(crate) async fn converse(
        &self,
        request: &Request,
        redactor: &Redactor,
        deadline: Duration,
    ) -> Result<Reply, Failed> {
        let endpoint = &request.endpoint;
        let failed = |error, stale| Failed {
            error: self.explain(error, endpoint, redactor),
            stale,
        };
        let raw = self.transmit(request, deadline).await.map_err(|failure| {
            let stale = failure.cause == FailureCause::Stale;
            failed(failure.into_error(endpoint), stale)
        })?;
        let read = if request.lazy {
            Reply::read_lazily
        } else {
            Reply::read
        };
        let read = read(self.adapter.as_ref(), endpoint, raw);
        let mut reply = read.map_err(|error| failed(error, false))?;
        reply.clean(redactor);
        Ok(reply)
    }
}

/// Calls that fail together must not come back together.
fn next_turn() -> u64 {
    static TURNS: AtomicU64 = AtomicU64::new(0);
    TURNS
        .fetch_add(1, Ordering::Relaxed)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
}
