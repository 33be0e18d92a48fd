//! Every check of `conformance` can fail: for each there is a store with one bug that does not pass it.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use preopen_core::Result;
use preopen_core::wire::BoxFuture;
use preopen_store::conformance::{check, names};
use preopen_store::{Claim, Claimed, MemoryStore, Store, Value};
use tokio::time::{Instant, sleep};

/// What is wrong with a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bug {
    None,
    ReadsBlank,
    ReadsLate,
    ReadWaitsForClaim,
    WritesNothing,
    WritesOnRelease,
    WritesOnlyOnce,
    WriteIsRefused,
    CutsValues,
    DropsSessionsWithoutGuard,
    KeepsOldSession,
    ClaimTellsCutValues,
    ClaimTellsNothing,
    ClaimIsStale,
    ClaimRaces,
    ClaimWaits,
    ClaimHangs,
    NoExclusion,
    NoClaims,
    ReleaseDoesNothing,
    DropDoesNothing,
    OneValueForAll,
    OneClaimForAll,
    ToldWhenFree,
    WaitsTooLong,
    WaitsForEver,
    LongDescription,
    NoDescription,
}

/// How many claims are held, by account.
type Held = Arc<Mutex<HashMap<String, usize>>>;

/// A store with one bug, which keeps its values in a right one.
#[derive(Debug)]
struct Wrong {
    bug: Bug,
    inner: MemoryStore,
    /// The first value that was read of an account.
    first: Mutex<HashMap<String, Option<Value>>>,
    held: Held,
}

impl Wrong {
    fn new(bug: Bug) -> Self {
        Self {
            bug,
            inner: MemoryStore::new().unwrap(),
            first: Mutex::default(),
            held: Held::default(),
        }
    }

    fn account<'a>(&self, account: &'a str) -> &'a str {
        if self.bug == Bug::OneValueForAll {
            "all"
        } else {
            account
        }
    }

    fn is_held(&self, account: &str) -> bool {
        self.held.lock().unwrap().contains_key(account)
    }

    /// Counts a claim, unless somebody holds one and the store knows what that means.
    fn take(&self, account: &str) -> bool {
        let mut held = self.held.lock().unwrap();
        let loose = matches!(self.bug, Bug::NoExclusion | Bug::ClaimRaces);
        if held.contains_key(account) && !loose {
            return false;
        }
        *held.entry(account.to_owned()).or_default() += 1;
        true
    }

    async fn try_claim(&self, account: &str) -> Result<Option<Claimed>> {
        let began = Instant::now();
        let place = if self.bug == Bug::OneClaimForAll {
            "all"
        } else {
            account
        };
        match self.bug {
            Bug::NoClaims => return Ok(None),
            Bug::ClaimRaces if self.is_held(place) => return Ok(None),
            Bug::ClaimRaces => sleep(Duration::from_millis(20)).await,
            Bug::ClaimWaits => {
                while self.is_held(place) && began.elapsed() < Duration::from_secs(4) {
                    sleep(Duration::from_millis(5)).await;
                }
            }
            Bug::ClaimHangs if self.is_held(place) => std::future::pending().await,
            _ => {}
        }
        let seen = self.inner.read(account).await?;
        if self.bug == Bug::ClaimIsStale {
            sleep(Duration::from_millis(20)).await;
        }
        if !self.take(place) {
            return Ok(None);
        }
        let value = match self.bug {
            Bug::ClaimTellsNothing => None,
            Bug::ClaimTellsCutValues => seen.map(|value| cut(&value)),
            Bug::ClaimIsStale => seen,
            _ => self.inner.read(account).await?,
        };
        let claim = WrongClaim {
            bug: self.bug,
            inner: self.inner.clone(),
            held: Arc::clone(&self.held),
            account: account.to_owned(),
            place: place.to_owned(),
            late: None,
            written: value.is_some(),
            free_on_drop: self.bug != Bug::DropDoesNothing,
        };
        Ok(Some(Claimed::new(claim, value)))
    }
}

fn cut(value: &Value) -> Value {
    let part = |part: &Option<String>| part.as_ref().map(|text| text.chars().take(1000).collect());
    Value::new(part(&value.session), part(&value.guard))
}

impl Store for Wrong {
    fn describe(&self) -> String {
        match self.bug {
            Bug::LongDescription => "long ".repeat(100),
            Bug::NoDescription => " ".to_owned(),
            bug => format!("a store with the bug {bug:?}"),
        }
    }

    fn read<'a>(&'a self, account: &'a str) -> BoxFuture<'a, Result<Option<Value>>> {
        Box::pin(async move {
            let account = self.account(account);
            let began = Instant::now();
            while self.bug == Bug::ReadWaitsForClaim
                && self.is_held(account)
                && began.elapsed() < Duration::from_secs(3)
            {
                sleep(Duration::from_millis(5)).await;
            }
            let value = self.inner.read(account).await?;
            Ok(match self.bug {
                Bug::ReadsBlank => value.or_else(|| Some(Value::default())),
                Bug::ReadsLate => {
                    let mut first = self.first.lock().unwrap();
                    first.entry(account.to_owned()).or_insert(value).clone()
                }
                _ => value,
            })
        })
    }

    fn claim<'a>(&'a self, account: &'a str) -> BoxFuture<'a, Result<Option<Claimed>>> {
        Box::pin(self.try_claim(self.account(account)))
    }

    fn changed<'a>(
        &'a self,
        account: &'a str,
        _seen: Option<&'a Value>,
        at_most: Duration,
    ) -> BoxFuture<'a, ()> {
        let moment = Duration::from_millis(5);
        Box::pin(async move {
            match self.bug {
                Bug::WaitsTooLong => sleep(Duration::from_secs(3)).await,
                Bug::WaitsForEver => std::future::pending().await,
                Bug::ToldWhenFree => {
                    while self.is_held(account) {
                        sleep(moment).await;
                    }
                }
                _ => sleep(at_most.min(moment)).await,
            }
        })
    }
}

#[derive(Debug)]
struct WrongClaim {
    bug: Bug,
    inner: MemoryStore,
    held: Held,
    account: String,
    place: String,
    late: Option<Value>,
    written: bool,
    free_on_drop: bool,
}

impl WrongClaim {
    async fn put(&self, value: &Value) -> Result<bool> {
        // Nobody holds a claim of the inner store for longer than this: exclusion is this store's business.
        loop {
            if let Some(mut claimed) = self.inner.claim(&self.account).await? {
                let written = claimed.claim.write(value).await;
                claimed.claim.release().await;
                return written;
            }
            tokio::task::yield_now().await;
        }
    }
}

impl Drop for WrongClaim {
    fn drop(&mut self) {
        if !self.free_on_drop {
            return;
        }
        let mut held = self.held.lock().unwrap();
        if let Some(count) = held.get_mut(&self.place) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.place);
            }
        }
    }
}

impl Claim for WrongClaim {
    fn good_for(&self) -> Duration {
        Duration::MAX
    }

    fn write<'a>(&'a mut self, value: &'a Value) -> BoxFuture<'a, Result<bool>> {
        Box::pin(async move {
            match self.bug {
                Bug::WriteIsRefused => return Ok(false),
                Bug::WritesNothing => return Ok(true),
                Bug::WritesOnRelease => {
                    self.late = Some(value.clone());
                    return Ok(true);
                }
                Bug::WritesOnlyOnce if self.written => return Ok(true),
                _ => self.written = true,
            }
            match self.bug {
                Bug::CutsValues => self.put(&cut(value)).await,
                Bug::DropsSessionsWithoutGuard if value.guard.is_none() => self.put(&Value::default()).await,
                Bug::KeepsOldSession => {
                    let old = self.inner.read(&self.account).await?.unwrap_or_default();
                    let session = value.session.clone().or(old.session);
                    self.put(&Value::new(session, value.guard.clone())).await
                }
                _ => self.put(value).await,
            }
        })
    }

    fn release(mut self: Box<Self>) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            if let Some(late) = self.late.take() {
                self.put(&late).await.unwrap();
            }
            self.free_on_drop = self.bug != Bug::ReleaseDoesNothing;
        })
    }
}

const NOTHING: &str = "what was never written reads as nothing";
const WRITTEN: &str = "what is written is read back, by the writer and by others";
const ANY: &str = "a value is kept as it is, of any length";
const REMOVED: &str = "a session can be removed while its guard stays";
const SECOND: &str = "a second claim is refused at once";
const READING: &str = "reading does not wait for a claim";
const RELEASED: &str = "a released claim is free";
const DROPPED: &str = "a dropped claim becomes free";
const TELLS: &str = "a claim tells what is stored when it begins";
const APART: &str = "accounts do not know of each other";
const ONE: &str = "of many who claim at the same time one succeeds";
const UPDATE: &str = "no claimed update is lost";
const TOLD: &str = "those who wait are told of a change in time";
const ENDS: &str = "waiting for a change ends after the given time";
const DESCRIBED: &str = "a description is one short line";

/// The bug, and the check that is there for it; others may notice it too.
const BUGS: &[(Bug, &[&str])] = &[
    (Bug::None, &[]),
    (Bug::ReadsBlank, &[NOTHING]),
    (Bug::ReadsLate, &[WRITTEN]),
    (Bug::ReadWaitsForClaim, &[READING]),
    (Bug::WritesNothing, &[WRITTEN]),
    (Bug::WritesOnRelease, &[WRITTEN]),
    (Bug::WritesOnlyOnce, &[WRITTEN]),
    (Bug::WriteIsRefused, &[WRITTEN]),
    (Bug::CutsValues, &[ANY]),
    (Bug::DropsSessionsWithoutGuard, &[ANY]),
    (Bug::KeepsOldSession, &[REMOVED]),
    (Bug::ClaimTellsCutValues, &[ANY]),
    (Bug::ClaimTellsNothing, &[TELLS]),
    (Bug::ClaimIsStale, &[UPDATE]),
    (Bug::ClaimRaces, &[ONE]),
    (Bug::ClaimWaits, &[SECOND]),
    (Bug::ClaimHangs, &[SECOND]),
    (Bug::NoExclusion, &[SECOND]),
    (Bug::NoClaims, &[RELEASED]),
    (Bug::ReleaseDoesNothing, &[RELEASED]),
    (Bug::DropDoesNothing, &[DROPPED]),
    (Bug::OneValueForAll, &[APART]),
    (Bug::OneClaimForAll, &[APART]),
    (Bug::ToldWhenFree, &[TOLD]),
    (Bug::WaitsTooLong, &[ENDS]),
    (Bug::WaitsForEver, &[ENDS]),
    (Bug::LongDescription, &[DESCRIBED]),
    (Bug::NoDescription, &[DESCRIBED]),
];

#[tokio::test(start_paused = true)]
async fn every_bug_is_noticed_by_the_check_that_is_there_for_it() {
    for (bug, expected) in BUGS {
        let violations = check(Arc::new(Wrong::new(*bug))).await;
        let found: Vec<_> = violations.iter().map(|violation| violation.check).collect();
        for check in *expected {
            assert!(found.contains(check), "{bug:?} is not noticed: {violations:?}");
        }
        if *bug == Bug::None {
            assert!(violations.is_empty(), "{violations:?}");
        }
    }
}

#[test]
fn every_check_has_a_bug_that_it_notices() {
    let noticed: BTreeSet<_> = BUGS
        .iter()
        .flat_map(|(_, checks)| checks.iter().copied())
        .collect();
    assert_eq!(noticed, names().collect());
}
