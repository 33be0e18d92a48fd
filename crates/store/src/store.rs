//! What a store is: [`Store`], the [`Claim`] that it hands out to one program at a time, and the [`Value`] that it keeps.

use std::fmt;
use std::time::Duration;

use preopen_core::Result;
use preopen_core::seal::SealKey;
use preopen_core::wire::BoxFuture;

use crate::keys::{KeySource, environment_key};

/// How often a store that cannot tell of changes is looked at by those who wait for one.
const POLL: Duration = Duration::from_millis(50);

/// What is kept for one account: two sealed texts of printable ASCII without line ends. A store never looks into them.
///
/// The guard is written before every login and outlives every session: it holds what must not be forgotten (the
/// newest generation, refused credentials, spent one-time codes). The session comes and goes.
///
/// ```
/// use preopen_store::Value;
///
/// let value = Value::new(Some("sealed".to_owned()), None);
/// assert_eq!(Value::from_text(&value.to_text()), value);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Value {
    /// The sealed session, if there is one.
    pub session: Option<String>,
    /// The sealed guard; a value that was never written has none.
    pub guard: Option<String>,
}

impl Value {
    /// A value of these parts.
    pub fn new(session: Option<String>, guard: Option<String>) -> Self {
        Self { session, guard }
    }

    /// Both parts as one text of one line, for a store with one field for it.
    pub fn to_text(&self) -> String {
        let part = |part: &Option<String>| part.clone().unwrap_or_default();
        format!("{}|{}", part(&self.session), part(&self.guard))
    }

    /// Reads [`Value::to_text`]; a text that it did not make gives parts that nobody can open.
    pub fn from_text(text: &str) -> Self {
        let (session, guard) = text.split_once('|').unwrap_or((text, ""));
        let part = |part: &str| (!part.is_empty()).then(|| part.to_owned());
        Self::new(part(session), part(guard))
    }
}

/// A claim that was obtained, and what the store held at that moment.
///
/// ```no_run
/// # async fn example(store: impl preopen_store::Store) -> preopen_core::Result<()> {
/// // One program at a time may write an account's value.
/// if let Some(mut claimed) = store.claim("account").await? {
///     claimed.claim.write(&preopen_store::Value::default()).await?;
///     claimed.claim.release().await;
/// }
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct Claimed {
    /// The right to write.
    pub claim: Box<dyn Claim>,
    /// What was stored when the claim began: nobody else can have changed it since.
    pub value: Option<Value>,
}

impl Claimed {
    /// A claim, and what the store held when it began.
    pub fn new(claim: impl Claim + 'static, value: Option<Value>) -> Self {
        let claim = Box::new(claim);
        Self { claim, value }
    }
}

/// A place that several programs share. It keeps one [`Value`] for each account, and lets one program at a time change
/// it. [`conformance`](crate::conformance) checks an implementation.
///
/// Every method may be called from any thread, and must not block the one that it is called on: what blocks belongs on
/// a thread of its own, for example `tokio::task::spawn_blocking`. Futures are run on a tokio runtime with time and I/O.
///
/// Errors of all methods: `StoreUnavailable` when the store cannot be used, and `InvalidInput` for settings.
///
/// ```no_run
/// # async fn example(store: impl preopen_store::Store) -> preopen_core::Result<()> {
/// store.validate()?;
/// println!("{}: {}", store.describe(), store.read("account").await?.is_some());
/// # Ok(()) }
/// ```
pub trait Store: Send + Sync + fmt::Debug {
    /// The store in a few words for messages and `status`, without a credential: `file /home/you/.local/state/preopen`.
    fn describe(&self) -> String;

    /// Checks the settings. No I/O: it is called when a session is built. Errors: `InvalidInput` with the field.
    fn validate(&self) -> Result<()> {
        environment_key().map(drop)
    }

    /// The key that values from `source` are sealed with, or, for a new value (`None`), whichever key this store
    /// prefers. The default knows `PREOPEN_KEY` only. Errors: `InvalidInput` (`key`), `StoreUnavailable`.
    fn key(&self, source: Option<KeySource>) -> BoxFuture<'_, Result<(KeySource, SealKey)>> {
        Box::pin(async move {
            match source {
                None | Some(KeySource::Environment) => {
                    environment_key().map(|key| (KeySource::Environment, key))
                }
                Some(other) => Err(other.is_not_to_be_had()),
            }
        })
    }

    /// What is kept for `account`, if anything ever was. `account` is a short name of lower-case letters, digits and
    /// hyphens; it holds no secret.
    fn read<'a>(&'a self, account: &'a str) -> BoxFuture<'a, Result<Option<Value>>>;

    /// Tries to become the only program that may write for `account`, and tells what is kept as of then. `None` when
    /// another program is, at once: waiting is the caller's business.
    fn claim<'a>(&'a self, account: &'a str) -> BoxFuture<'a, Result<Option<Claimed>>>;

    /// Returns when the value of `account` may be another one than `seen`, or the claim may be free, and at the latest
    /// after `at_most`. May return early for no reason. The default sleeps for a moment.
    fn changed<'a>(
        &'a self,
        account: &'a str,
        seen: Option<&'a Value>,
        at_most: Duration,
    ) -> BoxFuture<'a, ()> {
        let _ = (account, seen);
        Box::pin(tokio::time::sleep(at_most.min(POLL)))
    }
}

/// The right to write an account's value, for one program at a time. When it is dropped, or its process dies, it is
/// free again without anybody's help: at once, or when its lease is over.
///
/// ```no_run
/// # async fn example(claim: Box<dyn preopen_store::Claim>) {
/// println!("good for {:?}", claim.good_for());
/// claim.release().await;
/// # }
/// ```
pub trait Claim: Send + fmt::Debug {
    /// How long the claim is certain to hold: a login that may take longer is not sent. `Duration::MAX` when it lasts as
    /// long as this process. A claim with a lease renews it by itself, and must notice by itself that it could not.
    fn good_for(&self) -> Duration;

    /// Writes the value, durably, if the claim still holds; `false`, and nothing is written, when it does not. Errors:
    /// `StoreUnavailable`, and then nobody knows whether it was written.
    fn write<'a>(&'a mut self, value: &'a Value) -> BoxFuture<'a, Result<bool>>;

    /// Gives the claim back, best effort. A claim that was lost to somebody else meanwhile is left to him.
    fn release(self: Box<Self>) -> BoxFuture<'static, ()>;
}
