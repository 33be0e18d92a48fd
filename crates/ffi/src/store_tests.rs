//! Tests of stores of other languages: a language is played by a closure.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use preopen::core::wire::BoxFuture;
use preopen::store::{KeySource, Store, Value};
use preopen::{ErrorKind, SealKey};

use super::{ForeignStore, HandedClaim, Start, StoreCall, StoreMethod, StoreReply, check_store};

/// The text of each account, and whether somebody holds the claim.
type Kept = HashMap<String, (Option<String>, bool)>;

/// A right store, and how often a claim of it was released.
#[derive(Clone, Default)]
struct Right {
    kept: Arc<Mutex<Kept>>,
    released: Arc<AtomicUsize>,
    good_for: Option<f64>,
}

impl Right {
    fn store(&self) -> ForeignStore {
        let this = self.clone();
        ForeignStore::new("a test's own", start(move |call| this.answer(call))).unwrap()
    }

    fn answer(&self, call: StoreCall) {
        let account = call.argument().unwrap().to_owned();
        let mut kept = self.kept.lock().unwrap();
        let entry = kept.entry(account.clone()).or_default();
        let reply = match call.method() {
            StoreMethod::Read => StoreReply::Text(entry.0.clone()),
            StoreMethod::Claim if entry.1 => StoreReply::Claimed(None),
            _ => {
                entry.1 = true;
                let this = self.clone();
                StoreReply::Claimed(Some(HandedClaim {
                    value: entry.0.clone(),
                    lease: self.good_for.is_some(),
                    start: start(move |call| this.answer_claim(&account, call)),
                }))
            }
        };
        drop(kept);
        call.give(reply);
    }

    fn answer_claim(&self, account: &str, call: StoreCall) {
        let mut kept = self.kept.lock().unwrap();
        let entry = kept.entry(account.to_owned()).or_default();
        let reply = match call.method() {
            StoreMethod::Write => {
                entry.0 = call.argument().map(str::to_owned);
                StoreReply::Written(true)
            }
            StoreMethod::GoodFor => StoreReply::Seconds(self.good_for.unwrap()),
            _ => {
                entry.1 = false;
                self.released.fetch_add(1, Ordering::SeqCst);
                StoreReply::Done
            }
        };
        drop(kept);
        call.give(reply);
    }

    async fn until_released(&self, times: usize) {
        for _ in 0..2000 {
            if self.released.load(Ordering::SeqCst) == times {
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
            tokio::task::yield_now().await;
        }
        panic!("released {:?} times, not {times}", self.released);
    }
}

/// A language that calls at once and then has nothing more to say.
fn start(call: impl Fn(StoreCall) + Send + Sync + 'static) -> Start {
    Arc::new(move |question| -> BoxFuture<'static, ()> {
        call(question);
        Box::pin(std::future::pending())
    })
}

fn foreign(call: impl Fn(StoreCall) + Send + Sync + 'static) -> ForeignStore {
    ForeignStore::new("a test's own", start(call)).unwrap()
}

#[tokio::test]
async fn a_right_store_of_another_language_conforms() {
    assert_eq!(
        check_store(Right::default().store()).await.unwrap(),
        Vec::<String>::new()
    );
    let leased = Right {
        good_for: Some(30.0),
        ..Right::default()
    };
    assert_eq!(check_store(leased.store()).await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn a_claim_that_is_dropped_is_released_once() {
    let right = Right::default();
    let store = right.store();
    drop(store.claim("a").await.unwrap().unwrap());
    right.until_released(1).await;
    store.claim("a").await.unwrap().unwrap().claim.release().await;
    right.until_released(2).await;
}

#[tokio::test]
async fn a_claim_that_comes_too_late_is_released() {
    let right = Right::default();
    let late = Arc::new(Mutex::new(None));
    let store = {
        let late = Arc::clone(&late);
        foreign(move |call| *late.lock().unwrap() = Some(call))
    };
    let waiting = tokio::spawn(async move { store.claim("a").await.map(drop) });
    let call = loop {
        if let Some(call) = late.lock().unwrap().take() {
            break call;
        }
        tokio::task::yield_now().await;
    };
    waiting.abort();
    waiting.await.unwrap_err();
    right.answer(call);
    right.until_released(1).await;
}

#[tokio::test(start_paused = true)]
async fn a_method_that_hangs_is_given_up() {
    let hangs = Mutex::new(Vec::new());
    let store = foreign(move |call| hangs.lock().unwrap().push(call));
    let error = store.read("a").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StoreUnavailable);
    assert_eq!(
        error.message(),
        "the session store a test's own cannot be used: its read() gave no answer within 30 s"
    );
    assert!(
        store
            .claim("a")
            .await
            .unwrap_err()
            .message()
            .contains("its claim() gave")
    );
}

#[tokio::test]
async fn a_method_that_fails_or_cannot_be_called_is_a_typed_error() {
    let failing = foreign(|call| call.fail("raised KeyError"));
    let error = failing.read("a").await.unwrap_err();
    assert_eq!(
        error.message(),
        "the session store a test's own cannot be used: its read() raised KeyError"
    );
    let gone: Start = Arc::new(|call| {
        std::mem::forget(call);
        Box::pin(std::future::ready(()))
    });
    for store in [foreign(drop), ForeignStore::new("a test's own", gone).unwrap()] {
        let error = store.claim("a").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StoreUnavailable);
        assert!(error.message().ends_with("its claim() gave no answer"), "{error}");
    }
    let mixed_up = foreign(|call| call.give(StoreReply::Done));
    assert!(mixed_up.read("a").await.is_err());
    assert!(mixed_up.claim("a").await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_lease_is_counted_from_before_it_was_asked_for() {
    let right = Right {
        good_for: Some(20.0),
        ..Right::default()
    };
    let mut claimed = right.store().claim("a").await.unwrap().unwrap();
    assert_eq!(claimed.claim.good_for(), Duration::from_secs(20));
    tokio::time::advance(Duration::from_secs(15)).await;
    assert_eq!(claimed.claim.good_for(), Duration::from_secs(5));
    let value = Value::new(None, Some("guard".to_owned()));
    assert!(claimed.claim.write(&value).await.unwrap());
    assert_eq!(claimed.claim.good_for(), Duration::from_secs(20));
    tokio::time::advance(Duration::from_mins(1)).await;
    assert_eq!(claimed.claim.good_for(), Duration::ZERO);
    let endless = Right {
        good_for: Some(f64::INFINITY),
        ..Right::default()
    };
    let claimed = endless.store().claim("a").await.unwrap().unwrap();
    assert_eq!(claimed.claim.good_for(), Duration::MAX);
    let unleased = Right::default().store().claim("a").await.unwrap().unwrap();
    assert_eq!(unleased.claim.good_for(), Duration::MAX);
}

#[tokio::test]
async fn a_lease_of_no_length_is_refused_and_its_claim_released() {
    for seconds in [-1.0, f64::NAN] {
        let right = Right {
            good_for: Some(seconds),
            ..Right::default()
        };
        let error = right.store().claim("a").await.unwrap_err();
        assert!(
            error
                .message()
                .contains("its good_for() gave what is no number of seconds"),
            "{error}"
        );
        right.until_released(1).await;
    }
}

#[tokio::test]
async fn the_key_is_the_one_that_was_given() {
    let text = SealKey::generate().unwrap().to_text();
    let store = Right::default().store().with_key(text.expose()).unwrap();
    store.validate().unwrap();
    for source in [None, Some(KeySource::Program)] {
        let (from, key) = store.key(source).await.unwrap();
        assert_eq!((from, key.to_text()), (KeySource::Program, text.clone()));
    }
    assert!(store.key(Some(KeySource::File)).await.is_err());
    for wrong in ["keyring", "short", ""] {
        let error = Right::default().store().with_key(wrong).unwrap_err();
        assert_eq!(error.context().field.as_deref(), Some("store_key"), "{wrong}");
    }
    assert!(!format!("{store:?}").contains(text.expose()));
}

#[test]
fn a_description_is_one_short_line() {
    for wrong in ["", " ", "two\nlines", &"x".repeat(201)] {
        let error = ForeignStore::new(wrong, start(drop)).unwrap_err();
        assert_eq!(error.context().field.as_deref(), Some("store"));
    }
}
