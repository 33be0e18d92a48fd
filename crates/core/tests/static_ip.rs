//! The rule on changes of static IPs: its edges, its properties, and the vectors that every language runs.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use preopen_core::static_ip::{Answer, Change, Edit, Entry, Rule, Window, may_change};
use preopen_core::{ErrorKind, Timestamp};
use proptest::prelude::*;
use serde_json::Value;

const WEEK: i64 = 7 * 86_400_000;
const RULES: [Rule; 2] = [Rule::SAMCO, Rule::ANGEL_ONE];

fn time(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(text).unwrap()
}

fn ip(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(1, 1, 1, last)
}

fn set(app: &str, primary: u8) -> Edit {
    Edit::new(app, Entry::Set(ip(primary)), Entry::Keep)
}

fn ask(rule: Rule, history: &[Change], now: Timestamp, wanted: &Edit) -> Answer {
    rule.may_change(history, now, wanted).unwrap()
}

#[test]
fn x7_a_samco_change_is_possible_again_exactly_seven_days_later() {
    let first = time("2026-11-20T23:59:59.999+05:30");
    let history = [Change::new(first, set("bot", 1))];
    for (millis, allowed) in [(0, false), (WEEK - 1, false), (WEEK, true), (WEEK + 1, true)] {
        let answer = ask(Rule::SAMCO, &history, first.plus_millis(millis), &set("other", 2));
        assert_eq!(answer.allowed, allowed, "{millis}");
        assert_eq!(answer.at, (!allowed).then(|| first.plus_millis(WEEK)), "{millis}");
        assert!(!answer.free);
        assert_eq!(answer.last_counted, Some(first));
    }
}

#[test]
fn x7_a_calendar_week_begins_on_monday_in_india() {
    // 2026-11-23 is a Monday; in UTC its week begins on Sunday at 18:30.
    let next = |text: &str| Window::CalendarWeek.next_after(time(text)).to_ist();
    for (changed, possible) in [
        ("2026-11-22T23:59:59.999+05:30", "2026-11-23 00:00:00 IST"),
        ("2026-11-23T00:00:00+05:30", "2026-11-30 00:00:00 IST"),
        ("2026-11-22T18:30:00Z", "2026-11-30 00:00:00 IST"),
        ("2026-11-29T23:59:59.999+05:30", "2026-11-30 00:00:00 IST"),
        ("2026-12-31T10:00:00+05:30", "2027-01-04 00:00:00 IST"),
        ("1969-12-30T10:00:00+05:30", "1970-01-05 00:00:00 IST"),
    ] {
        assert_eq!(next(changed), possible, "{changed}");
    }
}

#[test]
fn x7_what_counts_as_a_change() {
    let at = |hour: i64| Timestamp::from_seconds(1_800_000_000 + hour * 3600);
    let base = [
        Change::new(at(0), Edit::new("a", Entry::Set(ip(1)), Entry::Set(ip(2)))),
        Change::new(at(1), set("b", 1)),
    ];
    let free = |history: &[Change], wanted: &Edit| {
        let answer = ask(Rule::SAMCO, history, at(2), wanted);
        assert_eq!(
            answer.free, answer.allowed,
            "inside the window only what is free is allowed"
        );
        answer.free
    };
    assert!(free(&base, &set("a", 1)), "the same again");
    assert!(
        free(&base, &Edit::new("a", Entry::Set(ip(2)), Entry::Set(ip(1)))),
        "the two swapped"
    );
    assert!(free(&base, &set("b", 2)), "an address of another app");
    assert!(free(&base, &set("c", 2)), "for an app without any");
    assert!(
        !free(&base, &Edit::new("c", Entry::Delete, Entry::Delete)),
        "what the history does not know may be registered"
    );
    assert!(!free(&base, &set("a", 3)), "a new address");
    assert!(
        !free(&base, &Edit::new("a", Entry::Keep, Entry::Delete)),
        "a deletion"
    );
    assert!(
        !free(&base, &Edit::new("b", Entry::Delete, Entry::Keep)),
        "also of one that another app has"
    );
    assert!(
        !free(&base, &Edit::new("a", Entry::Set(ip(2)), Entry::Delete)),
        "the secondary one moved up"
    );

    let mut released = base.to_vec();
    released.push(Change::new(at(1), Edit::deactivation("a")));
    assert!(
        !free(&released, &set("b", 2)),
        "a deactivated app releases its addresses"
    );
    assert!(free(&released, &set("b", 1)));
    let answer = ask(Rule::SAMCO, &released, at(2), &set("b", 3));
    assert_eq!(
        answer.last_counted,
        Some(at(0)),
        "and its changes still count, its deactivation does not"
    );
}

#[test]
fn x7_an_address_of_two_apps_is_a_matter_of_the_broker() {
    let at = Timestamp::from_seconds(1_800_000_000);
    let history = [Change::new(at, set("a", 1))];
    assert!(ask(Rule::SAMCO, &history, at, &set("b", 1)).free);
    let answer = ask(Rule::ANGEL_ONE, &history, at.plus_millis(9 * WEEK), &set("b", 1));
    assert!(
        !answer.allowed && !answer.free && answer.at.is_none(),
        "waiting does not help"
    );
    assert!(ask(Rule::ANGEL_ONE, &history, at, &set("a", 1)).free);
}

#[test]
fn x7_a_pair_that_no_broker_takes_is_invalid() {
    let at = Timestamp::from_seconds(1_800_000_000);
    let history = [Change::new(
        at,
        Edit::new("a", Entry::Set(ip(1)), Entry::Set(ip(2))),
    )];
    for (wanted, field) in [
        (Edit::new("a", Entry::Delete, Entry::Keep), "primary"),
        (Edit::new("b", Entry::Keep, Entry::Set(ip(3))), "primary"),
        (Edit::new("a", Entry::Keep, Entry::Set(ip(1))), "secondary"),
        (Edit::new("b", Entry::Set(ip(3)), Entry::Set(ip(3))), "secondary"),
    ] {
        let error = Rule::SAMCO.may_change(&history, at, &wanted).unwrap_err();
        assert_eq!(
            (error.kind(), error.field()),
            (ErrorKind::InvalidInput, Some(field)),
            "{wanted:?}"
        );
    }
}

#[test]
fn every_vector_is_answered() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/static_ip");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(files.len() >= 8, "{files:?}");
    for file in files {
        let vector: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        for case in vector["cases"].as_array().unwrap() {
            let mut asked = vector["given"].clone();
            for (key, value) in case["asked"].as_object().unwrap() {
                asked[key] = value.clone();
            }
            let here = format!("{}: {asked}", file.display());
            let answered = may_change(&asked.to_string(), Timestamp::from_millis(0));
            let (expected, found) = match (&case["error"], answered) {
                (Value::Null, answered) => (
                    &case["ok"],
                    answered.unwrap_or_else(|error| panic!("{here}: {error}")),
                ),
                (expected, answered) => {
                    let error = answered.err().unwrap_or_else(|| panic!("{here}: must fail"));
                    let found = serde_json::json!({
                        "code": error.code(), "field": error.field(), "message": error.message(),
                    });
                    (expected, found)
                }
            };
            for (name, value) in expected.as_object().unwrap() {
                if let Some(name) = name.strip_suffix("_contains") {
                    let (whole, part) = (found[name].as_str().unwrap(), value.as_str().unwrap());
                    assert!(whole.contains(part), "{here}: {whole}");
                } else {
                    assert_eq!(&found[name], value, "{here}: {name}");
                }
            }
        }
    }
}

/// An operation on one of three apps with few addresses, so that they meet.
fn edits() -> impl Strategy<Value = Edit> {
    let entry = || {
        prop_oneof![
            2 => Just(Entry::Keep),
            1 => Just(Entry::Delete),
            4 => (1_u8..6).prop_map(|last| Entry::Set(ip(last))),
        ]
    };
    let app = || prop::sample::select(vec!["a", "b", "c"]);
    prop_oneof![
        8 => (app(), entry(), entry()).prop_map(|(app, one, other)| Edit::new(app, one, other)),
        1 => app().prop_map(Edit::deactivation),
    ]
}

/// Operations at different times within six weeks.
fn histories() -> impl Strategy<Value = Vec<Change>> {
    prop::collection::btree_map(0..6 * WEEK, edits(), 0..12).prop_map(|changes| {
        let changes = changes.into_iter();
        changes
            .map(|(at, edit)| Change::new(start().plus_millis(at), edit))
            .collect()
    })
}

fn start() -> Timestamp {
    time("2026-11-02T00:00:00+05:30")
}

proptest! {
    #[test]
    fn x7_the_told_moment_is_the_first_one(history in histories(), now in 0..6 * WEEK, edit in edits(), rule in 0..2_usize) {
        let rule = RULES[rule];
        let now = start().plus_millis(now);
        // What happens later than now is counted as done, so that waiting changes nothing else.
        let Ok(answer) = rule.may_change(&history, now, &edit) else { return Ok(()) };
        prop_assert!(!(answer.allowed && answer.at.is_some()));
        prop_assert!(!answer.free || answer.allowed);
        let Some(at) = answer.at else { return Ok(()) };
        prop_assert!(at > now);
        prop_assert!(ask(rule, &history, at, &edit).allowed);
        let before = ask(rule, &history, at.plus_millis(-1), &edit);
        prop_assert!(!before.allowed);
        prop_assert_eq!(before.at, Some(at));
        prop_assert_eq!(at, rule.window.next_after(answer.last_counted.unwrap()));
    }

    #[test]
    fn x7_the_order_of_the_history_does_not_matter(history in histories(), edit in edits(), now in 0..6 * WEEK) {
        let mut turned = history.clone();
        turned.reverse();
        let now = start().plus_millis(now);
        for rule in RULES {
            let (one, other) = (rule.may_change(&history, now, &edit), rule.may_change(&turned, now, &edit));
            prop_assert_eq!(one.ok(), other.ok());
        }
    }

    #[test]
    fn x7_what_is_free_rules_nothing_out(history in histories(), edit in edits(), next in edits(), later in 1..WEEK) {
        let rule = Rule::SAMCO;
        let now = history.last().map_or(start(), |change| change.at.plus_millis(1));
        let Ok(answer) = rule.may_change(&history, now, &edit) else { return Ok(()) };
        let mut longer = history.clone();
        longer.push(Change::new(now, edit));
        let Ok(after) = rule.may_change(&longer, now.plus_millis(later), &next) else { return Ok(()) };
        if answer.free {
            prop_assert_eq!(after.last_counted, answer.last_counted);
        } else {
            prop_assert_eq!(after.last_counted, Some(now));
            prop_assert!(after.free || !after.allowed, "less than 7 days after a change that counts");
        }
    }

    /// Whoever follows the answers never makes two changes that count within a window, over all apps.
    #[test]
    fn x7_a_user_who_obeys_keeps_the_rule(wishes in prop::collection::vec((edits(), 0..WEEK), 1..20), rule in 0..2_usize) {
        let rule = RULES[rule];
        let (mut now, mut history, mut counted) = (start(), Vec::new(), Vec::new());
        for (edit, pause) in wishes {
            now = now.plus_millis(pause);
            let Ok(answer) = rule.may_change(&history, now, &edit) else { continue };
            let Some(when) = answer.allowed.then_some(now).or(answer.at) else { continue };
            now = when;
            if !answer.free {
                counted.push(when);
            }
            history.push(Change::new(when, edit));
        }
        for pair in counted.windows(2) {
            if let Window::Rolling(length) = rule.window {
                prop_assert!(pair[1].since(pair[0]) >= length);
            } else {
                prop_assert_ne!(monday(pair[0]), monday(pair[1]));
            }
        }
    }

    #[test]
    fn x7_the_next_week_is_the_next_monday(millis in 0..60 * WEEK) {
        let changed = start().plus_millis(millis);
        let next = Window::CalendarWeek.next_after(changed);
        prop_assert_eq!(next.format_ist("%A %H:%M:%S%.f"), "Monday 00:00:00");
        prop_assert!(next > changed && next.since(changed) <= Duration::from_hours(168));
    }
}

/// The week by the calendar, which another code counts.
fn monday(at: Timestamp) -> String {
    at.format_ist("%G-W%V")
}
