//! Waiting for a change in a real Redis: told at once where notifications are allowed, in time where they are not.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::time::{Duration, Instant};

use preopen_core::seal::SealKey;
use preopen_store::{RedisStore, Store as _, Value};

#[path = "common/redis.rs"]
mod server;
use server::{Server, until};

const CHANNEL: &str = "preopen:{a}:changed";

fn store(url: &str) -> RedisStore {
    let key = SealKey::generate().unwrap();
    RedisStore::new(url).unwrap().with_key(key)
}

fn value(text: &str) -> Value {
    Value::new(Some(text.to_owned()), Some(text.to_owned()))
}

fn listeners(server: &Server) -> u64 {
    server.ask::<(String, u64)>(&["PUBSUB", "NUMSUB", CHANNEL]).1
}

/// How long one wait lasts that a write of `next` ends.
async fn told_after(
    waiter: &RedisStore,
    writer: &RedisStore,
    next: &str,
    allowed: bool,
    server: &Server,
) -> Duration {
    let mut claimed = writer.claim("a").await.unwrap().unwrap();
    assert!(claimed.claim.write(&value("before")).await.unwrap());
    let waiting = {
        let waiter = waiter.clone();
        tokio::spawn(async move {
            let seen = value("before");
            while waiter.read("a").await.unwrap().as_ref() == Some(&seen) {
                waiter.changed("a", Some(&seen), Duration::from_secs(30)).await;
            }
            Instant::now()
        })
    };
    if allowed {
        until(Duration::from_secs(5), "it listens", async || {
            listeners(server) == 1
        })
        .await;
    }
    // Well into a wait.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let wrote = Instant::now();
    assert!(claimed.claim.write(&value(next)).await.unwrap());
    let told = waiting.await.unwrap().duration_since(wrote);
    claimed.claim.release().await;
    told
}

#[tokio::test]
async fn they_are_told_at_once() {
    let server = Server::start();
    let store = store(&server.url());
    server.ask::<()>(&["CONFIG", "RESETSTAT"]);
    let mut all: Vec<Duration> = Vec::new();
    for nth in 0..5 {
        all.push(told_after(&store, &store, &nth.to_string(), true, &server).await);
    }
    all.sort();
    println!("told after {all:?}");
    // Looking for themselves would have taken up to two seconds.
    assert!(all[2] < Duration::from_millis(200), "{all:?}");
    assert!(all[4] < Duration::from_secs(1), "{all:?}");
}

#[tokio::test]
async fn they_are_told_of_a_release_and_of_a_lease_that_ran_out() {
    let server = Server::start();
    let store = store(&server.url());
    let held = store.claim("a").await.unwrap().unwrap();
    let free = || {
        let store = store.clone();
        tokio::spawn(async move {
            loop {
                if let Some(claimed) = store.claim("a").await.unwrap() {
                    return (claimed, Instant::now());
                }
                store.changed("a", None, Duration::from_secs(30)).await;
            }
        })
    };
    let waiting = free();
    until(Duration::from_secs(5), "it listens", async || {
        listeners(&server) == 1
    })
    .await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let began = Instant::now();
    held.claim.release().await;
    let (_held, at) = waiting.await.unwrap();
    assert!(
        at.duration_since(began) < Duration::from_secs(1),
        "{:?}",
        at.duration_since(began)
    );
    // A holder that dies tells nobody.
    server.ask::<()>(&["PEXPIRE", "preopen:{a}:claim", "3000"]);
    let began = Instant::now();
    let (_held, at) = free().await.unwrap();
    let took = at.duration_since(began);
    // Looking every two seconds would have seen it after four.
    assert!(took < Duration::from_millis(3_900), "{took:?}");
}

#[tokio::test]
async fn they_poll_where_notifications_are_not_allowed() {
    let server = Server::start();
    server.user("deaf", "pw", "~preopen:* resetchannels +@all");
    server.user("mute", "pw", "~preopen:* &preopen:* +@all -publish");
    let (deaf, mute) = (
        store(&server.url_of("deaf", "pw")),
        store(&server.url_of("mute", "pw")),
    );
    let free = store(&server.url());
    let all = [
        told_after(&deaf, &deaf, "deaf and mute", false, &server).await,
        told_after(&deaf, &free, "deaf", false, &server).await,
        told_after(&free, &mute, "mute", true, &server).await,
    ];
    println!("told after {all:?}");
    assert!(all[0] < Duration::from_secs(1), "{all:?}");
    assert!(all[1] < Duration::from_secs(1), "{all:?}");
    assert!(all[2] < Duration::from_millis(2_900), "{all:?}");
}

#[tokio::test]
async fn they_listen_again_after_the_connection_was_lost() {
    let server = Server::start();
    let store = store(&server.url());
    told_after(&store, &store, "first", true, &server).await;
    assert_eq!(server.ask::<u64>(&["CLIENT", "KILL", "TYPE", "pubsub"]), 1);
    let told = told_after(&store, &store, "second", true, &server).await;
    assert!(told < Duration::from_secs(1), "{told:?}");
}

#[tokio::test]
async fn what_was_seen_already_is_not_waited_for() {
    let server = Server::start();
    let store = store(&server.url());
    let mut claimed = store.claim("a").await.unwrap().unwrap();
    assert!(claimed.claim.write(&value("now")).await.unwrap());
    let began = Instant::now();
    store
        .changed("a", Some(&value("then")), Duration::from_secs(30))
        .await;
    store.changed("a", None, Duration::from_secs(30)).await;
    claimed.claim.release().await;
    store
        .changed("a", Some(&value("now")), Duration::from_secs(30))
        .await;
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}
