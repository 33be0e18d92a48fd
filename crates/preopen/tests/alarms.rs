//! What is told at its time is told at its time, whatever other sessions of the process are busy with.
#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use common::{samco, sandbox};
use preopen::{Ask, EventName, Samco, Secret, Session, StateName};
use preopen_sandbox::{Account, Broker, Sandbox};
use tokio::sync::Semaphore;

/// A session that renews itself, and whose second and later logins wait for somebody to answer.
fn waits_for_a_person(sandbox: &Sandbox, account: &Account, answers: &Arc<Semaphore>) -> Session {
    let account = account.as_samco().unwrap();
    let secret = Secret::new(account.api_secret.as_str());
    let (asked, answers) = (Arc::new(AtomicUsize::new(0)), Arc::clone(answers));
    let ask = Ask::new(move || {
        let (secret, answers) = (secret.clone(), Arc::clone(&answers));
        let first = asked.fetch_add(1, Ordering::SeqCst) == 0;
        async move {
            if !first {
                answers.acquire().await.unwrap().forget();
            }
            Ok(Some(secret))
        }
    });
    Session::builder(Samco::new(account.api_key.as_str(), ask))
        .base_url(sandbox.samco_url())
        .clock(sandbox.clock())
        .keep_warm(true)
        .build()
        .unwrap()
}

async fn until(mut done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < Duration::from_secs(30));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn renewals_that_wait_for_a_person_hold_up_no_event_of_another_session() {
    const MORE_THAN_AT_ONCE: usize = 70;
    let sandbox = sandbox().await;
    sandbox.clock().set_rate(0.0);
    sandbox.advance_to("10:00 IST").unwrap();
    let answers = Arc::new(Semaphore::new(0));
    let accounts = sandbox.add_accounts(Broker::Samco, MORE_THAN_AT_ONCE).unwrap();
    let mut waiting = Vec::new();
    for account in &accounts {
        waiting.push(waits_for_a_person(&sandbox, account, &answers));
        waiting.last().unwrap().token().await.unwrap();
    }
    let opening = || {
        let is_opening = |session: &&Session| session.state().name == StateName::Opening;
        waiting.iter().filter(is_opening).count()
    };
    let other = samco(&sandbox).build().unwrap();
    other.token().await.unwrap();
    sandbox.advance_to("08:00 IST").unwrap();
    sandbox.clock().advance(Duration::from_secs(126));
    until(|| opening() == 64).await;
    let mut events = other.events();
    other.token().await.unwrap();
    while events.next().await.unwrap().name != EventName::Renewed {}
    // Nothing of that login runs on: only time tells of its end.
    tokio::time::sleep(Duration::from_millis(200)).await;
    sandbox.advance_to("08:00 IST").unwrap();
    let told = tokio::time::timeout(Duration::from_secs(5), events.next()).await;
    assert_eq!(told.unwrap().unwrap().name, EventName::Expired);
    assert_eq!(opening(), 64, "at most so many at once");
    // Those who wait for their turn get it.
    answers.add_permits(MORE_THAN_AT_ONCE);
    until(|| waiting.iter().all(|session| session.try_token().is_some())).await;
    assert!(waiting.iter().all(|session| session.state().generation == 2));
    sandbox.stop().await;
}
