//! Calls that another HTTP client sends with the session's token: what they may carry, and what their replies mean.
#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use common::{SAMCO_LOGIN, samco, sandbox, sent, until};
use preopen::core::wire::RawReply;
use preopen::foreign_calls::SignedCall;
use preopen::{Advice, ErrorKind, EventName, Session};

const ENDED: &str = r#"{"status":"Failure","statusMessage":"Unauthorized - Invalid token. sessId missing."}"#;

async fn signed(session: &Session, method: &str, path: &str) -> SignedCall {
    let url = format!("{}{path}", session.base_url());
    session.foreign(method, &url).unwrap().sign().await.unwrap()
}

#[tokio::test]
async fn s4_a_read_is_repeated_once_and_a_late_reply_ends_no_newer_session() {
    let sandbox = sandbox().await;
    let session = samco(&sandbox).build().unwrap();
    let url = format!("{}/quote/getQuote?symbolName=INFY", session.base_url());
    let call = session.foreign("get", &url).unwrap();
    assert!(call.try_sign().unwrap().is_none(), "there is no session yet");
    let first = std::sync::Arc::clone(&call).sign().await.unwrap();
    let late = signed(&session, "GET", "/limit/getLimits").await;
    let answered = first.answered(RawReply::new(401, ENDED), true);
    assert!(answered.repeat);
    assert_eq!(answered.error.unwrap().kind(), ErrorKind::SessionExpired);
    let second = call.sign().await.unwrap();
    assert_eq!(session.token().await.unwrap().generation(), 2);
    // Sent before the renewal, answered after it.
    assert!(late.answered(RawReply::new(401, ENDED), true).repeat);
    assert_eq!(session.state().name.as_str(), "active");
    // A token that is moments old is not the reason.
    let again = second.answered(RawReply::new(401, ENDED), true);
    assert!(!again.repeat);
    assert!(matches!(again.error.unwrap().advice(), Advice::After(_)));
    assert_eq!(session.state().generation, 2);
    assert_eq!(session.state().name.as_str(), "active");
    assert_eq!(sent(&sandbox, SAMCO_LOGIN), 2);
}

#[tokio::test]
async fn s4_a_write_or_a_body_that_is_gone_is_not_repeated_and_the_next_caller_finds_a_session() {
    let sandbox = sandbox().await;
    let session = samco(&sandbox).build().unwrap();
    for (generation, (method, path, sendable)) in [
        ("POST", "/order/placeOrder", true),
        ("POST", "/quote/multiQuote", false),
        ("DELETE", "/order/cancelOrder", true),
    ]
    .into_iter()
    .enumerate()
    {
        let call = signed(&session, method, path).await;
        let answered = call.answered(RawReply::new(401, ENDED), sendable);
        assert!(!answered.repeat, "{path}");
        assert_eq!(answered.error.unwrap().kind(), ErrorKind::SessionExpired);
        let next = u64::try_from(generation).unwrap() + 2;
        until("it renews behind", || {
            session
                .try_token()
                .is_some_and(|token| token.generation() == next)
        })
        .await;
    }
    // The same body at hand is another matter: this POST only reads (documented).
    let call = signed(&session, "POST", "/quote/multiQuote").await;
    assert!(call.answered(RawReply::new(401, ENDED), true).repeat);
}

#[tokio::test]
async fn what_comes_after_a_logout_starts_no_login() {
    let sandbox = sandbox().await;
    let session = samco(&sandbox).build().unwrap();
    let call = signed(&session, "GET", "/limit/getLimits").await;
    session.logout().await.unwrap();
    let answered = call.answered(RawReply::new(401, ENDED), true);
    assert!(!answered.repeat);
    assert_eq!(answered.error.unwrap().kind(), ErrorKind::LoginRequired);
    assert_eq!(session.state().name.as_str(), "signed_out");
    assert_eq!(sent(&sandbox, SAMCO_LOGIN), 1);
}

#[tokio::test]
async fn an_address_that_is_refused_is_an_event_and_no_error_shows_the_token() {
    let sandbox = sandbox().await;
    let session = samco(&sandbox).build().unwrap();
    let call = signed(&session, "POST", "/order/placeOrder").await;
    let mut events = session.events();
    let token = session.token().await.unwrap();
    let body = format!(
        r#"{{"status":"Failure","statusMessage":"The IP is not the registered static IP {}"}}"#,
        token.expose()
    );
    let answered = call.answered(RawReply::new(403, body), true);
    let error = answered.error.unwrap();
    assert_eq!(error.kind(), ErrorKind::StaticIpMismatch);
    assert!(!format!("{error} {error:?}").contains(token.expose()));
    assert_eq!(
        error.context().endpoint.as_deref(),
        Some("POST /order/placeOrder")
    );
    assert_eq!(events.next().await.unwrap().name, EventName::IpMismatch);
}

#[tokio::test]
async fn x3_no_other_host_no_own_call_and_no_secret_in_the_url() {
    let sandbox = sandbox().await;
    let session = samco(&sandbox).build().unwrap();
    let own = |path: &str| format!("{}{path}", session.base_url());
    for (method, url, field) in [
        (
            "GET",
            "https://tradeapi.samco.in/limit/getLimits".to_owned(),
            "url",
        ),
        ("GET", own("/limit/getLimits").replace("http", "https"), "url"),
        ("POST", own(SAMCO_LOGIN), "path"),
        ("DELETE", own("/logout"), "path"),
        ("TRACE", own("/limit/getLimits"), "method"),
    ] {
        let error = session.foreign(method, &url).unwrap_err();
        assert_eq!(
            (error.kind(), error.field()),
            (ErrorKind::InvalidInput, Some(field)),
            "{url}"
        );
        assert_eq!(error.context().broker, Some("samco"));
    }
    assert_eq!(sent(&sandbox, SAMCO_LOGIN), 0);
    let token = session.token().await.unwrap();
    for (path, field) in [
        (format!("/quote/getQuote?x={}", token.expose()), "params"),
        (format!("/quote/{}", token.expose()), "path"),
    ] {
        let call = session.foreign("GET", &own(&path)).unwrap();
        assert_eq!(call.try_sign().unwrap_err().field(), Some(field));
        assert_eq!(call.sign().await.unwrap_err().field(), Some(field));
    }
}

#[test]
fn bodies_that_tell_nothing_are_not_read() {
    for (status, kind, tells) in [
        (200, Some("application/json; charset=utf-8"), true),
        (200, Some("text/html"), true),
        (200, Some("Text/Plain"), true),
        (200, None, true),
        (200, Some("text/json"), true),
        (200, Some("application/problem+JSON"), true),
        (200, Some("application/x-ndjson"), false),
        (200, Some("application/jsonl"), false),
        (200, Some("application/json-seq"), false),
        (200, Some("text/csv"), false),
        (200, Some("application/zip"), false),
        (503, Some("text/csv"), true),
    ] {
        assert_eq!(SignedCall::is_telling(status, kind), tells, "{status} {kind:?}");
    }
}
