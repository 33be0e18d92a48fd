//! What those who watch a session are told: in order, and each end once.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests"
)]

mod common;

use std::time::Duration;

use preopen_core::error::{Error, ErrorKind};
use preopen_core::lifecycle::{Effect, Event, Machine};
use preopen_core::static_ip::Addresses;

use common::{Run, ist, later, login, login_until, noon, refused, samco, stepped, until};

#[test]
fn a_day_is_told_in_order_and_each_end_once() {
    let mut run = Run::default();
    run.open(noon());
    let quarter_to = until(noon(), ist("2026-11-23 07:45:00"));
    let eight = until(noon(), ist("2026-11-23 08:00:00"));
    assert_eq!(run.machine.wakes_at(noon()), Some(quarter_to.wall));
    run.tick(later(noon(), Duration::from_hours(1)));
    assert_eq!(run.news(), [("renewed", 1)]);
    for _ in 0..3 {
        run.tick(quarter_to);
    }
    assert_eq!(run.news(), [("expiring", 1)]);
    assert_eq!(run.machine.wakes_at(quarter_to), Some(eight.wall));
    for _ in 0..3 {
        run.tick(eight);
    }
    assert_eq!(run.news(), [("expired", 1)]);
    run.step(Event::Invalidated { generation: 1 }, eight);
    run.open(eight);
    assert_eq!(run.news(), [("renewed", 2)]);
}

#[test]
fn an_end_is_told_by_whatever_comes_first_after_it() {
    let over = until(noon(), ist("2026-11-23 08:00:01"));
    for event in [
        Event::Needed,
        Event::Reset,
        Event::Invalidated { generation: 1 },
        Event::Forked,
    ] {
        let mut run = Run::default();
        run.open(noon());
        run.news();
        run.step(event, over);
        assert_eq!(
            run.news(),
            [("expired", 1)],
            "without `expiring`: that time has passed"
        );
    }
    let mut run = Run::default();
    run.open(noon());
    run.news();
    run.step(Event::SignedOut, over);
    assert_eq!(run.news(), [("expired", 1), ("signed_out", 1)]);
    run.step(Event::Tick, over);
    run.step(Event::Invalidated { generation: 1 }, over);
    assert_eq!(run.news(), [], "nothing of a session after its logout");
}

#[test]
fn a_short_session_is_told_to_end_soon_at_once_and_only_once() {
    let mut run = Run::default();
    run.open_with(
        login_until("short", noon().wall.plus(Duration::from_mins(5))),
        noon(),
    );
    assert_eq!(run.news(), [("renewed", 1)]);
    let due = run.machine.wakes_at(noon()).expect("expiring is due");
    assert!(due < noon().wall);
    run.tick(noon());
    run.tick(noon());
    assert_eq!(run.news(), [("expiring", 1)]);
}

#[test]
fn a_token_that_the_broker_refused_expires_once() {
    let mut run = Run::default();
    run.open(noon());
    run.news();
    for _ in 0..3 {
        run.step(Event::Invalidated { generation: 1 }, noon());
    }
    run.tick(until(noon(), ist("2026-11-23 08:00:00")));
    assert_eq!(run.news(), [("expired", 1)]);
}

#[test]
fn a_clock_that_jumps_tells_no_end_twice() {
    let mut run = Run::default();
    run.open(noon());
    run.news();
    let ahead = stepped(noon(), 21 * 3_600_000);
    run.tick(ahead);
    assert_eq!(run.news(), [("expired", 1)]);
    run.tick(noon());
    run.tick(until(noon(), ist("2026-11-23 07:50:00")));
    run.tick(until(noon(), ist("2026-11-23 08:00:00")));
    assert_eq!(run.news(), [], "it was told already");
}

#[test]
fn what_needs_a_person_is_told() {
    let mut run = Run::default();
    let flight = run.start(noon());
    run.fail(
        flight,
        Error::new(ErrorKind::LoginRequired, "nobody answered"),
        noon(),
    );
    let flight = run.start(noon());
    run.fail(flight, refused(), noon());
    assert_eq!(run.news(), [("login_needed", 0), ("blocked", 0)]);
}

#[test]
fn an_address_that_is_not_registered_is_told_with_the_login() {
    let told = |source, primary| {
        let mut run = Run::default();
        let mut login = login("token");
        login.addresses = Some(Addresses::new(source, primary, None));
        run.open_with(login, noon());
        run.news()
    };
    let both = [("renewed", 1), ("ip_mismatch", 1)];
    assert_eq!(told(Some("192.0.2.1"), Some("192.0.2.2")), both);
    assert_eq!(told(Some("192.0.2.1"), None), both, "none is registered");
    assert_eq!(told(Some("192.0.2.1"), Some("192.0.2.1")), [("renewed", 1)]);
    assert_eq!(
        told(None, Some("192.0.2.1")),
        [("renewed", 1)],
        "nothing is known"
    );
}

#[test]
fn announcements_come_before_waiters_are_served_and_after_readers_see_the_session() {
    let (machine, effects) = Machine::new(1).step(Event::Needed, noon(), samco());
    let [Effect::Start(flight)] = effects.as_slice() else {
        panic!("{effects:?}")
    };
    let opened = Event::Opened {
        flight: *flight,
        login: Box::new(login("token")),
        sent: noon(),
    };
    let (_, effects) = machine.step(opened, noon(), samco());
    assert!(matches!(
        effects.as_slice(),
        [Effect::Publish(_), Effect::Announce(_), Effect::Settle(_, Ok(_))]
    ));
}
