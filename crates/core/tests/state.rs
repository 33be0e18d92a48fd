//! What users are shown of a session: its state with a reason, each event with what it is about, and what those are
//! told who waited for a login.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests"
)]

mod common;

use preopen_core::error::{Error, ErrorKind, LoginReason};
use preopen_core::expiry::Expiry;
use preopen_core::lifecycle::{Effect, Event, SessionEvent, SessionState, StateName, mismatch};
use preopen_core::skew::Skew;
use preopen_core::static_ip::Addresses;
use preopen_core::{Now, Timestamp};

use common::{Run, down, ist, login, noon, refused, until};

/// Name, generation, times of issue and end, and what blocks it.
type Facts = (
    StateName,
    u64,
    Option<Timestamp>,
    Option<Timestamp>,
    Option<ErrorKind>,
);

fn facts(state: &SessionState) -> Facts {
    (
        state.name,
        state.generation,
        state.issued_at,
        state.expiry.as_ref().map(Expiry::at),
        state.blocked_by.as_ref().map(Error::kind),
    )
}

fn assert_state(run: &Run, now: Now, expected: Facts, reason: &str) {
    let state = run.machine.state(now);
    assert_eq!(facts(&state), expected);
    assert!(state.reason.contains(reason), "{:?}: {reason}", state.reason);
}

#[test]
fn a_state_tells_what_it_knows_and_why() {
    let (issued, end) = (noon().wall, ist("2026-11-23 08:00:00"));
    let over = until(noon(), end);
    let mut run = Run::default();
    assert_state(
        &run,
        noon(),
        (StateName::SignedOut, 0, None, None, None),
        "next call logs in",
    );
    let flight = run.start(noon());
    assert_state(
        &run,
        noon(),
        (StateName::Opening, 0, None, None, None),
        "login is running",
    );
    let mut first = login("token");
    first.skew = Some(Skew::from_millis(-2000));
    run.finish(flight, first, noon(), noon());
    assert_state(
        &run,
        noon(),
        (StateName::Active, 1, Some(issued), Some(end), None),
        &format!("ends at {} (daily_boundary)", end.to_ist()),
    );
    assert_eq!(
        run.machine.state(noon()).clock_skew,
        Some(Skew::from_millis(-2000))
    );

    // Ended by the clock: it is still known when.
    assert_state(
        &run,
        over,
        (StateName::Expired, 1, Some(issued), Some(end), None),
        &format!("ended at {}", end.to_ist()),
    );
    run.start(over);
    assert_state(
        &run,
        over,
        (StateName::Opening, 1, None, None, None),
        "login is running",
    );

    // Ended by the broker.
    let mut run = Run::default();
    run.open(noon());
    run.step(Event::Invalidated { generation: 1 }, noon());
    assert_state(
        &run,
        noon(),
        (StateName::Expired, 1, None, None, None),
        "the broker ended the session",
    );

    let flight = run.start(noon());
    run.fail(flight, refused(), noon());
    let blocked = Some(ErrorKind::CredentialsRejected);
    assert_state(
        &run,
        noon(),
        (StateName::Blocked, 1, None, None, blocked),
        "call reset()",
    );
    // Closed is the last word, whatever was wrong before.
    run.step(Event::Closed, noon());
    assert_state(
        &run,
        noon(),
        (StateName::Closed, 1, None, None, None),
        "make a new one",
    );
}

#[test]
fn only_the_login_that_is_waited_for_is_current() {
    let mut run = Run::default();
    let first = run.start(noon());
    assert!(run.machine.is_current(first));
    run.step(Event::SignedOut, noon());
    assert!(!run.machine.is_current(first));
    let Some(Effect::Join(queued)) = run.step(Event::Needed, noon()).pop() else {
        panic!("a second login started")
    };
    assert!(run.machine.is_current(queued) && !run.machine.is_current(first));
    run.step(Event::Drained { flight: first }, noon());
    assert!(run.machine.is_current(queued));
    run.fail(queued, down(), noon());
    assert!(!run.machine.is_current(queued));
}

#[test]
fn s8_who_was_slower_than_a_logout_is_told_of_it() {
    let mut run = Run::default();
    run.open(noon());
    assert!(run.machine.signed_out_of(1).is_none());
    let logout = run
        .step(Event::SignedOut, noon())
        .into_iter()
        .find_map(|effect| match effect {
            Effect::SignOut(logout, _) => Some(logout),
            _ => None,
        })
        .expect("a logout");
    run.step(Event::Drained { flight: logout }, noon());
    run.open(noon());
    let error = run.machine.signed_out_of(1).expect("an error");
    assert_eq!(error.kind(), ErrorKind::LoginRequired);
    assert_eq!(error.context().login_reason, Some(LoginReason::SignedOut));
    assert!(run.machine.signed_out_of(2).is_none(), "this one is there");
}

#[test]
fn an_event_holds_what_it_is_about() {
    let end = ist("2026-11-23 08:00:00");
    let over = until(noon(), end);
    let mut run = Run::default();
    let addresses = Addresses::new(Some("192.0.2.1"), Some("192.0.2.2"), None);
    let mut first = login("token");
    first.addresses = Some(addresses.clone());
    run.open_with(first, noon());
    let flight = run.start(over);
    run.fail(flight, refused(), over);
    run.step(Event::SignedOut, over);
    let told: Vec<_> = std::mem::take(&mut run.told)
        .into_iter()
        .map(|event| {
            let kind = event.error.as_ref().map(Error::kind);
            (event.name.as_str(), event.at, event.expires_at, kind)
        })
        .collect();
    let (begun, ends) = (noon().wall, Some(end));
    assert_eq!(
        told,
        [
            ("renewed", begun, ends, None),
            ("ip_mismatch", begun, None, Some(ErrorKind::StaticIpMismatch)),
            ("expired", end, ends, None),
            ("blocked", end, None, Some(ErrorKind::CredentialsRejected)),
            ("signed_out", end, None, None),
        ]
    );

    let error = mismatch(&addresses);
    assert_eq!(error.context().source_ip.as_deref(), Some("192.0.2.1"));
    assert_eq!(error.context().primary_ip.as_deref(), Some("192.0.2.2"));
    assert_eq!(error.context().secondary_ip, None);

    let marker = SessionEvent::lagged(7, end);
    assert_eq!(
        (marker.name.as_str(), marker.at, marker.generation, marker.missed),
        ("lagged", end, 0, 7)
    );
    assert!(marker.reason.contains('7'), "{}", marker.reason);
}
