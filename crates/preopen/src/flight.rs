//! One login, detached from its callers: it runs on the background thread, survives whoever asked for it, and
//! gives everybody who waits the same result.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;

use preopen_core::ask::Question;
use preopen_core::audit::{Outcome, Why};
use preopen_core::broker::{Adapter, Login};
use preopen_core::clock::{Now, Timestamp};
use preopen_core::consent::{Redirect, consent_needed};
use preopen_core::envelope::Reply;
use preopen_core::error::{Phase, Redactor};
use preopen_core::lifecycle::{Event, FlightId, Record, dead_on_arrival, retries_in_next_totp_step};
use preopen_core::skew::Skew;
use preopen_core::totp::{OneTimeCode, step_at, step_start};
use preopen_core::wire::{BoxFuture, Request};
use preopen_core::{Advice, Error, ErrorKind, Result, Secret};
use tokio::sync::oneshot;
use tracing::Instrument as _;

use crate::ask::{ask, is_asked_by};
use crate::audit::Auditor;
use crate::consent;
use crate::session::Inner;
use crate::shared::{Turn, find_or_log_in};

/// The longest wait for a TOTP step whose code was not sent yet, in real time: two steps and a little.
const STEP_PATIENCE: Duration = Duration::from_secs(65);

/// One login under way: whose it is, and what a person consented to, if one did.
pub(crate) struct Flight {
    /// It is not held: a session that is dropped ends its flight.
    pub(crate) session: Weak<Inner>,
    pub(crate) id: FlightId,
    pub(crate) grant: Option<Redirect>,
    /// A request to the broker was about to be sent.
    sent: AtomicBool,
}

impl Flight {
    /// The session. Errors: `Internal` once it is dropped.
    pub(crate) fn session(&self) -> Result<Arc<Inner>> {
        self.session.upgrade().ok_or_else(lost)
    }

    /// The session, as long as it waits for this flight. Errors: `Internal`.
    pub(crate) fn wanted(&self) -> Result<Arc<Inner>> {
        let inner = self.session()?;
        if inner.is_current(self.id) {
            Ok(inner)
        } else {
            Err(lost())
        }
    }

    pub(crate) fn is_wanted(&self) -> bool {
        self.wanted().is_ok()
    }

    /// A login or a refresh is about to be sent: see [`Inner::begins`].
    pub(crate) async fn begins(&self, inner: &Inner, turn: Option<&mut Turn<'_>>) -> Result<Duration> {
        let timeout = inner.begins(turn).await?;
        self.sent.store(true, Ordering::Relaxed);
        Ok(timeout)
    }

    /// What is said of it when it has ended.
    fn outcome(&self, result: &Result<Landed>) -> Option<Outcome> {
        let sent = self.sent.load(Ordering::Relaxed);
        match result {
            Ok(Landed::Opened { .. }) => Some(Outcome::Ok),
            Ok(Landed::Adopted { .. }) => {
                // Its own login was overtaken by another program's.
                sent.then_some(Outcome::Failed(ErrorKind::StoreUnavailable))
            }
            Err(error) => match error.kind() {
                // It was given up because of a logout, or because the session was dropped.
                ErrorKind::Internal if !self.is_wanted() => {
                    sent.then_some(Outcome::Failed(ErrorKind::Cancelled))
                }
                // The store kept it from being sent.
                kind @ (ErrorKind::StoreUnavailable | ErrorKind::Timeout) => Some(Outcome::Failed(kind)),
                // What was refused before anything was sent is another login's news.
                kind => sent.then_some(Outcome::Failed(kind)),
            },
        }
    }
}

/// Starts the flight, and gives what ends with it. When there is no place for it to run, it fails at once and its slot is
/// free.
pub(crate) fn start(inner: &Arc<Inner>, flight: FlightId) -> Option<BoxFuture<'static, ()>> {
    launch(inner, flight, None)
}

/// The same, with what a person consented to. What came of it is told apart from the flight: a session that is still
/// valid serves others whatever becomes of this login.
pub(crate) fn start_granted(
    inner: &Arc<Inner>,
    flight: FlightId,
    redirect: Redirect,
) -> oneshot::Receiver<Result<()>> {
    let (told, outcome) = oneshot::channel();
    drop(launch(inner, flight, Some((redirect, told))));
    outcome
}

/// The answer of the broker's page, and who waits for what becomes of it.
type Grant = (Redirect, oneshot::Sender<Result<()>>);

fn launch(inner: &Arc<Inner>, id: FlightId, grant: Option<Grant>) -> Option<BoxFuture<'static, ()>> {
    let (grant, told) = grant.unzip();
    let flight = Flight {
        session: Arc::downgrade(inner),
        id,
        grant,
        sent: AtomicBool::new(false),
    };
    let auditor = inner.auditor.clone();
    let span = auditor.login_span(id.why());
    let flying = fly(flight, auditor, told).instrument(span);
    match inner.spawn.spawn(Box::pin(flying)) {
        Ok(running) => Some(running),
        Err(error) => {
            drop(inner.apply(Event::Failed { flight: id, error }));
            None
        }
    }
}

/// Whether a callback that this session's own login waits for runs here.
pub(crate) fn is_asking(inner: &Arc<Inner>) -> bool {
    is_asked_by(address(inner))
}

fn address(inner: &Arc<Inner>) -> usize {
    Arc::as_ptr(inner).addr()
}

/// The error of a flight that ended without a result.
pub(crate) fn lost() -> Error {
    Error::new(ErrorKind::Internal, "the login ended without a result").with_advice(Advice::Now)
}

/// What a flight comes back with.
pub(crate) enum Landed {
    /// A login, and when it was sent.
    Opened { login: Box<Login>, sent: Now },
    /// What another program opened, and when.
    Adopted { login: Box<Login>, issued_at: Timestamp },
}

/// Every flight ends here, and nowhere else: this is where it is said, once, what came of it, before anybody who waits for
/// it goes on.
async fn fly(flight: Flight, auditor: Auditor, told: Option<oneshot::Sender<Result<()>>>) {
    let began = Instant::now();
    let landing = AssertUnwindSafe(land(&flight)).catch_unwind();
    let result = landing.await.unwrap_or_else(|_| Err(lost()));
    if let Some(outcome) = flight.outcome(&result) {
        auditor.login(flight.id.why(), outcome, began.elapsed());
        if let Err(error) = &result {
            auditor.login_failed(error);
        }
    }
    let Some(inner) = flight.session.upgrade() else {
        return;
    };
    let outcome = result.as_ref().map(|_| ()).map_err(Error::clone);
    settle(&inner, flight.id, result).await;
    if let Some(told) = told {
        let _ = told.send(outcome);
    }
}

/// Tells the session what came of its flight.
async fn settle(inner: &Arc<Inner>, flight: FlightId, result: Result<Landed>) {
    let event = match result {
        Ok(Landed::Opened { login, sent }) => Event::Opened { flight, login, sent },
        Ok(Landed::Adopted { login, issued_at }) => Event::Adopted {
            flight: Some(flight),
            login,
            issued_at,
        },
        // It was given up because of a logout: nothing was learned of the broker that could hold back the next login.
        Err(error) if error.kind() == ErrorKind::Internal && !inner.is_current(flight) => {
            return drained(inner, flight);
        }
        Err(error) => Event::Failed { flight, error },
    };
    if let Some(late) = inner.apply(event).discard {
        // The user logged out meanwhile: the broker's side of this login is ended too, best effort.
        if let (Some(shared), Some(origin)) = (&inner.shared, late.origin) {
            shared.mark_ended(origin, inner.timeout).await;
        }
        let now = inner.clock.now();
        let record = Record::new(0, *late, now.wall, now, &inner.adapter.policy().expiry);
        drop(sign_out(inner, &record, Why::Abandoned).await);
    }
    drained(inner, flight);
}

async fn land(flight: &Flight) -> Result<Landed> {
    let shared = flight.session()?.shared.clone();
    if let Some(shared) = shared {
        return find_or_log_in(flight, &shared).await;
    }
    let (login, sent) = attempts(flight, None).await?;
    let login = Box::new(login);
    Ok(Landed::Opened { login, sent })
}

/// A login that was queued behind this flight may go now.
fn drained(inner: &Arc<Inner>, flight: FlightId) {
    if let Some(next) = inner.apply(Event::Drained { flight }).start {
        drop(start(inner, next));
    }
}

/// Ends a session that the user logged out of, apart from whoever waits for it: no login may start before. Gives what the
/// broker says, and why other programs may not know. Errors: what the broker says, and `Internal`.
pub(crate) async fn log_out(
    inner: &Arc<Inner>,
    logout: FlightId,
    record: Arc<Record>,
) -> Result<(Result<Reply>, Option<Error>)> {
    let (told, outcome) = oneshot::channel();
    let session = Arc::clone(inner);
    let task = async move {
        // No other program may log in before it has ended either.
        let (claim, untold) = match &session.shared {
            Some(shared) => shared.sign_out(session.timeout).await,
            None => (None, None),
        };
        let ended = sign_out(&session, &record, logout.why()).await;
        if let Some(claim) = claim {
            claim.release().await;
        }
        drained(&session, logout);
        let _ = told.send((ended, untold));
    };
    if let Err(error) = inner.spawn.spawn(Box::pin(task)) {
        drained(inner, logout);
        return Err(error);
    }
    outcome.await.map_err(|_| no_result())
}

/// Ends a session at the broker. Even an adapter that panics must not keep the next login waiting.
async fn sign_out(inner: &Inner, record: &Record, why: Why) -> Result<Reply> {
    let began = Instant::now();
    let ended = AssertUnwindSafe(inner.send_logout(record)).catch_unwind().await;
    let ended = ended.unwrap_or_else(|_| Err(no_result()));
    inner.auditor.logout(why, Outcome::of(&ended), began.elapsed());
    ended
}

fn no_result() -> Error {
    Error::new(ErrorKind::Internal, "the logout ended without a result")
}

/// Completes what a person consented to, or renews, or logs in; with a turn, as the only program that does, with
/// credentials that are complete.
pub(crate) async fn attempts(
    flight: &Flight,
    turn: Option<(&mut Turn<'_>, Arc<dyn Adapter>)>,
) -> Result<(Login, Now)> {
    let (mut turn, adapter) = turn.map_or((None, None), |(turn, adapter)| (Some(turn), Some(adapter)));
    if let Some(redirect) = &flight.grant {
        return consent::granted(flight, turn, redirect).await;
    }
    if let Some(renewed) = refreshed(flight, turn.as_deref_mut()).await? {
        return Ok(renewed);
    }
    let adapter = match adapter {
        Some(adapter) => adapter,
        None => complete(flight).await?,
    };
    if adapter.consent().is_some() {
        let broker = adapter.policy().broker;
        return Err(consent_needed().with(|context| context.broker = Some(broker)));
    }
    let adapter = first_step(flight, adapter, turn.as_deref_mut()).await?;
    let (mut codes_refused, mut dead) = (0, false);
    // A code that was refused while the clocks differ is made once more, for the broker's time.
    let mut skew = Skew::default();
    loop {
        let code = one_time_code(flight, adapter.as_ref(), skew).await?;
        let inner = flight.session()?;
        let timeout = flight.begins(&inner, turn.as_deref_mut()).await?;
        match login(&inner, adapter.as_ref(), code, timeout).await {
            Err(error) if retries_in_next_totp_step(codes_refused, &error) => {
                codes_refused += 1;
                skew = error.context().clock_skew.unwrap_or_default();
            }
            Err(error) => return Err(error),
            Ok((login, sent)) => {
                let policy = inner.adapter.policy();
                match dead_on_arrival(&login, sent, inner.clock.now(), &policy.expiry) {
                    None => return Ok((login, sent)),
                    Some(error) if dead => {
                        return Err(error.with(|context| context.broker = Some(policy.broker)));
                    }
                    Some(_) => dead = true,
                }
            }
        }
    }
}

/// The session's credentials with every secret that has to be asked for. They are forgotten with the flight.
pub(crate) async fn complete(flight: &Flight) -> Result<Arc<dyn Adapter>> {
    let adapter = Arc::clone(&flight.session()?.adapter);
    let questions = adapter.questions();
    if questions.is_empty() {
        return Ok(adapter);
    }
    let mut answers = Vec::new();
    for question in &questions {
        answers.push(asked(flight, question).await?);
    }
    let broker = adapter.policy().broker;
    let complete = adapter.answered(answers);
    complete.map_err(|error| error.with(|context| context.broker = Some(broker)))
}

/// The credentials with what the first step of a login gives, where it takes two.
async fn first_step(
    flight: &Flight,
    adapter: Arc<dyn Adapter>,
    turn: Option<&mut Turn<'_>>,
) -> Result<Arc<dyn Adapter>> {
    let Some(request) = adapter.first_step() else {
        return Ok(adapter);
    };
    let inner = flight.session()?;
    let timeout = flight.begins(&inner, turn).await?;
    let endpoint = request.endpoint.clone();
    let raw = inner.send(&request, timeout).await;
    let done = raw.and_then(|raw| adapter.after_first_step(&endpoint, &raw));
    done.map_err(|error| inner.explain(error, &endpoint, &Redactor::new(adapter.secrets())))
}

/// What the user's callback answers, as long as this flight is wanted. The session is not held meanwhile.
async fn asked(flight: &Flight, question: &Question) -> Result<Secret> {
    let inner = flight.session()?;
    let (me, broker) = (address(&inner), inner.adapter.policy().broker);
    drop(inner);
    let answer = ask(question, me, || flight.is_wanted()).await;
    answer
        .map_err(|error| error.with(|context| context.broker = Some(broker)))?
        .ok_or_else(lost)
}

/// Renews with the refresh token, where there is one and its day is not over. `None` means that a login is due: the
/// refusal of a refresh is no fault of the user's, and neither is an answer that cannot be read. Only when the
/// broker cannot be reached, or asks to wait, would a login fare no better: that is an error, and the refresh
/// token is kept.
///
/// Where only a person logs in, there is no other way than this one: every failure is an error then. A refresh token that
/// the broker refuses is not tried again; any other failure says nothing of it.
async fn refreshed(flight: &Flight, mut turn: Option<&mut Turn<'_>>) -> Result<Option<(Login, Now)>> {
    let inner = flight.session()?;
    let own = inner.renewable();
    let old = match &turn {
        Some(turn) => turn.to_renew(own.as_deref(), inner.clock.as_ref()),
        None => own.map(|record| record.tokens.clone()),
    };
    let Some(mut old) = old else {
        return Ok(None);
    };
    let only_way = inner.adapter.consent().is_some();
    // The boundary may come while it is under way: the token that it gave renews once more, now or, if that fails, later.
    let mut over = None;
    for last in [false, true] {
        let Some(request) = inner.adapter.refresh(&old) else {
            return Ok(None);
        };
        let timeout = flight.begins(&inner, turn.as_deref_mut()).await?;
        let span = inner.auditor.refresh_span();
        let secrets = old.all();
        let sent = exchange(&inner, inner.adapter.as_ref(), request, &secrets, timeout);
        let sent = sent.instrument(span.clone()).await;
        inner.auditor.renewal(&span, Outcome::of(&sent));
        match sent {
            Ok((mut login, sent)) => {
                login.tokens.keep_from(&old);
                let policy = &inner.adapter.policy().expiry;
                let dead = dead_on_arrival(&login, sent, inner.clock.now(), policy).is_some();
                if !dead || (last && only_way) {
                    return Ok(Some((login, sent)));
                }
                old = login.tokens.clone();
                over = Some((login, sent));
            }
            Err(_) if only_way && over.is_some() => return Ok(over),
            Err(error) if only_way || error.kind() == ErrorKind::RateLimited => return Err(error),
            Err(error) if error.context().phase == Some(Phase::Connect) => return Err(error),
            Err(_) => return Ok(None),
        }
        if !only_way {
            break;
        }
    }
    Ok(None)
}

/// The code for a login, if one is needed; waits for the next step when this one's code was sent already. `skew` brings
/// this machine's time to the broker's.
async fn one_time_code(flight: &Flight, adapter: &dyn Adapter, skew: Skew) -> Result<Option<OneTimeCode>> {
    let policy = adapter.policy();
    let named = |error: Error| error.with(|context| context.broker = Some(policy.broker));
    let typed = adapter.code_question();
    let began = Instant::now();
    loop {
        let inner = flight.wanted()?;
        let clock = Arc::clone(&inner.clock);
        let step = if let Some(question) = &typed {
            // A code that is typed belongs to the step in which it was read; that step must be a new one.
            let step = step_at(clock.now().wall);
            if !policy.totp_single_use || !inner.has_spent(step) {
                drop(inner);
                let answer = asked(flight, question).await?;
                let code = OneTimeCode::typed(&answer, clock.now().wall).map_err(named)?;
                let inner = flight.session()?;
                inner.spend(code.step());
                return Ok(Some(code));
            }
            step
        } else {
            let at = skew.to_server(clock.now().wall);
            let Some(code) = adapter.one_time_code(at).map_err(named)? else {
                return Ok(None);
            };
            if inner.spend(code.step()) || !policy.totp_single_use {
                return Ok(Some(code));
            }
            code.step()
        };
        // The session is not held meanwhile: dropping it ends this wait.
        drop(inner);
        if began.elapsed() > STEP_PATIENCE {
            return Err(named(clock_stands_still()));
        }
        tokio::time::sleep(clock.nap(skew.to_here(step_start(step + 1)))).await;
    }
}

fn clock_stands_still() -> Error {
    Error::new(
        ErrorKind::Timeout,
        "no new one-time code within a minute: this machine's clock stands still or was set back",
    )
    .with(|context| context.phase = Some(Phase::Login))
}

async fn login(
    inner: &Inner,
    adapter: &dyn Adapter,
    code: Option<OneTimeCode>,
    timeout: Duration,
) -> Result<(Login, Now)> {
    let sent_code: Vec<Secret> = code.iter().map(OneTimeCode::for_redaction).collect();
    exchange(inner, adapter, adapter.login(code), &sent_code, timeout).await
}

/// Sends a request that opens a session and reads its reply; `secrets` are those of the request beside the
/// credentials. What the reply tells of the broker's clock is kept with either result.
pub(crate) async fn exchange(
    inner: &Inner,
    adapter: &dyn Adapter,
    request: Request,
    secrets: &[Secret],
    timeout: Duration,
) -> Result<(Login, Now)> {
    let endpoint = request.endpoint.clone();
    let redactor = |more: &[Secret]| Redactor::new(adapter.secrets().into_iter().chain(more.iter().cloned()));
    let sent = inner.clock.now();
    let raw = inner.send(&request, timeout).await;
    let received = inner.clock.now();
    let date = raw.as_ref().ok().and_then(|raw| raw.date);
    let skew = |told: Option<Timestamp>| Skew::estimate(told.or(date)?, sent, received);
    match raw.and_then(|raw| adapter.read_login(&endpoint, &raw)) {
        Ok(mut login) => {
            login.skew = skew(login.server_time);
            login.sent_at(sent.wall);
            login.profile.clean(&redactor(&login.tokens.all()));
            Ok((login, sent))
        }
        Err(error) => {
            let skew = skew(error.context().server_time);
            let error = inner.with_registered(error);
            Err(inner
                .explain(error, &endpoint, &redactor(secrets))
                .suspecting_clock(skew))
        }
    }
}
