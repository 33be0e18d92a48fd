//! What a session does when its store fails, forgets, is tampered with, or gives its claim to somebody else: never a
//! second login that nobody knows of, never a token from what cannot be trusted.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod common;

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::{QUOTE, SAMCO_LOGIN, samco, samco_account, sandbox};
use preopen::core::wire::BoxFuture;
use preopen::store::{Claim, Claimed, KeySource, MemoryStore, Store, Value};
use preopen::{Error, ErrorKind, LoginReason, Phase, Result, SamcoOAuth, SealKey, Session, StoreLoss};
use preopen_sandbox::{Broker, Fault, Sandbox};

/// A store that does as it is told: it is not there, loses its claims, or was changed from outside.
#[derive(Clone)]
struct Moody {
    store: MemoryStore,
    mood: Arc<Mutex<Mood>>,
}

#[derive(Default)]
struct Mood {
    gone: bool,
    /// How many more writes succeed before it is gone.
    gone_after: Option<u32>,
    /// How many more writes succeed before claims turn out to be lost; what another program wrote meanwhile.
    lost_after: Option<u32>,
    meanwhile: Option<Value>,
    good_for: Option<Duration>,
    /// What is found instead of what was written, from now on.
    found: Found,
    accounts: Vec<String>,
}

#[derive(Clone, Default)]
enum Found {
    #[default]
    AsKept,
    Nothing,
    Other(Value),
}

impl Moody {
    fn new() -> Self {
        Self {
            store: MemoryStore::new().unwrap(),
            mood: Arc::default(),
        }
    }

    fn set(&self, change: impl FnOnce(&mut Mood)) {
        change(&mut self.mood.lock().unwrap());
    }

    fn check(&self) -> Result<()> {
        if self.mood.lock().unwrap().gone {
            return Err(Error::new(ErrorKind::StoreUnavailable, "the server is gone"));
        }
        Ok(())
    }

    fn found(&self, kept: Option<Value>) -> Option<Value> {
        match self.mood.lock().unwrap().found.clone() {
            Found::AsKept => kept,
            Found::Nothing => None,
            Found::Other(value) => Some(value),
        }
    }

    /// What was written last.
    async fn kept(&self) -> Value {
        let account = self.mood.lock().unwrap().accounts[0].clone();
        self.store.read(&account).await.unwrap().unwrap()
    }
}

impl fmt::Debug for Moody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Moody")
    }
}

impl Store for Moody {
    fn describe(&self) -> String {
        "a moody store".to_owned()
    }

    fn validate(&self) -> Result<()> {
        Ok(())
    }

    fn key(&self, source: Option<KeySource>) -> BoxFuture<'_, Result<(KeySource, SealKey)>> {
        self.store.key(source)
    }

    fn read<'a>(&'a self, account: &'a str) -> BoxFuture<'a, Result<Option<Value>>> {
        Box::pin(async move {
            self.check()?;
            self.store.read(account).await.map(|kept| self.found(kept))
        })
    }

    fn claim<'a>(&'a self, account: &'a str) -> BoxFuture<'a, Result<Option<Claimed>>> {
        Box::pin(async move {
            self.check()?;
            self.set(|mood| mood.accounts.push(account.to_owned()));
            let Some(claimed) = self.store.claim(account).await? else {
                return Ok(None);
            };
            let value = self.found(claimed.value);
            let claim = MoodyClaim {
                claim: claimed.claim,
                store: self.clone(),
            };
            Ok(Some(Claimed::new(claim, value)))
        })
    }
}

#[derive(Debug)]
struct MoodyClaim {
    claim: Box<dyn Claim>,
    store: Moody,
}

impl Claim for MoodyClaim {
    fn good_for(&self) -> Duration {
        self.store.mood.lock().unwrap().good_for.unwrap_or(Duration::MAX)
    }

    fn write<'a>(&'a mut self, value: &'a Value) -> BoxFuture<'a, Result<bool>> {
        Box::pin(async move {
            self.store.check()?;
            let (gone, lost, meanwhile) = {
                let mut mood = self.store.mood.lock().unwrap();
                let count = |left: &mut Option<u32>| match left.take() {
                    Some(0) => true,
                    Some(more) => {
                        *left = Some(more - 1);
                        false
                    }
                    None => false,
                };
                let (gone, lost) = (count(&mut mood.gone_after), count(&mut mood.lost_after));
                mood.gone |= gone;
                (gone, lost, mood.meanwhile.take_if(|_| lost))
            };
            if gone {
                return Err(Error::new(ErrorKind::StoreUnavailable, "the server is gone"));
            }
            if lost {
                if let Some(newer) = meanwhile {
                    assert!(self.claim.write(&newer).await?);
                }
                return Ok(false);
            }
            self.store.set(|mood| mood.found = Found::AsKept);
            self.claim.write(value).await
        })
    }

    fn release(self: Box<Self>) -> BoxFuture<'static, ()> {
        self.claim.release()
    }
}

fn logins(sandbox: &Sandbox) -> u64 {
    sandbox.requests(Some(Broker::Samco), Some(SAMCO_LOGIN)).count
}

async fn quote(session: &Session) -> Result<preopen::Reply> {
    let call = session.get(QUOTE).query("symbolName", "INFY");
    call.query("exchange", "NSE").send().await
}

#[tokio::test]
async fn h5_without_the_store_a_live_session_is_served_and_no_login_is_sent() {
    let sandbox = sandbox().await;
    let store = Moody::new();
    let session = samco(&sandbox).store(store.clone()).build().unwrap();
    session.token().await.unwrap();
    store.set(|mood| mood.gone = true);
    quote(&session).await.unwrap();
    assert_eq!(session.token().await.unwrap().generation(), 1);
    session.invalidate(1);
    let error = session.token().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StoreUnavailable, "{error}");
    assert_eq!(error.context().broker, Some("samco"));
    assert_eq!(logins(&sandbox), 1);
    // It heals by itself.
    store.set(|mood| mood.gone = false);
    assert_eq!(session.token().await.unwrap().generation(), 2);
    assert_eq!(logins(&sandbox), 2);
}

#[tokio::test]
async fn a_logout_that_the_store_cannot_be_told_of_says_so() {
    let sandbox = sandbox().await;
    let store = Moody::new();
    let session = samco(&sandbox).store(store.clone()).build().unwrap();
    session.token().await.unwrap();
    store.set(|mood| mood.gone_after = Some(0));
    let done = session.logout().await.unwrap();
    assert!(done.acknowledged, "the broker was told: {done:?}");
    assert_eq!(
        done.error.map(|error| error.kind()),
        Some(ErrorKind::StoreUnavailable)
    );
    assert!(
        done.message.contains("the store still holds the session"),
        "{}",
        done.message
    );
    assert_eq!(sandbox.requests(Some(Broker::Samco), Some("/logout")).count, 1);
    assert!(session.try_token().is_none());
}

#[tokio::test]
async fn h5_who_wants_it_so_logs_in_without_the_store_and_returns_to_it() {
    let sandbox = sandbox().await;
    let store = Moody::new();
    let build = |what| {
        samco(&sandbox)
            .store(store.clone())
            .on_store_loss(what)
            .build()
            .unwrap()
    };
    store.set(|mood| mood.gone = true);
    let session = build(StoreLoss::LogIn);
    session.token().await.unwrap();
    assert_eq!(logins(&sandbox), 1);
    store.set(|mood| mood.gone = false);
    let other = build(StoreLoss::Refuse);
    let shared = other.token().await.unwrap();
    assert_eq!(logins(&sandbox), 2);
    // The second login may have ended the first session: the broker says so, and the shared one is taken over.
    sandbox.end_sessions(None);
    other.invalidate(1);
    let next = other.token().await.unwrap();
    assert_ne!(next.expose(), shared.expose());
    quote(&session).await.unwrap();
    assert_eq!(session.token().await.unwrap().expose(), next.expose());
    assert_eq!(logins(&sandbox), 3);
}

#[tokio::test]
async fn a_store_that_fails_after_the_login_costs_nobody_his_session() {
    let sandbox = sandbox().await;
    let store = Moody::new();
    // The guard is written; the session cannot be.
    store.set(|mood| mood.gone_after = Some(1));
    let session = samco(&sandbox).store(store.clone()).build().unwrap();
    session.token().await.unwrap();
    quote(&session).await.unwrap();
    assert_eq!(logins(&sandbox), 1);
}

#[tokio::test]
async fn h2_a_claim_that_is_lost_before_the_login_sends_nothing() {
    let sandbox = sandbox().await;
    let store = Moody::new();
    store.set(|mood| mood.lost_after = Some(0));
    let session = samco(&sandbox).store(store.clone()).build().unwrap();
    // The second turn succeeds.
    assert_eq!(session.token().await.unwrap().generation(), 1);
    assert_eq!(logins(&sandbox), 1);
}

#[tokio::test]
async fn h2_a_lease_too_short_for_a_login_sends_nothing() {
    let sandbox = sandbox().await;
    let store = Moody::new();
    store.set(|mood| mood.good_for = Some(Duration::from_secs(3)));
    let session = samco(&sandbox).store(store.clone()).build().unwrap();
    let error = session.token().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StoreUnavailable, "{error}");
    assert_eq!(logins(&sandbox), 0);
    // A login may take what the lease leaves, and no more.
    store.set(|mood| mood.good_for = Some(Duration::from_secs(4)));
    sandbox
        .fault(Fault::on(Broker::Samco, SAMCO_LOGIN).delay_ms(20_000).times(1))
        .unwrap();
    let began = Instant::now();
    let error = session.token().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
}

#[tokio::test]
async fn h2_who_was_overtaken_gives_up_the_newer_session_and_his_own() {
    let sandbox = sandbox().await;
    let store = Moody::new();
    // What another program would have published while this one was paused: a session of the second generation.
    let other = samco(&sandbox).store(store.clone()).build().unwrap();
    other.token().await.unwrap();
    other.invalidate(1);
    let overtaken = other.token().await.unwrap();
    assert_eq!(overtaken.generation(), 2);
    let newer = store.kept().await;
    let fresh = Moody {
        store: store.store.clone(),
        mood: Arc::default(),
    };
    // For the paused program nothing is there when it claims, and its publishing comes too late.
    fresh.set(|mood| {
        mood.found = Found::Nothing;
        mood.lost_after = Some(1);
        mood.meanwhile = Some(newer);
    });
    let paused = samco(&sandbox).store(fresh.clone()).build().unwrap();
    let token = paused.token().await.unwrap();
    assert_eq!(
        token.generation(),
        3,
        "neither the overtaken session nor the late one is used"
    );
    assert_eq!(logins(&sandbox), 4);
    quote(&other).await.unwrap();
    assert_eq!(other.token().await.unwrap().expose(), token.expose());
    assert_eq!(logins(&sandbox), 4);
}

#[tokio::test]
async fn h7_a_wiped_store_begins_a_new_epoch_and_everybody_converges() {
    let sandbox = sandbox().await;
    let store = Moody::new();
    let build = || samco(&sandbox).store(store.clone()).build().unwrap();
    let first = build();
    for generation in 1..=3 {
        assert_eq!(first.token().await.unwrap().generation(), generation);
        first.invalidate(generation);
    }
    let old = first.token().await.unwrap();
    assert_eq!(old.generation(), 4);
    store.set(|mood| mood.found = Found::Nothing);
    let second = build();
    let new = second.token().await.unwrap();
    assert_eq!(new.generation(), 1, "the store begins anew");
    sandbox.end_sessions(None);
    second.invalidate(1);
    let newest = second.token().await.unwrap();
    quote(&first).await.unwrap();
    let converged = first.token().await.unwrap();
    assert_eq!(converged.expose(), newest.expose());
    assert!(
        converged.generation() > old.generation(),
        "generations of one object only grow"
    );
}

#[tokio::test]
async fn p7_whatever_is_done_to_the_texts_is_one_typed_error_and_heals_with_reset() {
    let sandbox = sandbox().await;
    let store = Moody::new();
    let build = || samco(&sandbox).store(store.clone()).build().unwrap();
    let session = build();
    session.token().await.unwrap();
    let older = store.kept().await;
    session.invalidate(1);
    session.token().await.unwrap();
    let newest = store.kept().await;
    let (part, guard) = (newest.session.clone().unwrap(), newest.guard.clone().unwrap());
    let flipped = |text: &str| {
        let mut bytes = text.as_bytes().to_vec();
        let at = bytes.len() - 7;
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        String::from_utf8(bytes).unwrap()
    };
    let tampered = [
        (
            "flipped session",
            Value::new(Some(flipped(&part)), Some(guard.clone())),
        ),
        (
            "flipped guard",
            Value::new(Some(part.clone()), Some(flipped(&guard))),
        ),
        (
            "cut session",
            Value::new(Some(part[..part.len() / 2].to_owned()), Some(guard.clone())),
        ),
        (
            "nonsense",
            Value::new(Some("hello".to_owned()), Some("you".to_owned())),
        ),
        (
            "swapped parts",
            Value::new(Some(guard.clone()), Some(part.clone())),
        ),
        (
            "rolled back session",
            Value::new(older.session.clone(), Some(guard.clone())),
        ),
        (
            "rolled back guard",
            Value::new(Some(part.clone()), older.guard.clone()),
        ),
        ("lost guard", Value::new(Some(part), None)),
    ];
    let before = logins(&sandbox);
    for (what, value) in tampered {
        store.set(|mood| mood.found = Found::Other(value));
        let error = build().token().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::LoginRequired, "{what}: {error}");
        assert_eq!(
            error.context().login_reason,
            Some(LoginReason::StoreUnreadable),
            "{what}"
        );
        assert!(error.message().contains("reset()"), "{what}: {error}");
        assert_eq!(logins(&sandbox), before, "{what}: nothing is sent");
    }
    let session = build();
    session.token().await.unwrap_err();
    session.reset();
    session.token().await.unwrap();
    assert_eq!(logins(&sandbox), before + 1);
    assert_eq!(
        build().token().await.unwrap().expose(),
        session.token().await.unwrap().expose()
    );
    assert_eq!(logins(&sandbox), before + 1);
}

#[tokio::test]
async fn a_writer_that_died_between_session_and_guard_loses_nothing() {
    let sandbox = sandbox().await;
    let store = Moody::new();
    let build = || samco(&sandbox).store(store.clone()).build().unwrap();
    let session = build();
    session.token().await.unwrap();
    session.invalidate(1);
    // The guard as it is while the second login is on its way.
    sandbox
        .fault(Fault::on(Broker::Samco, SAMCO_LOGIN).delay_ms(300).times(1))
        .unwrap();
    let waiting = tokio::spawn({
        let session = session.clone();
        async move { session.token().await }
    });
    while logins(&sandbox) < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let during = store.kept().await;
    let token = waiting.await.unwrap().unwrap();
    let after = store.kept().await;
    assert_ne!(during.guard, after.guard);
    store.set(|mood| mood.found = Found::Other(Value::new(after.session, during.guard)));
    assert_eq!(build().token().await.unwrap().expose(), token.expose());
    assert_eq!(logins(&sandbox), 2);
}

#[tokio::test(start_paused = true)]
async fn p4_a_claim_that_is_never_released_is_a_typed_error_and_no_login() {
    // The sandbox needs real time; nothing is sent here anyway.
    let session = Session::builder(preopen::Samco::new("a key", "a secret that is right"))
        .base_url("http://127.0.0.1:9")
        .spawn(Arc::new(Here))
        .store(Held)
        .build()
        .unwrap();
    let error = session.token().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert_eq!(error.context().phase, Some(Phase::Lock));
}

/// Runs logins on the test's own runtime, whose time is not real.
#[derive(Debug)]
struct Here;

impl preopen::runtime::Spawn for Here {
    fn spawn(&self, task: BoxFuture<'static, ()>) -> Result<BoxFuture<'static, ()>> {
        let running = tokio::spawn(task);
        Ok(Box::pin(async move { drop(running.await) }))
    }
}

/// A store whose claim somebody else holds for ever.
#[derive(Debug)]
struct Held;

impl Store for Held {
    fn describe(&self) -> String {
        "a held store".to_owned()
    }

    fn validate(&self) -> Result<()> {
        Ok(())
    }

    fn read<'a>(&'a self, _account: &'a str) -> BoxFuture<'a, Result<Option<Value>>> {
        Box::pin(async { Ok(None) })
    }

    fn key(&self, _source: Option<KeySource>) -> BoxFuture<'_, Result<(KeySource, SealKey)>> {
        Box::pin(async { Ok((KeySource::Program, SealKey::generate()?)) })
    }

    fn claim<'a>(&'a self, _account: &'a str) -> BoxFuture<'a, Result<Option<Claimed>>> {
        Box::pin(async { Ok(None) })
    }
}

/// The broker has replaced the pair that the store still has.
#[tokio::test]
async fn a_refreshed_pair_that_could_not_be_written_is_renewed_by_the_program_that_has_it() {
    let sandbox = sandbox().await;
    let store = Moody::new();
    let app = SamcoOAuth::new(
        samco_account(&sandbox).api_key.as_str(),
        "http://127.0.0.1:8765/callback",
    );
    let session = Session::builder(app)
        .base_url(sandbox.samco_url())
        .clock(sandbox.clock())
        .store(store.clone())
        .build()
        .unwrap();
    let start = session.begin_login().await.unwrap();
    let address = sandbox.consent(start.url(), true, None).unwrap();
    session.complete_login(&address).await.unwrap();
    sandbox.advance_to("08:00 IST").unwrap();
    // What is written before a request is, and what it gave is not.
    store.set(|mood| mood.gone_after = Some(1));
    assert_eq!(session.token().await.unwrap().generation(), 2);
    assert!(store.mood.lock().unwrap().gone, "it was met");
    store.set(|mood| mood.gone = false);
    sandbox.advance_to("08:00 IST").unwrap();
    let token = session.token().await.unwrap();
    assert_eq!(sandbox.requests(None, Some("/oauth/token")).count, 3);
    // Told to the store now: any other program goes on with it.
    let other = SamcoOAuth::new(
        samco_account(&sandbox).api_key.as_str(),
        "http://127.0.0.1:8765/callback",
    );
    let other = Session::builder(other)
        .base_url(sandbox.samco_url())
        .clock(sandbox.clock())
        .store(store)
        .build()
        .unwrap();
    assert_eq!(other.token().await.unwrap().expose(), token.expose());
}
