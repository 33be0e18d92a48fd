//! Many callers of one session: one login, whoever gives up, and on any runtime.
#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use std::time::Duration;

use common::{SAMCO_LOGIN, samco, sandbox};
use preopen_sandbox::{Broker, Fault};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s1_a_thousand_cold_callers_cause_one_login() {
    let sandbox = sandbox().await;
    let session = samco(&sandbox).build().unwrap();
    let callers: Vec<_> = (0..1000)
        .map(|_| {
            let session = session.clone();
            tokio::spawn(async move { session.token().await.unwrap().generation() })
        })
        .collect();
    for caller in callers {
        assert_eq!(caller.await.unwrap(), 1);
    }
    assert_eq!(sandbox.requests(Some(Broker::Samco), Some(SAMCO_LOGIN)).count, 1);
}

#[tokio::test]
async fn s3_dropping_the_first_caller_does_not_stop_the_login() {
    let sandbox = sandbox().await;
    let session = samco(&sandbox).build().unwrap();
    sandbox
        .fault(Fault::on(Broker::Samco, SAMCO_LOGIN).delay_ms(300))
        .unwrap();
    let impatient = tokio::time::timeout(Duration::from_millis(50), session.token()).await;
    assert!(impatient.is_err(), "the login must still be running");
    assert_eq!(session.token().await.unwrap().generation(), 1);
    assert_eq!(sandbox.requests(Some(Broker::Samco), Some(SAMCO_LOGIN)).count, 1);
}

#[tokio::test]
async fn s8_logout_beats_a_login_under_way_and_ends_it_at_the_broker() {
    let sandbox = sandbox().await;
    let session = samco(&sandbox).build().unwrap();
    sandbox
        .fault(Fault::on(Broker::Samco, SAMCO_LOGIN).delay_ms(200))
        .unwrap();
    let waiting = tokio::spawn({
        let session = session.clone();
        async move { session.token().await }
    });
    while sandbox.requests(Some(Broker::Samco), Some(SAMCO_LOGIN)).count == 0 {
        tokio::task::yield_now().await;
    }
    assert!(!session.logout().await.unwrap().acknowledged);
    let error = waiting.await.unwrap().unwrap_err();
    assert_eq!(error.code(), "login_required");
    // The late login is logged out at the broker as soon as it is there.
    let deadline = tokio::time::Instant::now() + Duration::from_secs(5);
    while sandbox.requests(Some(Broker::Samco), Some("/logout")).count == 0 {
        assert!(
            tokio::time::Instant::now() < deadline,
            "the late login was left alive"
        );
        tokio::task::yield_now().await;
    }
    assert!(session.try_token().is_none());
    assert_eq!(session.state().name.as_str(), "signed_out");
}

#[test]
fn a_session_works_without_an_async_runtime_around_it() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let sandbox = runtime.block_on(sandbox());
    let session = samco(&sandbox).build().unwrap();
    let reply = futures_util::future::FutureExt::boxed(session.get("/limit/getLimits").send());
    let reply = futures_executor(reply);
    assert_eq!(reply.unwrap().http_status, 200);
}

/// The smallest executor there is: parks this thread until the future is woken.
fn futures_executor<T>(mut future: std::pin::Pin<Box<dyn Future<Output = T> + Send + '_>>) -> T {
    struct Unpark(std::thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = std::sync::Arc::new(Unpark(std::thread::current())).into();
    let mut context = std::task::Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut context) {
            std::task::Poll::Ready(value) => return value,
            std::task::Poll::Pending => std::thread::park(),
        }
    }
}

#[test]
fn a_session_may_move_from_one_runtime_to_the_next() {
    let outer = tokio::runtime::Runtime::new().unwrap();
    let sandbox = outer.block_on(sandbox());
    let session = samco(&sandbox).build().unwrap();
    for _ in 0..3 {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let reply = runtime.block_on(session.get("/limit/getLimits").send());
        assert_eq!(reply.unwrap().http_status, 200);
    }
    assert_eq!(sandbox.requests(Some(Broker::Samco), Some(SAMCO_LOGIN)).count, 1);
}
