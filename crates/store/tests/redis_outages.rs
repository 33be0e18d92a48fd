//! A Redis that is not there: killed, paused, and back again with and without what it kept (H5 as far as a store goes).
#![allow(clippy::unwrap_used, reason = "a test")]

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use preopen_core::ErrorKind;
use preopen_core::seal::SealKey;
use preopen_store::{RedisStore, Store as _, Value};

#[path = "common/redis.rs"]
mod server;
use server::{Server, free_port, until};

/// The longest that any call may take.
const SOON: Duration = Duration::from_secs(7);

fn store(url: &str) -> RedisStore {
    let key = SealKey::generate().unwrap();
    RedisStore::new(url).unwrap().with_key(key)
}

fn value(text: &str) -> Value {
    Value::new(Some(text.to_owned()), Some(text.to_owned()))
}

async fn put(store: &RedisStore, text: &str) {
    let mut claimed = store.claim("a").await.unwrap().unwrap();
    assert!(claimed.claim.write(&value(text)).await.unwrap());
    claimed.claim.release().await;
}

/// Fails in time, with a message that says which server and nothing more.
async fn is_unavailable(store: &RedisStore, address: &str) {
    let began = Instant::now();
    let errors = [
        store.read("a").await.unwrap_err(),
        store.claim("a").await.unwrap_err(),
    ];
    let took = began.elapsed();
    assert!(took < 2 * SOON, "{took:?}");
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::StoreUnavailable, "{error}");
        let told = format!("{error} {error:?} {:?}", error.causes());
        assert!(told.contains(address), "{told}");
        assert!(!told.contains("CANARY"), "{told}");
    }
    let began = Instant::now();
    store.changed("a", None, Duration::from_millis(300)).await;
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(150), "no busy loop: {took:?}");
    assert!(took < Duration::from_secs(1), "{took:?}");
}

#[tokio::test]
async fn where_nothing_listens_every_call_fails_at_once() {
    let port = free_port();
    let store = store(&format!("redis://CANARY-user:CANARY-password@127.0.0.1:{port}/0"));
    let began = Instant::now();
    is_unavailable(&store, &format!("127.0.0.1:{port}")).await;
    assert!(began.elapsed() < Duration::from_secs(2));
    let unknown = self::store("redis://:CANARY@nowhere.invalid:6379");
    is_unavailable(&unknown, "nowhere.invalid:6379").await;
}

#[tokio::test]
async fn it_heals_when_a_killed_server_is_back_with_what_it_kept() {
    let mut server = Server::start();
    let store = store(&server.url());
    put(&store, "before").await;
    server.save();
    server.kill();
    is_unavailable(&store, &server.address()).await;
    server.start_again();
    // The first call after it: nobody has to try twice.
    assert_eq!(store.read("a").await.unwrap(), Some(value("before")));
    put(&store, "after").await;
    assert_eq!(server.clients(), 1);
}

#[tokio::test]
async fn a_restart_that_nobody_noticed_fails_no_call() {
    let mut server = Server::start();
    let store = store(&server.url());
    for nth in 0..3 {
        put(&store, &nth.to_string()).await;
        server.save();
        server.kill();
        server.start_again();
        assert_eq!(store.read("a").await.unwrap(), Some(value(&nth.to_string())));
    }
}

#[tokio::test]
async fn a_claim_survives_a_restart_with_data_and_not_one_without() {
    let mut server = Server::start();
    let store = store(&server.url());
    let mut held = store.claim("a").await.unwrap().unwrap();
    assert!(held.claim.write(&value("before")).await.unwrap());
    server.save();
    server.kill();
    server.start_again();
    assert!(held.claim.write(&value("between")).await.unwrap());
    server.kill();
    server.wipe();
    server.start_again();
    assert!(!held.claim.write(&value("after")).await.unwrap());
    assert_eq!(store.read("a").await.unwrap(), None);
    put(&store, "anew").await;
}

/// A firewall before a server: connections that it was told to forget stay open, and nothing passes.
fn firewall(server: &Server, forget: &Arc<AtomicUsize>) -> u16 {
    firewall_that_passes(server, forget, false)
}

/// The same; it may be that requests pass, and answers do not.
fn firewall_that_passes(server: &Server, forget: &Arc<AtomicUsize>, requests: bool) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (to, forget) = (server.port(), Arc::clone(forget));
    std::thread::spawn(move || {
        for (nth, client) in listener.incoming().enumerate() {
            let client = client.unwrap();
            let server = TcpStream::connect(("127.0.0.1", to)).unwrap();
            let ways = [
                (client.try_clone().unwrap(), server.try_clone().unwrap()),
                (server, client),
            ];
            for (answers, (mut from, mut to)) in [false, true].into_iter().zip(ways) {
                let forget = Arc::clone(&forget);
                std::thread::spawn(move || {
                    let mut bytes = [0; 4096];
                    while let Ok(length @ 1..) = from.read(&mut bytes) {
                        let passes = (requests && !answers) || nth >= forget.load(Ordering::SeqCst);
                        if passes && to.write_all(&bytes[..length]).is_err() {
                            break;
                        }
                    }
                });
            }
        }
    });
    port
}

#[tokio::test]
async fn a_connection_that_a_firewall_forgot_is_replaced_within_the_call() {
    let server = Server::start();
    let forget = Arc::new(AtomicUsize::new(0));
    let port = firewall(&server, &forget);
    let store = store(&format!("redis://127.0.0.1:{port}"));
    put(&store, "before").await;
    forget.store(1, Ordering::SeqCst);
    let began = Instant::now();
    assert_eq!(store.read("a").await.unwrap(), Some(value("before")));
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
    let mut held = store.claim("a").await.unwrap().unwrap();
    // What was sent on the forgotten connection and on the next one is one write.
    forget.store(2, Ordering::SeqCst);
    assert!(held.claim.write(&value("after")).await.unwrap());
    assert_eq!(store.read("a").await.unwrap(), Some(value("after")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_whose_answer_was_lost_is_never_called_refused() {
    for taken in [false, true] {
        let server = Server::start();
        let forget = Arc::new(AtomicUsize::new(0));
        let port = firewall_that_passes(&server, &forget, true);
        let store = store(&format!("redis://127.0.0.1:{port}"));
        put(&store, "before").await;
        let mut held = store.claim("a").await.unwrap().unwrap();
        // The write arrives and its answer does not; before it is sent again, the lease is over.
        forget.store(1, Ordering::SeqCst);
        let late = value("late");
        let writing = held.claim.write(&late);
        let lapse = async {
            tokio::time::sleep(Duration::from_millis(700)).await;
            server.ask::<()>(&["DEL", "preopen:{a}:claim"]);
            if taken {
                server.ask::<()>(&["HINCRBY", "preopen:{a}", "fence", "1"]);
            }
        };
        let (written, ()) = tokio::join!(writing, lapse);
        if taken {
            assert_eq!(written.unwrap_err().kind(), ErrorKind::StoreUnavailable);
        } else {
            assert!(written.unwrap(), "nobody else can have written since");
        }
        assert_eq!(held.claim.good_for(), Duration::ZERO);
        assert!(!held.claim.write(&value("too late")).await.unwrap());
        forget.store(0, Ordering::SeqCst);
        assert_eq!(store.read("a").await.unwrap(), Some(value("late")));
    }
}

#[tokio::test]
async fn a_write_to_a_server_that_is_gone_is_an_error_and_not_a_refusal() {
    let mut server = Server::start();
    let store = store(&server.url());
    let mut held = store.claim("a").await.unwrap().unwrap();
    server.kill();
    let error = held.claim.write(&value("x")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StoreUnavailable, "{error}");
    let began = Instant::now();
    held.claim.release().await;
    assert!(began.elapsed() < SOON);
}

#[tokio::test]
async fn a_holder_that_cannot_renew_does_not_write() {
    let mut server = Server::start();
    let store = store(&server.url()).lease(Duration::from_millis(1_500));
    let mut held = store.claim("a").await.unwrap().unwrap();
    server.save();
    server.kill();
    until(Duration::from_secs(2), "it knows", async || {
        held.claim.good_for().is_zero()
    })
    .await;
    server.start_again();
    assert!(!held.claim.write(&value("late")).await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_server_is_unavailable_in_a_few_seconds_and_heals() {
    let server = Server::start();
    let store = store(&server.url());
    put(&store, "before").await;
    server.pause();
    let began = Instant::now();
    let many: Vec<_> = (0..100)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { store.read("a").await.unwrap_err().kind() })
        })
        .collect();
    for one in many {
        assert_eq!(one.await.unwrap(), ErrorKind::StoreUnavailable);
    }
    assert!(began.elapsed() < SOON, "a hundred: {:?}", began.elapsed());
    is_unavailable(&store, &server.address()).await;
    server.resume();
    let healed = until(SOON, "it heals", async || store.read("a").await.is_ok()).await;
    assert!(healed < Duration::from_secs(3), "{healed:?}");
    assert_eq!(store.read("a").await.unwrap(), Some(value("before")));
}

#[tokio::test]
async fn a_claim_that_nobody_got_an_answer_for_is_given_back() {
    let server = Server::start();
    let store = store(&server.url());
    // The server knows the script.
    put(&store, "before").await;
    server.ask::<()>(&["CONFIG", "RESETSTAT"]);
    server.pause();
    // It goes out on the connection that is there.
    store.claim("a").await.unwrap_err();
    server.resume();
    // Long before the lease of 30 seconds is over.
    until(Duration::from_secs(15), "it is given back", async || {
        let stats: String = server.ask(&["INFO", "commandstats"]);
        stats.contains("cmdstat_set:calls=1,") && stats.contains("cmdstat_del:calls=1,")
    })
    .await;
    assert!(store.claim("a").await.unwrap().is_some());
}

#[tokio::test]
async fn a_server_that_was_paused_for_longer_than_the_lease_gives_the_claim_to_another() {
    let server = Server::start();
    let store = store(&server.url()).lease(Duration::from_millis(1_500));
    let mut first = store.claim("a").await.unwrap().unwrap();
    assert!(first.claim.write(&value("first")).await.unwrap());
    server.pause();
    tokio::time::sleep(Duration::from_millis(1_600)).await;
    assert_eq!(
        first.claim.good_for(),
        Duration::ZERO,
        "nobody said that it still holds"
    );
    server.resume();
    let mut second = None;
    until(SOON, "another has it", async || {
        second = store.claim("a").await.ok().flatten();
        second.is_some()
    })
    .await;
    let mut second = second.unwrap();
    assert!(!first.claim.write(&value("late")).await.unwrap());
    assert!(second.claim.write(&value("second")).await.unwrap());
    drop(first);
    assert_eq!(store.read("a").await.unwrap(), Some(value("second")));
    assert!(second.claim.write(&value("second again")).await.unwrap());
}
