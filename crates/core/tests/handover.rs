//! Sessions that another program opened: when one is taken over, and what it changes (T3, F1, F4, X4), by name. The
//! text that carries them is tested in `portable.rs`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests"
)]

mod common;

use std::sync::Arc;
use std::time::Duration;

use preopen_core::error::{Error, ErrorKind};
use preopen_core::lifecycle::{Effect, Event, StateName};
use preopen_core::skew::Skew;

use common::{Run, down, ist, later, login, login_until, noon, refused, until};

fn is_refused(effects: &[Effect]) -> bool {
    matches!(effects, [Effect::Refuse(error)] if error.field() == Some("record"))
}

#[test]
fn an_imported_session_is_served_without_a_login() {
    let mut run = Run::default();
    run.import(login("other"), ist("2026-11-22 09:00:00"), noon());
    assert!(
        matches!(run.step(Event::Needed, noon()).as_slice(), [Effect::Serve(record)] if record.generation == 1)
    );
    assert_eq!(run.news(), [("renewed", 1)]);
    let record = run.published.clone().unwrap();
    assert_eq!(record.issued_at, ist("2026-11-22 09:00:00"));
    assert_eq!(record.expiry.at(), ist("2026-11-23 08:00:00"));
    assert!(!record.is_live(until(noon(), ist("2026-11-23 08:00:00"))));
}

#[test]
fn only_a_newer_session_replaces_a_live_one() {
    let mut run = Run::default();
    let mine = run.open(noon());
    let now = later(noon(), Duration::from_mins(30));
    assert!(
        run.import(login("token"), now.wall, now).is_empty(),
        "the same token is no news"
    );
    for issued in [noon().wall.plus_millis(-1), noon().wall] {
        assert!(is_refused(&run.import(login("older"), issued, now)));
    }
    assert!(
        run.published
            .as_ref()
            .is_some_and(|seen| Arc::ptr_eq(seen, &mine))
    );
    run.import(login("newer"), noon().wall.plus_millis(1), now);
    assert!(run.published.as_ref().is_some_and(|seen| seen.generation == 2));
    assert_eq!(run.news(), [("renewed", 1), ("renewed", 2)]);
}

#[test]
fn the_token_that_was_just_refused_is_not_taken_over() {
    let mut run = Run::default();
    let mine = run.open(noon());
    run.step(
        Event::Invalidated {
            generation: mine.generation,
        },
        noon(),
    );
    assert!(is_refused(&run.import(login("token"), noon().wall, noon())));
    run.import(login("another"), noon().wall, noon());
    assert!(run.published.as_ref().is_some_and(|seen| seen.generation == 2));
}

#[test]
fn a_refused_import_changes_nothing() {
    let mut run = Run::warm(3);
    let end = noon().wall.plus(Duration::from_mins(30));
    run.open_with(login_until("token", end), noon());
    let over = until(noon(), end.plus(Duration::from_mins(10)));
    let flight = run.tick(over).expect("a renewal");
    // A person is needed, so nothing is renewed by itself.
    run.fail(
        flight,
        Error::new(ErrorKind::LoginRequired, "nobody answered"),
        over,
    );
    assert_eq!(run.machine.wakes_at(over), None);
    let state = run.machine.state(over);
    run.news();
    for (login, issued) in [
        (login("yesterday's"), ist("2026-11-22 07:59:59")),
        (login_until("over", over.wall), noon().wall),
        (
            login("from the future"),
            over.wall.plus(Skew::LIMIT).plus_millis(1),
        ),
    ] {
        assert!(is_refused(&run.import(login, issued, over)));
        assert_eq!(run.machine.wakes_at(over), None, "it still rests");
        assert_eq!(run.machine.state(over).generation, state.generation);
        assert_eq!(run.name(over), StateName::Expired);
    }
    assert_eq!(run.news(), []);
}

#[test]
fn f4_a_refused_import_does_not_end_the_wait_between_logins() {
    let mut run = Run::default();
    for _ in 0..2 {
        let flight = run.start(noon());
        run.fail(flight, down(), noon());
    }
    assert!(is_refused(&run.import(
        login("over"),
        ist("2026-11-22 07:00:00"),
        noon()
    )));
    assert!(
        matches!(run.step(Event::Needed, noon()).as_slice(), [Effect::Refuse(e)] if e.kind() == ErrorKind::BrokerUnavailable)
    );
}

#[test]
fn t3_a_clock_that_was_ahead_elsewhere_lengthens_nothing_here() {
    // The other program's clock showed 08:01 when ours shows 07:50: its session ends in ten minutes all the same.
    let mut run = Run::default();
    let now = until(noon(), ist("2026-11-23 07:50:00"));
    let eight = ist("2026-11-23 08:00:00");
    run.import(login("other"), ist("2026-11-23 08:01:00"), now);
    let record = run.published.clone().unwrap();
    assert_eq!(record.expiry.at(), eight);
    assert_eq!(record.issued_at, now.wall);
    assert!(!record.is_live(until(now, eight)));

    let mut run = Run::default();
    let mut ahead = login("other");
    ahead.skew = Some(Skew::from_millis(-11 * 60_000));
    run.import(ahead, ist("2026-11-23 08:01:00"), now);
    assert_eq!(run.published.unwrap().expiry.at(), eight);
}

#[test]
fn an_import_serves_those_who_wait_and_the_login_goes_on() {
    let mut run = Run::default();
    let flight = run.start(noon());
    let effects = run.import(login("other"), noon().wall, noon());
    assert!(
        matches!(effects.as_slice(), [Effect::Publish(_), Effect::Settle(settled, Ok(record))] if *settled == flight && record.generation == 1)
    );
    assert!(matches!(
        run.step(Event::Needed, noon()).as_slice(),
        [Effect::Serve(_)]
    ));
    run.finish(flight, login("own"), noon(), noon());
    assert!(
        run.published
            .as_ref()
            .is_some_and(|record| record.generation == 2)
    );
    assert_eq!(run.news(), [("renewed", 1), ("renewed", 2)]);
}

#[test]
fn an_import_spares_the_login_that_is_only_queued() {
    let mut run = Run::default();
    let abandoned = run.start(noon());
    run.step(Event::SignedOut, noon());
    let Some(Effect::Join(queued)) = run.step(Event::Needed, noon()).pop() else {
        panic!("a second login started")
    };
    let effects = run.import(login("other"), noon().wall, noon());
    assert!(matches!(effects.last(), Some(Effect::Settle(settled, Ok(_))) if *settled == queued));
    let effects = run.step(Event::Drained { flight: abandoned }, noon());
    assert!(
        !effects.iter().any(|effect| matches!(effect, Effect::Start(_))),
        "a login that nobody needs could end the imported session: {effects:?}"
    );
    assert_eq!(run.name(noon()), StateName::Active);
}

#[test]
fn an_import_works_while_blocked_and_unblocks_nothing() {
    let mut run = Run::warm(1);
    let flight = run.start(noon());
    run.fail(flight, refused(), noon());
    run.import(login("other"), noon().wall, noon());
    assert_eq!(run.name(noon()), StateName::Active);
    let end = run.published.as_ref().unwrap().expiry.at();
    let over = until(noon(), end);
    assert_eq!(run.tick(over), None);
    assert_eq!(run.name(over), StateName::Blocked);
    assert_eq!(
        run.machine.wakes_at(over),
        None,
        "a blocked session is not kept warm"
    );
    run.step(Event::Reset, over);
    assert!(run.machine.wakes_at(over).is_some());
}

#[test]
fn a_closed_session_takes_nothing_over_and_tells_nothing() {
    let mut run = Run::default();
    run.open(noon());
    run.step(Event::Closed, noon());
    run.news();
    let effects = run.import(login("other"), noon().wall, noon());
    assert!(matches!(effects.as_slice(), [Effect::Refuse(error)] if error.field() == Some("session")));
    run.step(Event::AddressRefused(down()), noon());
    run.step(Event::Invalidated { generation: 1 }, noon());
    let day = later(noon(), Duration::from_hours(40));
    assert_eq!((run.tick(day), run.machine.wakes_at(day)), (None, None));
    assert_eq!(run.news(), []);
    assert!(run.published.is_none());
}
