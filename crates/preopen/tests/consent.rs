//! Logins at the broker's page, played against the embedded broker: what is sent, how often, and what is left after
//! everything that can go wrong. The listener has tests of its own.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod common;

use std::time::Duration;

use common::{
    REVOKE, TOKEN, angel_account, app, consent, logged_in, publisher, quote, samco_account, sandbox, sent,
};
use preopen::store::MemoryStore;
use preopen::{
    AngelOnePublisher, Ask, Clock as _, Error, ErrorKind, EventName, LoginReason, SamcoLoginCode, Session,
    StateName,
};
use preopen_sandbox::{Broker, Fault, Reset, Stall};

fn reason(error: &Error) -> Option<LoginReason> {
    assert_eq!(error.kind(), ErrorKind::LoginRequired, "{error}");
    error.context().login_reason
}

#[tokio::test]
async fn a_person_logs_in_once_and_the_session_goes_on_for_days() {
    let sandbox = sandbox().await;
    let session = app(&sandbox).build().unwrap();
    let error = session.token().await.unwrap_err();
    assert_eq!(reason(&error), Some(LoginReason::ConsentNeeded));
    assert_eq!(sent(&sandbox, TOKEN), 0, "nothing is sent without a person");

    logged_in(&sandbox, &session).await;
    quote(&session).await.unwrap();
    let first = session.token().await.unwrap();
    assert_eq!(first.generation(), 1);
    assert!(first.expires_at() <= sandbox.clock().now().wall.plus(Duration::from_hours(24)));
    for day in 2..8 {
        sandbox.advance_to("08:00 IST").unwrap();
        assert_eq!(session.token().await.unwrap().generation(), day);
        assert_eq!(sent(&sandbox, TOKEN), day);
    }
    assert!(session.whoami().await.is_ok());
}

#[tokio::test]
async fn f8_a_code_is_sent_once_whatever_becomes_of_its_reply() {
    for fault in ["reset after", "silence", "garbage"] {
        let sandbox = sandbox().await;
        let session = app(&sandbox).timeout(Duration::from_millis(400)).build().unwrap();
        let address = consent(&sandbox, &session).await;
        let once = Fault::on(Broker::Samco, TOKEN).times(1);
        let once = match fault {
            "reset after" => once.reset(Reset::After),
            "silence" => once.stall(Stall::MidBody),
            _ => once.status(200).body("{}"),
        };
        sandbox.fault(once).unwrap();
        let error = session.complete_login(&address).await.unwrap_err();
        assert!(error.message().contains("begin a new login"), "{fault}: {error}");
        assert_eq!(sent(&sandbox, TOKEN), 1, "{fault}");
        // Neither by the same address, nor by a caller who needs a token.
        let again = session.complete_login(&address).await.unwrap_err();
        assert_eq!(again.field(), Some("state"), "{fault}: {again}");
        assert!(session.token().await.is_err());
        assert_eq!(sent(&sandbox, TOKEN), 1, "{fault}");
    }
}

#[tokio::test]
async fn f8_a_concurrent_exchange_is_waited_for_and_tried_once_more() {
    let sandbox = sandbox().await;
    let session = app(&sandbox).build().unwrap();
    let body = r#"{"status":"Failure","message":"Another exchange is in progress","errorCode":"EOAUTH030"}"#;
    let spec = |times| {
        Fault::on(Broker::Samco, TOKEN)
            .times(times)
            .status(401)
            .body(body)
    };
    let address = consent(&sandbox, &session).await;
    sandbox.fault(spec(1)).unwrap();
    session.complete_login(&address).await.unwrap();
    assert_eq!(sent(&sandbox, TOKEN), 2);
    let address = consent(&sandbox, &session).await;
    sandbox.fault(spec(3)).unwrap();
    let error = session.complete_login(&address).await.unwrap_err();
    assert_eq!(
        error.context().broker_code.as_deref(),
        Some("EOAUTH030"),
        "{error}"
    );
    assert_eq!(sent(&sandbox, TOKEN), 4, "one retry, and no more");
}

#[tokio::test]
async fn f8_a_code_that_was_used_before_ends_every_session_of_the_app() {
    let sandbox = sandbox().await;
    let store = MemoryStore::new().unwrap();
    let session = app(&sandbox).store(store.clone()).build().unwrap();
    logged_in(&sandbox, &session).await;
    let mut events = session.events();
    let address = consent(&sandbox, &session).await;
    let body = r#"{"status":"Failure","message":"Authorization code already used","errorCode":"EOAUTH012"}"#;
    let once = Fault::on(Broker::Samco, TOKEN).times(1).status(401).body(body);
    sandbox.fault(once).unwrap();
    let error = session.complete_login(&address).await.unwrap_err();
    assert_eq!(reason(&error), Some(LoginReason::CodeReplayed));
    assert!(session.try_token().is_none(), "the tokens are wiped");
    assert_eq!(events.next().await.unwrap().name, EventName::Expired);
    let other = app(&sandbox).store(store).build().unwrap();
    assert_eq!(
        reason(&other.token().await.unwrap_err()),
        Some(LoginReason::ConsentNeeded)
    );
    assert_eq!(sent(&sandbox, TOKEN), 2);
}

#[tokio::test]
async fn x5_a_foreign_answer_sends_nothing_and_disturbs_nothing() {
    let sandbox = sandbox().await;
    let session = app(&sandbox).build().unwrap();
    logged_in(&sandbox, &session).await;
    let address = consent(&sandbox, &session).await;
    let state = address.split("state=").nth(1).unwrap().to_owned();
    for (foreign, field) in [
        (address.replace(&state, "foreign"), "state"),
        (address.replace(&format!("&state={state}"), ""), "state"),
        (address.replace("/callback", "/other"), "url"),
        (format!("{address}&code=second"), "url"),
        (String::new(), "url"),
    ] {
        let error = session.complete_login(&foreign).await.unwrap_err();
        assert_eq!(error.field(), Some(field), "{error}");
        assert!(!format!("{error:?} {error}").contains(&state));
    }
    assert_eq!(sent(&sandbox, TOKEN), 1);
    assert_eq!(session.state().name, StateName::Active);
    session.complete_login(&address).await.unwrap();
    assert_eq!(session.token().await.unwrap().generation(), 2);
}

#[tokio::test]
async fn a_person_who_cancels_is_told_apart_from_a_broker_that_refuses() {
    let sandbox = sandbox().await;
    let session = app(&sandbox).build().unwrap();
    let start = session.begin_login().await.unwrap();
    let address = sandbox.consent(start.url(), false, None).unwrap();
    let error = session.complete_login(&address).await.unwrap_err();
    assert_eq!(reason(&error), Some(LoginReason::ConsentDenied));
    assert_eq!(error.context().broker_code.as_deref(), Some("access_denied"));
    assert_eq!(sent(&sandbox, TOKEN), 0);
    let address = consent(&sandbox, &session).await;
    sandbox.clock().advance(Duration::from_mins(11));
    let error = session.complete_login(&address).await.unwrap_err();
    assert_eq!(reason(&error), Some(LoginReason::CodeExpired));
    let address = consent(&sandbox, &session).await;
    sandbox.clock().advance(Duration::from_mins(16));
    let error = session.complete_login(&address).await.unwrap_err();
    assert_eq!(error.field(), Some("state"), "{error}");
}

#[tokio::test]
async fn any_program_of_a_store_completes_a_login_and_all_have_its_session() {
    let sandbox = sandbox().await;
    let store = MemoryStore::new().unwrap();
    let build = || app(&sandbox).store(store.clone()).build().unwrap();
    let (first, second, third) = (build(), build(), build());
    let address = consent(&sandbox, &first).await;
    second.complete_login(&address).await.unwrap();
    let token = second.token().await.unwrap();
    for other in [&first, &third] {
        assert_eq!(other.token().await.unwrap().expose(), token.expose());
    }
    let again = third.complete_login(&address).await.unwrap_err();
    assert_eq!(again.field(), Some("state"), "{again}");
    assert_eq!(sent(&sandbox, TOKEN), 1);
    // The next day one of them refreshes for all, with the pair that the store has.
    sandbox.advance_to("08:00 IST").unwrap();
    let fresh = third.token().await.unwrap();
    for other in [&first, &second] {
        assert_eq!(other.token().await.unwrap().expose(), fresh.expose());
    }
    assert_eq!(sent(&sandbox, TOKEN), 2);
    drop((first, second, third));
    sandbox.advance_to("08:00 IST").unwrap();
    assert_eq!(
        build().token().await.unwrap().generation(),
        3,
        "a restart refreshes too"
    );
    assert_eq!(sent(&sandbox, TOKEN), 3);
}

#[tokio::test]
async fn a_refresh_that_failed_on_its_way_is_tried_again_and_one_that_is_refused_is_not() {
    let sandbox = sandbox().await;
    let store = MemoryStore::new().unwrap();
    let session = app(&sandbox).store(store.clone()).build().unwrap();
    logged_in(&sandbox, &session).await;
    sandbox.advance_to("08:00 IST").unwrap();
    sandbox
        .fault(
            Fault::on(Broker::Samco, TOKEN)
                .times(1)
                .status(503)
                .body("<html>"),
        )
        .unwrap();
    let error = session.token().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BrokerUnavailable, "{error}");
    assert_eq!(session.token().await.unwrap().generation(), 2);

    sandbox.switch("oauth_refresh_survives_eight", false).unwrap();
    sandbox.advance_to("08:00 IST").unwrap();
    let mut events = session.events();
    let error = session.token().await.unwrap_err();
    assert_eq!(reason(&error), Some(LoginReason::RefreshRejected));
    let sent_then = sent(&sandbox, TOKEN);
    assert!(session.token().await.is_err());
    let other = app(&sandbox).store(store).build().unwrap();
    assert_eq!(
        reason(&other.token().await.unwrap_err()),
        Some(LoginReason::ConsentNeeded)
    );
    assert_eq!(
        sent(&sandbox, TOKEN),
        sent_then,
        "no program sends a refused token again"
    );
    let called = async { while events.next().await.unwrap().name != EventName::LoginNeeded {} };
    let called = tokio::time::timeout(Duration::from_secs(5), called).await;
    assert!(called.is_ok(), "a person is called");
    logged_in(&sandbox, &other).await;
    assert!(session.token().await.is_ok(), "and everybody goes on");
}

#[tokio::test]
async fn a_program_that_remembers_a_refresh_token_learns_from_the_store_what_became_of_it() {
    let sandbox = sandbox().await;
    let store = MemoryStore::new().unwrap();
    let build = || app(&sandbox).store(store.clone()).build().unwrap();
    let (first, second) = (build(), build());
    logged_in(&sandbox, &first).await;
    assert!(second.token().await.is_ok(), "both remember it");
    sandbox.switch("oauth_refresh_survives_eight", false).unwrap();
    sandbox.advance_to("08:00 IST").unwrap();
    let error = first.token().await.unwrap_err();
    assert_eq!(reason(&error), Some(LoginReason::RefreshRejected));
    let refused = sent(&sandbox, TOKEN);
    for session in [&second, &first, &second] {
        let error = session.token().await.unwrap_err();
        assert_eq!(reason(&error), Some(LoginReason::ConsentNeeded));
    }
    assert_eq!(sent(&sandbox, TOKEN), refused, "nobody sends it again");

    // Neither after a logout that it did not hear of.
    sandbox.switch("oauth_refresh_survives_eight", true).unwrap();
    logged_in(&sandbox, &first).await;
    assert!(second.token().await.is_ok());
    first.logout().await.unwrap();
    sandbox.advance_to("08:00 IST").unwrap();
    let before = sent(&sandbox, TOKEN);
    let error = second.token().await.unwrap_err();
    assert_eq!(reason(&error), Some(LoginReason::ConsentNeeded));
    assert_eq!(sent(&sandbox, TOKEN), before);
}

#[tokio::test]
async fn a_week_is_the_end_of_a_refresh_token() {
    let sandbox = sandbox().await;
    let session = app(&sandbox).build().unwrap();
    logged_in(&sandbox, &session).await;
    sandbox.clock().advance(Duration::from_secs(7 * 86_400 + 1));
    let error = session.token().await.unwrap_err();
    assert_eq!(reason(&error), Some(LoginReason::ConsentNeeded));
    assert_eq!(sent(&sandbox, TOKEN), 1, "nothing is sent that must fail");
}

#[tokio::test]
async fn a_logout_revokes_what_is_left() {
    let sandbox = sandbox().await;
    let store = MemoryStore::new().unwrap();
    let build = || app(&sandbox).store(store.clone()).build().unwrap();
    let session = build();
    logged_in(&sandbox, &session).await;
    let done = session.logout().await.unwrap();
    assert!(done.acknowledged, "{done:?}");
    assert_eq!(sent(&sandbox, REVOKE), 1);
    assert_eq!(
        reason(&session.token().await.unwrap_err()),
        Some(LoginReason::ConsentNeeded)
    );

    // An access token that is over leaves the refresh token, also to a program that never used it.
    logged_in(&sandbox, &session).await;
    drop(session);
    sandbox.advance_to("08:00 IST").unwrap();
    let done = build().logout().await.unwrap();
    assert!(done.acknowledged, "{done:?}");
    assert_eq!(sent(&sandbox, REVOKE), 2);
    assert_eq!(
        reason(&build().token().await.unwrap_err()),
        Some(LoginReason::ConsentNeeded)
    );
    assert_eq!(sent(&sandbox, TOKEN), 2);

    // Wiped here even if the broker does not answer.
    let session = build();
    logged_in(&sandbox, &session).await;
    sandbox
        .fault(Fault::on(Broker::Samco, REVOKE).times(1).reset(Reset::Before))
        .unwrap();
    let done = session.logout().await.unwrap();
    assert!(!done.acknowledged && done.error.is_some());
    assert!(session.try_token().is_none());
    assert!(build().token().await.is_err());
}

#[tokio::test]
async fn a_consent_replaces_a_session_that_lives_and_unblocks_one_that_does_not() {
    let sandbox = sandbox().await;
    let session = app(&sandbox).build().unwrap();
    logged_in(&sandbox, &session).await;
    logged_in(&sandbox, &session).await;
    assert_eq!(session.token().await.unwrap().generation(), 2);
    session.logout().await.unwrap();
    let address = consent(&sandbox, &session).await;
    let body =
        r#"{"status":"Failure","message":"Unable to start your trading session","errorCode":"EOAUTH999"}"#;
    let once = Fault::on(Broker::Samco, TOKEN).times(1).status(401).body(body);
    sandbox.fault(once).unwrap();
    let error = session.complete_login(&address).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AccountActionRequired, "{error}");
    assert_eq!(session.state().name, StateName::Blocked);
    logged_in(&sandbox, &session).await;
    assert_eq!(session.state().name, StateName::Active);
}

#[tokio::test]
async fn a_publisher_login_has_both_tokens_and_ends_at_midnight_with_a_call_for_a_person() {
    let sandbox = sandbox().await;
    let session = publisher(&sandbox).build().unwrap();
    logged_in(&sandbox, &session).await;
    assert!(session.profile().await.is_ok());
    let mut events = session.events();
    sandbox.advance_to("00:00 IST").unwrap();
    assert!(session.token().await.is_err());
    for name in [EventName::Expired, EventName::LoginNeeded] {
        assert_eq!(events.next().await.unwrap().name, name);
    }
    logged_in(&sandbox, &session).await;
    let done = session.logout().await.unwrap();
    assert!(
        done.acknowledged && done.message.contains("not confirmed"),
        "{done:?}"
    );
    assert_eq!(
        sandbox
            .requests(
                Some(Broker::AngelOne),
                Some("/rest/auth/angelbroking/jwt/v1/generateTokens")
            )
            .count,
        0
    );
}

#[tokio::test]
async fn an_answer_without_a_state_proves_nothing_unless_the_user_says_so() {
    let sandbox = sandbox().await;
    sandbox.switch("publisher_echoes_state", false).unwrap();
    let session = publisher(&sandbox).build().unwrap();
    let address = consent(&sandbox, &session).await;
    let error = session.complete_login(&address).await.unwrap_err();
    assert_eq!(error.field(), Some("state"), "{error}");
    let account = angel_account(&sandbox);
    let trusting = AngelOnePublisher::new(account.api_key.as_str(), account.client_code.as_str())
        .trust_missing_state(true);
    let trusting = Session::builder(trusting)
        .base_url(sandbox.angelone_url())
        .clock(sandbox.clock())
        .build()
        .unwrap();
    let address = consent(&sandbox, &trusting).await;
    trusting.complete_login(&address).await.unwrap();
    assert!(trusting.complete_login(&address).await.is_err(), "once");
}

#[tokio::test]
async fn a_login_code_of_one_session_opens_another() {
    let sandbox = sandbox().await;
    let first = common::samco(&sandbox).build().unwrap();
    let code = first.web_login_code().await.unwrap();
    assert!(!format!("{code:?}").contains(code.code.expose()));
    assert!(code.expires_at <= sandbox.clock().now().wall.plus(Duration::from_mins(2)));
    let answer = code.code.clone();
    let account = samco_account(&sandbox).account.clone();
    let second = Session::builder(SamcoLoginCode::new(
        account,
        Ask::blocking(move || Ok(Some(answer.clone()))),
    ))
    .base_url(sandbox.samco_url())
    .clock(sandbox.clock())
    .build()
    .unwrap();
    assert!(second.token().await.is_ok());
    sandbox.advance_to("08:00 IST").unwrap();
    let error = second.token().await.unwrap_err();
    assert_eq!(
        error.kind(),
        ErrorKind::LoginRequired,
        "a code is used once: {error}"
    );
    let error = common::angel(&sandbox)
        .build()
        .unwrap()
        .web_login_code()
        .await
        .unwrap_err();
    assert_eq!(error.field(), Some("session"));
}

#[tokio::test]
async fn credentials_that_need_no_page_say_so() {
    let sandbox = sandbox().await;
    let session = common::samco(&sandbox).build().unwrap();
    assert_eq!(
        session.begin_login().await.unwrap_err().field(),
        Some("credentials")
    );
    assert_eq!(
        session
            .complete_login("/callback?code=1")
            .await
            .unwrap_err()
            .field(),
        Some("credentials")
    );
    session.login(preopen::LoginOptions::new()).await.unwrap();
    assert_eq!(session.state().name, StateName::Active);
}
