//! The lifecycle properties of the machine, by name. Renewal without being asked, events, failures and hand-over have
//! files of their own; random stories are in `model.rs`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests"
)]

mod common;

use std::sync::Arc;
use std::time::Duration;

use preopen_core::Now;
use preopen_core::error::{Advice, Credential, Error, ErrorKind};
use preopen_core::lifecycle::{Effect, Event, StateName};

use common::{Run, later, login, login_until, noon};

#[test]
fn s1_many_cold_callers_share_one_flight() {
    let mut run = Run::default();
    let flight = run.start(noon());
    for _ in 0..1000 {
        assert!(
            matches!(run.step(Event::Needed, noon()).as_slice(), [Effect::Join(joined)] if *joined == flight)
        );
    }
    assert_eq!(run.name(noon()), StateName::Opening);
}

#[test]
fn s2_a_failure_reaches_all_and_leaves_the_slot_clean() {
    let mut run = Run::default();
    let flight = run.start(noon());
    let error = Error::new(ErrorKind::BrokerUnavailable, "down");
    let effects = run.fail(flight, error, noon());
    assert!(matches!(effects.last(), Some(Effect::Settle(settled, Err(_))) if *settled == flight));
    assert_ne!(run.start(noon()), flight);
}

#[test]
fn s5_a_valid_session_is_served_without_a_flight() {
    let mut run = Run::default();
    let record = run.open(noon());
    assert!(
        matches!(run.step(Event::Needed, noon()).as_slice(), [Effect::Serve(r)] if Arc::ptr_eq(r, &record))
    );
}

#[test]
fn s7_an_old_generation_invalidates_nothing() {
    let mut run = Run::default();
    let first = run.open(noon());
    run.step(
        Event::Invalidated {
            generation: first.generation,
        },
        noon(),
    );
    let second = run.open(noon());
    for _ in 0..2 {
        assert!(
            run.step(
                Event::Invalidated {
                    generation: first.generation
                },
                noon()
            )
            .is_empty()
        );
    }
    assert!(
        run.published
            .as_ref()
            .is_some_and(|r| r.generation == second.generation)
    );
    assert_eq!(run.name(noon()), StateName::Active);
}

#[test]
fn s7_two_refusals_of_one_generation_cost_one_login() {
    let mut run = Run::default();
    run.open(noon());
    run.step(Event::Invalidated { generation: 1 }, noon());
    let flight = run.start(noon());
    run.step(Event::Invalidated { generation: 1 }, noon());
    assert!(
        matches!(run.step(Event::Needed, noon()).as_slice(), [Effect::Join(joined)] if *joined == flight)
    );
    run.finish(flight, login("second"), noon(), noon());
    run.step(Event::Invalidated { generation: 1 }, noon());
    assert!(
        matches!(run.step(Event::Needed, noon()).as_slice(), [Effect::Serve(record)] if record.generation == 2)
    );
}

#[test]
fn s6_a_record_never_changes_under_its_reader() {
    let mut run = Run::default();
    let mut read = Vec::new();
    for day in 0..5 {
        let now = later(noon(), Duration::from_hours(24 * day));
        let end = now.wall.plus(Duration::from_hours(day + 1));
        read.push((
            now,
            end,
            run.open_with(login_until(&format!("token {day}"), end), now),
        ));
    }
    for (nth, (now, end, record)) in read.iter().enumerate() {
        assert_eq!(record.generation, u64::try_from(nth).unwrap() + 1);
        assert_eq!(record.tokens.access().expose(), format!("token {nth}"));
        assert_eq!((record.issued_at, record.expiry.at()), (now.wall, *end));
        assert!(record.is_live(*now) && !record.is_live(later(noon(), Duration::from_hours(200))));
    }
    let state = run.machine.state(read[4].0);
    assert_eq!((state.generation, state.issued_at), (5, Some(read[4].0.wall)));
    assert_eq!(state.expiry.unwrap().at(), read[4].1);
}

#[test]
fn s8_a_late_login_after_logout_is_discarded() {
    let mut run = Run::default();
    let flight = run.start(noon());
    let effects = run.step(Event::SignedOut, noon());
    assert!(
        matches!(effects.last(), Some(Effect::Settle(_, Err(e))) if e.kind() == ErrorKind::LoginRequired)
    );
    let effects = run.finish(flight, login("late"), noon(), noon());
    assert!(matches!(effects.as_slice(), [Effect::Discard(_)]));
    assert!(run.published.is_none());
    assert_eq!(run.name(noon()), StateName::SignedOut);
}

#[test]
fn t3_a_login_that_crosses_the_boundary_is_not_served() {
    let mut run = Run::default();
    let sent = noon();
    let flight = run.start(sent);
    let effects = run.finish(flight, login("x"), sent, later(sent, Duration::from_hours(21)));
    assert!(matches!(effects.last(), Some(Effect::Settle(_, Err(_)))));
    assert!(run.published.is_none());
}

#[test]
fn f1_a_failed_renewal_never_displaces_a_valid_session() {
    let mut run = Run::default();
    let record = run.open(noon());
    // A wall clock stepped forward by mistake starts a renewal; stepped back, the session is valid again.
    let stepped = Now {
        wall: noon().wall.plus(Duration::from_hours(30)),
        ..noon()
    };
    let flight = run.start(stepped);
    let error =
        Error::new(ErrorKind::CredentialsRejected, "no").with(|c| c.credential = Some(Credential::ApiSecret));
    let effects = run.fail(flight, error, noon());
    assert!(matches!(effects.as_slice(), [Effect::Settle(_, Ok(served))] if Arc::ptr_eq(served, &record)));
    assert!(
        run.published
            .as_ref()
            .is_some_and(|published| Arc::ptr_eq(published, &record))
    );
    assert_eq!(run.name(noon()), StateName::Active);
}

#[test]
fn f4_a_refused_credential_blocks_until_reset() {
    let mut run = Run::default();
    let flight = run.start(noon());
    run.fail(flight, Error::new(ErrorKind::CredentialsRejected, "no"), noon());
    assert_eq!(run.name(noon()), StateName::Blocked);
    for _ in 0..10 {
        assert!(
            matches!(run.step(Event::Needed, noon()).as_slice(), [Effect::Refuse(e)] if e.kind() == ErrorKind::CredentialsRejected)
        );
    }
    run.step(Event::SignedOut, noon());
    assert_eq!(
        run.name(noon()),
        StateName::Blocked,
        "logging out does not unblock"
    );
    run.step(Event::Reset, noon());
    run.start(noon());
}

#[test]
fn f4_callers_of_a_failing_login_wait_and_a_success_forgets() {
    let mut run = Run::default();
    let down = || Error::new(ErrorKind::BrokerUnavailable, "down");
    for _ in 0..2 {
        let flight = run.start(noon());
        run.fail(flight, down(), noon());
    }
    let refused = run.step(Event::Needed, noon());
    assert!(
        matches!(refused.as_slice(), [Effect::Refuse(e)] if matches!(e.advice(), Advice::After(_))),
        "{refused:?}"
    );
    let after = later(noon(), Duration::from_secs(1));
    run.open(after);
    run.step(Event::Invalidated { generation: 1 }, after);
    let flight = run.start(after);
    run.fail(flight, down(), after);
    run.start(after);
}

#[test]
fn expiry_by_the_clock_shows_in_the_state() {
    let mut run = Run::default();
    run.open(noon());
    let eight = later(noon(), Duration::from_hours(20));
    assert_eq!(
        run.name(later(noon(), Duration::from_millis(20 * 3_600_000 - 1))),
        StateName::Active
    );
    assert_eq!(run.name(eight), StateName::Expired);
    run.start(eight);
}

#[test]
fn s8_no_login_starts_before_an_abandoned_one_has_ended() {
    let mut run = Run::default();
    let first = run.start(noon());
    run.step(Event::SignedOut, noon());
    let Some(Effect::Join(queued)) = run.step(Event::Needed, noon()).pop() else {
        panic!("a second login started")
    };
    assert_ne!(queued, first);
    run.finish(first, login("late"), noon(), noon());
    assert!(
        matches!(run.step(Event::Drained { flight: first }, noon()).as_slice(), [Effect::Start(f)] if *f == queued)
    );
    run.finish(queued, login("new"), noon(), noon());
    assert_eq!(run.name(noon()), StateName::Active);
}

#[test]
fn s8_a_logout_gives_up_the_session_that_is_live_now() {
    let mut run = Run::default();
    let record = run.open(noon());
    let effects = run.step(Event::SignedOut, noon());
    assert!(
        effects
            .iter()
            .any(|e| matches!(e, Effect::SignOut(_, ended) if Arc::ptr_eq(ended, &record)))
    );
    assert!(
        !run.step(Event::SignedOut, noon())
            .iter()
            .any(|e| matches!(e, Effect::SignOut(..)))
    );
}

#[test]
fn s8_no_login_starts_beside_a_logout() {
    let mut run = Run::default();
    run.open(noon());
    let logout = run
        .step(Event::SignedOut, noon())
        .into_iter()
        .find_map(|effect| match effect {
            Effect::SignOut(logout, _) => Some(logout),
            _ => None,
        })
        .expect("the session is ended at the broker");
    let Some(Effect::Join(queued)) = run.step(Event::Needed, noon()).pop() else {
        panic!("a login started beside the logout")
    };
    let freed = run.step(Event::Drained { flight: logout }, noon());
    assert!(matches!(freed.as_slice(), [Effect::Start(flight)] if *flight == queued));
    assert!(run.step(Event::Drained { flight: logout }, noon()).is_empty());
}

#[test]
fn closing_sends_nothing_and_is_for_good() {
    let mut run = Run::default();
    let flight = run.start(noon());
    run.step(Event::Closed, noon());
    let late = run.finish(flight, login("late"), noon(), noon());
    assert!(
        late.is_empty(),
        "a late login of a closed session is not logged out: {late:?}"
    );
    assert_eq!(run.name(noon()), StateName::Closed);
    for event in [Event::Reset, Event::Needed, Event::SignedOut] {
        let effects = run.step(event, noon());
        assert!(
            !effects
                .iter()
                .any(|e| matches!(e, Effect::Start(_) | Effect::Serve(_) | Effect::SignOut(..)))
        );
        assert_eq!(run.name(noon()), StateName::Closed);
    }
}

#[test]
fn p8_a_forked_child_does_not_wait_for_its_parents_login() {
    let mut run = Run::default();
    let parents = run.start(noon());
    run.step(Event::Forked, noon());
    assert_ne!(run.start(noon()), parents);
}
