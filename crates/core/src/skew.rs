//! How far this machine's clock is from the broker's, estimated from the time that a reply tells. What follows
//! for the end of a session is `expiry`'s business.

use std::fmt;
use std::time::Duration;

use crate::clock::{Now, Timestamp};

/// The broker's clock minus this machine's: positive when the broker is ahead.
///
/// Only what is certain counts. A told time has whole seconds and was written at some moment between sending and
/// receiving, so that the difference is a range; the estimate is the end of it that is nearer to zero, and zero
/// when the range includes zero. It never exceeds [`Skew::LIMIT`], whatever a broken server tells.
///
/// ```
/// use preopen_core::Timestamp;
/// use preopen_core::skew::Skew;
///
/// let ahead = Skew::from_millis(30_000);             // the broker's clock is half a minute ahead
/// assert!(ahead.is_suspect());
/// assert_eq!(ahead.to_server(Timestamp::from_seconds(0)), Timestamp::from_seconds(30));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Skew {
    millis: i64,
}

impl Skew {
    /// The largest difference that is believed. Beyond it a one-time code cannot work anyway.
    pub const LIMIT: Duration = Duration::from_mins(15);

    /// From here on the clock is named as a suspect when a one-time code is refused: half a TOTP step.
    pub const SUSPECT: Duration = Duration::from_secs(15);

    const LIMIT_MILLIS: i64 = 900_000;

    /// The difference that the told time `server` proves, in a reply to a request sent at `sent` and received at
    /// `received`. `None` when this machine's own clock was stepped meanwhile.
    pub fn estimate(server: Timestamp, sent: Now, received: Now) -> Option<Self> {
        if received.is_stepped_since(sent) {
            return None;
        }
        let least = server.as_millis().saturating_sub(received.wall.as_millis());
        let most = server
            .as_millis()
            .saturating_add(999)
            .saturating_sub(sent.wall.as_millis());
        Some(Self::from_millis(if least > 0 { least } else { most.min(0) }))
    }

    /// A difference in milliseconds, brought within the limit.
    pub fn from_millis(millis: i64) -> Self {
        Self {
            millis: millis.clamp(-Self::LIMIT_MILLIS, Self::LIMIT_MILLIS),
        }
    }

    /// The difference in milliseconds; positive when the broker is ahead.
    pub const fn as_millis(self) -> i64 {
        self.millis
    }

    /// How far the broker is behind this machine; zero when it is not.
    pub(crate) fn behind(self) -> Duration {
        Duration::from_millis(u64::try_from(-self.millis).unwrap_or(0))
    }

    /// Whether the difference is large enough to be why a one-time code was refused.
    pub fn is_suspect(self) -> bool {
        Duration::from_millis(self.millis.unsigned_abs()) >= Self::SUSPECT
    }

    /// The broker's time when this machine says `here`.
    pub fn to_server(self, here: Timestamp) -> Timestamp {
        here.plus_millis(self.millis)
    }

    /// This machine's time when the broker says `there`.
    pub fn to_here(self, there: Timestamp) -> Timestamp {
        there.plus_millis(-self.millis)
    }
}

impl fmt::Display for Skew {
    /// For a person: `42 s behind the broker's`, completing "this machine's clock is ...".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = (self.millis.unsigned_abs() + 500) / 1000;
        let limit = self.millis.unsigned_abs() >= Self::LIMIT_MILLIS.unsigned_abs();
        let at_least = if limit { "at least " } else { "" };
        let side = if self.millis < 0 { "ahead of" } else { "behind" };
        write!(f, "{at_least}{seconds} s {side} the broker's")
    }
}

#[cfg(test)]
mod tests {
    use super::Skew;
    use crate::clock::{Now, Timestamp};
    use proptest::prelude::*;
    use std::time::Duration;

    fn at(millis: i64) -> Now {
        Now {
            wall: Timestamp::from_millis(1_800_000_000_000 + millis),
            monotonic: Duration::from_millis(u64::try_from(50_000 + millis).unwrap()),
        }
    }

    fn estimate(server: i64, sent: i64, received: i64) -> Option<i64> {
        let server = Timestamp::from_millis(1_800_000_000_000 + server);
        Skew::estimate(server, at(sent), at(received)).map(Skew::as_millis)
    }

    #[test]
    fn t6_only_what_is_certain_counts() {
        assert_eq!(estimate(0, 100, 300), Some(0), "the same second");
        assert_eq!(estimate(0, 900, 1100), Some(0), "the second turned on the way");
        assert_eq!(estimate(60_000, 0, 400), Some(59_600));
        assert_eq!(estimate(-60_000, 0, 400), Some(-59_001));
        assert_eq!(estimate(2_000, 0, 5_000), Some(0), "a slow reply proves nothing");
    }

    #[test]
    fn t6_the_estimate_is_clamped_and_a_stepped_clock_gives_none() {
        assert_eq!(estimate(19_800_000, 0, 10), Some(900_000));
        assert_eq!(estimate(-19_800_000, 0, 10), Some(-900_000));
        let stepped = Now {
            wall: at(60_000).wall,
            monotonic: at(10).monotonic,
        };
        assert_eq!(Skew::estimate(at(0).wall, at(0), stepped), None);
        // A second is what the rounding of clocks may make; a step of more tells on itself, in either direction.
        for (step, believed) in [(1000, true), (1001, false), (-1000, true), (-1001, false)] {
            let stepped = Now {
                wall: at(step).wall,
                monotonic: at(0).monotonic,
            };
            let told = at(60_000).wall;
            assert_eq!(Skew::estimate(told, at(0), stepped).is_some(), believed, "{step}");
        }
    }

    #[test]
    fn a_skew_is_told_from_this_machine_s_side() {
        assert_eq!(Skew::from_millis(42_400).to_string(), "42 s behind the broker's");
        assert_eq!(
            Skew::from_millis(-42_600).to_string(),
            "43 s ahead of the broker's"
        );
        assert_eq!(
            Skew::from_millis(i64::MAX).to_string(),
            "at least 900 s behind the broker's"
        );
        assert_eq!(Skew::default().to_string(), "0 s behind the broker's");
        assert!(Skew::from_millis(-15_000).is_suspect() && !Skew::from_millis(14_999).is_suspect());
        assert_eq!(Skew::from_millis(-5).behind(), Duration::from_millis(5));
        assert_eq!(Skew::from_millis(5).behind(), Duration::ZERO);
    }

    proptest! {
        #[test]
        fn t6_the_estimate_never_exceeds_the_true_difference(
            truth in -800_000_i64..800_000, sent in 0_i64..10_000, there in 0_i64..5_000, back in 0_i64..5_000,
        ) {
            let written = sent + there;
            let told = Timestamp::from_seconds((1_800_000_000_000 + written + truth).div_euclid(1000));
            let found = Skew::estimate(told, at(sent), at(written + back)).unwrap().as_millis();
            prop_assert!(found.signum() * truth.signum() >= 0 && found.abs() <= truth.abs(), "{found} for {truth}");
        }
    }
}
