//! The session that several programs share through a store: the account's place in it, what is found there, and who may
//! change it. The turn of the one program that logs in is in `turn`, the way to it in `flight`.

mod flight;
mod turn;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use preopen_core::broker::{Login, Policy, digest};
use preopen_core::clock::{Clock, Timestamp};
use preopen_core::lifecycle::shared::{Asker, Decision, Kept, Origin, key_of};
use preopen_core::lifecycle::{Event, Identity, Record, SessionState};
use preopen_core::seal::SealKey;
use preopen_core::{Error, ErrorKind, Result, Secret};
use preopen_store::{Claim, Claimed, KeySource, Store, Value};
use tokio::time::Instant;

use crate::runtime::anywhere;
use crate::session::Inner;
pub(crate) use flight::find_or_log_in;
pub(crate) use turn::Turn;

/// The longest wait for news of a store at a time: the session may have been dropped meanwhile.
const LOOK: Duration = Duration::from_millis(500);
/// How long an answer waits for that look.
const AT_ONCE: Duration = Duration::from_millis(300);
/// How long a store that did not answer is left alone.
const UNANSWERED: Duration = Duration::from_secs(5);
/// How often the store is looked at for a session that is in use.
const FRESH: Duration = Duration::from_secs(1);

/// What a new login does when the store cannot be used.
///
/// ```
/// use preopen::StoreLoss;
///
/// assert_eq!(StoreLoss::default(), StoreLoss::Refuse);
/// ```
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
    /// When a login of this session was last written down, by this program's own clock, in milliseconds.
    own_login: AtomicI64,
    /// When the store was looked at last for a session in use, in milliseconds since `made`.
    looked: AtomicU64,
    made: Instant,
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
            own_login: AtomicI64::new(i64::MIN),
            looked: AtomicU64::new(0),
            made: Instant::now(),
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
            let seen = self.store.read(&self.account).await?;
            let (seen, at_most) = (seen.as_ref(), rest.min(LOOK));
            self.store.changed(&self.account, seen, at_most).await;
        }
    }

    /// Whether no other program is logging in right now: the claim is taken and given back.
    async fn is_unclaimed(&self) -> Result<bool> {
        let Some(Claimed { claim, .. }) = self.store.claim(&self.account).await? else {
            return Ok(false);
        };
        claim.release().await;
        Ok(true)
    }

    async fn turn(&self, claimed: Claimed, anew: bool) -> Result<Turn<'_>> {
        let Claimed { claim, value, .. } = claimed;
        let opened = match self.open(value.as_ref()).await {
            Err(error)
                if anew && matches!(error.kind(), ErrorKind::LoginRequired | ErrorKind::InvalidInput) =>
            {
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
                began: false,
                sent: false,
                lost: false,
            }),
            Err(error) => {
                claim.release().await;
                Err(error)
            }
        }
    }

    /// What the store says of the session, without waiting.
    async fn news(&self, dead: Option<Origin>, refused: Option<&Record>, clock: &dyn Clock) -> Result<News> {
        let value = self.store.read(&self.account).await?;
        let (kept, ..) = self.open(value.as_ref()).await?;
        let asker = Asker {
            dead,
            refused: refused.map(|record| record.tokens.access()),
            ..Asker::default()
        };
        Ok(match kept.decide(&asker, clock.now(), &self.policy.expiry) {
            Decision::Adopt { login, issued_at } => News::Session { login, issued_at },
            Decision::Refuse(_) | Decision::LogIn => News::Ended(kept.guard.newest_ended()),
        })
    }

    /// What the store holds, for a person; nothing is made in a store without this account. `credentials` as in
    /// [`Kept::state`].
    async fn look(
        &self,
        credentials: Option<&str>,
        needs_person: bool,
        clock: &dyn Clock,
    ) -> Result<SessionState> {
        let kept = match self.store.read(&self.account).await? {
            Some(value) => self.open(Some(&value)).await?.0,
            None => Kept::default(),
        };
        Ok(kept.state(credentials, needs_person, clock.now(), &self.policy.expiry))
    }

    /// Whether the store was looked at lately for a session that is in use; and now, in milliseconds, and the last look.
    fn freshness(&self) -> (bool, u64, u64) {
        let now = self.made.elapsed();
        let now = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        let last = self.looked.load(Ordering::Relaxed);
        (Duration::from_millis(now.saturating_sub(last)) < FRESH, now, last)
    }

    /// Whether it is time to look at the store again for a session that is in use: true for one caller.
    fn is_due(&self) -> bool {
        let (fresh, now, last) = self.freshness();
        !fresh
            && self
                .looked
                .compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }

    /// Says that the session of `origin` is dead, if it is still the one that is kept. Best effort: whoever takes it over
    /// is told by the broker.
    pub(crate) async fn mark_ended(&self, origin: Origin, patience: Duration) {
        if let Ok(Some(mut turn)) = self.claim(patience, false).await {
            if turn.kept.ended(origin) {
                let _ = turn.write_guard().await;
            }
            turn.claim.release().await;
        }
    }

    /// Forgets the session for all programs, and keeps them from logging in until the claim is released. Gives the claim, if
    /// it could be had, and why other programs may not know.
    pub(crate) async fn sign_out(&self, patience: Duration) -> (Option<Box<dyn Claim>>, Option<Error>) {
        let untold = |error: &Error| {
            let message = format!(
                "the store still holds the session, and other programs may go on handing out its token: {}",
                error.message()
            );
            Some(self.name(error.clone().with_message(message)))
        };
        let mut turn = match self.claim(patience, false).await {
            Ok(Some(turn)) => turn,
            Ok(None) => return (None, untold(&flight::held_by_another(self, patience))),
            Err(error) => return (None, untold(&error)),
        };
        turn.kept.signed_out();
        let problem = match turn.write().await {
            Ok(true) => None,
            Ok(false) => untold(&turn.lose()),
            Err(error) => untold(&error),
        };
        (Some(turn.claim), problem)
    }

    /// Begins a login at the broker's page, where every program that shares the session can complete it. Errors:
    /// `StoreUnavailable`, `Timeout` (`lock`), `LoginRequired`, `InvalidInput`.
    pub(crate) async fn begin(&self, clock: &dyn Clock, patience: Duration) -> Result<(Secret, Timestamp)> {
        let mut turn = self
            .claim(patience, false)
            .await?
            .ok_or_else(|| flight::held_by_another(self, patience))?;
        let begun = turn.kept.guard.pending().begin(clock.now().wall);
        let written = turn.write_guard().await;
        let lost = matches!(written, Ok(false)).then(|| turn.lose());
        turn.claim.release().await;
        written?;
        lost.map_or(begun, Err)
    }

    /// Whether a login was begun that `state` belongs to. Errors: as for `begin`.
    pub(crate) async fn knows(
        &self,
        state: Option<&Secret>,
        trusts: bool,
        clock: &dyn Clock,
    ) -> Result<bool> {
        let value = self.store.read(&self.account).await?;
        let (mut kept, ..) = self.open(value.as_ref()).await?;
        let pending = kept.guard.pending();
        Ok(pending.knows(state, trusts, clock.now().wall))
    }

    /// What to do while the store cannot be used.
    pub(crate) fn on_loss(&self) -> StoreLoss {
        self.on_loss
    }

    /// Waits for a login of another program, if one is under way.
    async fn quiet(&self, patience: Duration) {
        if let Ok(Some(turn)) = self.claim(patience, false).await {
            turn.claim.release().await;
        }
    }

    /// Puts the next look off: the store does not answer, and nobody shall wait for that again and again.
    fn look_later(&self) {
        let wait = u64::try_from(UNANSWERED.as_millis()).unwrap_or_default();
        self.looked.fetch_add(wait, Ordering::Relaxed);
    }
}

/// What the store says of the session.
enum News {
    /// A session that may be used.
    Session { login: Box<Login>, issued_at: Timestamp },
    /// None; this is the newest one that is known to be dead.
    Ended(Option<Origin>),
}

/// Takes in what the store says now, without waiting for anybody or logging in. Best effort; false when the store did not
/// answer.
pub(crate) async fn catch_up(inner: &Inner) -> bool {
    let Some(shared) = inner.shared.clone() else {
        return true;
    };
    let (clock, dead, refused) = (Arc::clone(&inner.clock), inner.dead(), inner.refused());
    let news = anywhere(async move { shared.news(dead, refused.as_deref(), clock.as_ref()).await });
    drop(match news.await {
        Ok(News::Session { login, issued_at }) => inner.apply(Event::Adopted {
            flight: None,
            login,
            issued_at,
        }),
        Ok(News::Ended(Some(origin))) => inner.apply(Event::EndedElsewhere { origin }),
        Ok(News::Ended(None)) => return true,
        Err(_) => return false,
    });
    true
}

/// Whether a session may be served without a look at the store.
pub(crate) fn is_fresh(inner: &Inner) -> bool {
    inner.shared.as_ref().is_none_or(|shared| shared.freshness().0)
}

/// Before a session that was not looked after for a while is served, the store is looked at: another program may have logged
/// out, or in. A store that does not answer at once is not waited for.
pub(crate) async fn look_first(inner: &Arc<Inner>) {
    let Some(shared) = inner.shared.as_ref().filter(|shared| shared.is_due()) else {
        return;
    };
    let looked = anywhere({
        let inner = Arc::clone(inner);
        async move { Ok(tokio::time::timeout(AT_ONCE, catch_up(&inner)).await) }
    });
    if !matches!(looked.await, Ok(Ok(true))) {
        shared.look_later();
    }
}

/// A logout that finds no session waits for the login of another program, and takes what that gave.
pub(crate) async fn await_others(inner: &Arc<Inner>) {
    let Some(shared) = inner.shared.clone() else {
        return;
    };
    let patience = inner.timeout;
    let waited = anywhere(async move {
        shared.quiet(patience).await;
        Ok(())
    });
    drop(waited.await);
    catch_up(inner).await;
}

/// A logout that finds no live session looks for one that is over and whose refresh token is not: it is ended too. Best
/// effort.
pub(crate) async fn find_renewable(inner: &Arc<Inner>) {
    let Some(shared) = inner.shared.clone() else {
        return;
    };
    let clock = Arc::clone(&inner.clock);
    let found = anywhere(async move {
        let value = shared.store.read(&shared.account).await?;
        let (kept, ..) = shared.open(value.as_ref()).await?;
        let found = kept.outlives_its_end(clock.now());
        Ok(found.map(|(login, issued_at)| (Box::new(login.clone()), issued_at)))
    });
    if let Ok(Some((login, issued_at))) = found.await {
        drop(inner.apply(Event::Adopted {
            flight: None,
            login,
            issued_at,
        }));
    }
}

/// What the store holds for the account of a session; `None` when it has no store. Errors: `StoreUnavailable`,
/// `LoginRequired`, `InvalidInput`.
pub(crate) async fn look(inner: &Inner) -> Option<Result<SessionState>> {
    let shared = inner.shared.clone()?;
    let adapter = &inner.adapter;
    let credentials = adapter.questions().is_empty().then(|| digest(adapter.as_ref()));
    let needs_person = adapter.consent().is_some();
    let clock = Arc::clone(&inner.clock);
    let looked = anywhere(async move {
        let state = shared
            .look(credentials.as_deref(), needs_person, clock.as_ref())
            .await;
        state.map_err(|error| shared.name(error))
    });
    Some(looked.await)
}

/// Whether no other program is logging in right now; `None` without a store. Errors: as the store's.
pub(crate) async fn is_unclaimed(inner: &Inner) -> Option<Result<bool>> {
    let shared = inner.shared.clone()?;
    let tried = anywhere(async move { shared.is_unclaimed().await.map_err(|error| shared.name(error)) });
    Some(tried.await)
}

/// A session is served from memory: every now and then the store is looked at behind it, so that a logout or a new login
/// of another program is noticed by programs that only ask for tokens.
pub(crate) fn look_behind(inner: &Arc<Inner>) {
    if inner.shared.as_ref().is_some_and(|shared| shared.is_due()) {
        let session = Arc::downgrade(inner);
        let look = async move {
            if let Some(inner) = session.upgrade() {
                catch_up(&inner).await;
            }
        };
        // Without a place to run nothing is looked at: the broker tells.
        drop(inner.spawn.spawn(Box::pin(look)));
    }
}
