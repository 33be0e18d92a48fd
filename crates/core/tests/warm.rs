//! Renewal without being asked (T4, T5, T6), and the clocks of T1, T2 and T3 through the machine, by name.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests"
)]

mod common;

use std::time::Duration;

use preopen_core::Timestamp;
use preopen_core::error::{Error, ErrorKind};
use preopen_core::expiry::{Evidence, EvidenceSource};
use preopen_core::lifecycle::{Effect, Event, Machine, StateName};
use preopen_core::skew::Skew;

use common::{Run, angel_one, ist, later, login, login_until, noon, samco, stepped, until};

#[test]
fn t1_a_session_ends_at_the_first_boundary_strictly_after_its_login() {
    for (policy, issued, end) in [
        (samco(), "2026-11-22 08:00:00", "2026-11-23 08:00:00"),
        (samco(), "2026-11-22 07:59:59", "2026-11-22 08:00:00"),
        (samco(), "2028-02-28 12:00:00", "2028-02-29 08:00:00"),
        (samco(), "2028-02-29 12:00:00", "2028-03-01 08:00:00"),
        (angel_one(), "2026-11-22 00:00:00", "2026-11-23 00:00:00"),
        (angel_one(), "2026-11-22 23:59:59", "2026-11-23 00:00:00"),
        (angel_one(), "2026-12-31 00:00:01", "2027-01-01 00:00:00"),
    ] {
        let mut run = Run::of(Machine::new(1), policy);
        let now = until(stepped(noon(), -86_400_000 * 2), ist(issued));
        let end = ist(end);
        assert_eq!(run.open(now).expiry.at(), end, "{issued}");
        let last = until(now, end.plus_millis(-1));
        assert!(matches!(
            run.step(Event::Needed, last).as_slice(),
            [Effect::Serve(_)]
        ));
        run.start(until(now, end));
    }
}

#[test]
fn t2_the_earliest_evidence_decides_and_is_named() {
    let mut run = Run::of(Machine::new(1), angel_one());
    let mut told = login("token");
    for (source, at) in [
        (EvidenceSource::ExpiresIn, "2026-11-22 22:00:00"),
        (EvidenceSource::JwtExpiry, "2026-11-22 21:00:00"),
        (EvidenceSource::ExpiresIn, "2026-11-24 21:00:00"),
    ] {
        told.evidence.push(Evidence { source, at: ist(at) });
    }
    let record = run.open_with(told, noon());
    assert_eq!(record.expiry.at(), ist("2026-11-22 21:00:00"));
    let expiry = run.machine.state(noon()).expiry.expect("an expiry");
    assert_eq!(expiry.decisive().source, EvidenceSource::JwtExpiry);
    assert_eq!(expiry.evidence().len(), 5, "nothing of it is hidden: {expiry:?}");
}

#[test]
fn t3_neither_clock_can_lengthen_a_session() {
    let end = ist("2026-11-23 08:00:00");
    let life = end.since(noon().wall);
    let hour = 3_600_000;
    let open = || {
        let mut run = Run::default();
        run.open(noon());
        run
    };
    let served = |run: &mut Run, now| match run.step(Event::Needed, now).as_slice() {
        [Effect::Serve(_)] => true,
        [Effect::Start(_)] => false,
        other => panic!("{other:?}"),
    };
    // Set back an hour: the monotonic clock ends the session.
    let back = stepped(later(noon(), life), -hour);
    assert!(!served(&mut open(), back));
    assert!(served(
        &mut open(),
        stepped(until(noon(), end.plus_millis(-1)), -hour)
    ));
    // Set forward, or slept until the boundary: the wall clock does.
    let forward = stepped(noon(), i64::try_from(life.as_millis()).unwrap());
    assert!(!served(&mut open(), forward));
    assert!(served(&mut open(), stepped(forward, -1)));
    // A reader with a snapshot is told the same by the record itself.
    let record = open().published.unwrap();
    assert!(!record.is_live(back) && !record.is_live(forward) && record.is_live(noon()));
}

#[test]
fn t3_a_late_completion_hands_out_nothing() {
    for (past, wall_only) in [(0, false), (1, false), (0, true)] {
        let mut run = Run::default();
        let flight = run.start(noon());
        let end = ist("2026-11-23 08:00:00").plus_millis(past);
        let now = if wall_only {
            stepped(noon(), end.as_millis() - noon().wall.as_millis())
        } else {
            until(noon(), end)
        };
        let effects = run.finish(flight, login("late"), noon(), now);
        assert!(matches!(effects.as_slice(), [Effect::Settle(_, Err(e))] if e.kind() == ErrorKind::Timeout));
        assert!(run.published.is_none() && run.news().is_empty());
    }
}

#[test]
fn t4_a_hollow_success_is_served_and_one_more_login_follows_for_a_caller() {
    let mut run = Run::default();
    let minute_to = until(noon(), ist("2026-11-23 07:59:00"));
    let hollow = run.open(minute_to);
    assert_eq!(hollow.expiry.at(), ist("2026-11-23 08:00:00"));
    let last = until(minute_to, ist("2026-11-23 07:59:59"));
    assert!(matches!(
        run.step(Event::Needed, last).as_slice(),
        [Effect::Serve(_)]
    ));
    // Nothing renews it by itself, and the caller after the boundary waits for no jitter.
    let eight = until(minute_to, ist("2026-11-23 08:00:00"));
    assert_eq!(run.tick(eight), None);
    assert_eq!(run.machine.wakes_at(eight), None);
    let whole = run.open(eight);
    assert_eq!(whole.expiry.at(), ist("2026-11-24 08:00:00"));
    for hours in 1..23 {
        let now = later(eight, Duration::from_hours(hours));
        assert!(matches!(
            run.step(Event::Needed, now).as_slice(),
            [Effect::Serve(_)]
        ));
    }
}

#[test]
fn t4_a_hollow_success_is_followed_by_exactly_one_login_when_kept_warm() {
    let mut run = Run::warm(5);
    let mut now = until(noon(), ist("2026-11-23 07:59:00"));
    run.open(now);
    let mut logins = Vec::new();
    let tomorrow = ist("2026-11-24 07:00:00");
    while let Some(at) = run.machine.wakes_at(now).filter(|at| *at < tomorrow) {
        now = until(now, at.max(now.wall));
        if let Some(flight) = run.tick(now) {
            logins.push(now.wall);
            run.finish(flight, login("whole"), now, now);
        }
    }
    assert_eq!(logins.len(), 1, "{logins:?}");
    let late = logins[0].since(ist("2026-11-23 08:00:00"));
    assert!(
        late >= Duration::from_secs(5) && late < Duration::from_secs(125),
        "{late:?}"
    );
    assert_eq!(
        run.news(),
        [("renewed", 1), ("expiring", 1), ("expired", 1), ("renewed", 2)]
    );
}

/// When the account of `seed` is renewed by itself after the end of its session.
fn renewal(seed: u64, opened: Timestamp, skew: i64) -> Timestamp {
    let mut run = Run::warm(seed);
    let mut now = until(noon(), opened);
    let mut first = login("first");
    first.skew = Some(Skew::from_millis(skew));
    let end = run.open_with(first, now).expiry.at();
    loop {
        let at = run.machine.wakes_at(now).expect("it renews itself");
        let early = until(now, at.plus_millis(-1));
        assert_eq!(run.tick(early), None, "not a moment before it said");
        now = until(now, at);
        if run.tick(now).is_some() {
            assert!(now.wall > end);
            return now.wall;
        }
    }
}

#[test]
fn t5_a_thousand_accounts_are_renewed_after_the_boundary_and_evenly() {
    let boundary = ist("2026-11-23 08:00:00");
    let mut late: Vec<u64> = (0..1000)
        .map(|seed| {
            let at = renewal(seed, noon().wall, 0);
            assert!(at >= boundary.plus(Duration::from_secs(5)), "{at}");
            u64::try_from(at.since(boundary).as_millis()).unwrap()
        })
        .collect();
    late.sort_unstable();
    assert!(late[999] < 125_000, "{}", late[999]);
    // 120 seconds from the fifth on: the quartiles lie at 35, 65 and 95.
    for (rank, second) in [(250, 35), (500, 65), (750, 95)] {
        let off = late[rank].abs_diff(second * 1000);
        assert!(off < 6000, "quartile at {} ms, not near {second} s", late[rank]);
    }
    let busiest = (0..120).map(|second| {
        let from = 5000 + second * 1000;
        late.iter().filter(|&&at| at >= from && at < from + 1000).count()
    });
    assert!(busiest.max().unwrap() <= 25, "about eight a second");
}

#[test]
fn t5_an_account_keeps_its_place_from_day_to_day() {
    for seed in 0..50 {
        let first = renewal(seed, noon().wall, 0);
        let second = renewal(seed, noon().wall.plus(Duration::from_hours(24)), 0);
        assert_eq!(second.since(first), Duration::from_hours(24));
    }
}

#[test]
fn t6_a_broker_that_is_behind_is_given_time() {
    let on_time = renewal(9, noon().wall, 0);
    let behind = renewal(9, noon().wall, -40_000);
    assert_eq!(behind.since(on_time), Duration::from_secs(40));
    // One that is ahead ends the session earlier here; its boundary is then over as well.
    let ahead = renewal(9, noon().wall, 40_000);
    assert_eq!(on_time.since(ahead), Duration::from_secs(40));
}

#[test]
fn a_caller_waits_for_no_jitter_and_no_second_login_follows() {
    let mut run = Run::warm(9);
    let end = run.open(noon()).expiry.at();
    let eight = until(noon(), end);
    run.tick(eight);
    let flight = run.start(eight);
    let later = later(eight, Duration::from_mins(5));
    assert_eq!(run.tick(later), None, "one is under way");
    run.finish(flight, login("new"), eight, later);
    assert_eq!(run.tick(later), None);
}

#[test]
fn a_session_is_not_kept_warm_before_somebody_asked_nor_after_a_logout() {
    let mut run = Run::warm(1);
    assert_eq!(run.machine.wakes_at(noon()), None);
    let end = run.open(noon()).expiry.at();
    run.step(Event::SignedOut, noon());
    assert_eq!(run.machine.wakes_at(noon()), None);
    assert_eq!(run.tick(until(noon(), end.plus(Duration::from_hours(2)))), None);
}

#[test]
fn a_session_that_the_broker_ended_is_left_alone_until_its_boundary() {
    let mut run = Run::warm(1);
    let end = run.open(noon()).expiry.at();
    run.step(Event::Invalidated { generation: 1 }, noon());
    assert!(run.machine.wakes_at(noon()).is_some_and(|at| at > end));
    assert_eq!(run.tick(until(noon(), end)), None);
}

#[test]
fn what_needs_a_person_is_not_tried_again_by_itself() {
    let mut run = Run::warm(1);
    let end = noon().wall.plus(Duration::from_hours(1));
    run.open_with(login_until("token", end), noon());
    let over = until(noon(), end.plus(Duration::from_mins(3)));
    for kind in [ErrorKind::LoginRequired, ErrorKind::InvalidInput] {
        run.step(Event::Reset, over);
        let flight = run.tick(over).expect("a renewal");
        run.fail(flight, Error::new(kind, "x"), over);
        assert_eq!(run.machine.wakes_at(over), None);
        assert_eq!(run.name(over), StateName::Expired);
    }
    // Whoever asks starts it again, and with it the renewal of the next day.
    run.open(over);
    assert!(run.machine.wakes_at(over).is_some());
}
