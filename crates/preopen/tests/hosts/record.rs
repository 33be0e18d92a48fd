//! A store that tells everything that is done to it, with times of the machine's one monotonic clock; and stores with a bug
//! each, which must be found.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use preopen::core::wire::BoxFuture;
use preopen::store::{Claim, Claimed, KeySource, RedisStore, Store, Value};
use preopen::{Result, SealKey};
use serde::{Deserialize, Serialize};

/// Something that a store did, or began to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Seen {
    /// Which operation of this host.
    pub(crate) nth: u64,
    /// Nanoseconds of the machine's monotonic clock.
    pub(crate) at: u64,
    pub(crate) what: What,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum What {
    /// A look at the value began, with or without a claim.
    Looks { account: String },
    /// A write began, under this claim of the host.
    Writes {
        account: String,
        claim: u64,
        value: Kept,
    },
    /// What was found, if it was a claim its number.
    Found { value: Kept, claim: Option<u64> },
    /// Whether it was written.
    Wrote(bool),
    /// Nobody knows what came of it, or nothing did.
    Failed,
}

/// Session and guard.
pub(crate) type Kept = (Option<String>, Option<String>);

fn kept(value: Option<&Value>) -> Kept {
    value.map_or((None, None), |value| (value.session.clone(), value.guard.clone()))
}

/// What is wrong with a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Mutant {
    /// Whoever lost the claim writes all the same.
    IgnoresFence,
    /// A read may give what was there a while ago.
    ReadsOld,
    /// A write is told as done, and is lost.
    LosesWrites,
}

/// What was read, and when.
type Old = (Instant, Option<Value>);

/// How old an old read is.
const OLD: Duration = Duration::from_millis(700);

pub(crate) type Tell = fn(Seen);

fn now() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    u64::try_from(now.tv_sec).unwrap() * 1_000_000_000 + u64::try_from(now.tv_nsec).unwrap()
}

/// One number for all stores of the process.
fn next() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

#[derive(Clone)]
pub(crate) struct Recorded {
    store: RedisStore,
    tell: Option<Tell>,
    mutant: Option<Mutant>,
    /// What the mutants remember.
    memory: Arc<Mutex<HashMap<String, Old>>>,
}

impl Recorded {
    pub(crate) fn new(store: RedisStore, tell: Option<Tell>, mutant: Option<Mutant>) -> Self {
        Self {
            store,
            tell,
            mutant,
            memory: Arc::default(),
        }
    }

    fn note(&self, nth: u64, what: What) {
        if let Some(tell) = self.tell {
            tell(Seen { nth, at: now(), what });
        }
    }

    fn looks(&self, account: &str) -> u64 {
        let nth = next();
        let account = account.to_owned();
        self.note(nth, What::Looks { account });
        nth
    }

    async fn look(&self, account: &str) -> Result<Option<Value>> {
        if self.mutant == Some(Mutant::ReadsOld) {
            let memory = self.memory.lock().unwrap();
            if let Some((at, value)) = memory.get(account)
                && at.elapsed() < OLD
            {
                return Ok(value.clone());
            }
        }
        let found = self.store.read(account).await?;
        let remembered = (Instant::now(), found.clone());
        self.memory.lock().unwrap().insert(account.to_owned(), remembered);
        Ok(found)
    }
}

impl fmt::Debug for Recorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.store.fmt(f)
    }
}

impl Store for Recorded {
    fn describe(&self) -> String {
        self.store.describe()
    }

    fn validate(&self) -> Result<()> {
        self.store.validate()
    }

    fn key(&self, source: Option<KeySource>) -> BoxFuture<'_, Result<(KeySource, SealKey)>> {
        self.store.key(source)
    }

    fn read<'a>(&'a self, account: &'a str) -> BoxFuture<'a, Result<Option<Value>>> {
        Box::pin(async move {
            let nth = self.looks(account);
            let found = self.look(account).await;
            self.note(
                nth,
                match &found {
                    Ok(value) => What::Found {
                        value: kept(value.as_ref()),
                        claim: None,
                    },
                    Err(_) => What::Failed,
                },
            );
            found
        })
    }

    fn claim<'a>(&'a self, account: &'a str) -> BoxFuture<'a, Result<Option<Claimed>>> {
        Box::pin(async move {
            let nth = self.looks(account);
            let claimed = self.store.claim(account).await;
            let Ok(Some(claimed)) = claimed else {
                self.note(nth, What::Failed);
                return claimed;
            };
            let value = kept(claimed.value.as_ref());
            let found = What::Found {
                value,
                claim: Some(nth),
            };
            self.note(nth, found);
            let claim = RecordedClaim {
                claim: claimed.claim,
                store: self.clone(),
                account: account.to_owned(),
                nth,
            };
            Ok(Some(Claimed::new(claim, claimed.value)))
        })
    }

    fn changed<'a>(
        &'a self,
        account: &'a str,
        seen: Option<&'a Value>,
        at_most: Duration,
    ) -> BoxFuture<'a, ()> {
        self.store.changed(account, seen, at_most)
    }
}

#[derive(Debug)]
struct RecordedClaim {
    claim: Box<dyn Claim>,
    store: Recorded,
    account: String,
    nth: u64,
}

impl RecordedClaim {
    async fn write_anyway(&mut self, value: &Value) -> Result<bool> {
        match self.store.mutant {
            Some(Mutant::LosesWrites) if value.session.is_some() => Ok(true),
            Some(Mutant::IgnoresFence) if !self.claim.write(value).await? => {
                // The claim of whoever has it now is taken from him for a moment.
                let mut other = None;
                for _ in 0..100 {
                    other = self.store.store.claim(&self.account).await?;
                    if other.is_some() {
                        break;
                    }
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                let Some(mut other) = other else { return Ok(false) };
                let written = other.claim.write(value).await?;
                other.claim.release().await;
                Ok(written)
            }
            Some(Mutant::IgnoresFence) => Ok(true),
            _ => self.claim.write(value).await,
        }
    }
}

impl Claim for RecordedClaim {
    fn good_for(&self) -> Duration {
        self.claim.good_for()
    }

    fn write<'a>(&'a mut self, value: &'a Value) -> BoxFuture<'a, Result<bool>> {
        Box::pin(async move {
            let nth = next();
            let begins = What::Writes {
                account: self.account.clone(),
                claim: self.nth,
                value: kept(Some(value)),
            };
            self.store.note(nth, begins);
            let written = self.write_anyway(value).await;
            let what = match &written {
                Ok(written) => What::Wrote(*written),
                Err(_) => What::Failed,
            };
            self.store.note(nth, what);
            written
        })
    }

    fn release(self: Box<Self>) -> BoxFuture<'static, ()> {
        self.claim.release()
    }
}
