//! A claim: a lease that renews itself at a third of its life, notices by itself when it could not, and is given back
//! only while it is ours.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use preopen_core::Result;
use preopen_core::wire::BoxFuture;
use tokio::task::AbortHandle;

use super::hub::Hub;
use super::pool::Pool;
use super::scripts::{Call, Keys, RELEASE, RENEW, WRITE};
use super::value;
use crate::store::{Claim, Claimed, Value};

/// How long a server that cannot be told of a release is let be.
const AGAIN: Duration = Duration::from_secs(1);

/// What a claim is made from.
pub(super) struct Terms {
    pub(super) pool: Arc<Pool>,
    pub(super) keys: Keys,
    pub(super) owner: String,
    pub(super) lease: Duration,
    pub(super) ttl: Duration,
    /// How long the claim is renewed at most.
    pub(super) renewed_for: Duration,
}

/// A moment, on both clocks: the monotonic one does not count the time that a machine was suspended.
#[derive(Clone, Copy)]
struct Moment {
    monotonic: Instant,
    wall: SystemTime,
}

impl Moment {
    fn now() -> Self {
        Self {
            monotonic: Instant::now(),
            wall: SystemTime::now(),
        }
    }

    /// How long ago it was, by whichever clock says more. A wall clock that was stepped costs at most a renewal.
    fn elapsed(&self) -> Duration {
        let wall = self.wall.elapsed().unwrap_or_default();
        self.monotonic.elapsed().max(wall)
    }
}

/// What the claim and the task that renews it both know.
struct Lease {
    terms: Terms,
    /// Before the last request that was granted went out: its lease may have begun as early as that.
    asked: Mutex<Moment>,
    lost: AtomicBool,
}

impl Lease {
    fn asked(&self) -> Moment {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn left(&self) -> Duration {
        if self.lost.load(Ordering::Acquire) {
            return Duration::ZERO;
        }
        self.terms.lease.saturating_sub(self.asked().elapsed())
    }

    fn call<const N: usize>(&self, script: &'static str, arguments: [&str; N]) -> Call {
        Call::new(&self.terms.keys, script, arguments)
    }

    /// Renews until it fails once, or the claim has been held for too long.
    async fn renew(self: Arc<Self>) {
        let began = Instant::now();
        let lease = self.terms.lease.as_millis().to_string();
        while began.elapsed() < self.terms.renewed_for {
            tokio::time::sleep(self.terms.lease / 3).await;
            let asked = Moment::now();
            let renewal = self.call(RENEW, [&self.terms.owner, &lease]);
            if !matches!(self.terms.pool.ask::<u64>(&renewal).await, Ok(1)) {
                self.lost.store(true, Ordering::Release);
                return;
            }
            self.began_anew(asked);
        }
    }

    /// A request that went out at `asked` made the lease whole again.
    fn began_anew(&self, asked: Moment) {
        let mut known = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if known.monotonic < asked.monotonic {
            *known = asked;
        }
    }

    /// Releases what may have been granted, as soon as the server answers again.
    async fn give_back(self: Arc<Self>) {
        let release = self.call(RELEASE, [&self.terms.owner]);
        let answers = async || self.terms.pool.ask::<u64>(&release).await.is_ok();
        while !answers().await && self.asked().elapsed() < self.terms.lease {
            tokio::time::sleep(AGAIN).await;
        }
    }

    async fn release(self: Arc<Self>) {
        let release = self.call(RELEASE, [&self.terms.owner]);
        // When it fails, the lease runs out.
        drop(self.terms.pool.ask::<u64>(&release).await);
    }
}

/// A claim that this process holds. A forked child's copy of it can do nothing, and undoes nothing.
pub(super) struct RedisClaim {
    lease: Arc<Lease>,
    fence: String,
    /// The writes that were asked for.
    writes: u64,
    hub: Arc<Hub>,
    renewal: AbortHandle,
    process: u32,
    given_back: bool,
}

impl RedisClaim {
    /// Asks for the claim. Call it on the hub's runtime. Errors: as [`Pool::ask`].
    pub(super) async fn ask(hub: Arc<Hub>, terms: Terms, claim: Call) -> Result<Option<Claimed>> {
        let asked = Moment::now();
        let granted = terms.pool.ask::<Option<(u64, _, _)>>(&claim).await;
        let lease = Arc::new(Lease {
            terms,
            asked: Mutex::new(asked),
            lost: AtomicBool::new(false),
        });
        let Some((fence, session, guard)) = granted.inspect_err(|_| {
            // Nobody knows whether it was granted; unless it is given back, it would hold up everybody for a lease.
            drop(hub.run(Arc::clone(&lease).give_back()));
        })?
        else {
            return Ok(None);
        };
        let renewal = tokio::spawn(Arc::clone(&lease).renew()).abort_handle();
        let claim = Self {
            lease,
            fence: u64::to_string(&fence),
            writes: 0,
            hub,
            renewal,
            process: std::process::id(),
            given_back: false,
        };
        Ok(Some(Claimed::new(claim, value(session, guard))))
    }

    fn is_ours(&self) -> bool {
        self.process == std::process::id()
    }

    /// Stops the renewals; what gives the claim back.
    fn end(&mut self) -> Arc<Lease> {
        self.given_back = true;
        self.renewal.abort();
        Arc::clone(&self.lease)
    }
}

impl fmt::Debug for RedisClaim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisClaim({}, {})", self.lease.terms.keys.account, self.fence)
    }
}

impl Claim for RedisClaim {
    fn good_for(&self) -> Duration {
        if self.is_ours() {
            self.lease.left()
        } else {
            Duration::ZERO
        }
    }

    fn write<'a>(&'a mut self, value: &'a Value) -> BoxFuture<'a, Result<bool>> {
        Box::pin(async move {
            if !self.is_ours() || self.lease.lost.load(Ordering::Acquire) {
                return Ok(false);
            }
            let lease = Arc::clone(&self.lease);
            let ttl = lease.terms.ttl.as_millis().to_string();
            let again = lease.terms.lease.as_millis().to_string();
            let part = |part: &'a Option<String>| part.as_deref().unwrap_or_default();
            let (session, guard) = (part(&value.session), part(&value.guard));
            self.writes += 1;
            let nth = self.writes.to_string();
            let write = lease.call(
                WRITE,
                [
                    &lease.terms.owner,
                    &self.fence,
                    &ttl,
                    session,
                    guard,
                    &nth,
                    &again,
                ],
            );
            let asked = Moment::now();
            let written = self.hub.run(async move {
                let (written, twice): (u64, bool) = lease.terms.pool.ask_again(&write).await?;
                // Whoever was refused once has lost the claim: a server that was wiped does not give it back.
                lease.lost.fetch_or(written != 1, Ordering::AcqRel);
                match written {
                    // It may have arrived before the other one claimed.
                    3 if twice => Err(lease.terms.pool.failed("the first answer to a write was lost")),
                    0 | 3 => Ok(false),
                    1 => {
                        lease.began_anew(asked);
                        Ok(true)
                    }
                    _ => Ok(true),
                }
            });
            written.await?
        })
    }

    fn release(mut self: Box<Self>) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            if self.is_ours() {
                let lease = self.end();
                drop(self.hub.run(lease.release()).await);
            }
        })
    }
}

impl Drop for RedisClaim {
    fn drop(&mut self) {
        if self.is_ours() && !self.given_back {
            let lease = self.end();
            drop(self.hub.run(lease.release()));
        }
    }
}

#[cfg(test)]
#[path = "claim_tests.rs"]
mod tests;
