//! The machine where only a person can log in: consents (F8), the refresh token that spares them, and when a person is
//! called.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests"
)]

mod common;

use std::time::Duration;

use preopen_core::broker::Login;
use preopen_core::error::{Error, ErrorKind, LoginReason};
use preopen_core::lifecycle::shared::Origin;
use preopen_core::lifecycle::{Effect, Event, FlightId, Machine, StateName};
use preopen_core::{Now, Timestamp};

use common::{Run, angel_one, down, ist, later, login, login_until, noon, samco, stepped, until};

const EIGHT: &str = "2026-11-23 08:00:00";
/// A week after noon.
const WEEK: &str = "2026-11-29 12:00:00";

fn person(warm: bool) -> Run {
    Run::of(Machine::new(3).keeping_warm(warm).needing_consent(true), samco())
}

/// A login whose refresh token lives until `until`.
fn renewable(token: &str, until: &str) -> Login {
    let mut login = login(token);
    login.renewable_until = Some(ist(until));
    login
}

fn because(reason: LoginReason) -> Error {
    Error::new(ErrorKind::LoginRequired, "no").with(|context| context.login_reason = Some(reason))
}

fn grant(run: &mut Run, now: Now) -> FlightId {
    match run.step(Event::Granted, now).as_slice() {
        [Effect::Start(flight)] => *flight,
        other => panic!("expected a login to start, got {other:?}"),
    }
}

fn consent(run: &mut Run, login: Login, now: Now) {
    let flight = grant(run, now);
    run.finish(flight, login, now, now);
}

fn at(time: &str) -> Now {
    until(noon(), ist(time))
}

/// The token that readers see.
fn seen(run: &Run, now: Now) -> Option<String> {
    let record = run.published.as_ref().filter(|record| record.is_live(now))?;
    Some(record.tokens.access().expose().to_owned())
}

fn renews(run: &Run, now: Now) -> Option<String> {
    let record = run.machine.renewable(now)?;
    Some(record.tokens.access().expose().to_owned())
}

#[test]
fn f8_what_a_person_consented_to_has_a_login_of_its_own() {
    let mut run = person(false);
    let other = run.start(noon());
    assert!(
        matches!(run.step(Event::Granted, noon()).as_slice(), [Effect::Join(flight)] if *flight == other),
        "a login that is under way goes first"
    );
    run.fail(other, because(LoginReason::ConsentNeeded), noon());
    let flight = grant(&mut run, noon());
    assert_ne!(flight, other);
    assert!(
        matches!(run.step(Event::Needed, noon()).as_slice(), [Effect::Join(joined)] if *joined == flight)
    );
    run.finish(flight, login("first"), noon(), noon());
    // A session that lives is no reason to drop what a person has just consented to.
    let flight = grant(&mut run, noon());
    assert!(matches!(
        run.step(Event::Needed, noon()).as_slice(),
        [Effect::Serve(_)]
    ));
    run.finish(flight, login("second"), noon(), noon());
    assert_eq!(seen(&run, noon()).as_deref(), Some("second"));
    run.step(Event::Closed, noon());
    assert!(matches!(
        run.step(Event::Granted, noon()).as_slice(),
        [Effect::Refuse(_)]
    ));
}

#[test]
fn f8_a_consent_lifts_a_block_and_a_wait() {
    let mut run = person(false);
    let flight = grant(&mut run, noon());
    let action = Error::new(ErrorKind::AccountActionRequired, "use the app first");
    run.fail(flight, action, noon());
    assert_eq!(run.name(noon()), StateName::Blocked);
    for _ in 0..5 {
        // Not before it is certain that a person consented: anybody can send an answer.
        let flight = grant(&mut run, noon());
        assert_eq!(run.name(noon()), StateName::Blocked);
        run.step(Event::Reset, noon());
        assert_eq!(run.name(noon()), StateName::Opening);
        let action = Error::new(ErrorKind::AccountActionRequired, "use the app first");
        run.fail(flight, action, noon());
    }
    let flight = grant(&mut run, noon());
    run.step(Event::Reset, noon());
    run.finish(flight, login("token"), noon(), noon());
    assert_eq!(run.name(noon()), StateName::Active);
}

#[test]
fn f1_f8_a_failed_consent_never_displaces_a_valid_session() {
    for error in [
        down(),
        because(LoginReason::ConsentDenied),
        because(LoginReason::CodeExpired),
        because(LoginReason::CodeInvalid),
        because(LoginReason::RefreshRejected),
        Error::new(ErrorKind::AccountActionRequired, "use the app first"),
    ] {
        let mut run = person(true);
        consent(&mut run, renewable("token", WEEK), noon());
        run.news();
        let flight = grant(&mut run, noon());
        let effects = run.fail(flight, error.clone(), noon());
        assert!(
            matches!(effects.as_slice(), [Effect::Settle(_, Ok(_))]),
            "{error}: {effects:?}"
        );
        assert_eq!(seen(&run, noon()).as_deref(), Some("token"), "{error}");
        assert!(run.news().iter().all(|(name, _)| *name == "blocked"), "{error}");
        let next_day = at(EIGHT);
        assert_eq!(renews(&run, next_day).as_deref(), Some("token"), "{error}");
    }
}

#[test]
fn f8_a_code_that_was_used_twice_ends_the_session_and_its_refresh_token() {
    for ended_before in [false, true] {
        let mut run = person(true);
        consent(&mut run, renewable("token", WEEK), noon());
        if ended_before {
            run.step(Event::Invalidated { generation: 1 }, noon());
        }
        run.news();
        let flight = grant(&mut run, noon());
        let effects = run.fail(flight, because(LoginReason::CodeReplayed), noon());
        assert!(matches!(effects.last(), Some(Effect::Settle(_, Err(_)))));
        assert_eq!((seen(&run, noon()), renews(&run, noon())), (None, None));
        let called = ("login_needed", 1);
        let told = if ended_before {
            vec![called]
        } else {
            vec![("expired", 1), called]
        };
        assert_eq!(run.news(), told, "and a person is called once");
        assert_eq!(run.machine.wakes_at(noon()), None, "nothing is left to renew");
        assert!(
            run.step(Event::SignedOut, noon())
                .iter()
                .all(|effect| matches!(effect, Effect::Withdraw))
        );
    }
}

#[test]
fn a_refused_refresh_token_is_not_used_again_whatever_the_clock_says() {
    for reason in [LoginReason::RefreshRejected, LoginReason::RefreshExpired] {
        let mut run = person(true);
        consent(&mut run, renewable("token", WEEK), noon());
        let eight = at(EIGHT);
        let flight = run.start(eight);
        run.fail(flight, because(reason), eight);
        for now in [
            eight,
            later(eight, Duration::from_hours(1)),
            stepped(eight, -30 * 3_600_000),
        ] {
            assert_eq!(renews(&run, now), None);
            assert_eq!(run.machine.wakes_at(now), None);
        }
        assert!(
            run.step(Event::SignedOut, eight)
                .iter()
                .all(|effect| matches!(effect, Effect::Withdraw)),
            "nothing is left at the broker"
        );
    }
}

#[test]
fn a_failure_that_says_nothing_of_the_refresh_token_leaves_it() {
    for error in [
        down(),
        because(LoginReason::ConsentNeeded),
        Error::new(ErrorKind::MalformedResponse, "?"),
    ] {
        let mut run = person(false);
        consent(&mut run, renewable("token", WEEK), noon());
        let eight = at(EIGHT);
        let flight = run.start(eight);
        run.fail(flight, error, eight);
        assert_eq!(renews(&run, eight).as_deref(), Some("token"));
    }
}

#[test]
fn the_refusal_of_one_refresh_token_says_nothing_of_another_session_s() {
    let mut run = person(false);
    consent(&mut run, renewable("old", WEEK), noon());
    let eight = at(EIGHT);
    let flight = run.start(eight);
    run.import(renewable("new", WEEK), eight.wall, eight);
    run.fail(flight, because(LoginReason::RefreshRejected), eight);
    assert_eq!(seen(&run, eight).as_deref(), Some("new"));
    let tomorrow = at("2026-11-24 08:00:00");
    assert_eq!(renews(&run, tomorrow).as_deref(), Some("new"));
}

#[test]
fn a_renewal_that_came_too_late_uses_its_refresh_token_up_and_keeps_the_next() {
    let eight = at(EIGHT);
    let over = |token: &str| login_until(token, eight.wall);
    for (mut reply, next) in [(over("next"), None), (over("next"), Some("next"))] {
        let mut run = person(false);
        consent(&mut run, renewable("token", WEEK), noon());
        let flight = run.start(eight);
        reply.renewable_until = next.map(|_| ist(WEEK));
        let effects = run.finish(flight, reply, eight, eight);
        assert!(
            matches!(effects.last(), Some(Effect::Settle(_, Err(error))) if error.kind() == ErrorKind::Timeout)
        );
        assert_eq!(
            renews(&run, eight).as_deref(),
            next,
            "the broker has rotated the first one"
        );
        // Readers do not get the session before it back, should the clock be set back.
        assert_eq!(seen(&run, noon()).is_some(), next.is_none());
    }
}

#[test]
fn a_person_is_called_once_for_each_end() {
    let mut run = person(false);
    for _ in 0..3 {
        let flight = run.start(noon());
        run.fail(flight, because(LoginReason::ConsentNeeded), noon());
    }
    assert_eq!(run.news(), [("login_needed", 0)]);
    consent(&mut run, login("token"), noon());
    run.news();
    let eight = at(EIGHT);
    run.tick(at("2026-11-23 07:45:00"));
    run.tick(eight);
    assert_eq!(run.news(), [("expiring", 1), ("expired", 1), ("login_needed", 1)]);
    for _ in 0..3 {
        let flight = run.start(eight);
        run.fail(flight, because(LoginReason::ConsentNeeded), eight);
        let flight = grant(&mut run, eight);
        run.fail(flight, because(LoginReason::ConsentDenied), eight);
    }
    assert_eq!(run.news(), [], "the person knows");
    consent(&mut run, login("next"), eight);
    run.step(Event::Invalidated { generation: 2 }, eight);
    assert_eq!(run.news(), [("renewed", 2), ("expired", 2), ("login_needed", 2)]);
    run.step(Event::SignedOut, eight);
    let flight = run.start(eight);
    run.fail(flight, because(LoginReason::ConsentNeeded), eight);
    assert_eq!(run.news(), [("signed_out", 2), ("login_needed", 2)]);
}

#[test]
fn nobody_is_called_while_a_person_logs_in() {
    let mut run = person(false);
    consent(&mut run, login("token"), noon());
    let last = at("2026-11-23 07:59:59");
    let flight = grant(&mut run, last);
    run.news();
    let eight = at(EIGHT);
    run.tick(eight);
    assert_eq!(run.news(), [("expired", 1)]);
    run.finish(flight, login("next"), eight, eight);
    assert_eq!(run.news(), [("renewed", 2)]);

    let tomorrow = at("2026-11-24 08:00:00");
    let flight = grant(&mut run, at("2026-11-24 07:59:59"));
    run.fail(flight, down(), tomorrow);
    assert!(
        run.news().contains(&("login_needed", 2)),
        "it failed, and nobody else logs in"
    );
}

#[test]
fn a_person_is_called_when_the_refresh_token_ends_unused() {
    for warm in [false, true] {
        let mut run = person(warm);
        consent(&mut run, renewable("token", "2026-11-24 20:00:00"), noon());
        run.news();
        let mut now = noon();
        let mut logins = 0;
        // The broker is down all the time, and nobody calls.
        while let Some(at) = run.machine.wakes_at(now) {
            now = until(now, at.max(now.wall));
            if let Some(flight) = run.tick(now) {
                logins += 1;
                assert!(logins < 5000, "a login a minute, and not for ever");
                run.fail(flight, down(), now);
            }
        }
        assert_eq!(logins > 1000, warm, "{logins}");
        assert_eq!(now.wall, ist("2026-11-24 20:00:00"));
        let mut told = vec![("expiring", 1), ("expired", 1), ("login_needed", 1)];
        if warm {
            // Renewals that nobody asked for fail again and again: that is told once.
            told.insert(2, ("failing", 1));
        }
        assert_eq!(run.news(), told);
    }
}

#[test]
fn t5_time_alone_renews_with_a_refresh_token_and_never_without() {
    for (reply, renewals) in [(login("token"), 0), (renewable("token", WEEK), 7)] {
        let mut run = person(true);
        consent(&mut run, reply, noon());
        let (mut now, mut done) = (noon(), 0);
        while let Some(at) = run
            .machine
            .wakes_at(now)
            .filter(|at| *at < ist("2026-12-10 00:00:00"))
        {
            now = until(now, at.max(now.wall));
            if let Some(flight) = run.tick(now) {
                assert!(renews(&run, now).is_some(), "nobody is there to log in");
                done += 1;
                assert!(done < 20, "one a day");
                // The next pair does not live longer than the first.
                run.finish(flight, renewable(&format!("token {done}"), WEEK), now, now);
            }
        }
        assert_eq!(done, renewals);
        assert_eq!(run.news().last().unwrap().0, "login_needed");
    }
    // SmartAPI's publisher login: its refresh token ends with the session.
    let machine = Machine::new(3).keeping_warm(true).needing_consent(true);
    let mut run = Run::of(machine, angel_one());
    consent(&mut run, login("token"), noon());
    let midnight = at("2026-11-23 00:00:00");
    assert_eq!(run.tick(midnight), None);
    assert_eq!(run.machine.wakes_at(midnight), None);
}

#[test]
fn a_logout_ends_whatever_is_left_at_the_broker_once() {
    let outs = |run: &mut Run, now| {
        let effects = run.step(Event::SignedOut, now);
        let logouts: Vec<_> = effects
            .iter()
            .filter_map(|effect| match effect {
                Effect::SignOut(flight, record) => Some((*flight, record.generation)),
                _ => None,
            })
            .collect();
        logouts
    };
    let (eight, dead) = (at(EIGHT), at(WEEK));
    for (ends_early, now, left) in [
        (false, noon(), 1),
        (false, eight, 1),
        (true, noon(), 1),
        (true, eight, 1),
        (false, dead, 0),
    ] {
        let mut run = person(false);
        consent(&mut run, renewable("token", WEEK), noon());
        if ends_early {
            run.step(Event::Invalidated { generation: 1 }, noon());
        }
        let first = outs(&mut run, now);
        assert_eq!(first.len(), left, "{ends_early} {now:?}");
        assert_eq!(outs(&mut run, now).len(), 0, "once");
        assert_eq!((seen(&run, now), renews(&run, now)), (None, None));
    }
}

#[test]
fn f8_what_a_person_consented_to_waits_for_a_logout() {
    for caller in [false, true] {
        let mut run = person(false);
        consent(&mut run, login("token"), noon());
        let effects = run.step(Event::SignedOut, noon());
        let logout = effects.iter().find_map(|effect| match effect {
            Effect::SignOut(flight, _) => Some(*flight),
            _ => None,
        });
        run.news();
        assert!(matches!(
            run.step(Event::Granted, noon()).as_slice(),
            [Effect::Join(_)]
        ));
        if caller {
            assert!(matches!(
                run.step(Event::Needed, noon()).as_slice(),
                [Effect::Join(_)]
            ));
        }
        let flight = logout.expect("a logout");
        let effects = run.step(Event::Drained { flight }, noon());
        match (caller, effects.as_slice()) {
            // Somebody else wants a session of any program.
            (true, [Effect::Start(other)]) => {
                run.fail(*other, because(LoginReason::ConsentNeeded), noon());
            }
            (false, [Effect::Settle(_, Err(_))]) => assert_eq!(run.news(), [], "the person is there"),
            _ => panic!("{effects:?}"),
        }
        consent(&mut run, login("next"), noon());
        assert_eq!(seen(&run, noon()).as_deref(), Some("next"));
    }
}

#[test]
fn an_import_that_is_refused_changes_nothing() {
    let mut run = person(false);
    consent(&mut run, renewable("token", WEEK), noon());
    let eight = at(EIGHT);
    let stale = renewable("stale", WEEK);
    let effects = run.import(stale, noon().wall.plus_millis(-1), eight);
    assert!(matches!(effects.as_slice(), [Effect::Refuse(error)] if error.field() == Some("record")));
    assert_eq!(
        renews(&run, eight).as_deref(),
        Some("token"),
        "its refresh token is the newest"
    );
}

#[test]
fn a_session_of_a_store_that_is_over_replaces_an_older_refresh_token_only() {
    let stored = |generation| {
        let mut login = renewable(&format!("stored {generation}"), WEEK);
        login.origin = Some(Origin { epoch: 7, generation });
        Box::new(login)
    };
    let adopt = |run: &mut Run, generation, issued_at: Timestamp| {
        let (flight, login) = (None, stored(generation));
        run.step(
            Event::Adopted {
                flight,
                login,
                issued_at,
            },
            at(EIGHT),
        )
    };
    let mut run = person(false);
    consent(&mut run, *stored(5), noon());
    let before = noon().wall;
    for (generation, expected) in [(4, "stored 5"), (5, "stored 5"), (6, "stored 6")] {
        adopt(&mut run, generation, before);
        assert_eq!(renews(&run, at(EIGHT)).as_deref(), Some(expected));
    }
    assert_eq!(seen(&run, noon()), None);
}
