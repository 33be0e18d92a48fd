//! The listener that receives the answer of the broker's page on this machine: what ends the wait, and what must not.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod common;

use std::net::TcpListener as StdListener;
use std::time::Duration;

use common::sandbox;
use common::waiting::{Waiting, status};
use preopen::{ErrorKind, LoginOptions, LoginReason, SamcoOAuth, Session};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

#[tokio::test]
async fn x5_the_answer_logs_in_and_closes_the_port() {
    let waiting = Waiting::new(true).await;
    let answer = waiting.get(waiting.path()).await;
    assert_eq!(status(&answer), "200", "{answer}");
    assert!(answer.contains("You are logged in"));
    for header in [
        "cache-control: no-store",
        "referrer-policy: no-referrer",
        "content-security-policy: default-src 'none'",
    ] {
        assert!(answer.to_lowercase().contains(header), "{header}: {answer}");
    }
    waiting.login.await.unwrap().unwrap();
    assert!(waiting.session.try_token().is_some());
    assert!(
        StdListener::bind(("127.0.0.1", waiting.port)).is_ok(),
        "the port is free again"
    );
    assert_eq!(waiting.sandbox.requests(None, Some("/oauth/token")).count, 1);
}

#[tokio::test]
async fn x5_stray_slow_huge_and_foreign_requests_do_not_end_the_wait() {
    let waiting = Waiting::new(true).await;
    let (port, path) = (waiting.port, waiting.path().to_owned());
    let state = path.split("state=").nth(1).unwrap().to_owned();
    let host = format!("Host: 127.0.0.1:{port}\r\n\r\n");
    // Slow ones: they send nothing more, and stay open.
    let mut slow = Vec::new();
    for start in ["", "GET /call", "GET /callback HTTP/1.1\r\nHost: 127"] {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        stream.write_all(start.as_bytes()).await.unwrap();
        slow.push(stream);
    }
    for (request, expected) in [
        (format!("GET /favicon.ico HTTP/1.1\r\n{host}"), "404"),
        (format!("GET /callback/ HTTP/1.1\r\n{host}"), "404"),
        (format!("GET /callback HTTP/1.1\r\n{host}"), "400"),
        (
            format!("GET {} HTTP/1.1\r\n{host}", path.replace(&state, "foreign")),
            "400",
        ),
        (format!("GET {path}&state=twice HTTP/1.1\r\n{host}"), "400"),
        (format!("POST {path} HTTP/1.1\r\n{host}"), "405"),
        (
            format!("GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n"),
            "403",
        ),
        (
            format!("GET {path} HTTP/1.1\r\nHost: evil.example\r\n\r\n"),
            "403",
        ),
        (
            format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{host}"),
            "403",
        ),
        (format!("GET {path} HTTP/1.0\r\n\r\n"), "403"),
        ("not http at all\r\n\r\n".to_owned(), "400"),
    ] {
        let answer = waiting.send(request.as_bytes()).await;
        assert_eq!(status(&answer), expected, "{request:?}: {answer}");
        assert!(!answer.contains(&state), "nothing is echoed: {answer}");
    }
    let huge = format!("GET /callback?code={} HTTP/1.1\r\n{host}", "x".repeat(100_000));
    assert_ne!(status(&waiting.send(huge.as_bytes()).await), "200");
    assert!(!waiting.login.is_finished());
    assert_eq!(waiting.sandbox.requests(None, Some("/oauth/token")).count, 0);
    assert_eq!(status(&waiting.get(&path).await), "200");
    waiting.login.await.unwrap().unwrap();
    drop(slow);
}

#[tokio::test]
async fn x5_of_two_answers_at_once_one_is_taken() {
    let waiting = Waiting::new(true).await;
    let path = waiting.path().to_owned();
    let (one, two) = tokio::join!(waiting.get(&path), waiting.get(&path));
    let mut statuses = [status(&one), status(&two)];
    statuses.sort_unstable();
    assert_eq!(statuses[0], "200", "{one} {two}");
    assert_ne!(statuses[1], "200");
    waiting.login.await.unwrap().unwrap();
    assert_eq!(waiting.sandbox.requests(None, Some("/oauth/token")).count, 1);
}

#[tokio::test]
async fn a_person_who_cancels_ends_the_wait() {
    let waiting = Waiting::new(false).await;
    let answer = waiting.get(waiting.path()).await;
    assert_eq!(status(&answer), "400");
    assert!(answer.contains("cancelled"), "{answer}");
    let error = waiting.login.await.unwrap().unwrap_err();
    assert_eq!(
        error.context().login_reason,
        Some(LoginReason::ConsentDenied),
        "{error}"
    );
}

#[tokio::test]
async fn nobody_is_waited_for_without_end() {
    let waiting = Waiting::lasting(true, Duration::from_millis(300)).await;
    let error = waiting.login.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert!(StdListener::bind(("127.0.0.1", waiting.port)).is_ok());
}

#[tokio::test]
async fn a_wait_that_is_dropped_frees_its_port() {
    let waiting = Waiting::new(true).await;
    waiting.login.abort();
    assert!(waiting.login.await.unwrap_err().is_cancelled());
    assert!(StdListener::bind(("127.0.0.1", waiting.port)).is_ok());
}

#[tokio::test]
async fn a_port_that_is_taken_and_a_redirect_elsewhere_are_told_before_anything_is_shown() {
    let sandbox = sandbox().await;
    let taken = StdListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    for (redirect, said) in [
        (format!("http://127.0.0.1:{port}/callback"), "is taken"),
        ("https://app.example/callback".to_owned(), "complete_login()"),
    ] {
        let session = Session::builder(SamcoOAuth::new("key", redirect))
            .base_url(sandbox.samco_url())
            .build()
            .unwrap();
        let options = LoginOptions::new().show(|_| panic!("nothing may be shown"));
        let error = session.login(options).await.unwrap_err();
        assert_eq!(error.field(), Some("redirect_url"));
        assert!(error.message().contains(said), "{error}");
    }
}
