//! A session: what users hold. Readers take a lock-free snapshot; everything that changes the session goes
//! through the core's machine in `state.rs`, one event at a time, and never across an await.

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;

use preopen_core::broker::{Adapter, Profile, ProfileSource};
use preopen_core::clock::{Clock, Timestamp};
use preopen_core::consent::Pending;
use preopen_core::envelope::Reply;
use preopen_core::error::{Phase, Redactor};
use preopen_core::lifecycle::shared::Origin;
use preopen_core::lifecycle::{Event, FlightId, Identity, Record, SessionState, mismatch};
use preopen_core::limits::Rates;
use preopen_core::static_ip::{NetworkPath, Verdict, WhoAmI};
use preopen_core::target::{Environment, Target};
use preopen_core::totp::SpentSteps;
use preopen_core::wire::{BoxFuture, Endpoint, Method, RawReply, Request, Transport, TransportFailure};
use preopen_core::{Error, ErrorKind, Result};
use preopen_store::Store;

use crate::audit::Auditor;
use crate::builder::SessionBuilder;
use crate::call::Call;
use crate::common::Common;
use crate::derived::Derived;
use crate::events::Events;
use crate::flight;
use crate::limits::Pace;
use crate::metrics;
use crate::preflight::ClockSeen;
use crate::runtime::{self, Spawn};
use crate::shared::{
    Shared, StoreLoss, Turn, await_others, catch_up, find_renewable, is_fresh, look, look_behind, look_first,
};
use crate::state::{Next, Outcome, State, Todo, seed_of};
use crate::token::{Headers, Token};

/// A broker session that keeps itself valid. Clones share it.
///
/// Building one does no I/O; the first call that needs a token logs in, once for all callers that wait. When
/// the broker ends the session (08:00 IST at Samco, 00:00 IST at SmartAPI) the next call logs in again.
/// Dropping or closing a session never logs out: that is account-wide and has its own call.
///
/// ```no_run
/// # async fn example() -> preopen::Result<()> {
/// use preopen::{Samco, Session};
///
/// let session = Session::builder(Samco::from_env()?).keep_warm(true).build()?;
/// let token = session.token().await?;              // logs in if it must
/// println!("{} session {} until {}", session.broker(), token.generation(), token.expires_at().to_ist());
/// println!("{} ({:?})", session.environment().as_str(), session.store());
/// session.close();                                 // forgets the token here; the broker's session lives on
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Session {
    pub(crate) inner: Arc<Inner>,
}

/// The settings of a session, checked.
pub(crate) struct Settings {
    pub(crate) adapter: Arc<dyn Adapter>,
    pub(crate) target: Target,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) timeout: Duration,
    pub(crate) keep_warm: bool,
    pub(crate) spawn: Arc<dyn Spawn>,
    pub(crate) store: Option<(Arc<dyn Store>, StoreLoss)>,
    pub(crate) rates: Option<Vec<Rates>>,
    pub(crate) audit: Option<PathBuf>,
}

pub(crate) struct Inner {
    me: Weak<Inner>,
    pub(crate) adapter: Arc<dyn Adapter>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) timeout: Duration,
    pub(crate) spawn: Arc<dyn Spawn>,
    /// Where the session is shared with other programs, if it is.
    pub(crate) shared: Option<Arc<Shared>>,
    /// Spreads the waits of different accounts.
    pub(crate) seed: u64,
    pub(crate) target: Arc<Target>,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) state: State,
    /// How many calls may be sent, and when.
    pub(crate) pace: Pace,
    /// Says what happens, where people look for it.
    pub(crate) auditor: Auditor,
    /// The process whose metrics know this session.
    watched_in: AtomicU32,
    /// The one-time codes that were sent here, if any was.
    spent_steps: ArcSwapOption<SpentSteps>,
    /// Logins that persons began here, while they are not kept in a store.
    pub(crate) pending: ArcSwapOption<Pending>,
    /// The difference between the clocks, as the last reply told.
    pub(crate) clock_seen: ClockSeen,
    pub(crate) derived: ArcSwapOption<Derived>,
}

/// Where sessions send their requests to.
static TARGETS: Common<Target> = Common::new();

/// What came of a logout.
///
/// ```no_run
/// # async fn example(session: preopen::Session) -> preopen::Result<()> {
/// let logout = session.logout().await?;
/// if !logout.acknowledged {
///     eprintln!("the broker did not confirm: {}", logout.message);
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Logout {
    /// Whether the broker said that it logged out. It is no proof that the token is dead: at SmartAPI calls
    /// with the old token have been seen to work on (observed by users).
    pub acknowledged: bool,
    /// One line for a person.
    pub message: String,
    /// Why the broker did not acknowledge, if it was asked; or, when it did, why other programs that share the session may
    /// not know.
    pub error: Option<Error>,
}

impl Session {
    /// Settings of a session for these credentials: `Samco`, `AngelOne`, or an adapter of your own.
    pub fn builder(credentials: impl Adapter + 'static) -> SessionBuilder {
        SessionBuilder::new(Arc::new(credentials))
    }

    pub(crate) fn new(settings: Settings) -> Self {
        let fingerprint = settings.adapter.fingerprint();
        let policy = settings.adapter.policy();
        let shared = settings.store.map(|(store, on_loss)| {
            let identity = Identity::new(policy, &settings.target, fingerprint.clone());
            Arc::new(Shared::new(store, identity, policy, on_loss))
        });
        let seed = seed_of(&fingerprint);
        let needs_consent = settings.adapter.consent().is_some();
        let state = State::new(seed, settings.keep_warm, needs_consent);
        let pace = Pace::new(settings.rates);
        let clock = Arc::clone(&settings.clock);
        let auditor = Auditor::new(policy, fingerprint.into(), clock, settings.audit);
        Self {
            inner: Arc::new_cyclic(|me| Inner {
                me: Weak::clone(me),
                adapter: settings.adapter,
                clock: settings.clock,
                timeout: settings.timeout,
                spawn: settings.spawn,
                shared,
                seed,
                target: TARGETS.of(settings.target),
                transport: settings.transport,
                state,
                pace,
                auditor,
                watched_in: AtomicU32::new(0),
                spent_steps: ArcSwapOption::empty(),
                pending: ArcSwapOption::empty(),
                clock_seen: ClockSeen::default(),
                derived: ArcSwapOption::empty(),
            }),
        }
    }

    /// The broker's name, for example `samco`.
    pub fn broker(&self) -> &'static str {
        self.inner.adapter.policy().broker
    }

    /// Whether this session talks to the live broker, the sandbox or a host of your own.
    pub fn environment(&self) -> Environment {
        self.inner.target.environment()
    }

    /// Where the session is shared with other programs, in a few words; `None` when it belongs to this object alone.
    pub fn store(&self) -> Option<String> {
        self.inner.shared.as_ref().map(|shared| shared.describe())
    }

    /// A live token; logs in if there is none. Callers that arrive together share one login and its result,
    /// and dropping any of them does not stop it.
    ///
    /// After the second failed login in a row no other is tried for a second, and twice as long after each
    /// further one, up to a minute; callers get the last error meanwhile, with the rest of the wait as advice.
    ///
    /// Errors: `CredentialsRejected`, `AccountActionRequired` (both block the session until `reset()`),
    /// `LoginRequired`, `StaticIpMismatch`, `RateLimited`, `Timeout`, `Network`, `BrokerUnavailable`,
    /// `BrokerRejected`, `MalformedResponse`.
    pub async fn token(&self) -> Result<Token> {
        self.record().await.map(Token::new)
    }

    /// The live token if there is one, without waiting, logging in or taking a lock.
    ///
    /// ```no_run
    /// # async fn example(session: preopen::Session) -> preopen::Result<()> {
    /// // Without waiting and without a login: for a place that must not block.
    /// if let (Some(token), Some(headers)) = (session.try_token(), session.try_headers()) {
    ///     println!("generation {}, headers {:?}", token.generation(), headers.names().collect::<Vec<_>>());
    /// }
    /// # Ok(()) }
    /// ```
    pub fn try_token(&self) -> Option<Token> {
        self.inner
            .live()
            .inspect(|_| look_behind(&self.inner))
            .map(Token::new)
    }

    /// The same for callers that can wait: nothing when the store should be looked at first.
    #[doc(hidden)]
    pub fn try_fresh_token(&self) -> Option<Token> {
        self.fresh_record().map(Token::new)
    }

    /// The live record, unless the store should be looked at first.
    pub(crate) fn fresh_record(&self) -> Option<Arc<Record>> {
        is_fresh(&self.inner).then(|| self.inner.live()).flatten()
    }

    /// The headers, likewise.
    #[doc(hidden)]
    pub fn try_fresh_headers(&self) -> Option<Headers> {
        let record = self.fresh_record()?;
        Some(self.inner.headers_of(&record))
    }

    /// Every header of an authenticated call, for any HTTP client; logs in if needed. Errors: as `token`.
    ///
    /// ```no_run
    /// # async fn example(session: preopen::Session) -> preopen::Result<()> {
    /// for (name, value) in session.headers().await?.expose() {
    ///     // Give them to your own HTTP client, anew for each request.
    ///     let _ = (name, value);
    /// }
    /// # Ok(()) }
    /// ```
    pub async fn headers(&self) -> Result<Headers> {
        let record = self.record().await?;
        Ok(self.inner.headers_of(&record))
    }

    /// The headers if there is a live token, without waiting.
    pub fn try_headers(&self) -> Option<Headers> {
        let record = self.inner.live()?;
        look_behind(&self.inner);
        Some(self.inner.headers_of(&record))
    }

    /// Which address the broker sees, which are registered, and whether orders from here will be accepted.
    /// SmartAPI has no such call: its verdict is `Unsupported` and nothing is sent. Errors: as `get`.
    ///
    /// ```no_run
    /// # async fn example(session: preopen::Session) -> preopen::Result<()> {
    /// let who = session.whoami().await?;
    /// println!("{}: {}", who.verdict, who.message);
    /// # Ok(()) }
    /// ```
    pub async fn whoami(&self) -> Result<WhoAmI> {
        let inner = &self.inner;
        let Some(request) = inner.adapter.whoami() else {
            return inner
                .adapter
                .read_whoami(&Reply::new(serde_json::Value::Null, 200));
        };
        let endpoint = request.endpoint.clone();
        let reply = self.execute(request, inner.timeout).await?;
        let who = inner
            .adapter
            .read_whoami(&reply)
            .map_err(|error| inner.explain(error, &endpoint, &inner.redactor(&[])))?;
        if matches!(who.verdict, Verdict::Mismatch | Verdict::Unregistered) {
            inner.address_refused(&mismatch(&who.addresses));
        }
        Ok(who)
    }

    /// Who the session belongs to. Samco tells it in the login reply, SmartAPI in a call of its own. Errors: as
    /// `get`.
    ///
    /// ```no_run
    /// # async fn example(session: preopen::Session) -> preopen::Result<()> {
    /// let profile = session.profile().await?;
    /// println!("{:?} may trade on {}", profile.account_id, profile.exchanges.join(", "));
    /// # Ok(()) }
    /// ```
    pub async fn profile(&self) -> Result<Profile> {
        match self.inner.adapter.profile() {
            ProfileSource::Login => self.record().await.map(|record| record.profile()),
            ProfileSource::Call(request) => {
                let reply = self.execute(request, self.inner.timeout).await?;
                let mut profile = self.inner.adapter.read_profile(&reply);
                profile.clean(&self.inner.redactor(&[]));
                Ok(profile)
            }
        }
    }

    /// A GET to the broker. The path begins with `/`.
    ///
    /// ```no_run
    /// # async fn example(session: preopen::Session) -> preopen::Result<()> {
    /// use preopen::core::wire::Method;
    ///
    /// let quote = session.get("/quote/getQuote").query("symbolName", "INFY").send().await?;
    /// println!("{}", quote.data()["quoteDetails"]["lastTradedPrice"]);
    /// // Writes are never repeated, and a token that was refused is an error for them.
    /// let order = serde_json::json!({"symbolName": "INFY", "exchange": "NSE", "transactionType": "BUY", "quantity": "1"});
    /// session.post("/order/placeOrder").json(&order).send().await?;
    /// session.put("/order/modifyOrder/1").json(&order).send().await?;
    /// session.delete("/order/cancelOrder").query("orderNumber", 1).send().await?;
    /// session.request(Method::Get, "/holding/getHoldings").send().await?;
    /// # Ok(()) }
    /// ```
    pub fn get(&self, path: impl Into<String>) -> Call {
        self.request(Method::Get, path)
    }

    /// A POST to the broker: a write, unless the broker's documents say that this one only reads.
    pub fn post(&self, path: impl Into<String>) -> Call {
        self.request(Method::Post, path)
    }

    /// A PUT to the broker: a write.
    pub fn put(&self, path: impl Into<String>) -> Call {
        self.request(Method::Put, path)
    }

    /// A DELETE to the broker: a write.
    pub fn delete(&self, path: impl Into<String>) -> Call {
        self.request(Method::Delete, path)
    }

    /// A call by its method.
    pub fn request(&self, method: Method, path: impl Into<String>) -> Call {
        Call::new(self.clone(), method, path.into())
    }

    /// What happens to the session from now on. A session that is listened to also tells of its end when nobody
    /// calls it.
    ///
    /// ```no_run
    /// # async fn example(session: preopen::Session) {
    /// let mut events = session.events();
    /// while let Some(event) = events.next().await {
    ///     println!("{} {}", event.name.as_str(), event.reason);
    /// }
    /// # }
    /// ```
    pub fn events(&self) -> Events {
        let inner = &self.inner;
        let events = inner.state.listen(&inner.clock, &inner.adapter.policy().expiry);
        inner.set_alarm();
        events
    }

    /// What the session is doing. No side effect.
    ///
    /// ```no_run
    /// # async fn example(session: preopen::Session) -> preopen::Result<()> {
    /// let state = session.state();
    /// println!("{} ({})", state.name.as_str(), state.reason);
    /// // The same for a program that shares the session through a store, and has not used it yet:
    /// println!("{}", session.stored_state().await?.name.as_str());
    /// # Ok(()) }
    /// ```
    pub fn state(&self) -> SessionState {
        self.inner.state.machine().state(self.inner.clock.now())
    }

    /// What the store holds for this account, whichever program put it there: the session with its end, or what keeps every
    /// program from logging in. The broker is not asked, no login starts, and a store without this account stays as it is.
    /// Without a store it is [`Session::state`].
    ///
    /// Errors: `StoreUnavailable`; `LoginRequired` (`store_unreadable`) for what cannot be opened; `InvalidInput` (`key`).
    pub async fn stored_state(&self) -> Result<SessionState> {
        match look(&self.inner).await {
            Some(looked) => looked,
            None => Ok(self.state()),
        }
    }

    /// Makes the next call log in anew. In the store the session stays until the newer one takes its place, so that a
    /// login that is refused costs nobody one. For `preopen login --force`.
    #[doc(hidden)]
    pub fn pass_over(&self, generation: u64) {
        drop(self.inner.apply(Event::PassedOver { generation }));
    }

    /// Says that the broker refused the token of this generation. The next call logs in again; an old
    /// generation changes nothing.
    ///
    /// ```no_run
    /// # async fn example(session: preopen::Session) -> preopen::Result<()> {
    /// let token = session.token().await?;
    /// // Your own client got a 401 with this token. Another thread's newer one is left alone.
    /// session.invalidate(token.generation());
    /// let fresh = session.token().await?;
    /// assert!(fresh.generation() > token.generation());
    /// # Ok(()) }
    /// ```
    pub fn invalidate(&self, generation: u64) {
        let inner = &self.inner;
        let refused = inner
            .state
            .published()
            .filter(|record| record.generation == generation);
        drop(inner.apply(Event::Invalidated { generation }));
        if let (Some(shared), Some(origin)) = (&inner.shared, refused.and_then(|record| record.origin)) {
            let (shared, patience) = (Arc::clone(shared), inner.timeout);
            // If it has no place to run, the broker tells whoever takes the session over.
            drop(
                inner
                    .spawn
                    .spawn(Box::pin(async move { shared.mark_ended(origin, patience).await })),
            );
        }
    }

    /// Lets a blocked session try again, after you have fixed what blocked it, and ends a wait between failed
    /// logins, and the pause after the broker said that there were too many calls.
    ///
    /// ```no_run
    /// # async fn example(session: preopen::Session) -> preopen::Result<()> {
    /// use preopen::ErrorKind;
    ///
    /// // A refused credential is not tried again by itself: three wrong PINs can block an account.
    /// if let Err(error) = session.token().await && error.kind() == ErrorKind::CredentialsRejected {
    ///     // ... the user has corrected it at the broker ...
    ///     session.reset();
    /// }
    /// # Ok(()) }
    /// ```
    pub fn reset(&self) {
        self.inner.pace.resume(&self.inner);
        if let Some(shared) = &self.inner.shared {
            shared.overrule();
        }
        drop(self.inner.apply(Event::Reset));
    }

    /// Logs the account out at the broker and forgets the token, whatever the broker answers. This is
    /// account-wide: other programs on the same session lose it too. A login that is under way is dropped. It is sent even
    /// if you drop this future once it was polled, and no login starts before it has ended: it could end the new session.
    ///
    /// Errors: `InvalidInput` when the session is closed. What the broker answers is in the result.
    ///
    /// ```no_run
    /// # async fn example(session: preopen::Session) -> preopen::Result<()> {
    /// println!("{}", session.logout().await?.message);
    /// # Ok(()) }
    /// ```
    pub async fn logout(&self) -> Result<Logout> {
        // The session to end is the newest one, whichever program opened it.
        catch_up(&self.inner).await;
        if self.inner.live().is_none() {
            await_others(&self.inner).await;
            find_renewable(&self.inner).await;
        }
        let done = self.inner.apply(Event::SignedOut);
        if let Some(error) = done.refused {
            return Err(error);
        }
        self.inner.derived.store(None);
        let Some((logout, record)) = done.sign_out else {
            let message = "there was no session to log out".to_owned();
            return Ok(Logout {
                acknowledged: false,
                message,
                error: None,
            });
        };
        let (said, untold) = match flight::log_out(&self.inner, logout, record).await {
            Ok(done) => done,
            Err(error) => (Err(error), None),
        };
        Ok(match (said, untold) {
            (Ok(reply), None) => Logout {
                acknowledged: true,
                message: self.told(reply.message),
                error: None,
            },
            (Ok(_), Some(error)) => Logout {
                acknowledged: true,
                message: format!("logged out at the broker, but {}", error.message()),
                error: Some(error),
            },
            (Err(error), _) => Logout {
                acknowledged: false,
                message: error.message().to_owned(),
                error: Some(error),
            },
        })
    }

    /// What the broker said to a logout, and what that leaves open.
    fn told(&self, said: Option<String>) -> String {
        let said = said.unwrap_or_else(|| "logged out".to_owned());
        match self.inner.adapter.policy().logout_note {
            "" => said,
            note => format!("{said} ({note})"),
        }
    }

    /// Forgets the token in this process. Nothing is sent and nothing is logged out, not even a login that is
    /// still under way; later calls fail with `InvalidInput`.
    pub fn close(&self) {
        drop(self.inner.apply(Event::Closed));
        self.inner.derived.store(None);
    }

    pub(crate) fn adapter(&self) -> &dyn Adapter {
        self.inner.adapter.as_ref()
    }

    pub(crate) fn default_timeout(&self) -> Duration {
        self.inner.timeout
    }

    /// A live record: the snapshot, or whatever the machine says.
    pub(crate) async fn record(&self) -> Outcome {
        match self.fresh_record() {
            Some(record) => Ok(record),
            // What waits for a store or a login is large, and would be moved about with every call that does not.
            None => Box::pin(self.sought_record()).await,
        }
    }

    async fn sought_record(&self) -> Outcome {
        if self.inner.live().is_some() {
            look_first(&self.inner).await;
            if let Some(record) = self.inner.live() {
                return Ok(record);
            }
        }
        if flight::is_asking(&self.inner) {
            return Err(Error::invalid_input(
                "session",
                "is called by the callback that its own login waits for: answer without it",
            ));
        }
        let began = Instant::now();
        // A session can be over by the time that a slow caller looks at it; the second look starts a new login.
        for _ in 0..2 {
            let mut result = match self.inner.need() {
                Next::Use(Err(error)) => {
                    // Another program may have been luckier.
                    catch_up(&self.inner).await;
                    return self.inner.live().ok_or(error);
                }
                Next::Use(outcome) => return outcome,
                Next::Wait(result) => result,
                Next::Start(flight, result) => {
                    drop(flight::start(&self.inner, flight));
                    result
                }
            };
            let settled = match result.wait_for(Option::is_some).await {
                Ok(settled) => settled.clone().unwrap_or_else(|| Err(flight::lost())),
                Err(_) => Err(flight::lost()),
            };
            self.inner.auditor.waited(began.elapsed());
            let generation = settled?.generation;
            if let Some(record) = self.inner.live() {
                return Ok(record);
            }
            if let Some(error) = self.inner.state.machine().signed_out_of(generation) {
                return Err(error);
            }
        }
        Err(Error::new(
            ErrorKind::Timeout,
            "the session ended again before it could be used",
        )
        .with(|context| context.phase = Some(Phase::Login)))
    }
}

impl Inner {
    /// The live record.
    pub(crate) fn live(&self) -> Option<Arc<Record>> {
        self.look(|record| Some(Arc::clone(record)))
    }

    /// What `look` makes of the live record, which is not kept.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&Arc<Record>) -> Option<T>) -> Option<T> {
        let live = |record: &Arc<Record>| record.is_live_by(self.clock.as_ref());
        self.state
            .look(|record| live(record).then(|| look(record)).flatten())
    }

    pub(crate) fn need(&self) -> Next {
        let next = self.state.need(self.clock.now(), &self.adapter.policy().expiry);
        self.say();
        self.set_alarm();
        next
    }

    /// Feeds one event to the machine and tells what is left to do.
    pub(crate) fn apply(&self, event: Event) -> Todo {
        let todo = self
            .state
            .apply(event, self.clock.now(), &self.adapter.policy().expiry);
        self.say();
        self.set_alarm();
        todo
    }

    /// Logs what was announced, and sees to it that the metrics know a session with a token. Outside the state's lock: a
    /// logger is other people's code.
    fn say(&self) {
        for event in self.state.unsaid(self.clock.now(), &self.adapter.policy().expiry) {
            self.auditor.tell(&event);
        }
        let process = std::process::id();
        if self.watched_in.load(Ordering::Relaxed) != process
            && self.state.published().is_some()
            && self.watched_in.swap(process, Ordering::Relaxed) != process
        {
            metrics::watch(Weak::clone(&self.me));
        }
    }

    /// Sees to it that the session is woken when time alone changes something.
    fn set_alarm(&self) {
        let wanted = self
            .state
            .new_alarm(self.clock.now(), &self.adapter.policy().expiry);
        let (Some(at), Some(me)) = (wanted, self.me.upgrade()) else {
            return;
        };
        if let Ok(worker) = runtime::current() {
            worker.alarms.set(&worker.handle, &me, at);
        } else {
            // No thread could be made: whatever happens next tries again.
            let policy = &self.adapter.policy().expiry;
            self.state.alarm_went_off(at, self.clock.now(), policy);
        }
    }

    /// Whether a tick would start a login now.
    pub(crate) fn renews_by_itself(&self) -> bool {
        self.state.machine().renews_by_itself(self.clock.now())
    }

    /// The alarm that was set to `at` has gone off, or the clock was stepped. Gives the login that was started.
    pub(crate) fn tick(self: Arc<Self>, at: Timestamp) -> Option<BoxFuture<'static, ()>> {
        let policy = &self.adapter.policy().expiry;
        self.state.alarm_went_off(at, self.clock.now(), policy);
        let flight = self.apply(Event::Tick).start?;
        flight::start(&self, flight)
    }

    /// Tells those who listen that the broker does not accept this address.
    pub(crate) fn address_refused(&self, error: &Error) {
        drop(self.apply(Event::AddressRefused(error.clone())));
    }

    /// Whose session this is, and where.
    pub(crate) fn identity(&self) -> Identity {
        Identity::new(self.adapter.policy(), &self.target, self.adapter.fingerprint())
    }

    /// Marks the code of a TOTP step as sent; false if it was sent before. Only the one running login asks.
    pub(crate) fn spend(&self, step: i64) -> bool {
        let mut steps = self.spent();
        let fresh = steps.spend(step);
        self.spent_steps.store(Some(Arc::new(steps)));
        fresh
    }

    /// Whether the code of a TOTP step was sent.
    pub(crate) fn has_spent(&self, step: i64) -> bool {
        let steps = self.spent_steps.load();
        steps.as_ref().is_some_and(|steps| steps.contains(step))
    }

    fn spent(&self) -> SpentSteps {
        let steps = self.spent_steps.load();
        steps.as_deref().cloned().unwrap_or_default()
    }

    /// Takes in the one-time codes that other programs sent.
    pub(crate) fn learn_spent(&self, others: &SpentSteps) {
        let mut steps = self.spent();
        steps.learn(others);
        self.spent_steps.store(Some(Arc::new(steps)));
    }

    /// A login or a refresh is about to be sent; other programs are told first. Gives the time that it may take. Errors:
    /// `StoreUnavailable` when another program may be logging in meanwhile.
    pub(crate) async fn begins(&self, turn: Option<&mut Turn<'_>>) -> Result<Duration> {
        let Some(turn) = turn else { return Ok(self.timeout) };
        turn.begins(self.clock.as_ref(), &self.spent(), self.timeout)
            .await
    }

    /// The last session that is known here to be dead.
    pub(crate) fn dead(&self) -> Option<Origin> {
        self.state.machine().dead()
    }

    /// The session whose token the broker refused here.
    pub(crate) fn refused(&self) -> Option<Arc<Record>> {
        self.state.machine().refused()
    }

    /// The session whose refresh token may renew it.
    pub(crate) fn renewable(&self) -> Option<Arc<Record>> {
        self.state.machine().renewable(self.clock.now())
    }

    /// Whether this flight is still wanted.
    pub(crate) fn is_current(&self, flight: FlightId) -> bool {
        self.state.machine().is_current(flight)
    }

    /// Sends a request as it is. Errors: `Timeout`, `Network`, `MalformedResponse`, `OutcomeUnknown`.
    pub(crate) async fn send(&self, request: &Request, deadline: Duration) -> Result<RawReply> {
        let sent = self.transmit(request, deadline).await;
        sent.map_err(|failure| failure.into_error(&request.endpoint))
    }

    /// The same, with the network's own word for what went wrong.
    pub(crate) async fn transmit(
        &self,
        request: &Request,
        deadline: Duration,
    ) -> Result<RawReply, TransportFailure> {
        let began = self.clock.now();
        let raw = self.transport.send(&self.target, request, deadline).await?;
        self.clock_seen.note(raw.date, began, self.clock.now());
        Ok(raw)
    }

    /// How requests leave this host, when the transport knows.
    pub(crate) fn path(&self) -> Option<NetworkPath> {
        self.transport.path(&self.target)
    }

    /// Ends a session at the broker with its own token.
    pub(crate) async fn send_logout(&self, record: &Record) -> Result<Reply> {
        let now = self.clock.now();
        let request = self.adapter.logout(&record.tokens, record.is_live(now), now.wall);
        let derived = self.derived(record);
        let sent = self.converse(&request, &derived.redactor, self.timeout).await;
        sent.map_err(|failed| failed.error)
    }

    /// Names the broker in an error.
    pub(crate) fn named(&self, error: Error) -> Error {
        error.with(|context| context.broker = Some(self.adapter.policy().broker))
    }

    /// Completes an error before it leaves: broker and endpoint, and every secret that `redactor` knows removed.
    pub(crate) fn explain(&self, error: Error, endpoint: &Endpoint, redactor: &Redactor) -> Error {
        error
            .with(|context| {
                context.broker = Some(self.adapter.policy().broker);
                context.endpoint.get_or_insert_with(|| endpoint.to_string());
            })
            .redacted(redactor)
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        write!(
            f,
            "Session({}, {}, {})",
            self.broker(),
            self.environment().as_str(),
            state.name.as_str()
        )
    }
}
