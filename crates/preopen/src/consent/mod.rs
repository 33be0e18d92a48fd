//! Logins that only a person can begin: the page to open, and what becomes of the address that the browser ends on. The
//! listener on this machine is in `receiver`.

mod receiver;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use preopen_core::broker::{Login, ProfileSource};
use preopen_core::clock::{Now, Timestamp};
use preopen_core::consent::{Consent, Granted, Pending, Redirect};
use preopen_core::error::Redactor;
use preopen_core::lifecycle::{Event, Record};
use preopen_core::wire::Request;
use preopen_core::{Advice, Error, ErrorKind, Result, Secret};
use tokio::time::Instant;

use crate::flight::{self, Flight, exchange, lost};
use crate::runtime::anywhere;
use crate::session::{Inner, Session};
use crate::shared::{StoreLoss, Turn};
use crate::state::Next;

pub use receiver::LoginOptions;

/// A login that was begun: the page that a person must open, and until when it may be completed. `Debug` shows no URL: it
/// holds the API key and the login's state.
///
/// ```no_run
/// # async fn example(session: preopen::Session) -> preopen::Result<()> {
/// let start = session.begin_login().await?;
/// println!("open {} until {}", start.url(), start.expires_at.to_ist());
/// // ... the browser ends at your redirect URL; another process may complete it ...
/// session.complete_login("https://app.example/callback?code=...&state=...").await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct LoginStart {
    url: Secret,
    state: Secret,
    /// Until when [`Session::complete_login`] accepts its answer.
    pub expires_at: Timestamp,
}

impl LoginStart {
    /// The page. Give it to the person who logs in, and to nobody else: whoever has it can complete the login.
    pub fn url(&self) -> &str {
        self.url.expose()
    }
}

impl fmt::Debug for LoginStart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LoginStart(until {})", self.expires_at.to_ist())
    }
}

impl Session {
    /// Begins a login at the broker's page, for credentials that only a person can log in with: `SamcoOAuth`,
    /// `AngelOnePublisher`. Send the person to the page; within 15 minutes, give [`Session::complete_login`] the address
    /// that the browser ended on. With a store, any program that shares the session may do so.
    ///
    /// ```no_run
    /// # async fn example(session: preopen::Session) -> preopen::Result<()> {
    /// let start = session.begin_login().await?;
    /// println!("open {}", start.url());
    /// let mut address = String::new();
    /// std::io::stdin().read_line(&mut address).ok();
    /// session.complete_login(&address).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// Errors: `InvalidInput` for other credentials; `StoreUnavailable` and `Timeout` (`lock`) when the store cannot note
    /// it.
    pub async fn begin_login(&self) -> Result<LoginStart> {
        let inner = Arc::clone(&self.inner);
        anywhere(async move { begin(&inner).await }).await
    }

    /// Completes a login with the address that the browser ended on: its `state` is compared first and used once, and its
    /// code is sent once. Other callers are served by the new session from now on.
    ///
    /// `address` is the whole URL, or its part from the path or from the `?` on. Nothing of it is shown in an error.
    ///
    /// Errors: `InvalidInput` (`url`, `state`) with nothing sent; `LoginRequired` when the person cancelled
    /// (`consent_denied`) or the broker refused the code (`code_invalid`, `code_expired`, `code_replayed`: the last one
    /// has ended every session of the app); and those of `token`. After a `Timeout` or `Network` nobody knows what became
    /// of the code: it is not sent again, and a new login is to be begun.
    pub async fn complete_login(&self, address: &str) -> Result<()> {
        let consent = consent_of(&self.inner)?;
        let redirect =
            Redirect::parse(address, consent.redirect_url()).map_err(|error| self.inner.named(error))?;
        let inner = Arc::clone(&self.inner);
        anywhere(async move { complete(&inner, redirect).await }).await
    }
}

impl Inner {
    /// Errors: `InvalidInput` (`session`) once it is closed.
    pub(crate) fn check_open(&self) -> Result<()> {
        let open = self.state.machine().check_open();
        open.map_err(|error| self.named(error))
    }
}

fn consent_of(inner: &Inner) -> Result<&dyn Consent> {
    inner.adapter.consent().ok_or_else(|| {
        inner.named(Error::invalid_input(
            "credentials",
            "log in by themselves and need no page: call token()",
        ))
    })
}

async fn begin(inner: &Arc<Inner>) -> Result<LoginStart> {
    let consent = consent_of(inner)?;
    inner.check_open()?;
    let noted = match &inner.shared {
        Some(shared) => match shared.begin(inner.clock.as_ref(), inner.timeout).await {
            Err(error) if is_lost(inner, &error) => note(inner),
            noted => noted,
        },
        None => note(inner),
    };
    let (state, expires_at) = noted.map_err(|error| inner.named(error))?;
    let url = consent.page(&inner.target, &state);
    Ok(LoginStart {
        url,
        state,
        expires_at,
    })
}

/// Whether the store failed and the user wants to go on without it.
fn is_lost(inner: &Inner, error: &Error) -> bool {
    let goes_on = inner.shared.as_ref().map(|shared| shared.on_loss()) == Some(StoreLoss::LogIn);
    goes_on && error.kind() == ErrorKind::StoreUnavailable
}

/// Notes a login in this program alone.
fn note(inner: &Inner) -> Result<(Secret, Timestamp)> {
    let now = inner.clock.now().wall;
    change(inner, |pending| pending.begin(now))
}

/// One change of what this program noted; whoever comes second sees the first.
fn change<T>(inner: &Inner, what: impl Fn(&mut Pending) -> Result<T>) -> Result<T> {
    let mut outcome = Err(lost());
    inner.pending.rcu(|pending| {
        let mut changed = pending.as_deref().cloned().unwrap_or_default();
        outcome = what(&mut changed);
        Some(Arc::new(changed))
    });
    outcome
}

async fn complete(inner: &Arc<Inner>, redirect: Redirect) -> Result<()> {
    check_state(inner, &redirect)
        .await
        .map_err(|error| inner.named(error))?;
    // Whatever is under way goes first: a refresh, or the login before.
    for _ in 0..3 {
        let policy = &inner.adapter.policy().expiry;
        match inner.state.grant(inner.clock.now(), policy) {
            Next::Use(outcome) => return outcome.map(drop),
            Next::Start(flight, result) => {
                let outcome = flight::start_granted(inner, flight, redirect);
                outcome.await.unwrap_or_else(|_| Err(lost()))?;
                // Logged out, closed or over before it was here: the flight's own result says so.
                let settled = result.borrow().clone();
                return settled.unwrap_or_else(|| Err(lost())).map(drop);
            }
            Next::Wait(mut result) => drop(result.wait_for(Option::is_some).await),
        }
    }
    Err(inner.named(
        Error::new(
            ErrorKind::Timeout,
            "other logins of this session were under way all the time; nothing was sent, and this one can still be completed",
        )
        .with_advice(Advice::Now),
    ))
}

/// An answer to no login of ours changes nothing: anybody can send one to a web server. Under the claim it is looked at
/// again.
async fn check_state(inner: &Inner, redirect: &Redirect) -> Result<()> {
    let state = redirect.get("state");
    if is_begun(inner, state).await? {
        return Ok(());
    }
    // Taken from none: that is the error of a state that nobody knows.
    let now = inner.clock.now().wall;
    Pending::default().take(state, false, now).map(drop)
}

/// Whether an answer with this state may complete a login. Errors: as for `begin`.
async fn is_begun(inner: &Inner, state: Option<&Secret>) -> Result<bool> {
    let now = inner.clock.now().wall;
    let trusts = consent_of(inner)?.trusts_missing_state();
    if let Some(shared) = &inner.shared {
        match shared.knows(state, trusts, inner.clock.as_ref()).await {
            Ok(true) => return Ok(true),
            Err(error) if !is_lost(inner, &error) => return Err(error),
            _ => {}
        }
    }
    let pending = inner.pending.load_full().unwrap_or_default();
    Ok(pending.knows(state, trusts, now))
}

/// The login that a person consented to. Its state is used up before anything is sent, in the store if there is one.
pub(crate) async fn granted(
    flight: &Flight,
    mut turn: Option<&mut Turn<'_>>,
    redirect: &Redirect,
) -> Result<(Login, Now)> {
    let inner = flight.session()?;
    let consent = consent_of(&inner)?;
    let (state, trusts) = (redirect.get("state"), consent.trusts_missing_state());
    let now = inner.clock.now();
    let here = |pending: &mut Pending| pending.take(state, trusts, now.wall);
    let taken = match &mut turn {
        // One that was begun while the store could not be used is noted here.
        Some(turn) => here(turn.pending()).or_else(|error| change(&inner, here).map_err(|_| error)),
        None => change(&inner, here),
    };
    let begun_at = taken.map_err(|error| inner.named(error))?;
    // A person has just consented: what was refused before, and any wait, is out of date.
    drop(inner.apply(Event::Reset));
    let hide = |error: Error| {
        inner
            .named(error)
            .redacted(&Redactor::new(inner.adapter.secrets()))
    };
    match consent.granted(redirect).map_err(hide)? {
        Granted::Tokens { mut login, issued_at } => {
            // Somewhere between the beginning and now: the earlier it was, the earlier it ends.
            let issued_at = issued_at
                .unwrap_or(begun_at)
                .clamp(begun_at.min(now.wall), now.wall);
            login.sent_at(issued_at);
            let passed = now.wall.since(issued_at);
            let sent = Now {
                wall: issued_at,
                monotonic: now.monotonic.saturating_sub(passed),
            };
            let timeout = flight.begins(&inner, turn).await?;
            belongs(&inner, &login, timeout).await?;
            Ok((*login, sent))
        }
        Granted::Code { code, request } => {
            let mut again = true;
            loop {
                let timeout = flight.begins(&inner, turn.as_deref_mut()).await?;
                let secrets = [code.clone(), state.cloned().unwrap_or_else(|| Secret::new(""))];
                let adapter = inner.adapter.as_ref();
                let error = match exchange(&inner, adapter, Request::clone(&request), &secrets, timeout).await
                {
                    Ok(opened) => return Ok(opened),
                    Err(error) => error,
                };
                let wait = consent.sends_again_after(&error).filter(|_| again);
                let Some(wait) = wait.filter(|_| inner.is_current(flight.id)) else {
                    return Err(about_the_code(error));
                };
                again = false;
                let (clock, began) = (&inner.clock, Instant::now());
                let until = clock.now().wall.plus(wait);
                // A clock that stands still must not hold it longer than one that runs.
                while clock.now().wall < until && began.elapsed() < wait {
                    tokio::time::sleep(clock.nap(until)).await;
                }
            }
        }
    }
}

/// Whoever logged in at the page must be the account that the credentials name: orders would go to another one. Errors:
/// `InvalidInput` (`client_code`), and those of a call, since tokens that cannot be tried are not kept.
async fn belongs(inner: &Inner, login: &Login, timeout: Duration) -> Result<()> {
    let (ProfileSource::Call(mut request), Some(mine)) = (inner.adapter.profile(), &login.profile.account_id)
    else {
        return Ok(());
    };
    let now = inner.clock.now();
    let policy = &inner.adapter.policy().expiry;
    let record = Record::new(0, login.clone(), now.wall, now, policy);
    let reply = inner.exchange(&mut request, &record, timeout).await;
    let reply = reply.map_err(|failed| about_the_code(failed.error))?;
    let theirs = inner.adapter.read_profile(&reply).account_id;
    if theirs.is_some_and(|theirs| !theirs.eq_ignore_ascii_case(mine)) {
        return Err(inner.named(Error::invalid_input(
            "client_code",
            "is not that of the person who logged in at the broker's page: nothing was kept. Begin the login again, \
             with the right account",
        )));
    }
    Ok(())
}

/// A code that may have been used is not sent again.
fn about_the_code(error: Error) -> Error {
    let unknown = matches!(
        error.kind(),
        ErrorKind::Timeout | ErrorKind::Network | ErrorKind::BrokerUnavailable | ErrorKind::MalformedResponse
    );
    if !unknown {
        return error;
    }
    let message = format!(
        "{} (the login code is not sent again, since it may have been used: begin a new login)",
        error.message()
    );
    error.with_message(message).with_advice(Advice::AfterLogin)
}
