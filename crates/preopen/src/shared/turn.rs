//! The turn of the one program that logs in: it holds the claim, tells the others before it sends anything, and writes down
//! what came of it.

use std::sync::atomic::Ordering;
use std::time::Duration;

use preopen_core::broker::Tokens;
use preopen_core::clock::{Clock, Timestamp};
use preopen_core::consent::Pending;
use preopen_core::error::LoginReason;
use preopen_core::lifecycle::Record;
use preopen_core::lifecycle::shared::Kept;
use preopen_core::seal::SealKey;
use preopen_core::totp::SpentSteps;
use preopen_core::{Error, ErrorKind, Result};
use preopen_store::{Claim, KeySource, Value};
use tokio::time::Instant;

use super::Shared;

/// What a login needs of a claim's time beside its own deadline: writing down what it gave.
const MARGIN: Duration = Duration::from_secs(2);

/// This program's turn to log in: it holds the claim.
pub(crate) struct Turn<'a> {
    pub(super) shared: &'a Shared,
    pub(super) claim: Box<dyn Claim>,
    /// The sealed session as it is kept.
    pub(super) session: Option<String>,
    pub(super) kept: Kept,
    pub(super) source: KeySource,
    pub(super) key: SealKey,
    /// Something was sent in this turn, or was about to be.
    pub(super) began: bool,
    /// A request may have gone out, and may have opened a session.
    pub(super) sent: bool,
    /// The claim did not hold any more.
    pub(super) lost: bool,
}

impl Turn<'_> {
    /// The tokens to renew with; `own` is the session that this program remembers.
    pub(crate) fn to_renew(&self, own: Option<&Record>, clock: &dyn Clock) -> Option<Tokens> {
        let policy = &self.shared.policy.expiry;
        self.kept.to_renew(own, clock.now(), policy)
    }

    /// The logins that persons began. What is changed is written before anything is sent.
    pub(crate) fn pending(&mut self) -> &mut Pending {
        self.kept.guard.pending()
    }

    /// Writes down that a login is about to be sent, and with which codes; waits as long as the broker wants between two
    /// logins. Gives the time that the login may take. Errors: `StoreUnavailable` when the claim is lost.
    pub(crate) async fn begins(
        &mut self,
        clock: &dyn Clock,
        spent: &SpentSteps,
        timeout: Duration,
    ) -> Result<Duration> {
        let interval = self.shared.policy.login_interval;
        // The request before this one was answered, or nobody waits for it any more.
        if self.began {
            self.is_over(clock);
        }
        self.began = true;
        let own = self.kept.guard.last_login().map(Timestamp::as_millis)
            == Some(self.shared.own_login.load(Ordering::Relaxed));
        let began = Instant::now();
        loop {
            let rest = self.kept.guard.login_rest(clock.now(), interval, own);
            // A clock that stands still must not hold it longer than one that runs.
            if rest.is_zero() || began.elapsed() >= interval {
                break;
            }
            tokio::time::sleep(clock.nap(clock.now().wall.plus(rest))).await;
        }
        self.kept.guard.begins(clock.now(), spent);
        self.note_login();
        if !self.write_guard().await? {
            return Err(self.lose());
        }
        let most = self.claim.good_for().saturating_sub(MARGIN);
        if most < MARGIN {
            return Err(self.lose());
        }
        self.sent = true;
        Ok(timeout.min(most))
    }

    /// The request that was sent last was answered, or nobody waits for it any more.
    pub(super) fn is_over(&mut self, clock: &dyn Clock) {
        self.kept.guard.is_over(clock.now());
        self.note_login();
    }

    fn note_login(&self) {
        if let Some(at) = self.kept.guard.last_login() {
            self.shared.own_login.store(at.as_millis(), Ordering::Relaxed);
        }
    }

    /// Writes the guard beside the session that is kept; `false` when the claim is lost.
    pub(super) async fn write_guard(&mut self) -> Result<bool> {
        let guard = self
            .kept
            .guard_text(&self.key, self.source.as_str(), &self.shared.identity)?;
        let value = Value::new(self.session.clone(), Some(guard));
        self.claim.write(&value).await
    }

    pub(super) fn lose(&mut self) -> Error {
        self.lost = true;
        Error::new(
            ErrorKind::StoreUnavailable,
            format!(
                "the claim in {} was lost while a login was under way",
                self.shared.store.describe()
            ),
        )
    }

    /// Writes everything; `false` when the claim is lost.
    pub(super) async fn write(&mut self) -> Result<bool> {
        let (session, guard) = self.kept.seal(
            &self.key,
            self.source.as_str(),
            &self.shared.identity,
            &self.shared.policy.expiry,
        )?;
        self.session = session;
        let value = Value::new(self.session.clone(), Some(guard));
        self.claim.write(&value).await
    }

    /// A broker's answer that holds for every program: a failed login. Best effort; it is noticed when the claim is lost.
    pub(super) async fn failed(
        &mut self,
        error: &Error,
        credentials: &str,
        seed: u64,
        clock: &dyn Clock,
        renewing: bool,
    ) {
        self.is_over(clock);
        self.kept.guard.failed(error, credentials, seed, clock.now());
        let written = match error.context().login_reason {
            // No program tries this refresh token again.
            Some(LoginReason::RefreshExpired | LoginReason::RefreshRejected) if renewing => {
                self.kept.not_renewable();
                self.write().await
            }
            // The broker has revoked every token of the app.
            Some(LoginReason::CodeReplayed) => {
                self.kept.signed_out();
                self.write().await
            }
            _ => self.write_guard().await,
        };
        self.lost |= matches!(written, Ok(false));
    }
}
