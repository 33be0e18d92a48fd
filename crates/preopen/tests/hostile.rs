//! What hasty people, strangers and unlucky moments do to sessions: a browser that breaks off, answers that nobody asked
//! for, a logout, a close or the boundary in between.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod common;

use std::net::TcpListener;
use std::pin::Pin;
use std::time::{Duration, Instant};

use common::waiting::{Waiting, status};
use common::{
    QUOTE, REVOKE, SAMCO_LOGIN, TOKEN, angel_account, app, consent, logged_in, publisher, quote, samco,
    sandbox, sent, until,
};
use futures_util::FutureExt as _;
use preopen::store::MemoryStore;
use preopen::{Error, ErrorKind, EventName, LoginReason, RateLimits, Reply, Result, Session, StateName};
use preopen_sandbox::{Broker, Fault, Reset, Sandbox, SourceIp};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

const ORDER: &str = "/order/placeOrder";
const WHOAMI: &str = "/ip/whoami";
const PROFILE: &str = "/rest/secure/angelbroking/user/v1/getProfile";

/// A session that may send one call of `group` a second.
fn slow(sandbox: &Sandbox, group: &str) -> Session {
    let limits = RateLimits::new().per_second(group, 1);
    samco(sandbox).rate_limits(limits).build().unwrap()
}

fn waits_for_its_turn<F: Future>(call: F) -> Pin<Box<F>> {
    let mut call = Box::pin(call);
    assert!(call.as_mut().now_or_never().is_none());
    call
}

/// The next request to `path` is refused like this.
fn refuses(sandbox: &Sandbox, path: &str, status: u16, code: &str) {
    let body = format!(r#"{{"status":"Failure","message":"x","statusMessage":"x","errorCode":"{code}"}}"#);
    let once = Fault::on(Broker::Samco, path).times(1);
    sandbox.fault(once.status(status).body(&body)).unwrap();
}

/// The next request to `path` is answered late.
fn delays(sandbox: &Sandbox, path: &str) {
    let once = Fault::on(Broker::Samco, path).times(1);
    sandbox.fault(once.delay_ms(500)).unwrap();
}

fn spawned<F>(session: &Session, work: impl FnOnce(Session) -> F) -> JoinHandle<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    tokio::spawn(work(session.clone()))
}

/// A login that is completed by a task of its own, whose code is under way.
async fn exchanging(sandbox: &Sandbox, session: &Session) -> JoinHandle<Result<()>> {
    let address = consent(sandbox, session).await;
    let before = sent(sandbox, TOKEN);
    delays(sandbox, TOKEN);
    let done = spawned(session, |session| async move {
        session.complete_login(&address).await
    });
    until("the code is sent", || sent(sandbox, TOKEN) > before).await;
    done
}

async fn order(session: &Session) -> Result<Reply> {
    let order = serde_json::json!({
        "symbolName": "INFY", "exchange": "NSE", "transactionType": "BUY", "orderType": "MKT", "quantity": "1",
        "disclosedQuantity": "", "orderValidity": "DAY", "productType": "CNC", "afterMarketOrderFlag": "NO", "price": "1",
    });
    session.post(ORDER).json(&order).send().await
}

fn reason(error: &Error) -> Option<LoginReason> {
    assert_eq!(error.kind(), ErrorKind::LoginRequired, "{error}");
    error.context().login_reason
}

fn is_signed_out(error: &Error) {
    assert_eq!(reason(error), Some(LoginReason::SignedOut));
}

fn is_over(error: &Error) {
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert!(error.message().contains("was over before"), "{error}");
}

/// A browser brings the answer, and breaks off while the code is under way.
async fn broken_off() -> Waiting {
    let waiting = Waiting::new(true).await;
    delays(&waiting.sandbox, TOKEN);
    let mut browser = TcpStream::connect(("127.0.0.1", waiting.port)).await.unwrap();
    let (path, port) = (waiting.path(), waiting.port);
    let head = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n");
    browser.write_all(head.as_bytes()).await.unwrap();
    until("the code is sent", || sent(&waiting.sandbox, TOKEN) == 1).await;
    waiting
}

async fn logs_in(waiting: Waiting) {
    waiting.login.await.unwrap().unwrap();
    assert!(waiting.session.try_token().is_some());
    assert_eq!(sent(&waiting.sandbox, TOKEN), 1);
    assert!(TcpListener::bind(("127.0.0.1", waiting.port)).is_ok());
}

#[tokio::test]
async fn x5_a_browser_that_breaks_off_does_not_end_the_login() {
    logs_in(broken_off().await).await;
}

#[tokio::test]
async fn x5_a_page_that_is_loaded_again_is_told_that_the_login_was_answered() {
    let waiting = broken_off().await;
    let answer = waiting.get(waiting.path()).await;
    assert_eq!(status(&answer), "409", "{answer}");
    logs_in(waiting).await;
}

#[tokio::test]
async fn x5_a_login_that_is_completed_elsewhere_ends_the_wait() {
    let waiting = Waiting::new(true).await;
    waiting.session.complete_login(&waiting.address).await.unwrap();
    let soon = tokio::time::timeout(Duration::from_secs(10), logs_in(waiting));
    assert!(soon.await.is_ok(), "long before its timeout");
}

#[tokio::test]
async fn x5_answers_that_prove_nothing_lift_no_block() {
    let sandbox = sandbox().await;
    let session = app(&sandbox).build().unwrap();
    let address = consent(&sandbox, &session).await;
    refuses(&sandbox, TOKEN, 401, "EOAUTH001");
    session.complete_login(&address).await.unwrap_err();
    assert_eq!(session.state().name, StateName::Blocked);
    let _begun = session.begin_login().await.unwrap();
    for answer in ["/callback?code=evil&state=foreign", "/callback?code=evil"] {
        let error = session.complete_login(answer).await.unwrap_err();
        assert_eq!(error.field(), Some("state"), "{error}");
        assert_eq!(session.state().name, StateName::Blocked);
    }
    assert_eq!(sent(&sandbox, TOKEN), 1);
}

#[tokio::test]
async fn x5_the_same_answer_twice_at_once_lifts_no_block() {
    let sandbox = sandbox().await;
    let session = app(&sandbox).build().unwrap();
    let address = consent(&sandbox, &session).await;
    refuses(&sandbox, TOKEN, 401, "EOAUTH001");
    let (one, two) = tokio::join!(session.complete_login(&address), session.complete_login(&address));
    assert_eq!(one.unwrap_err().kind(), ErrorKind::CredentialsRejected);
    assert_eq!(two.unwrap_err().field(), Some("state"));
    assert_eq!(session.state().name, StateName::Blocked);
    assert_eq!(sent(&sandbox, TOKEN), 1);
}

#[tokio::test]
async fn x5_an_answer_without_a_state_stops_no_renewal() {
    let sandbox = sandbox().await;
    let session = app(&sandbox).keep_warm(true).build().unwrap();
    logged_in(&sandbox, &session).await;
    sandbox.clock().set_rate(0.0);
    sandbox.advance_to("08:00 IST").unwrap();
    let _begun = session.begin_login().await.unwrap();
    let error = session.complete_login("/callback?code=evil").await.unwrap_err();
    assert_eq!(error.field(), Some("state"), "{error}");
    assert_eq!(sent(&sandbox, TOKEN), 1);
    sandbox.clock().advance(Duration::from_mins(3));
    until("it is renewed by itself", || session.try_token().is_some()).await;
    assert_eq!(sent(&sandbox, TOKEN), 2);
}

#[tokio::test]
async fn x5_an_answer_without_a_state_fails_nobody_whose_refresh_works() {
    let sandbox = sandbox().await;
    let store = MemoryStore::new().unwrap();
    let session = app(&sandbox).store(store).build().unwrap();
    logged_in(&sandbox, &session).await;
    for day in 2..6 {
        sandbox.advance_to("08:00 IST").unwrap();
        let _begun = session.begin_login().await.unwrap();
        let (evil, token) = tokio::join!(session.complete_login("/callback?code=evil"), session.token());
        assert_eq!(evil.unwrap_err().field(), Some("state"));
        assert_eq!(token.unwrap().generation(), day);
    }
    assert_eq!(sent(&sandbox, TOKEN), 5);
}

#[tokio::test]
async fn s8_a_login_that_a_logout_overtook_is_not_told_as_done() {
    let sandbox = sandbox().await;
    let session = app(&sandbox).build().unwrap();
    let done = exchanging(&sandbox, &session).await;
    session.logout().await.unwrap();
    is_signed_out(&done.await.unwrap().unwrap_err());
    assert!(session.try_token().is_none());
    until("its late tokens are revoked", || sent(&sandbox, REVOKE) == 1).await;
}

#[tokio::test]
async fn a_login_that_a_close_overtook_is_not_told_as_done() {
    let sandbox = sandbox().await;
    let session = app(&sandbox).build().unwrap();
    let done = exchanging(&sandbox, &session).await;
    session.close();
    assert_eq!(done.await.unwrap().unwrap_err().field(), Some("session"));
    assert!(session.try_token().is_none());
}

#[tokio::test]
async fn t3_a_login_that_is_over_on_arrival_is_not_told_as_done() {
    let sandbox = sandbox().await;
    let session = app(&sandbox).build().unwrap();
    sandbox.advance_to("07:55 IST").unwrap();
    let done = exchanging(&sandbox, &session).await;
    sandbox.advance_to("08:00 IST").unwrap();
    is_over(&done.await.unwrap().unwrap_err());
    assert!(session.try_token().is_none());
    // It left a refresh token, all the same.
    assert!(session.token().await.is_ok());
}

#[tokio::test]
async fn s8_a_login_that_waits_for_a_logout_is_the_next_session() {
    let sandbox = sandbox().await;
    let session = app(&sandbox).build().unwrap();
    logged_in(&sandbox, &session).await;
    let address = consent(&sandbox, &session).await;
    delays(&sandbox, REVOKE);
    let out = spawned(&session, |session| async move { session.logout().await });
    until("the logout is sent", || sent(&sandbox, REVOKE) == 1).await;
    session.complete_login(&address).await.unwrap();
    assert!(out.await.unwrap().unwrap().acknowledged);
    quote(&session).await.unwrap();
    assert_eq!(sent(&sandbox, TOKEN), 2);
}

#[tokio::test]
async fn t3_a_call_is_not_sent_with_a_token_that_ended_while_it_waited_for_its_turn() {
    let sandbox = sandbox().await;
    let session = slow(&sandbox, "orders");
    order(&session).await.unwrap();
    let waits = waits_for_its_turn(order(&session));
    sandbox.advance_to("08:00 IST").unwrap();
    waits.await.unwrap();
    assert_eq!(session.state().generation, 2);
    assert_eq!((sent(&sandbox, ORDER), sent(&sandbox, SAMCO_LOGIN)), (2, 2));
}

#[tokio::test]
async fn a_call_that_waited_for_its_turn_is_sent_with_the_session_of_now() {
    let sandbox = sandbox().await;
    let session = slow(&sandbox, "orders");
    order(&session).await.unwrap();
    let waits = waits_for_its_turn(order(&session));
    assert_eq!(sandbox.end_sessions(None), 1);
    session.invalidate(1);
    assert_eq!(session.token().await.unwrap().generation(), 2);
    waits.await.unwrap();
    assert_eq!((sent(&sandbox, ORDER), sent(&sandbox, SAMCO_LOGIN)), (2, 2));
}

#[tokio::test]
async fn s8_a_call_that_waits_for_its_turn_is_not_sent_after_a_logout() {
    let sandbox = sandbox().await;
    let session = slow(&sandbox, "orders");
    order(&session).await.unwrap();
    let waits = waits_for_its_turn(order(&session));
    session.logout().await.unwrap();
    is_signed_out(&waits.await.unwrap_err());
    assert_eq!((sent(&sandbox, ORDER), sent(&sandbox, SAMCO_LOGIN)), (1, 1));

    let session = slow(&sandbox, "other");
    quote(&session).await.unwrap();
    let waits = waits_for_its_turn(quote(&session));
    session.logout().await.unwrap();
    is_signed_out(&waits.await.unwrap_err());
    assert_eq!((sent(&sandbox, QUOTE), sent(&sandbox, SAMCO_LOGIN)), (1, 2));
}

#[tokio::test]
async fn a_call_that_waits_for_its_turn_is_not_sent_after_a_close() {
    let sandbox = sandbox().await;
    let session = slow(&sandbox, "orders");
    order(&session).await.unwrap();
    let waits = waits_for_its_turn(order(&session));
    session.close();
    assert_eq!(waits.await.unwrap_err().field(), Some("session"));
    assert_eq!(sent(&sandbox, ORDER), 1);
}

#[tokio::test]
async fn s8_a_write_under_way_does_not_undo_a_logout() {
    let sandbox = sandbox().await;
    let session = samco(&sandbox).build().unwrap();
    session.token().await.unwrap();
    delays(&sandbox, ORDER);
    let placed = spawned(&session, |session| async move { order(&session).await });
    until("the order is sent", || sent(&sandbox, ORDER) == 1).await;
    session.logout().await.unwrap();
    is_signed_out(&placed.await.unwrap().unwrap_err());
    assert_eq!(session.state().name, StateName::SignedOut);
    assert_eq!((sent(&sandbox, ORDER), sent(&sandbox, SAMCO_LOGIN)), (1, 1));
}

#[tokio::test]
#[allow(deprecated, reason = "they are still sent")]
async fn nothing_begins_after_a_close() {
    let sandbox = sandbox().await;
    let session = app(&sandbox).build().unwrap();
    session.close();
    assert_eq!(session.begin_login().await.unwrap_err().field(), Some("session"));
    let legacy = Session::builder(preopen::SamcoLegacy::new("SBX001", "password", "key"));
    let session = legacy.base_url(sandbox.samco_url()).build().unwrap();
    let calls = session.samco_legacy().unwrap();
    session.close();
    assert_eq!(calls.generate_otp().await.unwrap_err().field(), Some("session"));
    assert_eq!(sandbox.requests(None, None).count, 0);
}

#[tokio::test]
async fn f2_a_gateway_that_quotes_a_refusal_ends_nothing() {
    let sandbox = sandbox().await;
    let session = app(&sandbox).build().unwrap();
    logged_in(&sandbox, &session).await;
    let address = consent(&sandbox, &session).await;
    refuses(&sandbox, TOKEN, 503, "EOAUTH012");
    let error = session.complete_login(&address).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BrokerUnavailable, "{error}");
    assert!(session.try_token().is_some());
    sandbox.advance_to("08:00 IST").unwrap();
    refuses(&sandbox, TOKEN, 502, "EOAUTH016");
    let error = session.token().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BrokerUnavailable, "{error}");
    sandbox.clock().advance(Duration::from_mins(2));
    assert_eq!(session.token().await.unwrap().generation(), 2);
}

#[tokio::test]
async fn f2_codes_of_logins_end_no_session_when_another_call_is_refused_with_them() {
    let sandbox = sandbox().await;
    let session = app(&sandbox).build().unwrap();
    logged_in(&sandbox, &session).await;
    for code in ["EOAUTH012", "EOAUTH016", "EOAUTH001", "EOAUTH999"] {
        refuses(&sandbox, QUOTE, 401, code);
        let error = quote(&session).await.unwrap_err();
        assert_eq!(error.context().broker_code.as_deref(), Some(code), "{error}");
        assert!(session.try_token().is_some(), "{code}");
        quote(&session).await.unwrap();
    }
    assert_eq!(sent(&sandbox, TOKEN), 1);
}

#[tokio::test]
async fn f8_a_refused_code_says_nothing_of_the_refresh_token_that_was_not_sent() {
    let sandbox = sandbox().await;
    let store = MemoryStore::new().unwrap();
    let build = || app(&sandbox).store(store.clone()).build().unwrap();
    let (session, other) = (build(), build());
    logged_in(&sandbox, &session).await;
    for (day, renews) in [(2, &session), (3, &other)] {
        let address = consent(&sandbox, &session).await;
        refuses(&sandbox, TOKEN, 401, "EOAUTH016");
        let error = session.complete_login(&address).await.unwrap_err();
        assert_eq!(error.context().broker_code.as_deref(), Some("EOAUTH016"));
        sandbox.advance_to("08:00 IST").unwrap();
        assert_eq!(renews.token().await.unwrap().generation(), day);
    }
}

#[tokio::test]
async fn t3_a_refreshed_pair_that_was_over_on_arrival_renews_even_after_a_failure() {
    let sandbox = sandbox().await;
    let session = app(&sandbox).build().unwrap();
    logged_in(&sandbox, &session).await;
    sandbox.advance_to("07:59 IST").unwrap();
    sandbox.end_sessions(None);
    session.invalidate(1);
    // Sent before 08:00, answered after; then the network is gone for one request.
    let gone = Fault::on(Broker::Samco, TOKEN).times(1).skip(1);
    sandbox.fault(gone.reset(Reset::Before)).unwrap();
    delays(&sandbox, TOKEN);
    let first = spawned(&session, |session| async move { session.token().await });
    until("the refresh is sent", || sent(&sandbox, TOKEN) == 2).await;
    sandbox.advance_to("08:00 IST").unwrap();
    assert!(first.await.unwrap().is_err(), "no token was live");
    assert!(session.token().await.is_ok());
    assert_eq!(sent(&sandbox, TOKEN), 4);
}

#[tokio::test]
async fn t3_tokens_of_yesterday_are_no_session() {
    // With tokens that tell when they were issued, and with those that do not.
    for opaque in [false, true] {
        let sandbox = sandbox().await;
        let session = publisher(&sandbox).build().unwrap();
        sandbox.advance_to("23:55 IST").unwrap();
        let mut address = consent(&sandbox, &session).await;
        if opaque {
            let state = address.split("state=").nth(1).unwrap().split('&').next().unwrap();
            address = format!("/callback?auth_token=opaque&feed_token=f&state={state}");
        }
        // Whatever the broker says of them: they ended at midnight.
        let data = serde_json::json!({"clientcode": angel_account(&sandbox).client_code});
        let body = serde_json::json!({"status": true, "message": "SUCCESS", "errorcode": "", "data": data});
        let accepts = Fault::on(Broker::AngelOne, PROFILE).status(200);
        sandbox.fault(accepts.body(&body.to_string())).unwrap();
        sandbox.advance_to("00:03 IST").unwrap();
        is_over(&session.complete_login(&address).await.unwrap_err());
        assert!(session.try_token().is_none());
    }
}

#[tokio::test]
async fn a_login_by_another_client_is_refused_and_not_kept() {
    for stored in [false, true] {
        let sandbox = sandbox().await;
        let store = MemoryStore::new().unwrap();
        let build = || {
            let alone = publisher(&sandbox);
            let builder = if stored { alone.store(store.clone()) } else { alone };
            builder.build().unwrap()
        };
        let session = build();
        let added = sandbox.add_accounts(Broker::AngelOne, 1).unwrap();
        let stranger = added[0].as_angelone().unwrap().client_code.clone();
        let start = session.begin_login().await.unwrap();
        let address = sandbox.consent(start.url(), true, Some(&stranger)).unwrap();
        let error = session.complete_login(&address).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
        assert_eq!(error.field(), Some("client_code"), "{error}");
        for session in [&session, &build()] {
            assert!(session.try_token().is_none());
            let error = session.token().await.unwrap_err();
            assert_eq!(reason(&error), Some(LoginReason::ConsentNeeded));
        }
        logged_in(&sandbox, &session).await;
        assert_eq!(build().token().await.is_ok(), stored);
    }
}

#[tokio::test]
async fn a_refresh_that_is_refused_for_its_address_is_told_once_and_names_the_registered_ones() {
    let sandbox = sandbox().await;
    let session = app(&sandbox).build().unwrap();
    logged_in(&sandbox, &session).await;
    let registered = session.whoami().await.unwrap().addresses.primary.unwrap();
    let mut events = session.events();
    sandbox.advance_to("08:00 IST").unwrap();
    sandbox.set_source_ip(SourceIp::Fixed("198.51.100.7".parse().unwrap()));
    for _ in 0..2 {
        let error = session.token().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StaticIpMismatch, "{error}");
        assert_eq!(error.context().broker_code.as_deref(), Some("EOAUTH009"));
        assert_eq!(error.context().primary_ip.as_deref(), Some(registered.as_str()));
        assert!(error.message().contains(&registered), "{error}");
    }
    assert_eq!(sent(&sandbox, TOKEN), 3);
    sandbox.set_source_ip(SourceIp::Home);
    sandbox.clock().advance(Duration::from_mins(2));
    session.token().await.unwrap();
    let (mut told, mut renewed) = (0, false);
    while !renewed {
        let event = tokio::time::timeout(Duration::from_secs(20), events.next()).await;
        let event = event.unwrap().unwrap();
        renewed = event.name == EventName::Renewed;
        if event.name == EventName::IpMismatch {
            told += 1;
            let error = event.error.unwrap();
            assert_eq!(error.context().primary_ip.as_deref(), Some(registered.as_str()));
        }
    }
    assert_eq!(told, 1);
}

#[tokio::test]
async fn a_refused_address_is_explained_within_the_deadline_of_its_call() {
    let sandbox = sandbox().await;
    let session = samco(&sandbox).build().unwrap();
    session.token().await.unwrap();
    let body = r#"{"status":"Failure","statusMessage":"The IP is not the registered static IP"}"#;
    let refused = Fault::on(Broker::Samco, QUOTE).status(403).body(body);
    sandbox.fault(refused).unwrap();
    let whoami = Fault::on(Broker::Samco, WHOAMI).delay_ms(5000);
    sandbox.fault(whoami).unwrap();
    let began = Instant::now();
    let call = session.get(QUOTE).timeout(Duration::from_millis(300));
    let error = call.send().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StaticIpMismatch, "{error}");
    assert!(began.elapsed() < Duration::from_millis(1500));
    assert_eq!(sent(&sandbox, WHOAMI), 1);
}
