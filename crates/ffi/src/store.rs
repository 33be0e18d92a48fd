//! Stores that are written in another language: each call of a method crosses as one question that is answered once, from
//! any thread. How a method is run there is the binding's business; what it may take and give is decided here.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use preopen::core::wire::BoxFuture;
use preopen::store::{Claim, Claimed, KeySource, Store, Value, conformance, given_key};
use preopen::{Error, ErrorKind, Result, SealKey};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::callback::answered;

/// The longest that one call of a method may take.
const LIMIT: Duration = Duration::from_secs(30);

/// How often those who wait for another program's login look: each look is a query somewhere.
const POLL: Duration = Duration::from_millis(100);

/// Has a method called, in whichever way the other language wants. What is given back ends when there will be no answer any
/// more, and may never end.
pub type Start = Arc<dyn Fn(StoreCall) -> BoxFuture<'static, ()> + Send + Sync>;

/// A method of a store, or of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreMethod {
    /// `read(account)` gives a text or nothing.
    Read,
    /// `claim(account)` gives a claim or nothing.
    Claim,
    /// `write(value)` of a claim gives a truth value.
    Write,
    /// `good_for()` of a claim gives seconds.
    GoodFor,
    /// `release()` of a claim gives nothing.
    Release,
}

impl StoreMethod {
    /// Its name, in the words of Rust and Python.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Claim => "claim",
            Self::Write => "write",
            Self::GoodFor => "good_for",
            Self::Release => "release",
        }
    }
}

/// What a method gave.
pub enum StoreReply {
    /// Of `read`.
    Text(Option<String>),
    /// Of `claim`.
    Claimed(Option<HandedClaim>),
    /// Of `write`.
    Written(bool),
    /// Of `good_for`.
    Seconds(f64),
    /// Of `release`.
    Done,
}

/// A claim that a store of another language handed out. One that nobody waits for any more is released.
pub struct HandedClaim {
    /// What was stored when it began.
    pub value: Option<String>,
    /// Whether it has a `good_for`.
    pub lease: bool,
    /// Has its methods called. It keeps the claim alive.
    pub start: Start,
}

/// A call of a method under way: it is answered once, or dropped, which is a failure too.
pub struct StoreCall {
    method: StoreMethod,
    argument: Option<String>,
    name: Arc<str>,
    answer: oneshot::Sender<Result<StoreReply>>,
}

impl StoreCall {
    /// The method.
    pub fn method(&self) -> StoreMethod {
        self.method
    }

    /// Its argument, if it takes one: the account, or the value.
    pub fn argument(&self) -> Option<&str> {
        self.argument.as_deref()
    }

    /// Answers.
    pub fn give(self, reply: StoreReply) {
        if let Err(Ok(StoreReply::Claimed(Some(late)))) = self.answer.send(Ok(reply)) {
            release(late.start, self.name);
        }
    }

    /// Says that a claim cannot be used, as [`StoreCall::fail`]; what can release it is used for that.
    pub fn refuse(self, claim: Option<Start>, how: &str) {
        if let Some(start) = claim {
            release(start, Arc::clone(&self.name));
        }
        self.fail(how);
    }

    /// Says that the method failed; `how` completes the sentence, for example `raised KeyError`, and holds nothing that the
    /// method itself said.
    pub fn fail(self, how: &str) {
        let error = failed(&self.name, self.method, how);
        drop(self.answer.send(Err(error)));
    }
}

impl fmt::Debug for StoreCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreCall({})", self.method.as_str())
    }
}

fn failed(name: &str, method: StoreMethod, how: &str) -> Error {
    Error::new(
        ErrorKind::StoreUnavailable,
        format!(
            "the session store {name} cannot be used: its {}() {how}",
            method.as_str()
        ),
    )
}

async fn call(
    start: &Start,
    name: &Arc<str>,
    method: StoreMethod,
    argument: Option<String>,
) -> Result<StoreReply> {
    let (answer, coming) = oneshot::channel();
    let gone = start(StoreCall {
        method,
        argument,
        name: Arc::clone(name),
        answer,
    });
    match tokio::time::timeout(LIMIT, answered(coming, gone)).await {
        Ok(Some(answer)) => answer,
        Ok(None) => Err(failed(name, method, "gave no answer")),
        Err(_) => Err(failed(name, method, "gave no answer within 30 s")),
    }
}

/// Releases a claim that nobody holds any more, in the background.
fn release(start: Start, name: Arc<str>) {
    if let Ok(worker) = preopen::runtime::worker() {
        worker.spawn(async move { drop(call(&start, &name, StoreMethod::Release, None).await) });
    }
}

/// A store of another language.
#[derive(Clone)]
pub struct ForeignStore {
    name: Arc<str>,
    key: Option<SealKey>,
    start: Start,
}

impl ForeignStore {
    /// The longest name, in characters.
    pub const LONGEST_NAME: usize = 200;

    /// A store that describes itself as `name`, one line without a credential, and whose `read` and `claim` are called by
    /// `start`. Errors: `InvalidInput` (`store`).
    pub fn new(name: &str, start: Start) -> Result<Self> {
        if name.trim().is_empty()
            || name.chars().count() > Self::LONGEST_NAME
            || name.chars().any(char::is_control)
        {
            return Err(Error::invalid_input(
                "store",
                "has a describe() that gives anything but one line of at most 200 characters",
            ));
        }
        Ok(Self {
            name: name.into(),
            key: None,
            start,
        })
    }

    /// The same store, sealed with the key of this text instead of that in `PREOPEN_KEY`. Errors: `InvalidInput`
    /// (`store_key`).
    pub fn with_key(mut self, text: &str) -> Result<Self> {
        let problem = if text.trim() == "keyring" {
            "is keyring, which this store does not know: give a key, or set PREOPEN_KEY"
        } else {
            "is not a key: `preopen key` makes one"
        };
        let key = SealKey::from_text(text).map_err(|_| Error::invalid_input("store_key", problem))?;
        self.key = Some(key);
        Ok(self)
    }

    async fn ask(&self, method: StoreMethod, account: &str) -> Result<StoreReply> {
        call(&self.start, &self.name, method, Some(account.to_owned())).await
    }
}

impl fmt::Debug for ForeignStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ForeignStore({})", self.name)
    }
}

impl Store for ForeignStore {
    fn describe(&self) -> String {
        self.name.to_string()
    }

    fn validate(&self) -> Result<()> {
        given_key(None, self.key.as_ref()).map(drop)
    }

    fn key(&self, source: Option<KeySource>) -> BoxFuture<'_, Result<(KeySource, SealKey)>> {
        Box::pin(async move { given_key(source, self.key.as_ref()) })
    }

    fn read<'a>(&'a self, account: &'a str) -> BoxFuture<'a, Result<Option<Value>>> {
        Box::pin(async move {
            match self.ask(StoreMethod::Read, account).await? {
                StoreReply::Text(text) => Ok(text.as_deref().map(Value::from_text)),
                _ => Err(failed(&self.name, StoreMethod::Read, MIXED_UP)),
            }
        })
    }

    fn claim<'a>(&'a self, account: &'a str) -> BoxFuture<'a, Result<Option<Claimed>>> {
        Box::pin(async move {
            let StoreReply::Claimed(handed) = self.ask(StoreMethod::Claim, account).await? else {
                return Err(failed(&self.name, StoreMethod::Claim, MIXED_UP));
            };
            let Some(handed) = handed else { return Ok(None) };
            let mut claim = ForeignClaim {
                start: Some(handed.start),
                name: Arc::clone(&self.name),
                good: if handed.lease { Good::Not } else { Good::Always },
            };
            claim.look().await?;
            Ok(Some(Claimed::new(
                claim,
                handed.value.as_deref().map(Value::from_text),
            )))
        })
    }

    fn changed<'a>(
        &'a self,
        _account: &'a str,
        _seen: Option<&'a Value>,
        at_most: Duration,
    ) -> BoxFuture<'a, ()> {
        Box::pin(tokio::time::sleep(at_most.min(POLL)))
    }
}

/// Runs every check of `preopen::store::conformance`, and tells what was violated.
pub async fn check_store(store: ForeignStore) -> Result<Vec<String>> {
    let violations = conformance::check(Arc::new(store)).await;
    Ok(violations.iter().map(ToString::to_string).collect())
}

const MIXED_UP: &str = "was answered like another one";

/// How long a claim holds.
#[derive(Clone, Copy, Debug)]
enum Good {
    /// As long as this process lives: it has no lease.
    Always,
    Until(Instant),
    /// Not any more, or not known yet.
    Not,
}

/// A claim of a [`ForeignStore`].
struct ForeignClaim {
    /// Taken when it is released.
    start: Option<Start>,
    name: Arc<str>,
    good: Good,
}

impl ForeignClaim {
    async fn ask(&self, method: StoreMethod, argument: Option<String>) -> Result<StoreReply> {
        match &self.start {
            Some(start) => call(start, &self.name, method, argument).await,
            None => Err(failed(&self.name, method, "was released")),
        }
    }

    /// Looks how long the claim holds, counted from before the question.
    async fn look(&mut self) -> Result<()> {
        if matches!(self.good, Good::Always) {
            return Ok(());
        }
        let asked = Instant::now();
        let StoreReply::Seconds(seconds) = self.ask(StoreMethod::GoodFor, None).await? else {
            return Err(failed(&self.name, StoreMethod::GoodFor, MIXED_UP));
        };
        if seconds.is_nan() || seconds < 0.0 {
            return Err(failed(
                &self.name,
                StoreMethod::GoodFor,
                "gave what is no number of seconds",
            ));
        }
        let rest = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
        self.good = asked.checked_add(rest).map_or(Good::Always, Good::Until);
        Ok(())
    }
}

impl fmt::Debug for ForeignClaim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ForeignClaim({})", self.name)
    }
}

impl Drop for ForeignClaim {
    fn drop(&mut self) {
        if let Some(start) = self.start.take() {
            release(start, Arc::clone(&self.name));
        }
    }
}

impl Claim for ForeignClaim {
    fn good_for(&self) -> Duration {
        match self.good {
            Good::Always => Duration::MAX,
            Good::Until(end) => end.saturating_duration_since(Instant::now()),
            Good::Not => Duration::ZERO,
        }
    }

    fn write<'a>(&'a mut self, value: &'a Value) -> BoxFuture<'a, Result<bool>> {
        Box::pin(async move {
            let StoreReply::Written(written) = self.ask(StoreMethod::Write, Some(value.to_text())).await?
            else {
                return Err(failed(&self.name, StoreMethod::Write, MIXED_UP));
            };
            if written {
                // What a lease is worth is needed right after this, by those who cannot wait for it.
                self.look().await?;
            } else {
                self.good = Good::Not;
            }
            Ok(written)
        })
    }

    fn release(mut self: Box<Self>) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            if let Some(start) = self.start.take() {
                drop(call(&start, &self.name, StoreMethod::Release, None).await);
            }
        })
    }
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
