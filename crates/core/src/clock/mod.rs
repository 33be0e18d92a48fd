//! Time as the core sees it: a UTC timestamp type of our own, a clock that is always passed in, and a
//! virtual clock for the embedded broker and tests. Indian Standard Time is a fixed +05:30, so no time
//! zone database is needed.

mod system;

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::tz::{Offset, TimeZone};
use serde::{Deserialize, Serialize};

pub use system::SystemClock;

/// Seconds that Indian Standard Time is ahead of UTC: +05:30, without daylight saving.
pub const IST_OFFSET_SECONDS: i32 = 5 * 3600 + 30 * 60;

const MILLIS_PER_DAY: i64 = 86_400_000;

/// An instant of wall-clock time: milliseconds since 1970-01-01T00:00:00Z.
///
/// `Display` and [`Timestamp::to_rfc3339`] give UTC; [`Timestamp::to_ist`] gives Indian Standard Time.
///
/// ```
/// use std::time::Duration;
/// use preopen_core::Timestamp;
///
/// let at = Timestamp::parse_rfc3339("2026-11-23T08:00:00+05:30").unwrap();
/// assert_eq!(at.to_rfc3339(), "2026-11-23T02:30:00Z");
/// assert_eq!(at.format_ist("%H:%M"), "08:00");
/// assert_eq!(at.plus(Duration::from_secs(60)).since(at), Duration::from_secs(60));
/// assert_eq!(Timestamp::from_millis(at.as_millis()), at);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Later times cannot be told as a date in every language.
    pub(crate) const LAST_OF_CALENDARS: Self = Self::from_seconds(253_402_128_000);

    /// The instant `millis` milliseconds after the Unix epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// The instant `seconds` seconds after the Unix epoch.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// Milliseconds since the Unix epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the Unix epoch, rounded down.
    pub const fn as_seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// This instant moved by a signed number of milliseconds.
    pub const fn plus_millis(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// This instant moved forward by `duration`.
    pub fn plus(self, duration: Duration) -> Self {
        self.plus_millis(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX))
    }

    /// How long after `earlier` this instant is; zero when it is not after it.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Milliseconds since the last midnight in India.
    pub(crate) const fn ist_millis_of_day(self) -> i64 {
        self.0
            .saturating_add(IST_OFFSET_SECONDS as i64 * 1000)
            .rem_euclid(MILLIS_PER_DAY)
    }

    /// `2026-11-22T02:30:00Z`, with milliseconds only when there are any.
    pub fn to_rfc3339(self) -> String {
        self.zoned(Offset::UTC, "%Y-%m-%dT%H:%M:%S%.fZ")
    }

    /// `2026-11-22T08:00:00.000+05:30`: ISO 8601 in Indian Standard Time, always with milliseconds.
    pub fn to_ist_rfc3339(self) -> String {
        self.zoned(ist(), "%Y-%m-%dT%H:%M:%S%.3f+05:30")
    }

    /// `2026-11-22 08:00:00 IST`.
    pub fn to_ist(self) -> String {
        self.zoned(ist(), "%Y-%m-%d %H:%M:%S IST")
    }

    /// The instant in Indian Standard Time by a `strftime` pattern.
    pub fn format_ist(self, pattern: &str) -> String {
        self.zoned(ist(), pattern)
    }

    /// Reads an RFC 3339 time with any offset, for example `2026-11-22T08:00:00+05:30`.
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        text.trim()
            .parse::<jiff::Timestamp>()
            .ok()
            .map(|t| Self(t.as_millisecond()))
    }

    /// Reads the `Date` header of an HTTP reply, for example `Sun, 22 Nov 2026 02:30:00 GMT`.
    pub fn parse_http_date(text: &str) -> Option<Self> {
        let parsed = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text.trim());
        parsed.ok().map(|t| Self(t.as_millisecond()))
    }

    /// The instant as the `Date` header of an HTTP reply.
    pub fn to_http_date(self) -> String {
        self.zoned(Offset::UTC, "%a, %d %b %Y %H:%M:%S GMT")
    }

    /// Reads a local Indian time by a `strptime` pattern that carries no zone.
    pub fn parse_ist(pattern: &str, text: &str) -> Option<Self> {
        let local = jiff::civil::DateTime::strptime(pattern, text.trim()).ok()?;
        let timestamp = ist().to_timestamp(local).ok()?;
        Some(Self(timestamp.as_millisecond()))
    }

    fn zoned(self, offset: Offset, pattern: &str) -> String {
        jiff::Timestamp::from_millisecond(self.0).map_or_else(
            |_| format!("{} ms", self.0),
            |t| t.to_zoned(TimeZone::fixed(offset)).strftime(pattern).to_string(),
        )
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_rfc3339())
    }
}

fn ist() -> Offset {
    Offset::from_seconds(IST_OFFSET_SECONDS).unwrap_or(Offset::UTC)
}

/// Wall time and monotonic time read together. Expiry looks at both, so that neither a wall clock set
/// back nor a suspended machine can lengthen a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Wall-clock time.
    pub wall: Timestamp,
    /// Time since an arbitrary start that never goes back.
    pub monotonic: Duration,
}

impl Now {
    /// By how much [`Clock::glance`] may lie behind [`Clock::now`].
    pub const GLANCE_LAG: Duration = Duration::from_secs(1);

    /// This moment and `duration`, on both clocks.
    pub(crate) fn plus(self, duration: Duration) -> Self {
        Self {
            wall: self.wall.plus(duration),
            monotonic: self.monotonic.saturating_add(duration),
        }
    }

    /// Whether the wall clock did not go along with the monotonic one since `earlier`: it was set, or the machine slept.
    pub fn is_stepped_since(self, earlier: Self) -> bool {
        let waited = self.monotonic.saturating_sub(earlier.monotonic);
        let expected = earlier.wall.plus(waited).as_millis();
        expected.abs_diff(self.wall.as_millis()) > 1000
    }
}

/// Where time comes from. The system clock in production, a [`VirtualClock`] in tests and on the sandbox.
///
/// ```
/// use preopen_core::{Clock, SystemClock};
///
/// assert!(SystemClock.now().wall.as_seconds() > 1_700_000_000);
/// ```
pub trait Clock: Send + Sync + fmt::Debug {
    /// The time now.
    fn now(&self) -> Now;

    /// The time at a moment before now that is less than [`Now::GLANCE_LAG`] ago, where that is quicker to read. It is not a
    /// time to write down or to wait for: it is for a look whether some moment is far away.
    fn glance(&self) -> Now {
        self.now()
    }

    /// How long to sleep in real time before looking again whether `until` has come.
    /// Bounded, so that a stepped or virtual clock is noticed.
    fn nap(&self, until: Timestamp) -> Duration;
}

/// A clock that can be set, moved and run at another speed. The embedded broker has one, and sessions made
/// by it follow the same one.
///
/// ```
/// use std::time::Duration;
/// use preopen_core::{Clock, Timestamp, VirtualClock};
///
/// let morning = Timestamp::parse_rfc3339("2026-11-23T07:59:00+05:30").unwrap();
/// let clock = VirtualClock::new(morning, 0.0);      // it stands still
/// clock.advance(Duration::from_secs(60));
/// assert_eq!(clock.now().wall.format_ist("%H:%M"), "08:00");
/// ```
#[derive(Debug)]
pub struct VirtualClock {
    state: Mutex<VirtualState>,
}

#[derive(Clone, Copy, Debug)]
struct VirtualState {
    wall: Timestamp,
    monotonic: Duration,
    read_at: Duration,
    rate: f64,
    edits: u64,
}

impl VirtualState {
    fn at(self, real: Duration) -> Now {
        let passed = real.saturating_sub(self.read_at).mul_f64(self.rate);
        Now {
            wall: self.wall.plus(passed).min(VirtualClock::LAST),
            monotonic: self.monotonic.saturating_add(passed),
        }
    }
}

impl VirtualClock {
    /// 9999-12-30: the last day that every calendar and time zone can tell. The wall time stands still from here on.
    pub const LAST: Timestamp = Timestamp::LAST_OF_CALENDARS;

    /// A clock that starts at `wall` and runs `rate` times as fast as real time; 0 stands still.
    /// A rate that is not finite or is negative counts as 0.
    pub fn new(wall: Timestamp, rate: f64) -> Self {
        let state = VirtualState {
            wall,
            monotonic: Duration::ZERO,
            read_at: SystemClock::monotonic(),
            rate: sane(rate),
            edits: 0,
        };
        Self {
            state: Mutex::new(state),
        }
    }

    /// A clock that starts at the machine's time and runs with it.
    pub fn starting_now() -> Self {
        Self::new(SystemClock.now().wall, 1.0)
    }

    /// Sets the wall time. Going forward also moves monotonic time, as waiting would; going back does not.
    pub fn set(&self, wall: Timestamp) {
        self.change(|state| {
            state.monotonic = state.monotonic.saturating_add(wall.since(state.wall));
            state.wall = wall;
        });
    }

    /// Moves time forward.
    pub fn advance(&self, by: Duration) {
        self.change(|state| {
            state.monotonic = state.monotonic.saturating_add(by);
            state.wall = state.wall.plus(by);
        });
    }

    /// Runs at `rate` times real time from here on; 0 stands still.
    pub fn set_rate(&self, rate: f64) {
        self.change(|state| state.rate = sane(rate));
    }

    /// How many times as fast as real time it runs.
    pub fn rate(&self) -> f64 {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).rate
    }

    /// How often it was set, moved or given a rate.
    pub fn edits(&self) -> u64 {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).edits
    }

    fn change(&self, edit: impl FnOnce(&mut VirtualState)) {
        let real = SystemClock::monotonic();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = state.at(real);
        state.wall = now.wall;
        state.monotonic = now.monotonic;
        state.read_at = real;
        state.edits += 1;
        edit(&mut state);
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Now {
        let state = *self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.at(SystemClock::monotonic())
    }

    fn nap(&self, until: Timestamp) -> Duration {
        let rate = self.rate();
        let rest = until.since(self.now().wall);
        let longest = Duration::from_millis(10);
        if rate <= 0.0 {
            return longest;
        }
        Duration::try_from_secs_f64(rest.as_secs_f64() / rate)
            .unwrap_or(longest)
            .clamp(Duration::from_millis(1), longest)
    }
}

/// Fast enough for any test; faster, a few hours of real time would not fit a duration.
const FASTEST: f64 = 1e9;

fn sane(rate: f64) -> f64 {
    if rate.is_finite() && rate > 0.0 {
        rate.min(FASTEST)
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::{Clock, Timestamp, VirtualClock};
    use std::time::Duration;

    #[test]
    fn text_forms_carry_their_zone() {
        let t = Timestamp::parse_rfc3339("2026-11-22T08:00:00+05:30").unwrap();
        assert_eq!(t.to_rfc3339(), "2026-11-22T02:30:00Z");
        assert_eq!(t.to_ist(), "2026-11-22 08:00:00 IST");
        assert_eq!(t.to_http_date(), "Sun, 22 Nov 2026 02:30:00 GMT");
        assert_eq!(Timestamp::parse_http_date(&t.to_http_date()), Some(t));
        assert_eq!(Timestamp::parse_http_date("yesterday"), None);
        assert_eq!(t.plus_millis(5).to_rfc3339(), "2026-11-22T02:30:00.005Z");
        assert_eq!(
            Timestamp::parse_ist("%d/%m/%y %H:%M:%S", "22/11/26 08:00:00"),
            Some(t)
        );
        assert_eq!(t.ist_millis_of_day(), 8 * 3_600_000);
    }

    #[test]
    fn a_virtual_clock_stands_moves_and_never_takes_monotonic_time_back() {
        let start = Timestamp::from_seconds(1_000_000);
        let clock = VirtualClock::new(start, 0.0);
        assert_eq!(clock.now().wall, start);
        clock.advance(Duration::from_mins(1));
        assert_eq!(clock.now().wall, start.plus(Duration::from_mins(1)));
        let before = clock.now().monotonic;
        clock.set(start);
        assert_eq!(clock.now().wall, start);
        assert_eq!(clock.now().monotonic, before);
    }

    #[test]
    fn a_virtual_clock_stops_where_calendars_end() {
        let clock = VirtualClock::new(VirtualClock::LAST.plus_millis(-1), 0.0);
        assert!(clock.now().wall < VirtualClock::LAST);
        let before = clock.now().monotonic;
        clock.advance(Duration::from_hours(48));
        assert_eq!(clock.now().wall, VirtualClock::LAST);
        assert_eq!(clock.now().monotonic, before + Duration::from_hours(48));
        let shown = clock.now().wall.to_rfc3339();
        assert_eq!(Timestamp::parse_rfc3339(&shown), Some(VirtualClock::LAST));
    }
}
