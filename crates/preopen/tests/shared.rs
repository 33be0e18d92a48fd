//! Several programs that share a session through a store: sessions of one process stand for them here. Stores of their
//! own, other processes and other hosts are tested elsewhere; what all of these must do is the same.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod common;

use std::time::Duration;

use common::{ANGEL_LOGIN, SAMCO_LOGIN, angel, quote, samco, samco_account, samco_with, sandbox};
use preopen::store::{FileStore, MemoryStore};
use preopen::{ErrorKind, Events, Result, SealKey, Session, SessionEvent};
use preopen_sandbox::{Broker, Fault, Sandbox};

const MANY: usize = 16;

fn logins(sandbox: &Sandbox) -> u64 {
    sandbox.requests(None, Some(SAMCO_LOGIN)).count + sandbox.requests(None, Some(ANGEL_LOGIN)).count
}

fn programs(count: usize, build: impl Fn() -> Session) -> Vec<Session> {
    (0..count).map(|_| build()).collect()
}

/// All ask for a token at the same time.
async fn ask_all(sessions: &[Session]) -> Vec<Result<preopen::Token>> {
    let asked: Vec<_> = sessions
        .iter()
        .map(|session| {
            let session = session.clone();
            tokio::spawn(async move { session.token().await })
        })
        .collect();
    let mut answers = Vec::new();
    for answer in asked {
        answers.push(answer.await.unwrap());
    }
    answers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p1_many_cold_programs_log_in_once_and_name_the_session_alike() {
    let sandbox = sandbox().await;
    let store = MemoryStore::new().unwrap();
    let sessions = programs(MANY, || samco(&sandbox).store(store.clone()).build().unwrap());
    let tokens: Vec<_> = ask_all(&sessions).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(logins(&sandbox), 1);
    for token in &tokens {
        assert_eq!((token.expose(), token.generation()), (tokens[0].expose(), 1));
    }
    // And the next day.
    sandbox.advance_to("08:00 IST").unwrap();
    let tokens: Vec<_> = ask_all(&sessions).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(logins(&sandbox), 2);
    assert!(tokens.iter().all(|token| token.generation() == 2));
    quote(&sessions[3]).await.unwrap();
}

#[tokio::test]
async fn a_restarted_program_finds_the_session_and_its_addresses() {
    let sandbox = sandbox().await;
    let store = MemoryStore::new().unwrap();
    let first = samco(&sandbox).store(store.clone()).build().unwrap();
    let token = first.token().await.unwrap();
    let profile = first.profile().await.unwrap();
    drop(first);
    let second = samco(&sandbox).store(store).build().unwrap();
    let again = second.token().await.unwrap();
    assert_eq!(again.expose(), token.expose());
    assert_eq!(again.expires_at(), token.expires_at());
    assert_eq!(second.profile().await.unwrap(), profile);
    assert_eq!(logins(&sandbox), 1);
}

#[tokio::test]
async fn two_programs_do_not_end_each_other_s_sessions() {
    let sandbox = sandbox().await;
    let store = MemoryStore::new().unwrap();
    let sessions = programs(2, || samco(&sandbox).store(store.clone()).build().unwrap());
    for turn in 0..10 {
        quote(&sessions[turn % 2]).await.unwrap();
    }
    assert_eq!(logins(&sandbox), 1, "ten alternating reads");
    // The broker ends the session: whoever is told first renews it for both.
    sandbox.end_sessions(None);
    for turn in 0..10 {
        quote(&sessions[turn % 2]).await.unwrap();
    }
    assert_eq!(logins(&sandbox), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f4_a_wrong_secret_costs_one_login_over_all_programs_until_it_changes() {
    let sandbox = sandbox().await;
    let store = MemoryStore::new().unwrap();
    let key = samco_account(&sandbox).api_key.clone();
    let wrong = || {
        samco_with(&sandbox, &key, "a wrong secret")
            .store(store.clone())
            .build()
            .unwrap()
    };
    let sessions = programs(MANY, wrong);
    for error in ask_all(&sessions).await.into_iter().map(Result::unwrap_err) {
        assert_eq!(error.kind(), ErrorKind::CredentialsRejected);
        assert_eq!(error.context().credential, Some(preopen::Credential::ApiSecret));
        assert_eq!(error.context().broker, Some("samco"));
    }
    assert_eq!(logins(&sandbox), 1);
    let again = sessions[9].token().await.unwrap_err();
    assert!(again.message().contains("call reset()"), "{again}");
    // A restart with the same secret costs nothing.
    assert_eq!(
        wrong().token().await.unwrap_err().kind(),
        ErrorKind::CredentialsRejected
    );
    assert_eq!(logins(&sandbox), 1);
    // The right secret is tried at once, and serves those who are blocked too.
    let right = samco(&sandbox).store(store.clone()).build().unwrap();
    let token = right.token().await.unwrap();
    assert_eq!(logins(&sandbox), 2);
    assert_eq!(sessions[5].token().await.unwrap().expose(), token.expose());
    assert_eq!(logins(&sandbox), 2);
}

#[tokio::test]
async fn f4_reset_buys_one_more_attempt() {
    let sandbox = sandbox().await;
    let store = MemoryStore::new().unwrap();
    let key = samco_account(&sandbox).api_key.clone();
    let session = samco_with(&sandbox, &key, "a wrong secret")
        .store(store)
        .build()
        .unwrap();
    session.token().await.unwrap_err();
    session.token().await.unwrap_err();
    assert_eq!(logins(&sandbox), 1);
    session.reset();
    session.token().await.unwrap_err();
    session.token().await.unwrap_err();
    assert_eq!(logins(&sandbox), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s2_programs_that_waited_for_a_login_share_its_failure() {
    let sandbox = sandbox().await;
    let store = MemoryStore::new().unwrap();
    sandbox
        .fault(
            Fault::on(Broker::Samco, SAMCO_LOGIN)
                .status(503)
                .delay_ms(200)
                .times(1),
        )
        .unwrap();
    let sessions = programs(MANY, || samco(&sandbox).store(store.clone()).build().unwrap());
    for error in ask_all(&sessions).await.into_iter().map(Result::unwrap_err) {
        assert_eq!(error.kind(), ErrorKind::BrokerUnavailable);
        assert_eq!(error.context().http_status, Some(503));
    }
    assert_eq!(logins(&sandbox), 1);
    // The slot is clean: the next caller of any program logs in.
    sessions[7].token().await.unwrap();
    assert_eq!(logins(&sandbox), 2);
}

#[tokio::test]
async fn f4_a_wait_that_the_broker_asks_for_holds_for_every_program() {
    let sandbox = sandbox().await;
    let store = MemoryStore::new().unwrap();
    let limited = Fault::on(Broker::Samco, SAMCO_LOGIN)
        .status(429)
        .body("slow down")
        .header("Retry-After", "30");
    sandbox.fault(limited.times(1)).unwrap();
    let build = || samco(&sandbox).store(store.clone()).build().unwrap();
    assert_eq!(build().token().await.unwrap_err().kind(), ErrorKind::RateLimited);
    let error = build().token().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RateLimited);
    assert!(matches!(error.advice(), preopen::Advice::After(rest) if rest > Duration::from_secs(25)));
    assert_eq!(logins(&sandbox), 1);
}

#[tokio::test]
async fn p9_a_one_time_code_is_sent_once_over_all_programs() {
    let sandbox = sandbox().await;
    let store = MemoryStore::new().unwrap();
    let build = || angel(&sandbox).store(store.clone()).build().unwrap();
    let first = build();
    let token = first.token().await.unwrap();
    // The refresh token must not spare the login.
    sandbox.end_sessions(None);
    let second = build();
    assert_eq!(
        second.token().await.unwrap().expose(),
        token.expose(),
        "not known to be dead yet"
    );
    second.invalidate(1);
    sandbox
        .fault(
            Fault::on(Broker::AngelOne, "/rest/auth/angelbroking/jwt/v1/generateTokens")
                .status(401)
                .times(1),
        )
        .unwrap();
    let waiting = tokio::spawn(async move { second.token().await.map(|token| token.generation()) });
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(
        !waiting.is_finished(),
        "the code of this step was sent by the other program"
    );
    assert_eq!(logins(&sandbox), 1);
    let clock = sandbox.clock();
    clock.advance(Duration::from_secs(30));
    assert_eq!(waiting.await.unwrap().unwrap(), 2);
    assert_eq!(logins(&sandbox), 2);
}

#[tokio::test]
async fn a_refresh_token_of_another_program_renews() {
    let sandbox = sandbox().await;
    let store = MemoryStore::new().unwrap();
    let build = || angel(&sandbox).store(store.clone()).build().unwrap();
    let first = build();
    first.token().await.unwrap();
    first.invalidate(1);
    drop(first);
    let second = build();
    let mut generation = 1;
    // The first program may not have told the store yet.
    for _ in 0..200 {
        let third = build();
        generation = third.token().await.unwrap().generation();
        if generation == 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(generation, 2);
    assert_eq!(second.token().await.unwrap().generation(), 2);
    assert_eq!(logins(&sandbox), 1, "renewed with the refresh token");
}

#[tokio::test]
async fn an_invalidated_session_is_taken_over_by_nobody() {
    let sandbox = sandbox().await;
    let store = MemoryStore::new().unwrap();
    let build = || samco(&sandbox).store(store.clone()).build().unwrap();
    let first = build();
    first.token().await.unwrap();
    // An old generation changes nothing.
    first.invalidate(0);
    assert_eq!(first.token().await.unwrap().generation(), 1);
    let second = build();
    assert_eq!(second.token().await.unwrap().generation(), 1);
    first.invalidate(1);
    assert_eq!(first.token().await.unwrap().generation(), 2);
    second.invalidate(1);
    assert_eq!(second.token().await.unwrap().generation(), 2, "S7 over programs");
    assert_eq!(logins(&sandbox), 2);
}

#[tokio::test]
async fn logging_out_ends_the_newest_session_for_every_program() {
    let sandbox = sandbox().await;
    let store = MemoryStore::new().unwrap();
    let build = || samco(&sandbox).store(store.clone()).build().unwrap();
    let first = build();
    let token = first.token().await.unwrap();
    // A program that never logged in itself.
    let done = build().logout().await.unwrap();
    assert!(done.acknowledged, "{done:?}");
    let out = sandbox.requests(Some(Broker::Samco), Some("/logout"));
    assert_eq!(out.count, 1);
    let third = build();
    let next = third.token().await.unwrap();
    assert_eq!(next.generation(), 2);
    assert_ne!(next.expose(), token.expose());
    // The first one is told by the broker, and follows.
    quote(&first).await.unwrap();
    assert_eq!(first.token().await.unwrap().expose(), next.expose());
    assert_eq!(logins(&sandbox), 2);
}

/// Asks for nothing but tokens until `wanted` holds of one.
async fn until(session: &Session, wanted: impl Fn(Option<preopen::Token>) -> bool) {
    for _ in 0..600 {
        if wanted(session.try_token()) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not noticed in 6 s");
}

/// The next event; shortly before 08:00 IST sessions are also told to be `expiring`.
async fn told_next(told: &mut Events) -> SessionEvent {
    loop {
        let event = told.next().await.unwrap();
        if event.name.as_str() != "expiring" {
            return event;
        }
    }
}

#[tokio::test]
async fn programs_that_only_ask_for_tokens_notice_what_others_do() {
    let sandbox = sandbox().await;
    let store = MemoryStore::new().unwrap();
    let build = || samco(&sandbox).store(store.clone()).build().unwrap();
    let (first, second) = (build(), build());
    first.token().await.unwrap();
    second.token().await.unwrap();
    let mut told = second.events();
    first.invalidate(1);
    let next = first.token().await.unwrap();
    until(&second, |token| {
        token.is_some_and(|token| token.expose() == next.expose())
    })
    .await;
    assert_eq!(told_next(&mut told).await.name.as_str(), "renewed");
    first.logout().await.unwrap();
    until(&second, |token| token.is_none()).await;
    let ended = told_next(&mut told).await;
    assert_eq!(ended.name.as_str(), "expired");
    assert!(ended.reason.contains("another program"), "{}", ended.reason);
    assert_eq!(logins(&sandbox), 2, "looking costs no login");
}

#[tokio::test]
async fn f4_two_programs_with_two_wrong_secrets_cost_two_logins_for_good() {
    let sandbox = sandbox().await;
    let store = MemoryStore::new().unwrap();
    let key = samco_account(&sandbox).api_key.clone();
    let run = async |secret: &str| {
        let session = samco_with(&sandbox, &key, secret)
            .store(store.clone())
            .build()
            .unwrap();
        session.token().await
    };
    for _ in 0..3 {
        run("a wrong secret").await.unwrap_err();
        run("another wrong secret").await.unwrap_err();
    }
    assert_eq!(logins(&sandbox), 2);
    // Neither is sent again after somebody else's success and the end of that session.
    let right = samco(&sandbox).store(store.clone()).build().unwrap();
    right.token().await.unwrap();
    sandbox.advance_to("08:00 IST").unwrap();
    let error = run("a wrong secret").await.unwrap_err();
    assert!(error.message().contains("nothing was sent now"), "{error}");
    assert_eq!(logins(&sandbox), 3);
}

#[tokio::test]
async fn f4_retry_after_holds_whatever_the_answer_looks_like() {
    for (status, body) in [
        (503, "{\"statusMessage\":\"maintenance\"}"),
        (503, ""),
        (429, ""),
        (502, "<html>"),
    ] {
        let sandbox = sandbox().await;
        let store = MemoryStore::new().unwrap();
        let fault = Fault::on(Broker::Samco, SAMCO_LOGIN)
            .status(status)
            .body(body)
            .header("Retry-After", "120");
        sandbox.fault(fault.times(3)).unwrap();
        for _ in 0..3 {
            let session = samco(&sandbox).store(store.clone()).build().unwrap();
            let error = session.token().await.unwrap_err();
            let waits =
                matches!(error.advice(), preopen::Advice::After(rest) if rest > Duration::from_secs(100));
            assert!(waits, "{status} {body}: {error:?}");
            let limited = error.kind() == ErrorKind::RateLimited;
            assert_eq!(limited, status == 429, "{error:?}");
        }
        assert_eq!(logins(&sandbox), 1, "{status} {body}");
    }
}

#[tokio::test]
async fn a_program_that_asks_rarely_gets_no_token_that_others_have_logged_out_of() {
    let sandbox = sandbox().await;
    let store = MemoryStore::new().unwrap();
    let build = || samco(&sandbox).store(store.clone()).build().unwrap();
    let (first, second) = (build(), build());
    let old = first.token().await.unwrap();
    second.token().await.unwrap();
    first.logout().await.unwrap();
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert!(second.try_fresh_token().is_none(), "it is time to look");
    assert_ne!(second.token().await.unwrap().expose(), old.expose());
    assert_eq!(logins(&sandbox), 2);
    assert!(second.try_fresh_headers().is_some());
}

#[tokio::test]
async fn s8_a_logout_waits_for_the_login_of_another_program_and_ends_it() {
    let sandbox = sandbox().await;
    let store = MemoryStore::new().unwrap();
    let build = || samco(&sandbox).store(store.clone()).build().unwrap();
    sandbox
        .fault(Fault::on(Broker::Samco, SAMCO_LOGIN).delay_ms(400).times(1))
        .unwrap();
    let first = build();
    let login = tokio::spawn({
        let first = first.clone();
        async move { first.token().await }
    });
    while logins(&sandbox) == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let done = build().logout().await.unwrap();
    assert!(done.acknowledged, "{done:?}");
    let dead = login.await.unwrap().unwrap();
    let next = build().token().await.unwrap();
    assert_ne!(next.expose(), dead.expose());
    assert_eq!(logins(&sandbox), 2);
}

#[tokio::test]
async fn a_lost_key_is_an_error_that_names_it_and_reset_begins_anew() {
    let sandbox = sandbox().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let build = |store: FileStore| samco(&sandbox).store(store).build().unwrap();
    let store = || FileStore::at(&path).unwrap();
    build(store().with_key(SealKey::generate().unwrap()))
        .token()
        .await
        .unwrap();
    let lost = build(store());
    let error = lost.token().await.unwrap_err();
    assert_eq!(
        (error.kind(), error.field()),
        (ErrorKind::InvalidInput, Some("key")),
        "{error}"
    );
    assert_eq!(logins(&sandbox), 1);
    lost.reset();
    let token = lost.token().await.unwrap();
    assert_eq!(build(store()).token().await.unwrap().expose(), token.expose());
    assert_eq!(logins(&sandbox), 2);
}
