//! Why each login began, as audit entries tell it; and the event of logins that fail again and again.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests"
)]

mod common;

use std::time::Duration;

use preopen_core::audit::Why;
use preopen_core::error::{Error, ErrorKind};
use preopen_core::lifecycle::shared::Origin;
use preopen_core::lifecycle::{Effect, Event, FAILING_AFTER, FlightId};

use common::{Run, down, ist, later, login, noon, refused, until};

/// The login that somebody's need starts.
fn needed(run: &mut Run, now: preopen_core::Now) -> FlightId {
    run.start(now)
}

#[test]
fn a_login_says_why_it_began() {
    let mut run = Run::default();
    let first = needed(&mut run, noon());
    assert_eq!(first.why(), Why::FirstUse);
    run.fail(first, down(), noon());
    let again = needed(&mut run, noon());
    assert_eq!(again.why(), Why::Retry);
    run.finish(again, login("one"), noon(), noon());

    let over = until(noon(), ist("2026-11-23 08:00:01"));
    let next = needed(&mut run, over);
    assert_eq!(next.why(), Why::Expired);
    run.finish(next, login("two"), over, over);

    run.step(Event::Invalidated { generation: 2 }, over);
    let next = needed(&mut run, over);
    assert_eq!(next.why(), Why::RefusedToken);
    run.finish(next, login("three"), over, over);

    // A logout says that it was asked for, and the login after it that there was one.
    let effects = run.step(Event::SignedOut, over);
    let logout = effects.iter().find_map(|effect| match effect {
        Effect::SignOut(logout, _) => Some(*logout),
        _ => None,
    });
    assert_eq!(logout.unwrap().why(), Why::Asked);
    run.step(
        Event::Drained {
            flight: logout.unwrap(),
        },
        over,
    );
    let next = needed(&mut run, over);
    assert_eq!(next.why(), Why::LoggedOut);
    run.fail(next, refused(), over);

    run.step(Event::Reset, over);
    let next = needed(&mut run, over);
    assert_eq!(next.why(), Why::Reset);
    let generation = 4;
    run.finish(next, login("four"), over, over);

    // Nothing held a login back, so that a reset is no reason; a person wants a newer session.
    run.step(Event::PassedOver { generation }, over);
    run.step(Event::Reset, over);
    assert_eq!(needed(&mut run, over).why(), Why::Asked);
}

#[test]
fn a_reset_that_let_go_of_nothing_is_no_reason() {
    let mut run = Run::default();
    run.step(Event::Reset, noon());
    assert_eq!(needed(&mut run, noon()).why(), Why::FirstUse);
}

#[test]
fn a_session_that_another_program_ended_is_told_apart() {
    let mut run = Run::default();
    let flight = needed(&mut run, noon());
    let origin = Origin {
        epoch: 7,
        generation: 1,
    };
    let mut stored = login("one");
    stored.origin = Some(origin);
    run.finish(flight, stored, noon(), noon());
    run.step(Event::EndedElsewhere { origin }, noon());
    assert_eq!(needed(&mut run, noon()).why(), Why::EndedElsewhere);
}

#[test]
fn renewing_unasked_and_completing_a_person_s_login_say_so() {
    let mut run = Run::warm(7);
    run.open(noon());
    let late = until(noon(), ist("2026-11-23 08:10:00"));
    assert_eq!(run.tick(late).unwrap().why(), Why::KeepWarm);

    let mut run = Run::default();
    let granted = run
        .step(Event::Granted, noon())
        .into_iter()
        .find_map(|effect| match effect {
            Effect::Start(flight) => Some(flight),
            _ => None,
        });
    assert_eq!(granted.unwrap().why(), Why::Asked);
}

#[test]
fn logins_that_fail_again_and_again_are_told_once_until_one_succeeds() {
    let mut run = Run::default();
    let mut now = noon();
    for round in 1..=2 {
        for failure in 1..=2 * FAILING_AFTER {
            let flight = needed(&mut run, now);
            run.fail(flight, down(), now);
            let told = if failure == FAILING_AFTER {
                vec![("failing", round - 1)]
            } else {
                Vec::new()
            };
            assert_eq!(run.news(), told, "round {round}, failure {failure}");
            now = later(now, Duration::from_mins(2));
        }
        let flight = needed(&mut run, now);
        run.finish(flight, login(&format!("{round}")), now, now);
        assert_eq!(run.news(), [("renewed", round)]);
        run.step(Event::Invalidated { generation: round }, now);
        assert_eq!(run.news(), [("expired", round)]);
    }
    // What a person must act on is no outage.
    for _ in 0..2 * FAILING_AFTER {
        let flight = needed(&mut run, now);
        let error = Error::new(ErrorKind::InvalidInput, "nobody can send this");
        run.fail(flight, error, now);
    }
    assert_eq!(run.news(), []);
}
