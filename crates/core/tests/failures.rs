//! What failed logins lead to (F1, F3, F4), by name.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests"
)]

mod common;

use std::sync::Arc;
use std::time::Duration;

use preopen_core::error::{Advice, Credential, Error, ErrorKind};
use preopen_core::lifecycle::{Effect, Event, StateName, retries_in_next_totp_step};

use common::{Run, down, ist, later, login, login_until, noon, refused, stepped, until};

fn limited(seconds: u64) -> Error {
    Error::new(ErrorKind::RateLimited, "slow").with(|c| c.retry_after = Some(Duration::from_secs(seconds)))
}

#[test]
fn f1_a_login_that_came_too_late_never_displaces_a_valid_session() {
    let mut run = Run::default();
    let sent = until(noon(), ist("2026-11-23 07:59:58"));
    let flight = run.start(sent);
    let after = later(sent, Duration::from_secs(5));
    run.import(login("other"), after.wall, after);
    let effects = run.finish(flight, login("late"), sent, after);
    assert!(
        matches!(effects.as_slice(), [Effect::Settle(_, Ok(served))] if served.tokens.access().expose() == "other"),
        "{effects:?}"
    );
    assert!(
        run.published
            .as_ref()
            .is_some_and(|record| record.generation == 1)
    );
    assert_eq!(run.name(after), StateName::Active);
}

#[test]
fn f1_readers_see_a_session_that_a_clock_set_back_gives_back() {
    let mut run = Run::default();
    let record = run.open(noon());
    let ahead = stepped(noon(), 30 * 3_600_000);
    let flight = run.start(ahead);
    run.fail(flight, down(), ahead);
    assert!(
        run.published
            .as_ref()
            .is_some_and(|seen| Arc::ptr_eq(seen, &record)),
        "a failure withdraws nothing that the clock has not ended"
    );
    assert_eq!(run.name(noon()), StateName::Active);
}

#[test]
fn f3_an_outage_of_any_length_heals_without_a_restart() {
    let mut run = Run::warm(7);
    let end = run.open(noon()).expiry.at();
    let mut now = until(noon(), end);
    let mut logins = 0;
    // A whole day without the broker.
    let back = ist("2026-11-24 09:00:00");
    while now.wall < back {
        assert!(logins < 2000, "a login a minute at most");
        if let Some(flight) = run.tick(now) {
            logins += 1;
            now = later(now, Duration::from_secs(2));
            run.fail(flight, down(), now);
        }
        assert_ne!(run.name(now), StateName::Blocked);
        let next = run.machine.wakes_at(now).expect("it tries on by itself");
        now = until(now, next.max(now.wall));
    }
    let flight = run.tick(now).expect("a login");
    run.finish(flight, login("new"), now, now);
    assert_eq!(run.name(now), StateName::Active);
    assert!(logins > 1000, "{logins}");
}

#[test]
fn f4_a_refusal_that_nobody_knows_is_not_repeated_all_night() {
    let mut run = Run::warm(7);
    let mut now = until(noon(), run.open(noon()).expiry.at());
    let mut logins = 0;
    while let Some(next) = run.machine.wakes_at(now) {
        now = until(now, next.max(now.wall));
        if let Some(flight) = run.tick(now) {
            logins += 1;
            run.fail(flight, Error::new(ErrorKind::BrokerRejected, "no"), now);
        }
        assert!(logins < 10, "it may be of the credentials");
    }
    assert_eq!(logins, 3);
    let asked = later(now, Duration::from_mins(5));
    run.start(asked);
}

#[test]
fn f3_callers_need_no_restart_after_any_number_of_failures() {
    for failures in [1, 2, 7, 100] {
        let mut run = Run::default();
        let mut now = noon();
        for _ in 0..failures {
            let flight = run.start(now);
            run.fail(flight, down(), now);
            now = later(now, Duration::from_mins(1));
        }
        run.open(now);
    }
}

#[test]
fn f3_a_session_kept_warm_outlives_a_login_that_is_over_at_once() {
    let mut run = Run::warm(7);
    let end = run.open(noon()).expiry.at();
    let mut now = until(noon(), end);
    run.tick(now);
    for _ in 0..3 {
        now = until(
            now,
            run.machine
                .wakes_at(now)
                .expect("it tries on by itself")
                .max(now.wall),
        );
        let flight = run.tick(now).expect("a renewal");
        let over = login_until("over", now.wall);
        assert!(matches!(
            run.finish(flight, over, now, now).as_slice(),
            [Effect::Settle(_, Err(e))] if e.kind() == ErrorKind::Timeout
        ));
    }
    assert!(
        matches!(run.step(Event::Needed, now).as_slice(), [Effect::Refuse(e)] if matches!(e.advice(), Advice::After(_))),
        "logins that are over at once are not repeated without a pause"
    );
    assert_eq!(run.machine.state(now).generation, 1, "nothing was published");
}

#[test]
fn f4_a_wrong_secret_costs_one_login_even_if_it_was_abandoned() {
    let mut run = Run::default();
    let flight = run.start(noon());
    run.step(Event::SignedOut, noon());
    let Some(Effect::Join(queued)) = run.step(Event::Needed, noon()).pop() else {
        panic!("a second login started")
    };
    run.fail(flight, refused(), noon());
    let effects = run.step(Event::Drained { flight }, noon());
    assert!(
        matches!(effects.as_slice(), [Effect::Settle(settled, Err(e))] if *settled == queued && e.kind() == ErrorKind::CredentialsRejected),
        "{effects:?}"
    );
    assert_eq!(run.name(noon()), StateName::Blocked);
    assert_eq!(run.news(), [("signed_out", 0), ("blocked", 0)]);
    run.step(Event::Reset, noon());
    run.start(noon());
}

#[test]
fn f4_a_wrong_secret_costs_one_login_even_if_a_session_was_imported_meanwhile() {
    let mut run = Run::warm(1);
    let flight = run.start(noon());
    let end = noon().wall.plus(Duration::from_hours(1));
    run.import(login_until("other", end), noon().wall, noon());
    run.fail(flight, refused(), noon());
    assert_eq!(
        run.name(noon()),
        StateName::Active,
        "the imported session is served"
    );
    let over = until(noon(), end);
    assert_eq!(run.name(over), StateName::Blocked);
    assert!(matches!(
        run.step(Event::Needed, over).as_slice(),
        [Effect::Refuse(_)]
    ));
    let day = later(over, Duration::from_hours(30));
    assert_eq!((run.tick(over), run.tick(day)), (None, None), "nor by itself");
    assert_eq!(run.news(), [("renewed", 1), ("blocked", 1), ("expired", 1)]);
}

#[test]
fn f4_only_a_refused_code_is_made_once_more_and_only_once() {
    let refused = |which| refused().with(|context| context.credential = Some(which));
    assert!(retries_in_next_totp_step(0, &refused(Credential::Totp)));
    assert!(!retries_in_next_totp_step(1, &refused(Credential::Totp)));
    for which in [
        Credential::Pin,
        Credential::ApiKey,
        Credential::ApiSecret,
        Credential::Unknown,
    ] {
        assert!(!retries_in_next_totp_step(0, &refused(which)), "{which}");
    }
    let slow = limited(1).with(|context| context.credential = Some(Credential::Totp));
    assert!(!retries_in_next_totp_step(0, &slow));
}

#[test]
fn f4_logging_out_of_a_blocked_session_buys_no_login() {
    let mut run = Run::default();
    let flight = run.start(noon());
    run.fail(flight, refused(), noon());
    for _ in 0..3 {
        assert!(
            !run.step(Event::SignedOut, noon())
                .iter()
                .any(|effect| matches!(effect, Effect::SignOut(..) | Effect::Start(_)))
        );
        assert!(matches!(
            run.step(Event::Needed, noon()).as_slice(),
            [Effect::Refuse(_)]
        ));
    }
    assert_eq!(run.news(), [("blocked", 0)], "there was nothing to log out of");
}

#[test]
fn f4_retry_after_holds_whoever_asked_and_whatever_came_between() {
    let after = |run: &mut Run, now| match run.step(Event::Needed, now).as_slice() {
        [Effect::Refuse(error)] => assert_eq!(error.kind(), ErrorKind::RateLimited),
        other => panic!("{other:?}"),
    };
    // An abandoned login was told to wait: the one behind it waits as well.
    let mut run = Run::default();
    let flight = run.start(noon());
    run.step(Event::SignedOut, noon());
    run.step(Event::Needed, noon());
    run.fail(flight, limited(90), noon());
    let effects = run.step(Event::Drained { flight }, noon());
    assert!(matches!(effects.as_slice(), [Effect::Settle(_, Err(e))] if e.kind() == ErrorKind::RateLimited));
    after(&mut run, later(noon(), Duration::from_secs(89)));
    run.start(later(noon(), Duration::from_secs(90)));

    // A session was imported and refused meanwhile: that says nothing about the login.
    let mut run = Run::default();
    let flight = run.start(noon());
    run.fail(flight, limited(90), noon());
    run.import(login("other"), noon().wall, noon());
    run.step(Event::Invalidated { generation: 1 }, noon());
    after(&mut run, later(noon(), Duration::from_secs(89)));
    run.start(later(noon(), Duration::from_secs(90)));
}
