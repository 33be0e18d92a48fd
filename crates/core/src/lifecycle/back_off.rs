//! Waiting between failed logins: an outage must not be answered by a login for every call of every caller.
//! Credentials that were refused are not its business: those block the session.

use std::time::Duration;

use super::jitter::share_of;
use crate::clock::Now;
use crate::error::{Advice, Error, ErrorKind};

/// The wait after the second failure in a row; it doubles with every further one.
const FIRST: Duration = Duration::from_secs(1);
/// The longest wait that failures alone lead to.
const LONGEST: Duration = Duration::from_mins(1);

/// The failures in a row, and until when no login is tried. Waits are measured on the monotonic clock.
#[derive(Clone, Debug, Default)]
pub(super) struct BackOff {
    seed: u64,
    failures: u32,
    held: Option<Box<(Duration, Error)>>,
}

impl BackOff {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            seed,
            ..Self::default()
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::new(self.seed);
    }

    /// The failures in a row.
    pub(super) fn failures(&self) -> u32 {
        self.failures
    }

    /// The last failure, if nothing has succeeded since.
    pub(super) fn last(&self) -> Option<&Error> {
        self.held.as_ref().map(|held| &held.1)
    }

    /// How long no login may be tried from `now` on.
    pub(super) fn rest(&self, now: Now) -> Duration {
        let until = self.held.as_ref().map(|held| held.0);
        until.unwrap_or_default().saturating_sub(now.monotonic)
    }

    /// The error to give at `now` while no login may be tried: the last one, with the rest of the wait as its
    /// advice.
    pub(super) fn holds(&self, now: Now) -> Option<Error> {
        let rest = self.rest(now);
        let error = self.last()?;
        (!rest.is_zero()).then(|| error.clone().with_advice(Advice::After(rest)))
    }

    /// A login failed. Says whether that is one more in a row.
    pub(super) fn failed(&mut self, error: &Error, now: Now) -> bool {
        let Some((failures, wait)) = wait_after(self.failures, error, self.seed) else {
            return false;
        };
        self.failures = failures;
        self.held = Some(Box::new((now.monotonic.saturating_add(wait), error.clone())));
        true
    }
}

/// The failures in a row when `error` follows on `failures` others, and the wait that they lead to; `None` when it is no
/// outage. The first failure costs the next caller nothing, so that one lost packet is healed at once; a wait that the
/// broker asks for holds from the first.
pub(super) fn wait_after(failures: u32, error: &Error, seed: u64) -> Option<(u32, Duration)> {
    // What was never sent, and what waits for a person, is not an outage.
    let outage = !matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::LoginRequired);
    if error.is_terminal_for_login() || !outage {
        return None;
    }
    let failures = failures.saturating_add(1);
    let own = match failures {
        1 => Duration::ZERO,
        more => {
            // Between three quarters of it and all of it: the same for the same account and failure, different between
            // accounts.
            let wait = FIRST.saturating_mul(1 << (more - 2).min(6)).min(LONGEST);
            wait * 3 / 4 + share_of(wait / 4, seed, failures)
        }
    };
    Some((failures, own.max(error.context().retry_after.unwrap_or_default())))
}

#[cfg(test)]
mod tests {
    use super::BackOff;
    use crate::clock::{Now, Timestamp};
    use crate::error::{Advice, Error, ErrorKind};
    use std::time::Duration;

    fn at(seconds: u64) -> Now {
        Now {
            wall: Timestamp::from_seconds(0),
            monotonic: Duration::from_secs(seconds),
        }
    }

    fn down() -> Error {
        Error::new(ErrorKind::BrokerUnavailable, "down")
    }

    fn waits(seed: u64) -> Vec<Duration> {
        let mut back_off = BackOff::new(seed);
        let wait = |_| {
            back_off.failed(&down(), at(0));
            back_off
                .holds(at(0))
                .map_or(Duration::ZERO, |error| match error.advice() {
                    Advice::After(wait) => wait,
                    other => panic!("{other:?}"),
                })
        };
        (0..12).map(wait).collect()
    }

    #[test]
    fn the_first_failure_is_free_and_waits_double_up_to_a_minute() {
        let waits = waits(7);
        assert_eq!(waits[0], Duration::ZERO);
        for (nth, full) in [(1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (11, 60)] {
            let full = Duration::from_secs(full);
            assert!(
                waits[nth] >= full * 3 / 4 && waits[nth] <= full,
                "{nth}: {:?}",
                waits[nth]
            );
        }
    }

    #[test]
    fn waits_are_stable_for_an_account_and_spread_between_accounts() {
        assert_eq!(waits(7), waits(7));
        let mut sixth: Vec<Duration> = (0..100).map(|seed| waits(seed)[6]).collect();
        sixth.sort_unstable();
        sixth.dedup();
        assert!(sixth.len() > 80, "{} different waits", sixth.len());
    }

    #[test]
    fn a_wait_that_the_broker_asks_for_holds_at_once_and_ends() {
        let mut back_off = BackOff::new(1);
        let limited =
            Error::new(ErrorKind::RateLimited, "slow").with(|c| c.retry_after = Some(Duration::from_secs(9)));
        back_off.failed(&limited, at(100));
        assert_eq!(
            back_off.holds(at(108)).map(|e| e.kind()),
            Some(ErrorKind::RateLimited)
        );
        assert!(back_off.holds(at(109)).is_none());
        back_off.failed(&limited, at(109));
        back_off.clear();
        assert!(back_off.holds(at(109)).is_none());
    }

    #[test]
    fn what_was_never_sent_or_blocks_anyway_holds_nothing() {
        let mut back_off = BackOff::new(1);
        for kind in [
            ErrorKind::InvalidInput,
            ErrorKind::LoginRequired,
            ErrorKind::CredentialsRejected,
            ErrorKind::AccountActionRequired,
        ] {
            assert!((0..5).all(|_| !back_off.failed(&Error::new(kind, "x"), at(0))));
        }
        assert!(back_off.holds(at(0)).is_none());
    }
}
