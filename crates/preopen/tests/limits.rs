//! The limits of an account, between the sessions and callers that share them.
#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::{QUOTE, quote, samco, samco_account, samco_with, sandbox};
use preopen::{Advice, Error, ErrorKind, RateLimits, Samco, Session};
use preopen_sandbox::{Account, Broker, Fault, Sandbox};

fn reads(sandbox: &Sandbox) -> u64 {
    sandbox.requests(Some(Broker::Samco), Some(QUOTE)).count
}

async fn read(session: &Session) -> preopen::Result<()> {
    quote(session).await.map(drop)
}

fn limited(sandbox: &Sandbox, limits: RateLimits) -> Session {
    samco(sandbox).rate_limits(limits).build().unwrap()
}

fn hourly(calls: u32) -> RateLimits {
    RateLimits::new().per_hour("other", calls)
}

fn assert_not_sent(error: &Error) {
    assert_eq!(
        (error.kind(), error.context().http_status),
        (ErrorKind::RateLimited, None),
        "{error}"
    );
    assert!(
        error
            .context()
            .retry_after
            .is_some_and(|wait| Advice::After(wait) == error.advice())
    );
    assert!(error.message().starts_with("nothing was sent"), "{error}");
}

#[tokio::test]
async fn s9_the_sessions_of_an_account_count_together_and_others_apart() {
    let sandbox = sandbox().await;
    let (one, two) = (limited(&sandbox, hourly(3)), limited(&sandbox, hourly(3)));
    // A login of one ends the session of the other, so that they take no turns here.
    for session in [&one, &one, &two] {
        read(session).await.unwrap();
    }
    for session in [&one, &two] {
        assert_not_sent(&read(session).await.unwrap_err());
    }
    // What was counted outlives the sessions, and another limit counts the same calls.
    drop((one, two));
    assert_not_sent(&read(&limited(&sandbox, hourly(2))).await.unwrap_err());
    read(&limited(&sandbox, hourly(4))).await.unwrap();
    let other = sandbox
        .accounts()
        .iter()
        .filter_map(Account::as_samco)
        .nth(1)
        .unwrap();
    let other = samco_with(&sandbox, &other.api_key, &other.api_secret).rate_limits(hourly(3));
    read(&other.build().unwrap()).await.unwrap();
    assert_eq!(reads(&sandbox), 5);
    // The same account elsewhere is another one.
    let elsewhere = common::sandbox().await;
    read(&limited(&elsewhere, hourly(3))).await.unwrap();
}

#[tokio::test]
async fn s9_sessions_that_were_given_no_clock_count_together_too() {
    let sandbox = sandbox().await;
    let account = samco_account(&sandbox);
    let build = || {
        let credentials = Samco::new(account.api_key.as_str(), account.api_secret.as_str());
        let builder = Session::builder(credentials).base_url(sandbox.samco_url());
        builder.rate_limits(hourly(1)).build().unwrap()
    };
    let (one, two) = (build(), build());
    read(&one).await.unwrap();
    assert_not_sent(&read(&two).await.unwrap_err());
    assert_eq!(reads(&sandbox), 1);
}

#[tokio::test]
async fn s9_a_pause_of_one_account_is_not_another_s() {
    let sandbox = sandbox().await;
    let (one, two) = (samco(&sandbox).build().unwrap(), samco(&sandbox).build().unwrap());
    let fault = Fault::on(Broker::Samco, QUOTE)
        .status(429)
        .header("retry-after", "200");
    sandbox.fault(fault.body("slow down")).unwrap();
    let refused = read(&one).await.unwrap_err();
    assert_eq!(refused.context().http_status, Some(429));
    let error = read(&two).await.unwrap_err();
    assert_not_sent(&error);
    assert!(error.message().contains("the broker has refused"), "{error}");
    let other = sandbox
        .accounts()
        .iter()
        .filter_map(Account::as_samco)
        .nth(1)
        .unwrap();
    let other = samco_with(&sandbox, &other.api_key, &other.api_secret)
        .build()
        .unwrap();
    read(&other).await.unwrap();
    assert_eq!(reads(&sandbox), 2);
}

#[tokio::test]
async fn callers_are_served_in_the_order_in_which_they_came() {
    let sandbox = sandbox().await;
    sandbox.clock().set_rate(20.0);
    let session = samco(&sandbox)
        .rate_limits(RateLimits::new().per_second("other", 1))
        .timeout(Duration::from_mins(5))
        .build()
        .unwrap();
    session.token().await.unwrap();
    let served = Arc::new(Mutex::new(Vec::new()));
    let callers: Vec<_> = (0..5)
        .map(|number| {
            let (session, served) = (session.clone(), Arc::clone(&served));
            async move {
                let done = read(&session).await;
                served.lock().unwrap().push(number);
                done
            }
        })
        .collect();
    for done in futures_util::future::join_all(callers).await {
        done.unwrap();
    }
    assert_eq!(*served.lock().unwrap(), [0, 1, 2, 3, 4]);
    assert_eq!(reads(&sandbox), 5);
}

#[tokio::test]
async fn a_caller_who_gives_up_leaves_his_place() {
    let sandbox = sandbox().await;
    let session = limited(&sandbox, RateLimits::new().per_second("other", 1));
    read(&session).await.unwrap();
    // He is the head of the queue, and never polled again.
    for _ in 0..20 {
        let gave_up = tokio::time::timeout(Duration::from_millis(5), read(&session)).await;
        assert!(gave_up.is_err());
    }
    read(&session).await.unwrap();
    assert_eq!(
        reads(&sandbox),
        2,
        "those who gave up sent nothing, and took no slot"
    );
}

#[tokio::test]
async fn a_call_that_was_given_up_on_its_way_counts() {
    let sandbox = sandbox().await;
    let session = limited(&sandbox, hourly(1));
    session.token().await.unwrap();
    sandbox
        .fault(Fault::on(Broker::Samco, QUOTE).delay_ms(5000))
        .unwrap();
    let gave_up = tokio::time::timeout(Duration::from_millis(300), read(&session)).await;
    assert!(gave_up.is_err());
    assert_not_sent(&read(&session).await.unwrap_err());
}

#[tokio::test]
async fn nobody_is_kept_waiting_for_a_slot_that_comes_too_late() {
    let sandbox = sandbox().await;
    let limits = RateLimits::new().per_minute("other", 1);
    let session = samco(&sandbox)
        .rate_limits(limits)
        .timeout(Duration::from_secs(100))
        .build()
        .unwrap();
    read(&session).await.unwrap();
    let began = Instant::now();
    let error = read(&session).await.unwrap_err();
    assert_not_sent(&error);
    // Half of the deadline is not enough: it is told at once, not after that half.
    assert!(began.elapsed() < Duration::from_secs(30));
    let wait = error.context().retry_after.unwrap();
    assert!(
        wait > Duration::from_secs(50) && wait <= Duration::from_mins(1),
        "{wait:?}"
    );
    sandbox.clock().advance(wait);
    read(&session).await.unwrap();
    assert_eq!(reads(&sandbox), 2);
}

#[tokio::test]
async fn a_deadline_holds_over_waits_and_repetitions() {
    let sandbox = sandbox().await;
    let session = samco(&sandbox).timeout(Duration::from_secs(1)).build().unwrap();
    session.token().await.unwrap();
    let fault = Fault::on(Broker::Samco, QUOTE).status(503).body("busy");
    sandbox.fault(fault.times(9).delay_ms(700)).unwrap();
    let began = Instant::now();
    let error = read(&session).await.unwrap_err();
    // The second try, if there was time for it, met the end of the first one's deadline.
    assert!(
        matches!(error.kind(), ErrorKind::BrokerUnavailable | ErrorKind::Timeout),
        "{error}"
    );
    assert!(
        began.elapsed() < Duration::from_millis(1900),
        "{:?}",
        began.elapsed()
    );
    assert!(reads(&sandbox) <= 2);
}

#[tokio::test]
async fn a_limit_that_no_group_has_is_refused_before_any_io() {
    let sandbox = sandbox().await;
    for limits in [
        RateLimits::new().per_second("no such group", 1),
        RateLimits::new().per_second("orders", 0),
    ] {
        let error = samco(&sandbox).rate_limits(limits).build().unwrap_err();
        assert_eq!(
            (error.kind(), error.field()),
            (ErrorKind::InvalidInput, Some("rate_limits"))
        );
    }
    assert_eq!(sandbox.requests(Some(Broker::Samco), None).count, 0);
}
