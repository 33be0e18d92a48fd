//! The calls of one group in time: when the next may be sent, so that the broker never sees more than a limit allows in
//! any window, and the pause after it said that there were too many.

use std::collections::VecDeque;
use std::time::Duration;

use super::Rates;

/// A call that has no reply yet counts as arrived this long after it was sent: one that hangs must not keep others
/// waiting for its whole deadline.
const ARRIVES_WITHIN: Duration = Duration::from_secs(1);

/// The longest pause after an answer that names none.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// A call that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    number: u64,
    sent: Duration,
}

/// The calls of one group that still count. Times are those of one clock that never goes back.
///
/// The broker counts a call when it arrives, which nobody here knows: it is between sending and reply. So a call counts
/// from its sending on, and for a whole window after its reply.
#[derive(Clone, Debug, Default)]
pub struct Window {
    /// When each call that counts had arrived at the latest, in order.
    arrived: VecDeque<Duration>,
    /// Those without a reply.
    open: Vec<Ticket>,
    issued: u64,
    /// The most that any limit asked of this window wants to know.
    most: usize,
    longest: Duration,
    /// In a block of its own, since it is rare.
    pause: Option<Box<Pause>>,
}

/// A pause that the broker asked for.
#[derive(Clone, Copy, Debug)]
struct Pause {
    since: Duration,
    until: Duration,
    /// How many in a row.
    times: u32,
}

impl Window {
    /// How long the call must wait that has `ahead` others waiting before it; zero when it may go now. It is the least:
    /// a call that is still open may make it longer.
    pub fn wait(&mut self, rates: Rates, now: Duration, ahead: usize) -> Duration {
        self.look(rates, now);
        let paused = self.paused(now);
        rates
            .spans()
            .map(|(most, span)| self.wait_for(most, span, now, ahead))
            .fold(paused, Duration::max)
    }

    /// The rest of the pause that the broker asked for.
    pub fn paused(&self, now: Duration) -> Duration {
        let pause = self.pause.as_ref();
        pause
            .map(|pause| pause.until.saturating_sub(now))
            .unwrap_or_default()
    }

    /// Whether nothing is remembered that still counts.
    pub fn is_idle(&self, now: Duration) -> bool {
        let counts = self.arrived.back().is_some_and(|at| *at + self.longest > now);
        self.open.is_empty() && !counts && self.paused(now).is_zero()
    }

    fn wait_for(&self, most: usize, span: Duration, now: Duration, ahead: usize) -> Duration {
        let old = self.arrived.partition_point(|at| *at + span <= now);
        let arrived = self.arrived.len() - old;
        let counted = arrived + self.open.len();
        // Of more than a windowful that wait, each is sent a window after the one that is a windowful ahead of it.
        let rounds = u32::try_from(ahead / most).unwrap_or(u32::MAX);
        let place = ahead % most + 1;
        let rest = if counted + place <= most {
            Duration::ZERO
        } else {
            let leaves = counted + place - most - 1;
            let at = if leaves < arrived {
                self.arrived[old + leaves]
            } else {
                now
            };
            (at + span).saturating_sub(now)
        };
        rest.saturating_add(span.saturating_mul(rounds))
    }

    /// A call is sent now.
    pub fn take(&mut self, now: Duration) -> Ticket {
        self.issued += 1;
        let ticket = Ticket {
            number: self.issued,
            sent: now,
        };
        // Most accounts have one call under way.
        if self.open.capacity() == 0 {
            self.open.reserve_exact(1);
        }
        self.open.push(ticket);
        ticket
    }

    /// The call was answered, failed, or nobody waits for it any more.
    pub fn settle(&mut self, ticket: Ticket, now: Duration) {
        if let Some(at) = self.open.iter().position(|open| open.number == ticket.number) {
            self.open.swap_remove(at);
            self.arrive(now.min(ticket.sent + ARRIVES_WITHIN));
        }
    }

    /// The broker answered the call with something else than its limit: what comes next is no further refusal in a row.
    pub fn accepted(&mut self, ticket: Ticket) {
        let pause = self.pause.as_deref();
        if pause.is_some_and(|pause| ticket.sent >= pause.until) {
            self.pause = None;
        }
    }

    /// The broker said to this call that there were too many. Gives the pause: what it asked for, else a second, twice as
    /// long for each further refusal in a row, at most a minute.
    pub fn refused(&mut self, ticket: Ticket, asked: Option<Duration>, now: Duration) -> Duration {
        let times = match self.pause.as_deref() {
            // It was under way when the pause began: no new refusal.
            Some(pause) if ticket.sent < pause.since => pause.times,
            Some(pause) => pause.times + 1,
            None => 1,
        };
        let own = Duration::from_secs(1)
            .saturating_mul(2_u32.saturating_pow(times - 1))
            .min(LONGEST_PAUSE);
        let until = now + asked.unwrap_or(own);
        let before = self.pause.take().map(|pause| *pause);
        let since = before
            .filter(|pause| ticket.sent < pause.since)
            .map_or(now, |pause| pause.since);
        let before = before.map(|pause| pause.until).unwrap_or_default();
        self.pause = Some(Box::new(Pause {
            since,
            until: until.max(before),
            times,
        }));
        self.paused(now)
    }

    /// Ends a pause.
    pub fn resume(&mut self) {
        self.pause = None;
    }

    /// The same calls as they count in another process: none of them is open there.
    pub fn inherited(&self) -> Self {
        let mut child = self.clone();
        for ticket in std::mem::take(&mut child.open) {
            child.arrive(ticket.sent + ARRIVES_WITHIN);
        }
        child
    }

    /// Learns what the asker wants to know, counts calls without a reply as arrived in time, and forgets the rest.
    fn look(&mut self, rates: Rates, now: Duration) {
        for (most, span) in rates.spans() {
            self.most = self.most.max(most);
            self.longest = self.longest.max(span);
        }
        let late = |open: &Ticket| open.sent + ARRIVES_WITHIN <= now;
        while let Some(at) = self.open.iter().position(late) {
            let ticket = self.open.swap_remove(at);
            self.arrive(ticket.sent + ARRIVES_WITHIN);
        }
        while self.arrived.front().is_some_and(|at| *at + self.longest <= now)
            || self.arrived.len() > self.most
        {
            self.arrived.pop_front();
        }
        if self.arrived.is_empty() {
            self.arrived.shrink_to(16);
        }
    }

    fn arrive(&mut self, at: Duration) {
        let place = self.arrived.partition_point(|other| *other <= at);
        if self.arrived.capacity() == 0 {
            self.arrived.reserve_exact(1);
        }
        self.arrived.insert(place, at);
    }
}

#[cfg(test)]
mod tests {
    use super::{ARRIVES_WITHIN, LONGEST_PAUSE, Window};
    use crate::limits::Rates;
    use proptest::prelude::*;
    use std::time::Duration;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn a_slot_is_free_a_window_after_the_reply() {
        let (mut window, rates) = (Window::default(), Rates::per_second(1));
        assert_eq!(window.wait(rates, ms(0), 0), ms(0));
        let ticket = window.take(ms(0));
        assert_eq!(window.wait(rates, ms(100), 0), ms(1000));
        window.settle(ticket, ms(300));
        assert_eq!(window.wait(rates, ms(400), 0), ms(900));
        assert_eq!(window.wait(rates, ms(1299), 0), ms(1));
        assert!(!window.is_idle(ms(1299)));
        assert_eq!(window.wait(rates, ms(1300), 0), ms(0));
        assert!(window.is_idle(ms(1300)));
    }

    #[test]
    fn a_call_that_hangs_counts_as_arrived_after_a_second() {
        let (mut window, rates) = (Window::default(), Rates::per_second(1));
        let ticket = window.take(ms(0));
        assert_eq!(window.wait(rates, ms(1999), 0), ms(1));
        assert_eq!(window.wait(rates, ms(2000), 0), ms(0));
        window.settle(ticket, ms(9000));
        assert_eq!(window.wait(rates, ms(9000), 0), ms(0));
    }

    #[test]
    fn those_who_wait_before_count_too() {
        let (mut window, rates) = (Window::default(), Rates::per_second(2));
        for at in [0, 500] {
            let ticket = window.take(ms(at));
            window.settle(ticket, ms(at));
        }
        let wait = |window: &mut Window, ahead| window.wait(rates, ms(600), ahead);
        assert_eq!(wait(&mut window, 0), ms(400));
        assert_eq!(wait(&mut window, 1), ms(900));
        assert_eq!(wait(&mut window, 2), ms(1400));
        assert_eq!(wait(&mut window, 3), ms(1900));
    }

    #[test]
    fn the_strictest_limit_decides() {
        let (mut window, rates) = (Window::default(), Rates::each(1, 2, 3));
        for at in [0, 1000, 60_000] {
            assert_eq!(window.wait(rates, ms(at), 0), ms(0), "{at}");
            let ticket = window.take(ms(at));
            window.settle(ticket, ms(at));
        }
        assert_eq!(window.wait(rates, ms(61_000), 0), ms(3_600_000 - 61_000));
        assert_eq!(window.wait(rates, ms(3_600_000), 0), ms(0));
    }

    #[test]
    fn refusals_in_a_row_pause_longer_and_what_was_under_way_does_not_count() {
        let mut window = Window::default();
        let now = ms(10_000);
        let under_way: Vec<_> = (0..3).map(|_| window.take(now)).collect();
        for ticket in under_way {
            assert_eq!(window.refused(ticket, None, now + ms(1)), ms(1000));
        }
        let mut now = now + ms(1001);
        for (times, seconds) in [(2, 2), (3, 4), (4, 8), (5, 16), (6, 32), (7, 60), (8, 60)] {
            let ticket = window.take(now);
            assert_eq!(
                window.refused(ticket, None, now),
                Duration::from_secs(seconds),
                "{times}"
            );
            now += Duration::from_secs(seconds);
        }
        let ticket = window.take(now);
        window.accepted(ticket);
        assert_eq!(window.paused(now), ms(0));
        let ticket = window.take(now);
        assert_eq!(window.refused(ticket, None, now), ms(1000), "it begins anew");
        assert!(window.refused(ticket, None, now) <= LONGEST_PAUSE);
    }

    #[test]
    fn a_pause_is_what_the_broker_asks_for_and_never_shorter_than_the_one_before() {
        let mut window = Window::default();
        let ticket = window.take(ms(0));
        assert_eq!(window.refused(ticket, Some(ms(7000)), ms(100)), ms(7000));
        assert_eq!(window.refused(ticket, None, ms(200)), ms(6900));
        assert_eq!(
            window.wait(Rates::NONE, ms(1100), 0),
            ms(6000),
            "without any limit, too"
        );
        // A success of a call that was sent before says nothing.
        window.accepted(ticket);
        assert_eq!(window.paused(ms(1100)), ms(6000));
        window.resume();
        assert_eq!(window.paused(ms(1100)), ms(0));
    }

    #[test]
    fn a_forked_child_begins_with_what_was_sent_before() {
        let rates = Rates::per_second(2);
        let mut window = Window::default();
        window.wait(rates, ms(0), 0);
        window.take(ms(0));
        let ticket = window.take(ms(0));
        window.settle(ticket, ms(10));
        let mut child = window.inherited();
        assert_eq!(child.wait(rates, ms(500), 0), ms(510));
        assert_eq!(child.wait(rates, ms(500), 1), ms(1500));
    }

    proptest! {
        /// A broker that counts each call at some moment between its sending and its reply (or a second, if that is
        /// sooner) never sees more than a limit allows in any window, whatever comes when.
        #[test]
        fn the_broker_never_sees_more_than_a_limit_in_any_window(
            second in prop::option::of(1_u32..6), minute in prop::option::of(1_u32..30), hour in prop::option::of(1_u32..60),
            calls in prop::collection::vec((0_u64..40_000, 0_u64..3_000, 0.0..1.0_f64), 1..250),
        ) {
            let rates = Rates { per_second: second, per_minute: minute, per_hour: hour };
            let mut window = Window::default();
            let mut now = Duration::ZERO;
            let mut under_way: Vec<(Duration, super::Ticket)> = Vec::new();
            let mut seen = Vec::new();
            for (pause, latency, arrives) in calls {
                // Mostly bursts, sometimes a rest.
                now += if pause < 30_000 { ms(pause / 300) } else { ms(pause * 10) };
                let mut looks = 0;
                loop {
                    under_way.sort_by_key(|(at, _)| *at);
                    while under_way.first().is_some_and(|(at, _)| *at <= now) {
                        let (at, ticket) = under_way.remove(0);
                        window.settle(ticket, at);
                    }
                    let wait = window.wait(rates, now, 0);
                    if wait.is_zero() {
                        break;
                    }
                    looks += 1;
                    prop_assert!(looks < 200, "a slot must come");
                    // Nobody sleeps past a reply that may change the answer.
                    now += under_way.first().map_or(wait, |(at, _)| at.saturating_sub(now).min(wait));
                }
                let ticket = window.take(now);
                under_way.push((now + ms(latency), ticket));
                seen.push(now + ms(latency).min(ARRIVES_WITHIN).mul_f64(arrives));
                let most = rates.spans().map(|(most, _)| most).max().unwrap_or_default();
                prop_assert!(window.arrived.len() <= most.max(window.open.len()) + 250, "bounded");
            }
            seen.sort_unstable();
            for (most, span) in rates.spans() {
                for (at, last) in seen.iter().enumerate().skip(most) {
                    prop_assert!(*last >= seen[at - most] + span, "more than {most} in {span:?}");
                }
            }
        }

        /// Nobody waits without need: whoever is told to wait would be one too many.
        #[test]
        fn a_wait_is_never_longer_than_the_limits_ask(
            most in 1_u32..5, gaps in prop::collection::vec(0_u64..900, 1..60),
        ) {
            let (rates, mut window, mut now) = (Rates::per_second(most), Window::default(), Duration::ZERO);
            let mut sent: Vec<Duration> = Vec::new();
            for gap in gaps {
                now += ms(gap);
                now += window.wait(rates, now, 0);
                let nth = sent.len().checked_sub(usize::try_from(most).unwrap());
                if let Some(before) = nth.map(|nth| sent[nth]) {
                    prop_assert!(now >= before + ms(1000));
                    let late = sent.last().map_or(now, |last| *last + ms(gap));
                    prop_assert!(now == late.max(before + ms(1000)), "{now:?}");
                }
                let ticket = window.take(now);
                window.settle(ticket, now);
                sent.push(now);
                prop_assert!(window.arrived.len() <= usize::try_from(most).unwrap() + 1, "bounded");
            }
        }
    }
}
