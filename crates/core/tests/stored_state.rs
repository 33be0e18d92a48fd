//! What a store holds, as a person sees it: the session with its end, or what keeps every program from logging in.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests"
)]

mod common;

use std::time::Duration;

use preopen_core::lifecycle::shared::Kept;
use preopen_core::lifecycle::{SessionState, StateName};
use preopen_core::totp::SpentSteps;
use preopen_core::{ErrorKind, Now};

use common::{down, ist, later, login, noon, refused, samco, until};

const MINE: &str = "digest of my credentials";

fn state(kept: &Kept, now: Now) -> SessionState {
    kept.state(Some(MINE), false, now, samco())
}

fn log_in(kept: &mut Kept, token: &str, now: Now) {
    kept.guard.begins(now, &SpentSteps::default());
    kept.opened(login(token), now.wall, 7, MINE);
}

fn fail(kept: &mut Kept, error: &preopen_core::Error, now: Now) {
    kept.guard.begins(now, &SpentSteps::default());
    kept.guard.failed(error, MINE, 1, now);
}

#[test]
fn a_store_without_the_account_holds_no_session() {
    let found = state(&Kept::default(), noon());
    assert_eq!((found.name, found.generation), (StateName::SignedOut, 0));
    assert!(found.expiry.is_none() && found.issued_at.is_none());
    assert_eq!(found.reason, "no session is stored; the next call logs in");
}

#[test]
fn a_live_session_tells_its_end_and_an_ended_one_that_it_is_over() {
    let mut kept = Kept::default();
    log_in(&mut kept, "CANARY", noon());
    let boundary = ist("2026-11-23 08:00:00");
    let now = later(noon(), Duration::from_mins(1));
    let found = state(&kept, now);
    assert_eq!((found.name, found.generation), (StateName::Active, 1));
    assert_eq!(found.issued_at, Some(noon().wall));
    assert_eq!(found.expiry.unwrap().at(), boundary);
    // Now, and one millisecond before the boundary, and at it.
    let last = until(noon(), boundary.plus_millis(-1));
    assert_eq!(state(&kept, last).name, StateName::Active);
    let over = state(&kept, until(noon(), boundary));
    assert_eq!((over.name, over.generation), (StateName::Expired, 1));
    assert_eq!(over.expiry.unwrap().at(), boundary);
    assert_eq!(
        over.reason,
        "ended at 2026-11-23 08:00:00 IST; the next call logs in"
    );
    assert!(!format!("{:?}", state(&kept, now)).contains("CANARY"));
}

#[test]
fn s7_a_session_that_is_known_to_be_dead_is_not_live_before_its_end() {
    let mut kept = Kept::default();
    log_in(&mut kept, "token", noon());
    let origin = kept.origin().unwrap();
    assert!(kept.ended(origin));
    let found = state(&kept, noon());
    assert_eq!(found.name, StateName::Expired);
    assert!(
        found.reason.starts_with("the broker ended the session"),
        "{}",
        found.reason
    );
    kept.signed_out();
    assert_eq!(state(&kept, noon()).name, StateName::SignedOut);
    assert_eq!(state(&kept, noon()).generation, 1, "what was is not forgotten");
}

#[test]
fn f4_refused_credentials_block_whoever_has_them_or_may_have_them() {
    let mut kept = Kept::default();
    fail(&mut kept, &refused(), noon());
    for mine in [Some(MINE), None] {
        let found = kept.state(mine, false, noon(), samco());
        assert_eq!(found.name, StateName::Blocked);
        assert_eq!(found.blocked_by.unwrap().kind(), ErrorKind::CredentialsRejected);
        assert_eq!(found.reason, "no");
    }
    let other = kept.state(Some("corrected"), false, noon(), samco());
    assert_eq!(
        (other.name, other.blocked_by.is_none()),
        (StateName::SignedOut, true)
    );
    // A session that is live all the same is served.
    log_in(&mut kept, "token", noon());
    kept.guard.begins(noon(), &SpentSteps::default());
    kept.guard.failed(&refused(), MINE, 1, noon());
    assert_eq!(state(&kept, noon()).name, StateName::Active);
}

#[test]
fn a_wait_between_failed_logins_is_told_while_it_lasts() {
    let mut kept = Kept::default();
    fail(&mut kept, &down(), noon());
    fail(&mut kept, &down(), noon());
    let found = state(&kept, noon());
    assert_eq!(found.name, StateName::SignedOut);
    assert!(found.blocked_by.is_none());
    assert!(
        found
            .reason
            .starts_with("no session is stored; the last login failed, and the next is sent in ")
            && found.reason.contains("down"),
        "{}",
        found.reason
    );
    let later = state(&kept, later(noon(), Duration::from_mins(2)));
    assert_eq!(later.reason, "no session is stored; the next call logs in");
}
