//! The session that several programs share through a store: the account's place in it, what is found there, and who may
//! change it. The turn of the one program that logs in is in `turn`, the way to it in `flight`.

mod flight;
mod turn;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use preopen_core::broker::{Login, Policy};
use preopen_core::clock::{Clock, Timestamp};
use preopen_core::lifecycle::shared::{Asker, Decision, Kept, Origin, key_of};
use preopen_core::lifecycle::{Event, Identity};
use preopen_core::seal::SealKey;
use preopen_core::{Error, ErrorKind, Result};
use preopen_store::{Claim, Claimed, KeySource, Store, Value};
use tokio::time::Instant;

use crate::runtime::anywhere;
use crate::session::Inner;
pub(crate) use flight::find_or_log_in;
pub(crate) use turn::Turn;

/// The longest wait for news of a store at a time: the session may have been dropped meanwhile.
const LOOK: Duration = Duration::from_millis(500);

/// What a new login does when the store cannot be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreLoss {
    /// It is refused with `StoreUnavailable`: two programs that log in without knowing of each other may end each
    /// other's sessions. A session that is live already is served.
    #[default]
    Refuse,
    /// It is sent all the same, and its session is known to this program only.
    LogIn,
}

/// The store of a session, and the account's place in it.
pub(crate) struct Shared {
    store: Arc<dyn Store>,
    account: String,
    identity: Identity,
    policy: &'static Policy,
    on_loss: StoreLoss,
    /// The user wants one attempt whatever other programs found.
    overrule: AtomicBool,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Shared({} in {})", self.account, self.store.describe())
    }
}

impl Shared {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        identity: Identity,
        policy: &'static Policy,
        on_loss: StoreLoss,
    ) -> Self {
        Self {
            store,
            account: identity.to_key(),
            identity,
            policy,
            on_loss,
            overrule: AtomicBool::new(false),
        }
    }

    /// Where the session is kept, for a person.
    pub(crate) fn describe(&self) -> String {
        self.store.describe()
    }

    /// The next login is sent whatever other programs found, and replaces what cannot be read.
    pub(crate) fn overrule(&self) {
        self.overrule.store(true, Ordering::Relaxed);
    }

    fn name(&self, error: Error) -> Error {
        error.with(|context| context.broker = Some(self.policy.broker))
    }

    async fn key(&self, value: Option<&Value>) -> Result<(KeySource, SealKey)> {
        let text = value.and_then(|value| value.guard.as_deref().or(value.session.as_deref()));
        let source = match text.map(key_of).transpose()? {
            Some(label) => Some(KeySource::from_text(label).ok_or_else(|| {
                Error::invalid_input("key", "is kept where this version of Preopen does not look")
            })?),
            None => None,
        };
        self.store.key(source).await
    }

    async fn open(&self, value: Option<&Value>) -> Result<(Kept, KeySource, SealKey)> {
        let (source, key) = self.key(value).await?;
        let (session, guard) = value.map_or((None, None), |value| {
            (value.session.as_deref(), value.guard.as_deref())
        });
        Ok((Kept::open(session, guard, &key, &self.identity)?, source, key))
    }

    /// The claim, its value opened, and what must be known to write another one. Waits for the claim for at most
    /// `patience`; `None` when it was held all the time. What cannot be read is an error, or with `anew` is forgotten.
    async fn claim(&self, patience: Duration, anew: bool) -> Result<Option<Turn<'_>>> {
        let began = Instant::now();
        loop {
            if let Some(claimed) = self.store.claim(&self.account).await? {
                return self.turn(claimed, anew).await.map(Some);
            }
            let rest = patience.saturating_sub(began.elapsed());
            if rest.is_zero() {
                return Ok(None);
            }
            self.store.changed(&self.account, None, rest.min(LOOK)).await;
        }
    }

    async fn turn(&self, claimed: Claimed, anew: bool) -> Result<Turn<'_>> {
        let Claimed { claim, value, .. } = claimed;
        let opened = match self.open(value.as_ref()).await {
            Err(error) if anew && error.kind() == ErrorKind::LoginRequired => {
                let fresh = self.store.key(None).await;
                fresh.map(|(source, key)| (Kept::default(), source, key))
            }
            other => other,
        };
        match opened {
            Ok((kept, source, key)) => Ok(Turn {
                shared: self,
                claim,
                session: value.and_then(|value| value.session),
                kept,
                source,
                key,
                lost: false,
            }),
            Err(error) => {
                claim.release().await;
                Err(error)
            }
        }
    }

    /// What the store holds that is better than what is here, if it can be had without waiting.
    async fn news(&self, asker: &Asker<'_>, clock: &dyn Clock) -> Result<Option<(Box<Login>, Timestamp)>> {
        let value = self.store.read(&self.account).await?;
        let (kept, ..) = self.open(value.as_ref()).await?;
        Ok(match kept.decide(asker, clock.now(), &self.policy.expiry) {
            Decision::Adopt { login, issued_at } => Some((login, issued_at)),
            Decision::Refuse(_) | Decision::LogIn => None,
        })
    }

    /// Says that the session of `origin` is dead, if it is still the one that is kept. Best effort: whoever takes it over
    /// is told by the broker.
    pub(crate) async fn mark_ended(&self, origin: Origin, patience: Duration) {
        if let Ok(Some(mut turn)) = self.claim(patience, false).await {
            if turn.kept.ended(origin) {
                let _ = turn.write().await;
            }
            turn.claim.release().await;
        }
    }

    /// Forgets the session for all programs, and keeps them from logging in until the answer is released.
    pub(crate) async fn sign_out(&self, patience: Duration) -> Option<Box<dyn Claim>> {
        let mut turn = self.claim(patience, false).await.ok().flatten()?;
        turn.kept.signed_out();
        let _ = turn.write().await;
        Some(turn.claim)
    }
}

/// Looks whether the store holds a session that is better than what is here, without waiting or logging in.
pub(crate) async fn catch_up(inner: &Inner) {
    let Some(shared) = inner.shared.clone() else {
        return;
    };
    let (clock, dead) = (Arc::clone(&inner.clock), inner.dead());
    let news = anywhere(async move {
        let asker = Asker {
            dead,
            ..Asker::default()
        };
        shared.news(&asker, clock.as_ref()).await
    });
    if let Ok(Some((login, issued_at))) = news.await {
        drop(inner.apply(Event::Adopted {
            flight: None,
            login,
            issued_at,
        }));
    }
}
