//! Claims in a real Redis: a lease that is renewed by itself, and what is left of it when it lapsed (H2, H3, H4).
#![allow(clippy::unwrap_used, reason = "a test")]

use std::time::{Duration, Instant};

use preopen_core::seal::SealKey;
use preopen_store::{RedisStore, Store as _, Value};

#[path = "common/redis.rs"]
mod server;
use server::{Server, until};

const CLAIM: &str = "preopen:{a}:claim";
const RECORD: &str = "preopen:{a}";

fn store(server: &Server, lease: Duration) -> RedisStore {
    let key = SealKey::generate().unwrap();
    RedisStore::new(server.url()).unwrap().with_key(key).lease(lease)
}

fn value(text: &str) -> Value {
    Value::new(Some(text.to_owned()), Some(text.to_owned()))
}

fn renewals(server: &Server) -> u64 {
    let stats: String = server.ask(&["INFO", "commandstats"]);
    let line = stats
        .lines()
        .find_map(|line| line.strip_prefix("cmdstat_pexpire:calls="));
    line.map_or(0, |line| line.split(',').next().unwrap().parse().unwrap())
}

#[test]
fn a_claim_is_renewed_at_a_third_while_nobody_polls_its_holder() {
    let server = Server::start();
    let lease = Duration::from_secs(6);
    let store = store(&server, lease);
    // A runtime that only runs while it is blocked on, as that of a blocking call from Python.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut held = runtime.block_on(store.claim("a")).unwrap().unwrap();
    server.ask::<()>(&["CONFIG", "RESETSTAT"]);
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(9) {
        std::thread::sleep(Duration::from_millis(50));
        let left: i64 = server.ask(&["PTTL", CLAIM]);
        let good = i64::try_from(held.claim.good_for().as_millis()).unwrap();
        assert!((3_300..=6_000).contains(&left), "{left} ms of the lease left");
        assert!((3_300..=6_000).contains(&good), "good for {good} ms");
        // What the holder believes is never more than what the server grants; a moment passed since it was asked.
        assert!(good <= left + 100, "good for {good} ms, but {left} ms are left");
    }
    let renewals = renewals(&server);
    assert!((3..=5).contains(&renewals), "{renewals} renewals in 9 s");
    assert!(runtime.block_on(held.claim.write(&value("late"))).unwrap());
    runtime.block_on(held.claim.release());
    let after = server.ask::<i64>(&["EXISTS", CLAIM]);
    assert_eq!(after, 0);
    server.ask::<()>(&["CONFIG", "RESETSTAT"]);
    std::thread::sleep(Duration::from_millis(2_500));
    assert_eq!(self::renewals(&server), 0, "what was given back is not renewed");
}

#[tokio::test]
async fn a_write_makes_the_lease_whole_again() {
    let server = Server::start();
    let lease = Duration::from_secs(6);
    let mut held = store(&server, lease).claim("a").await.unwrap().unwrap();
    // Just before it is renewed.
    tokio::time::sleep(Duration::from_millis(1_700)).await;
    assert!(held.claim.good_for() < Duration::from_millis(4_400));
    assert!(held.claim.write(&value("x")).await.unwrap());
    let good = held.claim.good_for();
    assert!(good > Duration::from_millis(5_500), "{good:?}");
    let left: u64 = server.ask(&["PTTL", CLAIM]);
    assert!(
        Duration::from_millis(left + 100) > good,
        "{left} ms are left, not {good:?}"
    );
}

#[tokio::test]
async fn a_holder_whose_lease_lapsed_overwrites_nothing_and_takes_nothing_away() {
    let server = Server::start();
    let store = store(&server, Duration::from_secs(30));
    let mut first = store.claim("a").await.unwrap().unwrap();
    assert!(first.claim.write(&value("first")).await.unwrap());
    server.ask::<()>(&["PEXPIRE", CLAIM, "1"]);
    tokio::time::sleep(Duration::from_millis(20)).await;
    // While nobody else has it, too.
    let mut second = store.claim("a").await.unwrap().unwrap();
    assert_eq!(second.value, Some(value("first")));
    assert!(second.claim.write(&value("second")).await.unwrap());
    assert!(!first.claim.write(&value("late")).await.unwrap());
    assert_eq!(
        first.claim.good_for(),
        Duration::ZERO,
        "whoever was refused knows"
    );
    assert_eq!(store.read("a").await.unwrap(), Some(value("second")));
    first.claim.release().await;
    assert!(
        store.claim("a").await.unwrap().is_none(),
        "the second still holds it"
    );
    assert!(second.claim.write(&value("second again")).await.unwrap());
    assert!(second.claim.good_for() > Duration::from_secs(20));
}

#[tokio::test]
async fn dropping_a_lapsed_claim_leaves_the_next_one_alone() {
    let server = Server::start();
    let store = store(&server, Duration::from_secs(30));
    let first = store.claim("a").await.unwrap().unwrap();
    server.ask::<()>(&["DEL", CLAIM]);
    let mut second = store.claim("a").await.unwrap().unwrap();
    drop(first);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(second.claim.write(&value("second")).await.unwrap());
}

#[tokio::test]
async fn a_lapsed_claim_that_nobody_took_does_not_write_either() {
    let server = Server::start();
    let store = store(&server, Duration::from_secs(30));
    let mut held = store.claim("a").await.unwrap().unwrap();
    server.ask::<()>(&["DEL", CLAIM]);
    assert!(!held.claim.write(&value("late")).await.unwrap());
    assert_eq!(store.read("a").await.unwrap(), None);
}

#[tokio::test]
async fn a_renewal_that_is_refused_ends_the_claim() {
    let server = Server::start();
    let store = store(&server, Duration::from_millis(1_500));
    let mut held = store.claim("a").await.unwrap().unwrap();
    server.ask::<()>(&["SET", CLAIM, "somebody else"]);
    until(Duration::from_secs(1), "the refusal is noticed", async || {
        held.claim.good_for().is_zero()
    })
    .await;
    assert!(!held.claim.write(&value("late")).await.unwrap());
    held.claim.release().await;
    assert_eq!(server.ask::<String>(&["GET", CLAIM]), "somebody else");
}

#[tokio::test]
async fn an_older_fence_does_not_write_even_with_the_owners_token() {
    let server = Server::start();
    let store = store(&server, Duration::from_secs(30));
    let mut held = store.claim("a").await.unwrap().unwrap();
    // As a replica that lagged behind gives it back: the claim is there, but a later one was granted elsewhere.
    server.ask::<()>(&["HINCRBY", RECORD, "fence", "1"]);
    assert!(!held.claim.write(&value("late")).await.unwrap());
    assert_eq!(store.read("a").await.unwrap(), None);
}

#[tokio::test]
async fn each_claim_has_a_later_fence_and_another_owner() {
    let server = Server::start();
    let store = store(&server, Duration::from_secs(30));
    let mut owners = std::collections::HashSet::new();
    for nth in 1..=5 {
        let held = store.claim("a").await.unwrap().unwrap();
        assert_eq!(server.ask::<u64>(&["HGET", RECORD, "fence"]), nth);
        let owner: String = server.ask(&["GET", CLAIM]);
        assert_eq!(owner.len(), 32);
        assert!(owners.insert(owner));
        held.claim.release().await;
    }
}

#[tokio::test]
async fn a_claim_on_a_server_that_was_wiped_is_gone() {
    let server = Server::start();
    let store = store(&server, Duration::from_secs(30));
    let mut held = store.claim("a").await.unwrap().unwrap();
    assert!(held.claim.write(&value("before")).await.unwrap());
    server.ask::<()>(&["FLUSHALL"]);
    server.ask::<()>(&["SCRIPT", "FLUSH"]);
    assert!(!held.claim.write(&value("after")).await.unwrap());
    assert_eq!(store.read("a").await.unwrap(), None);
    held.claim.release().await;
    // The server does not know the scripts any more either.
    let mut next = store.claim("a").await.unwrap().unwrap();
    assert!(next.claim.write(&value("next")).await.unwrap());
}

#[tokio::test]
async fn a_caller_that_gives_up_leaves_no_claim_behind() {
    let server = Server::start();
    let store = store(&server, Duration::from_secs(30));
    store.read("a").await.unwrap();
    server.ask::<()>(&["CONFIG", "RESETSTAT"]);
    server.pause();
    let gave_up = tokio::time::timeout(Duration::from_millis(100), store.claim("a")).await;
    assert!(gave_up.is_err(), "the answer is still to come");
    server.resume();
    until(
        Duration::from_secs(2),
        "the claim was granted and given back",
        async || {
            let stats: String = server.ask(&["INFO", "commandstats"]);
            stats.contains("cmdstat_set:calls=1,") && stats.contains("cmdstat_del:calls=1,")
        },
    )
    .await;
    until(Duration::from_secs(2), "the claim is free", async || {
        server.ask::<i64>(&["EXISTS", CLAIM]) == 0
    })
    .await;
}

/// What was sent, as `MONITOR` shows it: a line of quoted words.
fn words(line: &str) -> Vec<String> {
    let quoted = line.split('"').skip(1).step_by(2);
    quoted.map(str::to_owned).collect()
}

/// A write is sent again when its connection breaks; what was on the old one may arrive after the next write.
#[tokio::test]
async fn h2_a_write_that_arrives_late_does_not_undo_the_next_one() {
    let server = Server::start();
    let store = store(&server, Duration::from_secs(30));
    let mut held = store.claim("a").await.unwrap().unwrap();
    // The scripts are known to the server from here on.
    assert!(held.claim.write(&value("zero")).await.unwrap());
    let mut watched = server.watched();
    assert!(held.claim.write(&value("one")).await.unwrap());
    let first = watched.lines().find(|line| line.contains("\"one\"")).unwrap();
    let sent = words(&first);
    assert_eq!(sent[0].to_uppercase(), "EVALSHA", "{first}");
    let again: Vec<&str> = sent.iter().map(String::as_str).collect();
    assert_eq!(server.ask::<u64>(&again), 1, "sent twice, written once");
    assert!(held.claim.write(&value("two")).await.unwrap());
    assert_eq!(server.ask::<u64>(&again), 0, "too late");
    assert_eq!(store.read("a").await.unwrap(), Some(value("two")));
    held.claim.release().await;
    let mut next = store.claim("a").await.unwrap().unwrap();
    assert!(
        next.claim.write(&value("three")).await.unwrap(),
        "a new claim counts anew"
    );
    assert_eq!(server.ask::<u64>(&again), 3, "another has claimed since");
    next.claim.release().await;
}
