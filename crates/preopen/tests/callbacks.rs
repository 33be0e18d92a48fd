//! Secrets from callbacks, as far as only Rust has it: asynchronous ones, panics, and a callback that calls the session.
//! What follows from each answer is in `tests/scenarios`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use common::{ANGEL_LOGIN, SAMCO_LOGIN, angel_account, samco_account, sandbox};
use preopen::{AngelOne, Ask, ErrorKind, Samco, Secret, Session, StateName, TotpSource};
use preopen_sandbox::Sandbox;

fn with(sandbox: &Sandbox, ask: Ask) -> Session {
    Session::builder(Samco::new(samco_account(sandbox).api_key.as_str(), ask))
        .base_url(sandbox.samco_url())
        .clock(sandbox.clock())
        .build()
        .unwrap()
}

fn secret(sandbox: &Sandbox) -> Secret {
    Secret::new(samco_account(sandbox).api_secret.as_str())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s1_many_callers_ask_once() {
    let sandbox = sandbox().await;
    let (calls, secret) = (Arc::new(AtomicUsize::new(0)), secret(&sandbox));
    let counted = Arc::clone(&calls);
    let session = with(
        &sandbox,
        Ask::new(move || {
            counted.fetch_add(1, Ordering::Relaxed);
            let secret = secret.clone();
            async move {
                tokio::time::sleep(Duration::from_millis(20)).await;
                Ok(Some(secret))
            }
        }),
    );
    assert_eq!(calls.load(Ordering::Relaxed), 0, "building asks nobody");
    let callers: Vec<_> = (0..1000)
        .map(|_| {
            let session = session.clone();
            tokio::spawn(async move { session.token().await.unwrap().generation() })
        })
        .collect();
    for caller in callers {
        assert_eq!(caller.await.unwrap(), 1);
    }
    assert_eq!(calls.load(Ordering::Relaxed), 1);
    assert_eq!(sandbox.requests(None, Some(SAMCO_LOGIN)).count, 1);
    sandbox.stop().await;
}

#[tokio::test]
async fn s4_a_panic_in_either_kind_of_callback_frees_the_slot() {
    let sandbox = sandbox().await;
    let now: Ask = Ask::new(|| async { panic!("CANARY") });
    let at_once: Ask = Ask::new(|| -> std::future::Ready<preopen::Answer> { panic!("CANARY") });
    let blocking = Ask::blocking(|| panic!("CANARY"));
    for ask in [now, at_once, blocking] {
        let session = with(&sandbox, ask);
        for _ in 0..2 {
            let error = session.token().await.unwrap_err();
            assert_eq!(
                (error.kind(), error.field()),
                (ErrorKind::InvalidInput, Some("api_secret"))
            );
            assert!(!format!("{error:?}").contains("CANARY"));
        }
        assert_eq!(session.state().name, StateName::SignedOut);
    }
    assert_eq!(sandbox.requests(None, None).count, 0);
    sandbox.stop().await;
}

#[tokio::test]
async fn a_callback_that_calls_its_own_session_is_told_so() {
    let sandbox = sandbox().await;
    let own: Arc<OnceLock<Session>> = Arc::default();
    let seen = Arc::clone(&own);
    let ask = Ask::new(move || {
        let session = seen.get().unwrap().clone();
        async move {
            let error = session.token().await.unwrap_err();
            Err(error)
        }
    });
    let session = with(&sandbox, ask);
    own.set(session.clone()).unwrap();
    let began = Instant::now();
    let error = session.token().await.unwrap_err();
    assert_eq!(error.field(), Some("session"));
    assert!(began.elapsed() < Duration::from_secs(5), "no deadlock");
    sandbox.stop().await;
}

#[tokio::test]
async fn s10_a_callback_that_never_answers_does_not_hold_what_nobody_wants() {
    let sandbox = sandbox().await;
    let alive = Arc::new(());
    let held = Arc::clone(&alive);
    let never = Ask::new(move || {
        let held = Arc::clone(&held);
        async move {
            std::future::pending::<()>().await;
            drop(held);
            Ok(None)
        }
    });
    let session = with(&sandbox, never);
    let waiting = {
        let session = session.clone();
        tokio::spawn(async move { session.token().await })
    };
    while session.state().name != StateName::Opening {
        tokio::task::yield_now().await;
    }
    assert!(!session.logout().await.unwrap().acknowledged);
    assert_eq!(
        waiting.await.unwrap().unwrap_err().kind(),
        ErrorKind::LoginRequired
    );
    drop(session);
    let began = Instant::now();
    while Arc::strong_count(&alive) > 1 {
        assert!(
            began.elapsed() < Duration::from_secs(5),
            "the callback is still held"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    sandbox.stop().await;
}

#[tokio::test]
async fn x1_an_answer_is_redacted_where_the_broker_echoes_it() {
    let sandbox = sandbox().await;
    let account = angel_account(&sandbox);
    let (pin, code) = ("73519462", "918273");
    let typed = TotpSource::Typed(Ask::blocking(move || Ok(Some(Secret::new(code)))));
    let pin_asked = Ask::blocking(move || Ok(Some(Secret::new(pin))));
    let session = Session::builder(AngelOne::new(
        account.api_key.as_str(),
        account.client_code.as_str(),
        pin_asked,
        typed,
    ))
    .base_url(sandbox.angelone_url())
    .build()
    .unwrap();
    let echo =
        format!("{{\"status\": false, \"message\": \"bad {pin} and {code}\", \"errorcode\": \"AB9999\"}}");
    let fault = serde_json::json!({
        "broker": "angelone", "path": ANGEL_LOGIN, "times": 5, "status": 200,
        "body": serde_json::from_str::<serde_json::Value>(&echo).unwrap(),
    });
    sandbox.fault(serde_json::from_value(fault).unwrap()).unwrap();
    let error = session.token().await.unwrap_err();
    let shown = format!("{error} {error:?}");
    assert!(shown.contains("**redacted**"), "{shown}");
    assert!(!shown.contains(pin) && !shown.contains(code), "{shown}");
    sandbox.stop().await;
}
