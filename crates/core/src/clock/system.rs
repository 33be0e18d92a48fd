//! The machine's own clocks. Linux also keeps both as of its last tick, which is a fifth of the cost to read.

use std::time::Duration;

use super::{Clock, Now, Timestamp};

/// The machine's own clock.
///
/// ```
/// use preopen_core::{Clock, SystemClock};
///
/// let now = SystemClock.now();
/// println!("{}", now.wall.to_ist());
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl SystemClock {
    pub(super) fn monotonic() -> Duration {
        machine::monotonic()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Now {
        machine::now()
    }

    fn glance(&self) -> Now {
        machine::last_tick().unwrap_or_else(machine::now)
    }

    fn nap(&self, until: Timestamp) -> Duration {
        until
            .since(self.now().wall)
            .clamp(Duration::from_millis(1), Duration::from_secs(1))
    }
}

#[cfg(all(target_os = "linux", not(target_feature = "crt-static")))]
mod machine {
    use std::sync::atomic::{AtomicU8, Ordering};
    use std::time::Duration;

    use rustix::time::{ClockId, Timespec, clock_getres, clock_gettime};

    use super::super::{Now, Timestamp};

    /// Whether the clocks of the last tick may be used: not known yet, yes, no. Not a `OnceLock`: a process may be forked
    /// while another of its threads is in there.
    static TICKS: AtomicU8 = AtomicU8::new(UNKNOWN);
    const UNKNOWN: u8 = 0;
    const OFTEN: u8 = 1;
    const SELDOM: u8 = 2;

    pub(super) fn now() -> Now {
        read(ClockId::Realtime, ClockId::Monotonic)
    }

    pub(super) fn monotonic() -> Duration {
        since_start(clock_gettime(ClockId::Monotonic))
    }

    /// The time as of the last tick, unless ticks are too far apart.
    pub(super) fn last_tick() -> Option<Now> {
        let often = match TICKS.load(Ordering::Relaxed) {
            UNKNOWN => ask(),
            known => known == OFTEN,
        };
        often.then(|| read(ClockId::RealtimeCoarse, ClockId::MonotonicCoarse))
    }

    /// A tenth: a tick that comes late does no harm.
    #[cold]
    fn ask() -> bool {
        let often = between_ticks() <= Now::GLANCE_LAG / 10;
        TICKS.store(if often { OFTEN } else { SELDOM }, Ordering::Relaxed);
        often
    }

    /// A nanosecond where these clocks are no others than the exact ones.
    pub(super) fn between_ticks() -> Duration {
        let clocks = [ClockId::RealtimeCoarse, ClockId::MonotonicCoarse];
        let [wall, monotonic] = clocks.map(|clock| since_start(clock_getres(clock)));
        wall.max(monotonic)
    }

    fn read(wall: ClockId, monotonic: ClockId) -> Now {
        let wall = clock_gettime(wall);
        Now {
            wall: Timestamp::from_seconds(wall.tv_sec).plus_millis(i64::from(nanos(&wall) / 1_000_000)),
            monotonic: since_start(clock_gettime(monotonic)),
        }
    }

    fn since_start(time: Timespec) -> Duration {
        Duration::new(u64::try_from(time.tv_sec).unwrap_or_default(), nanos(&time))
    }

    fn nanos(time: &Timespec) -> u32 {
        u32::try_from(time.tv_nsec).unwrap_or_default()
    }
}

// A program that is linked statically does not find these clocks without a system call.
#[cfg(not(all(target_os = "linux", not(target_feature = "crt-static"))))]
mod machine {
    use std::sync::OnceLock;
    use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

    use super::super::{Now, Timestamp};

    pub(super) fn now() -> Now {
        let wall = match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
            Err(before) => -i64::try_from(before.duration().as_millis()).unwrap_or(i64::MAX),
        };
        Now {
            wall: Timestamp::from_millis(wall),
            monotonic: monotonic(),
        }
    }

    pub(super) fn monotonic() -> Duration {
        static START: OnceLock<Instant> = OnceLock::new();
        START.get_or_init(Instant::now).elapsed()
    }

    pub(super) fn last_tick() -> Option<Now> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Clock as _, Now};
    use super::SystemClock;
    use std::time::Duration;

    #[test]
    fn a_glance_lies_behind_by_less_than_its_lag_and_never_ahead() {
        let mut furthest = Duration::ZERO;
        for _ in 0..20_000 {
            let before = SystemClock.now();
            let glance = SystemClock.glance();
            let after = SystemClock.now();
            assert!(
                glance.monotonic <= after.monotonic,
                "{glance:?} is after {after:?}"
            );
            assert!(
                before.monotonic < glance.monotonic + Now::GLANCE_LAG,
                "{glance:?} lies far behind {before:?}"
            );
            // Whoever sets the wall clock meanwhile moves both.
            if !after.is_stepped_since(before) {
                assert!(glance.wall <= after.wall, "{glance:?} is after {after:?}");
                assert!(
                    before.wall < glance.wall.plus(Now::GLANCE_LAG),
                    "{glance:?}, {before:?}"
                );
            }
            furthest = furthest.max(before.monotonic.saturating_sub(glance.monotonic));
        }
        // Where the last tick is what is read, 20,000 readings take longer than from one to the next.
        #[cfg(all(target_os = "linux", not(target_feature = "crt-static")))]
        assert!(
            furthest > Duration::from_micros(100)
                || super::machine::between_ticks() < Duration::from_micros(100),
            "exact clocks were read"
        );
        #[cfg(not(all(target_os = "linux", not(target_feature = "crt-static"))))]
        assert_eq!(furthest, Duration::ZERO);
    }

    #[test]
    fn both_clocks_are_those_of_the_standard_library() {
        use std::time::{Instant, SystemTime, UNIX_EPOCH};
        let (began, wall) = (Instant::now(), SystemTime::now());
        let first = SystemClock.now();
        std::thread::sleep(Duration::from_millis(20));
        let last = SystemClock.now();
        let took = last.monotonic.saturating_sub(first.monotonic);
        assert!(
            took >= Duration::from_millis(20) && took <= began.elapsed(),
            "{took:?}"
        );
        let wall = wall.duration_since(UNIX_EPOCH).unwrap().as_millis();
        let here = u128::try_from(first.wall.as_millis()).unwrap();
        assert!(here.abs_diff(wall) < 1000, "{here} is not {wall}");
    }
}
