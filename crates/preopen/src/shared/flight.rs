//! The way of a flight whose session is shared: look whether another program has logged in, wait for the one that does,
//! or be it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use preopen_core::audit::Why;
use preopen_core::broker::{Adapter, Login, digest};
use preopen_core::clock::Now;
use preopen_core::error::Phase;
use preopen_core::lifecycle::shared::{Asker, Decision, Origin};
use preopen_core::{Advice, Error, ErrorKind, Result};
use tokio::time::Instant;

use super::turn::Turn;
use super::{LOOK, Shared, StoreLoss};
use crate::flight::{Flight, Landed, attempts, complete};

/// How long to wait for another program's login beside its requests: it may have to wait for two one-time codes, or for
/// a person.
const CODES: Duration = Duration::from_secs(65);
/// The same where a login needs neither: it writes to the store.
const WRITES: Duration = Duration::from_secs(2);
/// How often a login whose claim was lost is tried again.
const LOSSES: u32 = 3;

/// Finds the session of another program, or logs in as the only one. The session is not held while it waits.
pub(crate) async fn find_or_log_in(flight: &Flight, shared: &Shared) -> Result<Landed> {
    let overrule = shared.overrule.swap(false, Ordering::Relaxed);
    match look_and_log_in(flight, shared, overrule).await {
        Ok(landed) => Ok(landed),
        Err(Trouble::Before(error))
            if error.kind() == ErrorKind::StoreUnavailable && shared.on_loss == StoreLoss::LogIn =>
        {
            let (login, sent) = attempts(flight, None).await?;
            let login = Box::new(login);
            Ok(Landed::Opened { login, sent })
        }
        Err(Trouble::Before(error) | Trouble::After(error)) => Err(shared.name(error)),
    }
}

/// Whether something may have been sent when it failed.
enum Trouble {
    Before(Error),
    After(Error),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Before(error)
    }
}

async fn look_and_log_in(flight: &Flight, shared: &Shared, overrule: bool) -> Result<Landed, Trouble> {
    let began = Instant::now();
    let mut answered_before = None;
    let mut losses = 0;
    loop {
        let inner = flight.wanted()?;
        let clock = Arc::clone(&inner.clock);
        let adapter = Arc::clone(&inner.adapter);
        let patience = patience(adapter.as_ref(), inner.timeout);
        let (dead, refused) = (inner.dead(), inner.refused());
        drop(inner);
        let credentials = adapter.questions().is_empty().then(|| digest(adapter.as_ref()));
        let seen = shared.store.read(&shared.account).await?;
        // What cannot be read may be half written: that is decided under the claim. What a person consented to just now
        // goes before any session that is there.
        if flight.grant.is_none()
            && let Ok((kept, ..)) = shared.open(seen.as_ref()).await
        {
            let answered_before = *answered_before.get_or_insert(kept.guard.answered());
            let asker = Asker {
                dead,
                refused: refused.as_ref().map(|record| record.tokens.access()),
                credentials: credentials.as_deref(),
                answered_before: Some(answered_before),
                overrule,
            };
            match kept.decide(&asker, clock.now(), &shared.policy.expiry) {
                Decision::Adopt { login, issued_at } => return Ok(Landed::Adopted { login, issued_at }),
                Decision::Refuse(error) => return Err(error.into()),
                Decision::LogIn => {}
            }
        }
        if let Some(claimed) = shared.store.claim(&shared.account).await? {
            let turn = shared.turn(claimed, overrule).await?;
            if let Some(landed) = take_turn(flight, turn, answered_before, overrule).await? {
                return Ok(landed);
            }
            losses += 1;
            if losses >= LOSSES {
                let error = "the claim was lost again and again while a login was under way";
                return Err(Trouble::After(Error::new(ErrorKind::StoreUnavailable, error)));
            }
            continue;
        }
        let rest = patience.saturating_sub(began.elapsed());
        if rest.is_zero() {
            return Err(held_by_another(shared, patience).into());
        }
        shared
            .store
            .changed(&shared.account, seen.as_ref(), rest.min(LOOK))
            .await;
    }
}

/// How long another program may hold the claim before nobody waits for it any more. It has the same kind of credentials,
/// and may have to log in twice.
fn patience(adapter: &dyn Adapter, timeout: Duration) -> Duration {
    let asks = adapter.code_question().is_some() || !adapter.questions().is_empty();
    let waits = adapter.policy().totp_single_use || asks;
    timeout * 2 + if waits { CODES } else { WRITES }
}

pub(super) fn held_by_another(shared: &Shared, patience: Duration) -> Error {
    Error::new(
        ErrorKind::Timeout,
        format!(
            "another program has been logging in for {} s and is not done; nothing was sent ({})",
            patience.as_secs(),
            shared.store.describe()
        ),
    )
    .with_advice(Advice::After(Duration::from_secs(1)))
    .with(|context| context.phase = Some(Phase::Lock))
}

/// Decides again under the claim, and logs in. `None` when the claim was lost on the way.
async fn take_turn(
    flight: &Flight,
    mut turn: Turn<'_>,
    answered_before: Option<u64>,
    overrule: bool,
) -> Result<Option<Landed>, Trouble> {
    let inner = match flight.wanted() {
        Ok(inner) => inner,
        Err(error) => {
            turn.claim.release().await;
            return Err(error.into());
        }
    };
    let shared = turn.shared;
    let clock = Arc::clone(&inner.clock);
    let (dead, refused, seed, timeout) = (inner.dead(), inner.refused(), inner.seed, inner.timeout);
    inner.learn_spent(turn.kept.guard.spent_steps());
    let adapter = complete(flight).await;
    drop(inner);
    let adapter: Arc<dyn Adapter> = match adapter {
        Ok(adapter) => adapter,
        Err(error) => {
            turn.claim.release().await;
            return Err(error.into());
        }
    };
    let credentials = digest(adapter.as_ref());
    let asker = Asker {
        dead,
        refused: refused.as_ref().map(|record| record.tokens.access()),
        credentials: Some(&credentials),
        answered_before,
        overrule,
    };
    let decision = match flight.grant {
        Some(_) => Decision::LogIn,
        None => turn.kept.decide(&asker, clock.now(), &shared.policy.expiry),
    };
    match decision {
        Decision::Adopt { login, issued_at } => {
            turn.claim.release().await;
            return Ok(Some(Landed::Adopted { login, issued_at }));
        }
        Decision::Refuse(error) => {
            turn.claim.release().await;
            return Err(error.into());
        }
        Decision::LogIn => {}
    }
    // A session that only a newer one shall replace stays if there is none.
    let replaces = flight.grant.is_none() && flight.id.why() == Why::Asked;
    if !replaces {
        turn.kept.ended_for(&asker);
    }
    let before = turn.kept.origin();
    let done = attempts(flight, Some((&mut turn, adapter))).await;
    match done {
        _ if turn.lost => {
            give_up(turn, before, timeout).await;
            Ok(None)
        }
        Ok((login, sent)) => {
            turn.is_over(clock.as_ref());
            publish(flight, turn, (Box::new(login), sent), &credentials, timeout).await
        }
        Err(error) => {
            // A login that was given up because of a logout says nothing of the broker.
            if flight.is_wanted() || error.kind() != ErrorKind::Internal {
                turn.failed(&error, &credentials, seed, clock.as_ref(), flight.grant.is_none())
                    .await;
            }
            turn.sent &= may_have_logged_in(&error);
            give_up(turn, before, timeout).await;
            // Only before something is sent does the store have a say.
            let unsent = error.kind() == ErrorKind::StoreUnavailable;
            Err(if unsent {
                Trouble::Before(error)
            } else {
                Trouble::After(error)
            })
        }
    }
}

async fn publish(
    flight: &Flight,
    mut turn: Turn<'_>,
    (login, sent): (Box<Login>, Now),
    credentials: &str,
    timeout: Duration,
) -> Result<Option<Landed>, Trouble> {
    // The user logged out meanwhile: nobody else shall take it over.
    let shared = turn.shared;
    let before = turn.kept.origin();
    let session = flight.session.upgrade();
    if session.as_ref().is_some_and(|inner| !inner.is_current(flight.id)) {
        turn.lost |= matches!(turn.write_guard().await, Ok(false));
        give_up(turn, before, timeout).await;
        return Ok(Some(Landed::Opened { login, sent }));
    }
    // A person consented to it, or the refresh token before it is dead: nobody can open it once more.
    let only_one = session.is_some_and(|inner| inner.adapter.consent().is_some());
    let stored = Box::new(
        turn.kept
            .opened(Login::clone(&login), sent.wall, random(), credentials),
    );
    match turn.write().await {
        Ok(true) => {
            turn.claim.release().await;
            Ok(Some(Landed::Opened { login: stored, sent }))
        }
        Ok(false) => {
            turn.lost = true;
            give_up(turn, before, timeout).await;
            if !only_one {
                return Ok(None);
            }
            let login = keep_anyway(shared, login, sent, credentials, timeout).await;
            Ok(Some(Landed::Opened { login, sent }))
        }
        Err(_) => {
            turn.claim.release().await;
            let login = if only_one {
                keep_anyway(shared, login, sent, credentials, timeout).await
            } else {
                // The session is there, but nobody else can be told: it serves this program.
                login
            };
            Ok(Some(Landed::Opened { login, sent }))
        }
    }
}

/// Writes a session that cannot be opened again under another claim, since the first one was lost or the write failed. Gives it with its
/// origin, or, when the store cannot be had, as it is: it serves this program.
async fn keep_anyway(
    shared: &Shared,
    login: Box<Login>,
    sent: Now,
    credentials: &str,
    patience: Duration,
) -> Box<Login> {
    for _ in 0..LOSSES {
        let Ok(Some(mut turn)) = shared.claim(patience, false).await else {
            break;
        };
        let kept = turn
            .kept
            .opened(Login::clone(&login), sent.wall, random(), credentials);
        let written = turn.write().await;
        turn.claim.release().await;
        match written {
            Ok(true) => return Box::new(kept),
            Ok(false) => {}
            Err(_) => break,
        }
    }
    login
}

/// Whether a login that ended like this may have opened a session at the broker all the same.
fn may_have_logged_in(error: &Error) -> bool {
    let refused = error.is_terminal_for_login() || error.kind() == ErrorKind::RateLimited;
    !refused && error.context().phase != Some(Phase::Connect)
}

/// Ends a turn that published nothing. `before` is the session that was there when it began.
async fn give_up(turn: Turn<'_>, before: Option<Origin>, patience: Duration) {
    let (shared, overtaken) = (turn.shared, turn.lost && turn.sent);
    turn.claim.release().await;
    if overtaken {
        after_a_lost_claim(shared, before, patience).await;
    }
}

/// Our login came after another program had taken the claim: it may have killed that one's session at the broker, so
/// that session is given up instead of left in use.
async fn after_a_lost_claim(shared: &Shared, before: Option<Origin>, patience: Duration) {
    let Ok(Some(mut turn)) = shared.claim(patience, false).await else {
        return;
    };
    if let Some(newer) = turn.kept.origin().filter(|origin| Some(*origin) != before)
        && turn.kept.ended(newer)
    {
        let _ = turn.write_guard().await;
    }
    turn.claim.release().await;
}

/// The epoch of a store that begins.
fn random() -> u64 {
    // Without randomness no key could have been made either.
    getrandom::u64().unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use preopen_core::ask::Ask;
    use preopen_core::broker::Adapter;
    use preopen_core::brokers::{AngelOne, Samco};

    use super::patience;

    #[test]
    fn p4_only_codes_and_people_are_waited_for_longer_than_two_logins() {
        let of = |adapter: &dyn Adapter| patience(adapter, Duration::from_secs(10)).as_secs();
        let angel_one = AngelOne::new("k", "c", "0000", "JBSWY3DPEHPK3PXPJBSWY3DPEH");
        let (samco, asks) = (Samco::new("k", "s"), Samco::new("k", Ask::blocking(|| Ok(None))));
        assert_eq!([of(&samco), of(&angel_one), of(&asks)], [22, 85, 85]);
    }
}
