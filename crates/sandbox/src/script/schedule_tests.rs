//! The arithmetic of days: what falls into a span of time, in which order, and when all is over.

use std::collections::BTreeSet;

use preopen_core::Timestamp;

use super::{Edge, Event, Plan, Schedule, Step, When, day_of, weekday_of};
use crate::script::action::Action;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

fn at(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(&format!("{text}+05:30")).unwrap()
}

fn step(when: When) -> Step {
    Step {
        when,
        name: None,
        action: Action::Mark(String::new()),
        field: "mark",
        on_days: BTreeSet::new(),
        on_weekdays: BTreeSet::new(),
        line: 1,
    }
}

fn plan(days: u32, steps: Vec<Step>) -> Plan {
    Plan {
        steps,
        days,
        market_days: false,
        holidays: BTreeSet::new(),
        end: None,
    }
}

/// All events in a span, as the runner asks for them.
fn between(schedule: &Schedule, plan: &Plan, after: Timestamp, to: Timestamp) -> Vec<Event> {
    let (mut after, mut all) = (after, Vec::new());
    loop {
        let events = schedule.next(plan, after, to);
        let Some(last) = events.last() else { return all };
        after = last.at;
        all.extend(events);
    }
}

fn shown(events: &[Event]) -> Vec<(String, u32, usize, &'static str)> {
    events
        .iter()
        .map(|event| {
            let edge = match event.edge {
                Edge::Happens => "happens",
                Edge::Begins(_) => "begins",
                Edge::Ends => "ends",
            };
            (event.at.format_ist("%d %H:%M"), event.day, event.step, edge)
        })
        .collect()
}

#[test]
fn a_jump_over_several_days_brings_every_step_once_and_in_order() {
    let plan = plan(
        3,
        vec![
            step(When::At(15 * HOUR)),
            step(When::Span {
                from: 11 * HOUR,
                until: 11 * HOUR + 5 * MINUTE,
            }),
            step(When::At(11 * HOUR + 5 * MINUTE)),
        ],
    );
    let start = at("2026-11-23T07:30:00");
    let schedule = Schedule::new(&plan, start);
    let all = between(&schedule, &plan, start.plus_millis(-1), at("2027-01-01T00:00:00"));
    let mut expected = Vec::new();
    for day in 1..=3 {
        let date = 22 + day;
        expected.push((format!("{date} 11:00"), day, 1, "begins"));
        expected.push((format!("{date} 11:05"), day, 1, "ends"));
        expected.push((format!("{date} 11:05"), day, 2, "happens"));
        expected.push((format!("{date} 15:00"), day, 0, "happens"));
    }
    assert_eq!(shown(&all), expected);
    assert_eq!(schedule.ends_at(), at("2026-11-25T15:00:00"));

    // However the way there is cut, the same things happen.
    for cut in [1, 7 * MINUTE, 13 * HOUR, 40 * HOUR] {
        let (mut now, mut pieces) = (start.plus_millis(-1), Vec::new());
        while now < schedule.ends_at() {
            let next = now.plus_millis(cut.max(MINUTE));
            pieces.extend(between(&schedule, &plan, now, next));
            now = next;
        }
        assert_eq!(pieces, all, "{cut}");
    }
}

#[test]
fn the_ends_of_a_span_of_time_are_exact() {
    let plan = plan(1, vec![step(When::At(10 * HOUR))]);
    let schedule = Schedule::new(&plan, at("2026-11-23T07:30:00"));
    let ten = at("2026-11-23T10:00:00");
    assert_eq!(schedule.next(&plan, ten.plus_millis(-2), ten.plus_millis(-1)), []);
    assert_eq!(schedule.next(&plan, ten.plus_millis(-1), ten).len(), 1);
    assert_eq!(schedule.next(&plan, ten, ten.plus_millis(HOUR)), []);
}

#[test]
fn market_days_are_those_of_the_week_without_holidays() {
    let mut plan = plan(4, vec![step(When::At(10 * HOUR))]);
    plan.market_days = true;
    plan.holidays.insert(day_of(at("2026-11-24T12:00:00")));
    // A Saturday.
    let schedule = Schedule::new(&plan, at("2026-11-21T09:00:00"));
    let all = between(
        &schedule,
        &plan,
        at("2026-11-01T00:00:00"),
        at("2026-12-31T00:00:00"),
    );
    let days: Vec<_> = all
        .iter()
        .map(|event| (event.at.format_ist("%a %d"), event.day))
        .collect();
    let expected = [("Mon 23", 1), ("Wed 25", 2), ("Thu 26", 3), ("Fri 27", 4)];
    assert_eq!(days, expected.map(|(day, number)| (day.to_owned(), number)));
    assert_eq!(weekday_of(day_of(at("2026-11-22T00:00:00"))), 6);
    assert_eq!(weekday_of(day_of(at("2026-11-22T23:59:59"))), 6);
}

#[test]
fn steps_may_be_for_some_days_only() {
    let mut numbered = step(When::At(10 * HOUR));
    numbered.on_days = [2, 9].into();
    let mut named = step(When::At(9 * HOUR));
    named.on_weekdays = [2].into();
    let plan = plan(10, vec![numbered, named]);
    let start = at("2026-11-23T00:00:00");
    let schedule = Schedule::new(&plan, start);
    let all = between(&schedule, &plan, start.plus_millis(-1), schedule.ends_at());
    let days: Vec<_> = all
        .iter()
        .map(|event| (event.at.format_ist("%a"), event.day, event.step))
        .collect();
    let expected = [("Tue", 2, 0), ("Wed", 3, 1), ("Tue", 9, 0), ("Wed", 10, 1)];
    assert_eq!(
        days,
        expected.map(|(name, day, step)| (name.to_owned(), day, step))
    );
    assert_eq!(schedule.ends_at(), at("2026-12-02T09:00:00"));
}

#[test]
fn what_lasts_over_midnight_ends_among_the_next_days_steps() {
    let plan = plan(
        2,
        vec![
            step(When::Span {
                from: 23 * HOUR,
                until: 24 * HOUR + 10 * MINUTE,
            }),
            step(When::At(5 * MINUTE)),
        ],
    );
    let start = at("2026-11-23T12:00:00");
    let schedule = Schedule::new(&plan, start);
    let all = between(&schedule, &plan, start.plus_millis(-1), at("2027-01-01T00:00:00"));
    let told = shown(&all);
    let told: Vec<_> = told
        .iter()
        .map(|(at, day, step, edge)| (at.as_str(), *day, *step, *edge))
        .collect();
    let expected = [
        ("23 23:00", 1, 0, "begins"),
        ("24 00:05", 2, 1, "happens"),
        ("24 00:10", 1, 0, "ends"),
        ("24 23:00", 2, 0, "begins"),
        ("25 00:10", 2, 0, "ends"),
    ];
    assert_eq!(told, expected);
}

#[test]
fn a_clock_that_starts_in_the_middle_finds_what_lasts_and_no_step_of_before() {
    let plan = plan(
        1,
        vec![
            step(When::At(9 * HOUR)),
            step(When::Span {
                from: 9 * HOUR,
                until: 12 * HOUR,
            }),
            step(When::Span {
                from: 9 * HOUR,
                until: 10 * HOUR,
            }),
        ],
    );
    let start = at("2026-11-23T10:00:00");
    let schedule = Schedule::new(&plan, start);
    let all = between(&schedule, &plan, start.plus_millis(-1), at("2027-01-01T00:00:00"));
    let until = at("2026-11-23T12:00:00");
    let event = |at, edge| Event {
        at,
        day: 1,
        step: 1,
        edge,
    };
    assert_eq!(all, [event(start, Edge::Begins(until)), event(until, Edge::Ends)]);
}

#[test]
fn a_day_that_is_over_already_does_not_count() {
    let mut plan = plan(1, vec![step(When::At(9 * HOUR))]);
    let ten = at("2026-11-23T10:00:00");
    assert_eq!(Schedule::new(&plan, ten).ends_at(), at("2026-11-24T09:00:00"));
    plan.end = Some(16 * HOUR);
    assert_eq!(Schedule::new(&plan, ten).ends_at(), at("2026-11-23T16:00:00"));
}
