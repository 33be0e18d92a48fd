//! Which steps fall into a span of virtual time, in order: pure arithmetic over the days of a script.

use std::collections::BTreeSet;

use preopen_core::Timestamp;
use preopen_core::clock::IST_OFFSET_SECONDS;

use super::action::Action;

const DAY: i64 = 86_400_000;
const OFFSET: i64 = IST_OFFSET_SECONDS as i64 * 1000;

/// The most days that a script may go on for: ten years.
pub(super) const MOST_DAYS: u32 = 3660;

/// What a script plans.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) steps: Vec<Step>,
    pub(super) days: u32,
    /// Monday to Friday, without the holidays.
    pub(super) market_days: bool,
    /// Days since 1970 in India.
    pub(super) holidays: BTreeSet<i64>,
    /// Milliseconds after the last day's midnight at which the script is over.
    pub(super) end: Option<i64>,
}

#[derive(Debug)]
pub(super) struct Step {
    pub(super) when: When,
    pub(super) name: Option<String>,
    pub(super) action: Action,
    /// The field of the action, for errors, and its line.
    pub(super) field: &'static str,
    /// Only on these days of the script, from 1; empty is every day.
    pub(super) on_days: BTreeSet<u32>,
    /// Only on these weekdays, Monday is 0; empty is every day.
    pub(super) on_weekdays: BTreeSet<i64>,
    pub(super) line: usize,
}

/// Milliseconds after a midnight in India.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    At(i64),
    /// Until after midnight when `until` is beyond 24 hours.
    Span {
        from: i64,
        until: i64,
    },
}

impl When {
    pub(super) fn last(self) -> i64 {
        match self {
            Self::At(at) => at,
            Self::Span { until, .. } => until,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Edge {
    /// First, so that what ends makes room for what begins in the same moment.
    Ends,
    /// Begins, with when it will end.
    Begins(Timestamp),
    Happens,
}

/// One thing that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) at: Timestamp,
    /// The day of the script, from 1.
    pub(super) day: u32,
    /// The number of the step in the file, from 0.
    pub(super) step: usize,
    pub(super) edge: Edge,
}

/// A plan on real dates.
#[derive(Debug)]
pub(super) struct Schedule {
    origin: Timestamp,
    /// Days since 1970 in India, in order.
    days: Vec<i64>,
    ends_at: Timestamp,
}

/// The day in India since 1970 that a time belongs to.
pub(super) fn day_of(at: Timestamp) -> i64 {
    (at.as_millis().saturating_add(OFFSET)).div_euclid(DAY)
}

/// Monday is 0.
fn weekday_of(day: i64) -> i64 {
    // 1970-01-01 was a Thursday.
    (day + 3).rem_euclid(7)
}

fn on(day: i64, millis: i64) -> Timestamp {
    Timestamp::from_millis(day * DAY - OFFSET + millis)
}

impl Plan {
    fn is_a_day(&self, day: i64) -> bool {
        !self.market_days || (weekday_of(day) < 5 && !self.holidays.contains(&day))
    }

    fn is_on(step: &Step, number: u32, day: i64) -> bool {
        (step.on_days.is_empty() || step.on_days.contains(&number))
            && (step.on_weekdays.is_empty() || step.on_weekdays.contains(&weekday_of(day)))
    }
}

impl Schedule {
    /// The plan on a clock that starts at `origin`. The first day is the first one with something still to come.
    pub(super) fn new(plan: &Plan, origin: Timestamp) -> Self {
        let last = plan.steps.iter().map(|step| step.when.last());
        let last = last.chain(plan.end).max().unwrap_or(0);
        let days: Vec<i64> = (day_of(origin)..)
            .filter(|day| plan.is_a_day(*day) && on(*day, last) >= origin)
            .take(plan.days as usize)
            .collect();
        let mut schedule = Self {
            origin,
            days,
            ends_at: origin,
        };
        let numbered = (1..).zip(&schedule.days);
        let last_step = numbered.flat_map(|(number, day)| {
            let steps = plan.steps.iter();
            let todays = steps.filter(move |step| Plan::is_on(step, number, *day));
            todays.map(|step| on(*day, step.when.last()))
        });
        let end = schedule.days.last().zip(plan.end).map(|(day, end)| on(*day, end));
        schedule.ends_at = last_step.chain(end).fold(origin, Timestamp::max);
        schedule
    }

    /// When all is over.
    pub(super) fn ends_at(&self) -> Timestamp {
        self.ends_at
    }

    /// The next events after `after` and not after `to`, those of one calendar day at most: call it again with
    /// the time of the last one. Events before the clock's start are none; spans that last then begin with it.
    pub(super) fn next(&self, plan: &Plan, after: Timestamp, to: Timestamp) -> Vec<Event> {
        let first = self.days.partition_point(|day| *day + 1 < day_of(after));
        let mut last_looked = i64::MIN;
        for day in self.days[first..].iter().flat_map(|day| [*day, *day + 1]) {
            if day <= last_looked {
                continue;
            }
            if on(day, 0) > to {
                break;
            }
            last_looked = day;
            let mut events = self.of_calendar_day(plan, day);
            events.retain(|event| after < event.at && event.at <= to);
            if !events.is_empty() {
                // Stable: what remains equal stays in the order of the file.
                events.sort_by_key(|event| (event.at, event.edge != Edge::Ends, event.day));
                return events;
            }
        }
        Vec::new()
    }

    fn of_calendar_day(&self, plan: &Plan, calendar: i64) -> Vec<Event> {
        let mut events = Vec::new();
        for day in [calendar - 1, calendar] {
            let Ok(index) = self.days.binary_search(&day) else {
                continue;
            };
            let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
            for (step, planned) in plan.steps.iter().enumerate() {
                if !Plan::is_on(planned, number, day) {
                    continue;
                }
                let event = |at, edge| Event {
                    at,
                    day: number,
                    step,
                    edge,
                };
                match planned.when {
                    When::At(at) => events.push(event(on(day, at), Edge::Happens)),
                    When::Span { from, until } => {
                        let until = on(day, until);
                        if until > self.origin {
                            events.push(event(on(day, from).max(self.origin), Edge::Begins(until)));
                            events.push(event(until, Edge::Ends));
                        }
                    }
                }
            }
        }
        events.retain(|event| event.at >= self.origin && day_of(event.at) == calendar);
        events
    }
}

#[cfg(test)]
#[path = "schedule_tests.rs"]
mod tests;
