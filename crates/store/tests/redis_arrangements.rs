//! The Redis store behind Sentinels, across a failover, and on a cluster whose slots move.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::sync::Arc;
use std::time::Duration;

use preopen_core::ErrorKind;
use preopen_core::seal::SealKey;
use preopen_store::conformance::check;
use preopen_store::{RedisStore, Store as _, Value};

#[path = "common/redis.rs"]
mod server;
use server::{Certificates, Server, until};

/// The longest that servers may take to agree.
const AGREED: Duration = Duration::from_secs(30);

fn store(url: &str) -> RedisStore {
    let key = SealKey::generate().unwrap();
    RedisStore::new(url).unwrap().with_key(key)
}

fn value(text: &str) -> Value {
    Value::new(Some(text.to_owned()), Some(text.to_owned()))
}

/// Writes as a program would that is told to try again.
async fn put(store: &RedisStore, account: &str, text: &str) {
    until(AGREED, "it can be written", async || {
        let Ok(Some(mut claimed)) = store.claim(account).await else {
            return false;
        };
        let written = claimed.claim.write(&value(text)).await.unwrap_or(false);
        claimed.claim.release().await;
        written
    })
    .await;
}

fn behind(sentinel: &Server, rest: &str) -> RedisStore {
    // One of the Sentinels is never there.
    let gone = server::free_port();
    store(&format!(
        "redis+sentinel://127.0.0.1:{gone},127.0.0.1:{}/{rest}",
        sentinel.port()
    ))
}

#[tokio::test]
async fn the_master_is_found_through_sentinels() {
    let master = Server::start();
    let sentinel = Server::sentinel_of(&master, "CANARY-sentinel");
    let store = behind(&sentinel, "mymaster/0?sentinel_password=CANARY-sentinel");
    assert!(store.describe().ends_with("/mymaster/0"), "{store:?}");
    let violations = check(Arc::new(store)).await;
    assert!(violations.is_empty(), "{violations:?}");
    assert!(master.ask::<u64>(&["DBSIZE"]) > 0);
    for (wrong, says) in [
        (
            "other?sentinel_password=CANARY-sentinel",
            "no master of this name",
        ),
        ("mymaster?sentinel_password=CANARY-wrong", "uthentication"),
    ] {
        let error = behind(&sentinel, wrong).read("a").await.unwrap_err();
        let told = format!("{error} {error:?}");
        assert_eq!(error.kind(), ErrorKind::StoreUnavailable, "{told}");
        assert!(told.contains(says), "{told}");
        assert!(!told.contains("CANARY"), "{told}");
    }
}

#[tokio::test]
async fn a_failover_is_followed() {
    let mut master = Server::start();
    let port = master.port().to_string();
    let replica = Server::with(&["--replicaof", "127.0.0.1", &port]);
    until(AGREED, "the replica follows", async || {
        replica
            .ask::<String>(&["INFO", "replication"])
            .contains("master_link_status:up")
    })
    .await;
    let sentinel = Server::sentinel_of(&master, "pw");
    let sentinel_store = behind(&sentinel, "mymaster?sentinel_password=pw");
    put(&sentinel_store, "a", "before").await;
    until(AGREED, "it is replicated", async || {
        replica.ask::<i64>(&["EXISTS", "preopen:{a}"]) == 1
    })
    .await;
    until(AGREED, "the Sentinel knows the replica", async || {
        let url = format!("redis://:pw@127.0.0.1:{}", sentinel.port());
        let mut connection = redis::Client::open(url).unwrap().get_connection().unwrap();
        let info: String = redis::cmd("INFO").arg("sentinel").query(&mut connection).unwrap();
        info.contains("slaves=1")
    })
    .await;
    let mut held = sentinel_store.claim("a").await.unwrap().unwrap();
    let claim = "preopen:{a}:claim";
    until(AGREED, "the claim is replicated", async || {
        replica.ask::<i64>(&["EXISTS", claim]) == 1
    })
    .await;
    master.kill();
    let error = sentinel_store.read("a").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StoreUnavailable);
    until(
        AGREED,
        "the replica takes over",
        async || matches!(sentinel_store.read("a").await, Ok(Some(kept)) if kept == value("before")),
    )
    .await;
    // Either it came in time for the renewals, or the claim is given up; what was refused is not written.
    let written = held.claim.write(&value("after")).await.unwrap();
    assert_eq!(written, held.claim.good_for() > Duration::ZERO);
    drop(held);
    put(&sentinel_store, "a", "anew").await;
    assert_eq!(replica.ask::<String>(&["HGET", "preopen:{a}", "guard"]), "anew");
}

#[tokio::test]
async fn a_master_that_became_a_replica_is_left() {
    let (first, second) = (Server::start(), Server::start());
    let sentinel = Server::sentinel_of(&first, "pw");
    let store = behind(&sentinel, "mymaster?sentinel_password=pw");
    put(&store, "a", "on the first").await;
    let port = second.port().to_string();
    first.ask::<()>(&["REPLICAOF", "127.0.0.1", &port]);
    // The Sentinel still names the first: neither a claim on a replica nor a wait for ever.
    let error = store.claim("a").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StoreUnavailable, "{error}");
    assert!(store.read("a").await.is_err(), "a replica may lag behind");
    first.ask::<()>(&["REPLICAOF", "NO", "ONE"]);
    put(&store, "a", "on the first again").await;
}

/// Two nodes with half of the slots each.
async fn cluster() -> [Server; 2] {
    let nodes = [Server::node(), Server::node()];
    nodes[0].ask::<()>(&["CLUSTER", "ADDSLOTSRANGE", "0", "8191"]);
    nodes[1].ask::<()>(&["CLUSTER", "ADDSLOTSRANGE", "8192", "16383"]);
    let port = nodes[1].port().to_string();
    nodes[0].ask::<()>(&["CLUSTER", "MEET", "127.0.0.1", &port]);
    until(AGREED, "the nodes agree", async || {
        nodes.iter().all(|node| {
            let info: String = node.ask(&["CLUSTER", "INFO"]);
            info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:2")
        })
    })
    .await;
    nodes
}

fn on(nodes: &[&Server]) -> RedisStore {
    let hosts: Vec<String> = nodes.iter().map(|node| node.address()).collect();
    store(&format!("redis+cluster://{}", hosts.join(",")))
}

#[tokio::test]
async fn a_cluster_of_one_node_does_what_every_store_does() {
    let node = Server::node();
    node.ask::<()>(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]);
    until(AGREED, "it is ready", async || {
        node.ask::<String>(&["CLUSTER", "INFO"])
            .contains("cluster_state:ok")
    })
    .await;
    let violations = check(Arc::new(on(&[&node]))).await;
    assert!(violations.is_empty(), "{violations:?}");
}

#[tokio::test]
async fn a_cluster_of_two_nodes_does_what_every_store_does() {
    let [one, other] = cluster().await;
    let store = on(&[&one]);
    let violations = check(Arc::new(store.clone())).await;
    assert!(violations.is_empty(), "{violations:?}");
    for nth in 0..8 {
        let account = format!("a-{nth}");
        put(&store, &account, &account).await;
        assert_eq!(store.read(&account).await.unwrap(), Some(value(&account)));
    }
    for node in [&one, &other] {
        assert!(node.ask::<u64>(&["DBSIZE"]) > 0, "both nodes have accounts");
    }
}

#[tokio::test]
async fn an_account_is_followed_while_its_slot_moves_and_after() {
    let [one, other] = cluster().await;
    let store = on(&[&one, &other]);
    put(&store, "warm", "up").await;
    let slot: u64 = one.ask(&["CLUSTER", "KEYSLOT", "preopen:{moves}"]);
    let slot = slot.to_string();
    let (from, to) = if slot.parse::<u64>().unwrap() < 8192 {
        (&one, &other)
    } else {
        (&other, &one)
    };
    let ids = [
        from.ask::<String>(&["CLUSTER", "MYID"]),
        to.ask::<String>(&["CLUSTER", "MYID"]),
    ];
    put(&store, "moves", "before").await;
    let mut held = store.claim("moves").await.unwrap().unwrap();
    to.ask::<()>(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &ids[0]]);
    from.ask::<()>(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &ids[1]]);
    let port = to.port().to_string();
    let migrate = |key: &str| from.ask::<()>(&["MIGRATE", "127.0.0.1", &port, key, "0", "5000"]);
    migrate("preopen:{moves}");
    assert_eq!(store.read("moves").await.unwrap(), Some(value("before")));
    // One of two keys has moved: the cluster itself says to try again.
    let error = held.claim.write(&value("between")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StoreUnavailable, "{error}");
    migrate("preopen:{moves}:claim");
    assert!(held.claim.write(&value("while it moves")).await.unwrap());
    assert_eq!(store.read("moves").await.unwrap(), Some(value("while it moves")));
    for node in [to, from] {
        node.ask::<()>(&["CLUSTER", "SETSLOT", &slot, "NODE", &ids[1]]);
    }
    assert!(held.claim.write(&value("moved")).await.unwrap());
    held.claim.release().await;
    put(&store, "moves", "after").await;
    assert_eq!(store.read("moves").await.unwrap(), Some(value("after")));
    assert_eq!(to.ask::<u64>(&["CLUSTER", "COUNTKEYSINSLOT", &slot]), 1);
}

#[tokio::test]
async fn a_cluster_is_reached_through_any_of_its_nodes() {
    let [one, other] = cluster().await;
    let gone = server::free_port();
    let store = store(&format!("redis+cluster://127.0.0.1:{gone},{}", other.address()));
    for nth in 0..4 {
        put(&store, &format!("a-{nth}"), "x").await;
    }
    drop(one);
}

#[tokio::test]
async fn a_cluster_is_spoken_to_over_tls_also_where_it_sends_us() {
    let certificates = Certificates::generate();
    let tls = ["--cluster-enabled", "yes", "--tls-cluster", "yes"];
    let nodes = [(); 2].map(|()| Server::with_tls(&certificates, &tls));
    nodes[0].ask::<()>(&["CLUSTER", "ADDSLOTSRANGE", "0", "8191"]);
    nodes[1].ask::<()>(&["CLUSTER", "ADDSLOTSRANGE", "8192", "16383"]);
    let port = nodes[1].tls_port().to_string();
    nodes[0].ask::<()>(&["CLUSTER", "MEET", "127.0.0.1", &port]);
    until(AGREED, "the nodes agree", async || {
        let agreed = |node: &Server| {
            node.ask::<String>(&["CLUSTER", "INFO"])
                .contains("cluster_state:ok")
        };
        nodes.iter().all(agreed)
    })
    .await;
    let url = format!("rediss+cluster://127.0.0.1:{}", nodes[0].tls_port());
    let known = store(&url).ca_file(certificates.ca_file());
    for nth in 0..8 {
        put(&known, &format!("a-{nth}"), "x").await;
    }
    for node in &nodes {
        assert!(node.ask::<u64>(&["DBSIZE"]) > 0, "both nodes have accounts");
    }
    let error = store(&url).read("a").await.unwrap_err();
    assert!(error.to_string().contains("certificate"), "{error}");
}

#[tokio::test]
async fn sentinels_and_their_master_are_spoken_to_over_tls() {
    let certificates = Certificates::generate();
    let master = Server::with_tls(&certificates, &["--tls-replication", "yes"]);
    let sentinel = Server::tls_sentinel_of(&master, &certificates);
    let url = format!("rediss+sentinel://localhost:{}/mymaster", sentinel.tls_port());
    let known = store(&url).ca_file(certificates.ca_file());
    put(&known, "a", "x").await;
    assert_eq!(master.ask::<String>(&["HGET", "preopen:{a}", "guard"]), "x");
    let error = store(&url).read("a").await.unwrap_err();
    assert!(error.to_string().contains("certificate"), "{error}");
}
