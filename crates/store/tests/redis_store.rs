//! The Redis store against a real server: what every store does, over plain connections, with a user of the ACL, and
//! over TLS; what it keeps there; and what it shares.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use preopen_core::seal::SealKey;
use preopen_core::{ErrorKind, Secret};
use preopen_store::conformance::check;
use preopen_store::{KeySource, RedisStore, Store, Value};

#[path = "common/redis.rs"]
mod server;
use server::{Certificates, Server, until};

/// What the documentation says a user needs.
const RULES: &str = "~preopen:* &preopen:* +eval +evalsha +hget +hmget +hset +hdel +hincrby +get +set +del +pexpire \
    +pttl +publish +subscribe +ping";

fn store(url: &str) -> RedisStore {
    let key = SealKey::generate().unwrap();
    RedisStore::new(url).unwrap().with_key(key)
}

fn value(session: &str, guard: &str) -> Value {
    Value::new(Some(session.to_owned()), Some(guard.to_owned()))
}

#[tokio::test]
async fn it_does_what_every_store_does() {
    let server = Server::start();
    let violations = check(Arc::new(store(&server.url()))).await;
    assert!(violations.is_empty(), "{violations:?}");
}

#[tokio::test]
async fn it_keeps_to_its_database() {
    let server = Server::start();
    let (third, first) = (store(&server.url().replace("/0", "/3")), store(&server.url()));
    let mut claimed = third.claim("a").await.unwrap().unwrap();
    assert!(claimed.claim.write(&value("s", "g")).await.unwrap());
    assert_eq!(server.ask::<u64>(&["DBSIZE"]), 0);
    assert_eq!(first.read("a").await.unwrap(), None);
    assert_eq!(third.read("a").await.unwrap(), Some(value("s", "g")));
}

#[tokio::test]
async fn a_user_with_the_documented_rights_can_do_everything() {
    let server = Server::start();
    server.user("app", "pass/word", RULES);
    server.ask::<()>(&["ACL", "SETUSER", "default", "-@all", "+ping"]);
    let violations = check(Arc::new(store(&server.url_of("app", "pass%2Fword")))).await;
    assert!(violations.is_empty(), "{violations:?}");
}

#[tokio::test]
async fn it_works_over_tls_with_an_authority_that_is_known() {
    let certificates = Certificates::generate();
    let server = Server::with_tls(&certificates, &[]);
    let known = store(&server.tls_url()).ca_file(certificates.ca_file());
    let violations = check(Arc::new(known)).await;
    assert!(violations.is_empty(), "{violations:?}");
    let by_name = server.tls_url().replace("127.0.0.1", "localhost");
    let known = store(&by_name).ca_file(certificates.ca_file());
    assert_eq!(known.read("a").await.unwrap(), None);
}

#[tokio::test]
async fn a_server_of_an_unknown_authority_or_another_name_is_refused() {
    let certificates = Certificates::generate();
    let server = Server::with_tls(&certificates, &[]);
    let others = Certificates::generate();
    let other_name = server.tls_url().replace("127.0.0.1", "127.0.0.2");
    for (what, store) in [
        ("public authorities", store(&server.tls_url())),
        ("another one", store(&server.tls_url()).ca_file(others.ca_file())),
        ("another name", store(&other_name).ca_file(certificates.ca_file())),
    ] {
        let error = store.read("a").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StoreUnavailable, "{what}");
        let told = error.to_string();
        assert!(told.contains("certificate"), "{what}: {told}");
    }
    let plain = store(&server.tls_url().replace("rediss", "redis"));
    assert!(plain.read("a").await.is_err(), "plain text to a TLS port");
    let error = store(&server.tls_url())
        .ca_file("/nowhere.pem")
        .read("a")
        .await
        .unwrap_err();
    assert_eq!(error.field(), Some("ca_file"), "{error}");
}

#[tokio::test]
async fn a_wrong_password_or_a_missing_right_is_told_without_the_login() {
    let server = Server::start();
    server.user("app", "CANARY-password", "~other:* +@all");
    for (what, url, says) in [
        ("wrong", server.url_of("app", "CANARY-wrong"), "WRONGPASS"),
        ("unknown", server.url_of("CANARY-user", "CANARY-x"), "WRONGPASS"),
        ("no right", server.url_of("app", "CANARY-password"), "NoPerm"),
    ] {
        let store = store(&url);
        let failures = [
            store.read("a").await.unwrap_err(),
            store.claim("a").await.unwrap_err(),
        ];
        for error in failures {
            let told = format!(
                "{error} {error:?} {:?} {store:?} {}",
                error.causes(),
                store.describe()
            );
            assert_eq!(error.kind(), ErrorKind::StoreUnavailable, "{what}");
            assert!(told.contains(&server.address()), "{what}: {told}");
            assert!(!told.contains("CANARY"), "{what}: {told}");
            assert!(!told.contains("app"), "{what}: {told}");
            assert!(
                told.contains(says) || told.contains("uthentication"),
                "{what}: {told}"
            );
        }
    }
}

#[tokio::test]
async fn what_is_kept_is_what_was_given_and_ends_on_its_own() {
    let server = Server::start();
    let store = store(&server.url()).prefix("pre").ttl(Duration::from_hours(2));
    let key = SealKey::generate().unwrap();
    let sealed = |text: &str| key.seal(&Secret::new(text), b"context").unwrap();
    let kept = value(&sealed("CANARY session"), &sealed("CANARY guard"));
    let mut claimed = store.claim("samco-live-ab12").await.unwrap().unwrap();
    for nth in 0..3 {
        server.ask::<Option<i64>>(&["PERSIST", "pre:{samco-live-ab12}"]);
        assert!(claimed.claim.write(&kept).await.unwrap(), "{nth}");
        let ttl: i64 = server.ask(&["TTL", "pre:{samco-live-ab12}"]);
        assert!((7190..=7200).contains(&ttl), "{ttl}");
    }
    let mut names: Vec<String> = server.ask(&["KEYS", "*"]);
    names.sort();
    assert_eq!(names, ["pre:{samco-live-ab12}", "pre:{samco-live-ab12}:claim"]);
    let fields: Vec<String> = server.ask(&["HGETALL", &names[0]]);
    let claim: String = server.ask(&["GET", &names[1]]);
    assert!(!format!("{fields:?}{claim}").contains("CANARY"));
    assert_eq!(fields.len(), 8, "session, guard, fence, nth: {fields:?}");
    assert!(fields.contains(kept.session.as_ref().unwrap()));
    let held: i64 = server.ask(&["PTTL", &names[1]]);
    assert!((1..=30_000).contains(&held), "{held}");
    claimed.claim.release().await;
    assert_eq!(
        server.ask::<Vec<String>>(&["KEYS", "*"]),
        ["pre:{samco-live-ab12}"]
    );
}

#[test]
fn all_stores_of_a_process_share_one_connection_whoever_asks() {
    let server = Server::start();
    let url = server.url();
    let threads: Vec<_> = (0..8)
        .map(|nth| {
            let url = url.clone();
            // Each on a runtime of its own, which ends with its thread.
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                runtime.unwrap().block_on(async {
                    let store = store(&url);
                    let account = format!("a-{nth}");
                    let mut claimed = store.claim(&account).await.unwrap().unwrap();
                    assert!(claimed.claim.write(&value("s", &account)).await.unwrap());
                    (store, claimed)
                })
            })
        })
        .collect();
    let held: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    assert_eq!(server.clients(), 1);
    // Futures need no tokio at all.
    let (store, mut claimed) = held.into_iter().next().unwrap();
    let written = futures_executor(claimed.claim.write(&value("s", "again")));
    assert!(written.unwrap());
    assert_eq!(
        futures_executor(store.read("a-0")).unwrap(),
        Some(value("s", "again"))
    );
    assert_eq!(server.clients(), 1);
}

/// The simplest of executors.
fn futures_executor<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(std::thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Arc::new(Unpark(std::thread::current())).into();
    let mut future = std::pin::pin!(future);
    loop {
        let polled = future.as_mut().poll(&mut std::task::Context::from_waker(&waker));
        match polled {
            std::task::Poll::Ready(value) => return value,
            std::task::Poll::Pending => std::thread::park(),
        }
    }
}

#[tokio::test]
async fn those_who_wait_share_one_connection_more() {
    let server = Server::start();
    let stores: Vec<RedisStore> = (0..4).map(|_| store(&server.url())).collect();
    let held = stores[0].claim("a").await.unwrap().unwrap();
    let waits = stores.iter().flat_map(|store| (0..8).map(|_| store.clone()));
    let waits: Vec<_> = waits
        .map(|store| tokio::spawn(async move { store.changed("a", None, Duration::from_secs(1)).await }))
        .collect();
    until(Duration::from_secs(5), "it listens", async || {
        server
            .ask::<(String, u64)>(&["PUBSUB", "NUMSUB", "preopen:{a}:changed"])
            .1
            == 1
    })
    .await;
    assert_eq!(server.clients(), 2);
    for wait in waits {
        wait.await.unwrap();
    }
    held.claim.release().await;
}

#[tokio::test]
async fn settings_are_checked_before_anything_is_sent() {
    let began = Instant::now();
    let nowhere = || store("redis://192.0.2.1:6379");
    let no_key = RedisStore::new("redis://192.0.2.1:6379").unwrap();
    for (field, store) in [
        ("key", no_key),
        ("lease", nowhere().lease(Duration::from_millis(10))),
        ("lease", nowhere().lease(Duration::from_hours(1))),
        ("ttl", nowhere().ttl(Duration::from_mins(1))),
        ("prefix", nowhere().prefix("")),
        ("prefix", nowhere().prefix("a{b}")),
        ("ca_file", nowhere().ca_file("/ca.pem")),
    ] {
        let errors = [
            store.validate().unwrap_err(),
            store.read("a").await.unwrap_err(),
            store.claim("a").await.unwrap_err(),
        ];
        for error in errors {
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
            assert_eq!(error.field(), Some(field), "{error}");
        }
    }
    assert!(began.elapsed() < Duration::from_secs(1));
    let given = SealKey::generate().unwrap();
    let store = nowhere().with_key(given.clone());
    store.validate().unwrap();
    for source in [None, Some(KeySource::Program)] {
        let (source, key) = Store::key(&store, source).await.unwrap();
        assert_eq!((source, key.to_text()), (KeySource::Program, given.to_text()));
    }
    let error = Store::key(&store, Some(KeySource::File)).await.unwrap_err();
    assert_eq!(error.field(), Some("key"), "{error}");
}
