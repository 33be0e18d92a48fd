//! The bound on connections to one host: how many there are, who is next, and what waiting costs a request.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use preopen_core::ErrorKind;
use preopen_core::broker::Adapter as _;
use preopen_core::brokers::Samco;
use preopen_core::target::Target;
use preopen_core::wire::{
    CallClass, Endpoint, FailureCause, Method, RawReply, Request, Transport as _, TransportFailure,
};
use preopen_http::{HttpOptions, HttpTransport};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::advance;

const LONG: Duration = Duration::from_secs(30);

/// Answers each request when the test lets it.
struct Server {
    target: Target,
    seen: Arc<Seen>,
}

struct Seen {
    open: AtomicUsize,
    most_open: AtomicUsize,
    paths: Mutex<Vec<String>>,
    replies: Semaphore,
}

impl Server {
    async fn start(replies: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let target = Target::resolve(Samco::new("k", "s").policy(), Some(&url), &[]).unwrap();
        let seen = Arc::new(Seen {
            open: AtomicUsize::new(0),
            most_open: AtomicUsize::new(0),
            paths: Mutex::default(),
            replies: Semaphore::new(replies),
        });
        let shared = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Self { target, seen }
    }

    fn requests(&self) -> usize {
        self.seen.paths.lock().unwrap().len()
    }

    async fn until(&self, requests: usize) {
        let began = Instant::now();
        while self.requests() < requests {
            assert!(
                began.elapsed() < LONG,
                "{} of {requests} requests",
                self.requests()
            );
            tokio::task::yield_now().await;
        }
    }
}

async fn serve(mut stream: TcpStream, seen: Arc<Seen>) {
    let open = seen.open.fetch_add(1, Ordering::SeqCst) + 1;
    seen.most_open.fetch_max(open, Ordering::SeqCst);
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = stream.read(&mut buffer).await {
        let head = String::from_utf8_lossy(&buffer[..read]).into_owned();
        let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
        seen.paths.lock().unwrap().push(path);
        seen.replies.acquire().await.unwrap().forget();
        let reply = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
        if stream.write_all(reply).await.is_err() {
            break;
        }
    }
    seen.open.fetch_sub(1, Ordering::SeqCst);
}

fn transport(max_connections: usize) -> HttpTransport {
    let mut options = HttpOptions::default();
    options.max_connections = max_connections;
    HttpTransport::new(options)
}

fn request(class: CallClass, path: &str) -> Request {
    Request::new(Endpoint::new(Method::Post, path, class))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_requests_at_once_share_the_connections_that_there_are() {
    const BOUND: usize = 32;
    let server = Server::start(Semaphore::MAX_PERMITS).await;
    let transport = transport(BOUND);
    let mut calls = JoinSet::new();
    for _ in 0..2000 {
        let (transport, target) = (transport.clone(), server.target.clone());
        calls.spawn(async move {
            let request = request(CallClass::Read, "/x");
            transport.send(&target, &request, LONG).await.unwrap().status
        });
    }
    assert!(calls.join_all().await.iter().all(|status| *status == 200));
    let most = server.seen.most_open.load(Ordering::SeqCst);
    assert_eq!(server.requests(), 2000);
    // A connection that was begun just before another one came free is kept for the next request.
    assert!((1..=2 * BOUND).contains(&most), "{most} connections");
}

#[tokio::test]
async fn the_next_turn_goes_to_whoever_waits_longest() {
    let server = Server::start(0).await;
    let transport = transport(1);
    let mut calls = JoinSet::new();
    let paths: Vec<String> = (0..6).map(|n| format!("/{n}")).collect();
    for (nth, path) in paths.iter().enumerate() {
        let (transport, target, path) = (transport.clone(), server.target.clone(), path.clone());
        calls.spawn(async move {
            transport
                .send(&target, &request(CallClass::Read, &path), LONG)
                .await
        });
        if nth == 0 {
            server.until(1).await;
        }
        tokio::task::yield_now().await;
    }
    server.seen.replies.add_permits(6);
    assert!(calls.join_all().await.iter().all(Result::is_ok));
    assert_eq!(*server.seen.paths.lock().unwrap(), paths);
}

/// Sends in a task of its own.
fn sending(
    transport: &HttpTransport,
    server: &Server,
    (class, path): (CallClass, &str),
    deadline: Duration,
) -> JoinHandle<Result<RawReply, TransportFailure>> {
    let (transport, target) = (transport.clone(), server.target.clone());
    let request = request(class, path);
    tokio::spawn(async move { transport.send(&target, &request, deadline).await })
}

/// Keeps paused time where it is while sockets are waited for; it only moves by `advance`.
struct Standstill(#[allow(dead_code, reason = "dropping it is what it is for")] std::sync::mpsc::Sender<()>);

impl Standstill {
    fn begin() -> Self {
        let (hold, ended) = std::sync::mpsc::channel::<()>();
        tokio::task::spawn_blocking(move || ended.recv().is_ok());
        Self(hold)
    }
}

/// Lets every task go as far as it gets without time or the network.
async fn pass() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

const DEADLINE: Duration = Duration::from_secs(10);

#[tokio::test(start_paused = true)]
async fn who_gets_no_turn_in_half_the_time_has_sent_nothing_and_says_so() {
    let _time = Standstill::begin();
    let server = Server::start(0).await;
    let transport = transport(1);
    let first = sending(&transport, &server, (CallClass::Read, "/first"), LONG);
    server.until(1).await;
    let order = sending(&transport, &server, (CallClass::Write, "/order"), DEADLINE);
    pass().await;
    advance(DEADLINE * 49 / 100).await;
    pass().await;
    assert!(!order.is_finished());
    advance(DEADLINE / 50).await;
    let failure = order.await.unwrap().unwrap_err();
    assert_eq!(failure.cause, FailureCause::ConnectTimeout);
    assert!(
        failure.message.contains("1 requests are under way"),
        "{}",
        failure.message
    );
    let error = failure.into_error(&request(CallClass::Write, "/order").endpoint);
    assert_eq!(
        error.kind(),
        ErrorKind::Timeout,
        "not OutcomeUnknown: it was never sent"
    );
    server.seen.replies.add_permits(1);
    assert!(first.await.unwrap().is_ok());
    assert_eq!(server.requests(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_wait_counts_against_a_call_but_not_against_a_login() {
    let _time = Standstill::begin();
    for (class, rest) in [
        (CallClass::Read, DEADLINE * 3 / 5),
        (CallClass::Write, DEADLINE * 3 / 5),
        (CallClass::Login, DEADLINE),
    ] {
        let server = Server::start(0).await;
        let transport = transport(1);
        let first = sending(&transport, &server, (CallClass::Read, "/first"), LONG);
        server.until(1).await;
        let second = sending(&transport, &server, (class, "/second"), DEADLINE);
        pass().await;
        advance(DEADLINE * 2 / 5).await;
        server.seen.replies.add_permits(1);
        assert!(first.await.unwrap().is_ok());
        server.until(2).await;
        advance(rest * 99 / 100).await;
        pass().await;
        assert!(!second.is_finished(), "{class:?}");
        advance(DEADLINE / 50).await;
        assert_eq!(
            second.await.unwrap().unwrap_err().cause,
            FailureCause::Deadline,
            "{class:?}"
        );
    }
}

#[tokio::test]
async fn a_host_that_does_not_answer_takes_no_turn_of_another() {
    let (silent, other) = (Server::start(0).await, Server::start(1).await);
    let transport = transport(1);
    let stuck = sending(&transport, &silent, (CallClass::Read, "/stuck"), LONG);
    silent.until(1).await;
    let reply = transport
        .send(&other.target, &request(CallClass::Read, "/other"), LONG)
        .await;
    assert_eq!(reply.unwrap().status, 200);
    stuck.abort();
}

#[tokio::test]
async fn a_caller_who_gives_up_gives_his_turn_back() {
    let server = Server::start(0).await;
    let transport = transport(1);
    let deadline = Duration::from_millis(50);
    for _ in 0..3 {
        let failure = transport
            .send(&server.target, &request(CallClass::Read, "/slow"), deadline)
            .await;
        assert_eq!(failure.unwrap_err().cause, FailureCause::Deadline, "it was sent");
    }
    server.seen.replies.add_permits(10);
    let reply = transport
        .send(&server.target, &request(CallClass::Read, "/last"), LONG)
        .await;
    assert_eq!(reply.unwrap().status, 200);
}

/// The threads of this process with that name.
#[cfg(target_os = "linux")]
fn threads(name: &str) -> usize {
    let named = |path: std::path::PathBuf| std::fs::read_to_string(path.join("comm")).unwrap_or_default();
    std::fs::read_dir("/proc/self/task")
        .unwrap()
        .filter(|entry| named(entry.as_ref().unwrap().path()).trim_end() == name)
        .count()
}

#[test]
#[cfg(target_os = "linux")]
fn a_host_name_is_looked_up_once_for_all_who_connect_together() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("names-test")
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let server = Server::start(Semaphore::MAX_PERMITS).await;
        let url = server.target.base_url().replace("127.0.0.1", "localhost");
        let target = Target::resolve(Samco::new("k", "s").policy(), Some(&url), &[]).unwrap();
        let transport = transport(128);
        let mut calls = JoinSet::new();
        for _ in 0..128 {
            let (transport, target) = (transport.clone(), target.clone());
            calls.spawn(async move {
                transport
                    .send(&target, &request(CallClass::Read, "/x"), LONG)
                    .await
            });
        }
        assert!(calls.join_all().await.iter().all(Result::is_ok));
        assert!(
            server.seen.most_open.load(Ordering::SeqCst) > 8,
            "they did connect together"
        );
    });
    // Threads of finished look-ups stay for a while, so that none is missed here: the worker, and one for them all.
    let threads = threads("names-test");
    assert!((1..=2).contains(&threads), "{threads} threads");
}
