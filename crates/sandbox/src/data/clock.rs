//! Where the virtual clock goes on after a restart.

use std::time::Duration;

use preopen_core::{Clock as _, SystemClock, Timestamp, VirtualClock};
use serde::{Deserialize, Serialize};

/// For how much real time a note is good of a clock that runs at a speed of its own, or of a machine whose time may be set.
const LEASE: Duration = Duration::from_secs(1);

/// The virtual clock beside the machine's.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct ClockNote {
    shown: Timestamp,
    machine: Timestamp,
    rate: f64,
    /// The latest time that it may have shown since.
    until: Timestamp,
    /// The edits of the clock up to then.
    #[serde(skip)]
    edits: u64,
}

impl ClockNote {
    /// Of a clock that goes on.
    pub(crate) fn running(clock: &VirtualClock) -> Self {
        let mut note = Self::stopped(clock);
        if note.has_own_speed() {
            note.until = note.shown_after(LEASE);
        }
        note
    }

    /// Of a clock that nobody reads any more.
    pub(crate) fn stopped(clock: &VirtualClock) -> Self {
        // An edit between the two is noticed, since the number is the older one.
        let edits = clock.edits();
        let shown = clock.now().wall;
        Self {
            shown,
            machine: SystemClock.now().wall,
            rate: clock.rate(),
            until: shown,
            edits,
        }
    }

    /// Whether a clock that goes on from this note may show another time than `clock`.
    pub(crate) fn is_old(&self, clock: &VirtualClock) -> bool {
        if self.edits != clock.edits() {
            return true;
        }
        let machine = SystemClock.now().wall;
        let waited = machine.since(self.machine);
        if machine < self.machine || (self.has_own_speed() && waited >= LEASE) {
            return true;
        }
        // The machine slept, or its time was set.
        let expected = self.shown_after(waited).as_millis();
        let apart = expected.abs_diff(clock.now().wall.as_millis());
        !self.has_own_speed() && u128::from(apart) > LEASE.as_millis()
    }

    /// The clock after a restart: while nobody looked, time passed as it does, unless the clock stood still.
    pub(crate) fn resume(self) -> VirtualClock {
        let (time, rate) = self.resumed_at(SystemClock.now().wall);
        VirtualClock::new(time, rate)
    }

    fn resumed_at(self, machine: Timestamp) -> (Timestamp, f64) {
        let passed = if self.rate > 0.0 {
            self.shown.plus(machine.since(self.machine))
        } else {
            self.shown
        };
        (passed.max(self.until), self.rate)
    }

    fn has_own_speed(&self) -> bool {
        self.rate > 0.0 && (self.rate - 1.0).abs() > f64::EPSILON
    }

    fn shown_after(&self, waited: Duration) -> Timestamp {
        // The fastest clock shows thirty years after a second: no duration is too long here.
        self.shown
            .plus(waited.min(LEASE * 3600 * 24 * 366).mul_f64(self.rate))
    }
}

#[cfg(test)]
mod tests {
    use super::ClockNote;
    use preopen_core::{Timestamp, VirtualClock};
    use std::time::Duration;

    const START: Timestamp = Timestamp::from_seconds(1_000_000);

    fn later(note: ClockNote, seconds: i64) -> i64 {
        let machine = note.machine.plus_millis(seconds * 1000);
        note.resumed_at(machine).0.as_seconds() - START.as_seconds()
    }

    #[test]
    fn time_passes_while_nobody_looks_unless_the_clock_stands() {
        let standing = ClockNote::running(&VirtualClock::new(START, 0.0));
        assert_eq!((later(standing, 0), later(standing, 3600)), (0, 0));
        let real = ClockNote::running(&VirtualClock::new(START, 1.0));
        assert_eq!((later(real, 0), later(real, 3600)), (0, 3600));
        assert_eq!(
            later(real, -3600),
            0,
            "a machine's clock that was set back takes nothing back"
        );
        let clock = VirtualClock::new(START, 600.0);
        let fast = ClockNote::running(&clock);
        let rest = later(fast, 0);
        assert!(
            (600..610).contains(&rest),
            "what it may have shown since counts as shown: {rest}"
        );
        assert_eq!(later(fast, 3600) / 10, 360);
        assert!(later(ClockNote::stopped(&clock), 0) < 10);
    }

    #[test]
    fn a_note_is_old_after_an_edit_and_a_second_of_own_speed() {
        let clock = VirtualClock::new(START, 0.0);
        let note = ClockNote::running(&clock);
        assert!(!note.is_old(&clock));
        clock.advance(Duration::from_millis(1));
        assert!(note.is_old(&clock) && !ClockNote::running(&clock).is_old(&clock));
        let clock = VirtualClock::new(START, 10.0);
        let mut note = ClockNote::running(&clock);
        assert!(!note.is_old(&clock));
        note.machine = note.machine.plus_millis(-1000);
        assert!(note.is_old(&clock));
        let clock = VirtualClock::new(START, 1.0);
        let mut note = ClockNote::running(&clock);
        assert!(!note.is_old(&clock));
        note.machine = note.machine.plus_millis(-2000);
        assert!(note.is_old(&clock), "the machine slept");
    }
}
