//! Races that a real network does not show on demand: a transport whose replies the test lets go one by one.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use futures_util::FutureExt as _;
use preopen::core::target::Target;
use preopen::core::wire::{BoxFuture, RawReply, Request, Transport, TransportFailure};
use preopen::{AngelOne, ErrorKind, Samco, Session, SessionBuilder, StateName, Timestamp, VirtualClock};
use tokio::sync::Semaphore;

const LOGIN: &str = "POST /session/token";
const LOGOUT: &str = "DELETE /logout";

type Answer = dyn Fn(usize, &Request) -> (u16, String) + Send + Sync;

/// Answers by a script; a login waits for a permit of the test.
struct Scripted {
    answer: Box<Answer>,
    logins: Semaphore,
    log: Mutex<Vec<String>>,
}

impl std::fmt::Debug for Scripted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Scripted")
    }
}

impl Transport for Scripted {
    fn send<'a>(
        &'a self,
        _: &'a Target,
        request: &'a Request,
        _: Duration,
    ) -> BoxFuture<'a, Result<RawReply, TransportFailure>> {
        Box::pin(async move {
            let call = request.endpoint.to_string();
            let number = self.calls().iter().filter(|known| **known == call).count() + 1;
            self.log.lock().unwrap().push(call.clone());
            if call.contains("token") || call.contains("loginByPassword") {
                self.logins.acquire().await.unwrap().forget();
            }
            let (status, body) = (self.answer)(number, request);
            self.log.lock().unwrap().push(format!("done {call}"));
            Ok(RawReply::new(status, body))
        })
    }
}

impl Scripted {
    fn new(answer: impl Fn(usize, &Request) -> (u16, String) + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self {
            answer: Box::new(answer),
            logins: Semaphore::new(0),
            log: Mutex::default(),
        })
    }

    /// Logs in and out as Samco does.
    fn samco() -> Arc<Self> {
        Self::new(|number, request| (200, reply(number, request)))
    }

    fn calls(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    fn count(&self, call: &str) -> usize {
        self.calls().iter().filter(|known| *known == call).count()
    }

    /// Waits, within a bound, until the log holds `call` this many times.
    async fn until(&self, call: &str, times: usize) {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
        while self.count(call) < times {
            assert!(
                tokio::time::Instant::now() < deadline,
                "{call} x {times}: {:?}",
                self.calls()
            );
            tokio::task::yield_now().await;
        }
    }
}

fn reply(number: usize, request: &Request) -> String {
    if request.endpoint.path == "/session/token" {
        format!(r#"{{"status":"Success","sessionToken":"token-{number}","accountName":"CANARY-secret"}}"#)
    } else {
        r#"{"status":"Success","statusMessage":"done by CANARY-secret","x":1}"#.to_owned()
    }
}

fn samco(transport: &Arc<Scripted>) -> SessionBuilder {
    Session::builder(Samco::new("CANARY-key", "CANARY-secret"))
        .transport(Arc::clone(transport) as Arc<dyn Transport>)
}

fn clock(text: &str) -> Arc<VirtualClock> {
    Arc::new(VirtualClock::new(Timestamp::parse_rfc3339(text).unwrap(), 0.0))
}

fn waiting(session: &Session) -> tokio::task::JoinHandle<preopen::Result<preopen::Token>> {
    let session = session.clone();
    tokio::spawn(async move { session.token().await })
}

#[tokio::test]
async fn closing_during_a_login_sends_nothing_and_says_closed() {
    let transport = Scripted::samco();
    let session = samco(&transport).build().unwrap();
    let caller = waiting(&session);
    transport.until(LOGIN, 1).await;
    session.close();
    let error = caller.await.unwrap().unwrap_err();
    assert_eq!(
        (error.kind(), error.field()),
        (ErrorKind::InvalidInput, Some("session"))
    );
    transport.logins.add_permits(1);
    transport.until("done POST /session/token", 1).await;
    assert_eq!(session.state().name, StateName::Closed);
    assert!(session.token().await.is_err() && session.try_token().is_none());
    assert_eq!(
        transport.count(LOGOUT),
        0,
        "closing never logs out: {:?}",
        transport.calls()
    );
}

#[tokio::test]
async fn a_login_after_a_logout_waits_until_the_abandoned_one_is_ended() {
    let transport = Scripted::samco();
    let session = samco(&transport).build().unwrap();
    let first = waiting(&session);
    transport.until(LOGIN, 1).await;
    session.logout().await.unwrap();
    assert_eq!(first.await.unwrap().unwrap_err().kind(), ErrorKind::LoginRequired);
    let second = waiting(&session);
    while session.state().name != StateName::Opening {
        tokio::task::yield_now().await;
    }
    assert_eq!(transport.count(LOGIN), 1, "one login at a time");
    transport.logins.add_permits(2);
    assert_eq!(second.await.unwrap().unwrap().generation(), 1);
    let order = transport.calls();
    let at = |call: &str, nth: usize| {
        order
            .iter()
            .enumerate()
            .filter(|(_, c)| *c == call)
            .nth(nth)
            .unwrap()
            .0
    };
    assert!(at("done DELETE /logout", 0) < at(LOGIN, 1), "{order:?}");
    assert_eq!(transport.count(LOGOUT), 1);
}

#[tokio::test]
async fn s4_an_adapter_that_panics_on_a_late_logout_does_not_hold_the_next_login() {
    let transport = Scripted::new(|number, request| {
        assert_ne!(request.endpoint.path, "/logout", "a panic that the test planned");
        (200, reply(number, request))
    });
    let session = samco(&transport).build().unwrap();
    let first = waiting(&session);
    transport.until(LOGIN, 1).await;
    session.logout().await.unwrap();
    assert!(first.await.unwrap().is_err());
    transport.logins.add_permits(2);
    let second = tokio::time::timeout(Duration::from_secs(10), session.token()).await;
    assert_eq!(second.expect("the slot is free").unwrap().generation(), 1);
}

#[tokio::test]
async fn a_clock_set_back_does_not_hang_the_next_one_time_code() {
    let transport = Scripted::new(|_, _| {
        (
            200,
            r#"{"status":true,"message":"SUCCESS","errorcode":"","data":{"jwtToken":"a.b.c"}}"#.to_owned(),
        )
    });
    transport.logins.add_permits(10);
    let clock = clock("2026-11-23T09:00:00+05:30");
    let credentials = AngelOne::new("key-1234", "C1", "0000", "JBSWY3DPEHPK3PXPJBSWY3DPEH");
    let session = Session::builder(credentials)
        .transport(Arc::clone(&transport) as Arc<dyn Transport>)
        .clock(Arc::clone(&clock) as Arc<dyn preopen::Clock>)
        .build()
        .unwrap();
    let generation = session.token().await.unwrap().generation();
    clock.set(Timestamp::parse_rfc3339("2026-11-22T09:00:00+05:30").unwrap());
    session.invalidate(generation);
    let again = tokio::time::timeout(Duration::from_secs(10), session.token()).await;
    assert_eq!(again.unwrap().unwrap().generation(), 2);
}

#[tokio::test]
async fn a_result_that_is_dead_when_its_caller_looks_is_not_served() {
    let transport = Scripted::samco();
    let clock = clock("2026-11-23T07:59:59+05:30");
    let session = samco(&transport)
        .clock(Arc::clone(&clock) as Arc<dyn preopen::Clock>)
        .build()
        .unwrap();
    let mut caller = Box::pin(session.token());
    assert!((&mut caller).now_or_never().is_none(), "the login runs");
    transport.logins.add_permits(2);
    while session.try_token().is_none() {
        tokio::task::yield_now().await;
    }
    // The caller was not looked at while the boundary passed: a suspended laptop, a busy event loop.
    clock.advance(Duration::from_secs(2));
    let token = caller.await.unwrap();
    assert_eq!(
        (token.generation(), token.expires_at().to_ist().as_str()),
        (2, "2026-11-24 08:00:00 IST")
    );
}

/// A session whose login is done, and a caller who waited for it and was not looked at since.
async fn slow_caller(
    transport: &Arc<Scripted>,
) -> (Session, impl Future<Output = preopen::Result<preopen::Token>>) {
    let session = samco(transport).build().unwrap();
    let slow = session.clone();
    let mut caller = Box::pin(async move { slow.token().await });
    assert!((&mut caller).now_or_never().is_none(), "the login runs");
    transport.logins.add_permits(2);
    while session.try_token().is_none() {
        tokio::task::yield_now().await;
    }
    (session, caller)
}

#[tokio::test]
async fn s8_a_waiter_that_is_slower_than_a_logout_gets_no_token() {
    let transport = Scripted::samco();
    let (session, caller) = slow_caller(&transport).await;
    session.logout().await.unwrap();
    assert_eq!(caller.await.unwrap_err().kind(), ErrorKind::LoginRequired);
    assert_eq!(transport.count(LOGIN), 1, "nobody logs in after the logout");
}

#[tokio::test]
async fn s7_a_waiter_that_is_slower_than_a_refusal_gets_the_next_session() {
    let transport = Scripted::samco();
    let (session, caller) = slow_caller(&transport).await;
    session.invalidate(1);
    assert_eq!(caller.await.unwrap().generation(), 2);
}

#[tokio::test]
async fn a_login_that_straddles_the_boundary_is_done_once_more() {
    let clock = clock("2026-11-23T07:59:59+05:30");
    let moved = Arc::clone(&clock);
    let transport = Scripted::new(move |number, request| {
        if number == 1 {
            moved.advance(Duration::from_secs(2));
        }
        (200, reply(number, request))
    });
    transport.logins.add_permits(2);
    let session = samco(&transport)
        .clock(Arc::clone(&clock) as Arc<dyn preopen::Clock>)
        .build()
        .unwrap();
    assert_eq!(
        session.token().await.unwrap().expires_at().to_ist(),
        "2026-11-24 08:00:00 IST"
    );
    assert_eq!(transport.count(LOGIN), 2);
}

#[tokio::test]
async fn a_clock_that_is_ahead_costs_two_logins_and_says_so() {
    let clock = clock("2026-11-23T12:00:00+05:30");
    // A JWT whose `exp` was an hour before this clock.
    let transport = Scripted::new(|_, _| {
        let payload = "eyJleHAiOjE3OTU0MDQ2MDB9";
        (
            200,
            format!(r#"{{"status":"Success","sessionToken":"h.{payload}.s"}}"#),
        )
    });
    transport.logins.add_permits(10);
    let session = samco(&transport)
        .clock(Arc::clone(&clock) as Arc<dyn preopen::Clock>)
        .build()
        .unwrap();
    let error = session.token().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.message().contains("clock"), "{error}");
    assert_eq!(transport.count(LOGIN), 2);
}

#[tokio::test]
async fn a_wrong_setting_does_not_block_the_session() {
    let session = Session::builder(Samco::new("key-1234", "secret-1234")).base_url("https://127.0.0.1:9");
    let session = session.ca_file("no/such/file.pem").build().unwrap();
    for _ in 0..2 {
        let error = session.token().await.unwrap_err();
        assert_eq!(
            (error.kind(), error.field()),
            (ErrorKind::InvalidInput, Some("ca_file"))
        );
    }
    assert_eq!(session.state().name, StateName::SignedOut);
}

#[tokio::test]
async fn what_a_broker_echoes_is_cleaned() {
    let transport = Scripted::samco();
    transport.logins.add_permits(1);
    let session = samco(&transport).build().unwrap();
    let reply = session.get("/x").send().await.unwrap();
    assert_eq!(reply.message.as_deref(), Some("done by **redacted**"));
    assert_eq!(
        session.profile().await.unwrap().name.as_deref(),
        Some("**redacted**")
    );
    assert!(!session.logout().await.unwrap().message.contains("CANARY"));
}

#[tokio::test]
async fn settings_that_hold_secrets_do_not_print_them() {
    let transport = Scripted::samco();
    let builder = samco(&transport).proxy("http://me:CANARY@10.0.0.1:3128");
    assert!(!format!("{builder:?}").contains("CANARY"), "{builder:?}");
    let loopback = Session::builder(Samco::new("key-1234", "secret-1234")).base_url("http://127.0.0.1:9");
    let error = loopback.proxy("http://10.0.0.1:3128").build().unwrap_err();
    assert_eq!(
        error.field(),
        Some("proxy"),
        "credentials would leave this machine in clear"
    );
}

#[tokio::test]
async fn a_failed_logout_is_no_order() {
    let transport = Scripted::new(|number, request| {
        if request.endpoint.path == "/logout" {
            (502, String::new())
        } else {
            (200, reply(number, request))
        }
    });
    transport.logins.add_permits(1);
    let session = samco(&transport).build().unwrap();
    session.token().await.unwrap();
    let logout = session.logout().await.unwrap();
    assert_eq!(
        logout.error.map(|error| error.kind()),
        Some(ErrorKind::BrokerUnavailable)
    );
    assert_eq!(session.state().name, StateName::SignedOut);
}
