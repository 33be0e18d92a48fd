//! The stream of events: who falls behind is told, a stream ends with its session, and nothing waits for ever. What is
//! told, and when, is in `tests/scenarios`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod common;

use std::time::{Duration, Instant};

use common::{SAMCO_LOGIN, samco, sandbox};
use preopen::{EventName, Events, Session, SessionEvent};

async fn next(events: &mut Events) -> Option<SessionEvent> {
    tokio::time::timeout(Duration::from_secs(5), events.next())
        .await
        .unwrap()
}

/// Two events a turn: expired, renewed.
async fn turn(session: &Session) {
    session.invalidate(session.state().generation);
    session.token().await.unwrap();
}

#[tokio::test]
async fn a_listener_that_falls_behind_gets_one_marker_and_goes_on() {
    let sandbox = sandbox().await;
    let session = samco(&sandbox).build().unwrap();
    session.token().await.unwrap();
    let (mut slow, mut fast) = (session.events(), session.events());
    for _ in 0..50 {
        turn(&session).await;
        assert_eq!(next(&mut fast).await.unwrap().name, EventName::Expired);
        assert_eq!(next(&mut fast).await.unwrap().name, EventName::Renewed);
    }
    let marker = next(&mut slow).await.unwrap();
    assert_eq!((marker.name, marker.missed), (EventName::Lagged, 100 - 64));
    let mut rest = Vec::new();
    while rest.len() < 64 {
        rest.push(next(&mut slow).await.unwrap());
    }
    assert!(rest.iter().all(|event| event.name != EventName::Lagged));
    assert_eq!(rest.last().unwrap().generation, 51);
    turn(&session).await;
    assert_eq!(next(&mut slow).await.unwrap().generation, 51);
    sandbox.stop().await;
}

#[tokio::test]
async fn a_stream_begins_with_its_call_and_ends_with_the_session() {
    let sandbox = sandbox().await;
    let session = samco(&sandbox).build().unwrap();
    session.token().await.unwrap();
    let mut closed = session.events();
    session.close();
    assert!(next(&mut closed).await.is_none());
    assert!(next(&mut closed).await.is_none());
    assert!(
        next(&mut session.events()).await.is_none(),
        "opened after the end"
    );

    let session = samco(&sandbox).build().unwrap();
    let mut dropped = session.events();
    let waiting = tokio::spawn(async move { dropped.next().await });
    drop(session);
    let ended = tokio::time::timeout(Duration::from_secs(5), waiting).await;
    assert!(
        ended.unwrap().unwrap().is_none(),
        "a stream does not keep its session"
    );
    sandbox.stop().await;
}

#[tokio::test]
async fn listening_alone_sends_nothing() {
    let sandbox = sandbox().await;
    let session = samco(&sandbox).build().unwrap();
    let mut events = session.events();
    let silent = tokio::time::timeout(Duration::from_millis(50), events.next()).await;
    assert!(silent.is_err());
    assert_eq!(sandbox.requests(None, None).count, 0);
    sandbox.stop().await;
}

#[tokio::test]
async fn an_event_shows_no_secret() {
    let sandbox = sandbox().await;
    let session = samco(&sandbox).build().unwrap();
    let mut events = session.events();
    let token = session.token().await.unwrap();
    let renewed = next(&mut events).await.unwrap();
    assert!(!format!("{renewed:?} {events:?}").contains(token.expose()));
    sandbox.stop().await;
}

/// T5 with many sessions on one clock: none renewed before the boundary, all of them after it, in one login each.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t5_many_warm_sessions_are_renewed_once_each_after_the_boundary() {
    const SESSIONS: u64 = 200;
    let sandbox = sandbox().await;
    sandbox.switch("samco_second_login_revokes_first", false).unwrap();
    sandbox.clock().set_rate(0.0);
    sandbox.advance_to("10:00 IST").unwrap();
    let mut sessions = Vec::new();
    for _ in 0..SESSIONS {
        let session = samco(&sandbox).keep_warm(true).build().unwrap();
        session.token().await.unwrap();
        sessions.push(session);
    }
    sandbox.advance_to("08:00 IST").unwrap();
    sandbox.clock().advance(Duration::from_secs(4));
    tokio::time::sleep(Duration::from_millis(100)).await;
    let logins = || sandbox.requests(None, Some(SAMCO_LOGIN)).count;
    assert_eq!(logins(), SESSIONS, "nothing before the boundary and 5 seconds");
    sandbox.clock().advance(Duration::from_secs(121));
    let began = Instant::now();
    while sessions.iter().any(|session| session.try_token().is_none()) {
        assert!(began.elapsed() < Duration::from_secs(30), "{} logins", logins());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(logins(), 2 * SESSIONS);
    assert!(sessions.iter().all(|session| session.state().generation == 2));
    sandbox.stop().await;
}
