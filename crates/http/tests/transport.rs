//! The transport against a raw socket server that misbehaves in ways a real HTTP server does not.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use preopen_core::broker::Adapter as _;
use preopen_core::brokers::Samco;
use preopen_core::target::Target;
use preopen_core::wire::{CallClass, Endpoint, FailureCause, Method, Request, Transport as _};
use preopen_http::{HttpOptions, HttpTransport};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-type: application/json\r\n\r\n{}";

/// Serves every connection with `serve` and counts requests.
async fn server<F, T>(serve: F) -> (Target, Arc<AtomicUsize>)
where
    F: Fn(TcpStream, Arc<AtomicUsize>) -> T + Send + Sync + 'static,
    T: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let requests = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&requests);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, Arc::clone(&count)));
        }
    });
    let target = Target::resolve(Samco::new("k", "s").policy(), Some(&url), &[]).unwrap();
    (target, requests)
}

/// Reads one request head; false when the client closed.
async fn head(stream: &mut TcpStream) -> bool {
    let mut seen = Vec::new();
    let mut byte = [0];
    while !seen.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte).await {
            Ok(1) => seen.push(byte[0]),
            _ => return false,
        }
    }
    true
}

fn get() -> Request {
    Request::new(Endpoint::new(Method::Get, "/x", CallClass::Read))
}

const LONG: Duration = Duration::from_secs(10);

#[tokio::test]
async fn connections_are_reused() {
    let connections = Arc::new(AtomicUsize::new(0));
    let opened = Arc::clone(&connections);
    let (target, requests) = server(move |mut stream, count| {
        opened.fetch_add(1, Ordering::SeqCst);
        async move {
            while head(&mut stream).await {
                count.fetch_add(1, Ordering::SeqCst);
                stream.write_all(OK).await.unwrap();
            }
        }
    })
    .await;
    for _ in 0..20 {
        // A transport of its own each time: clients are shared by settings, not by object.
        let reply = HttpTransport::default()
            .send(&target, &get(), LONG)
            .await
            .unwrap();
        assert_eq!((reply.status, &*reply.body), (200, b"{}".as_slice()));
    }
    assert_eq!(requests.load(Ordering::SeqCst), 20);
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_server_that_closes_after_each_reply_costs_no_call() {
    let (target, requests) = server(|mut stream, count| async move {
        if head(&mut stream).await {
            count.fetch_add(1, Ordering::SeqCst);
            stream.write_all(OK).await.unwrap();
        }
    })
    .await;
    let transport = HttpTransport::default();
    for _ in 0..60 {
        assert_eq!(transport.send(&target, &get(), LONG).await.unwrap().status, 200);
    }
    assert_eq!(requests.load(Ordering::SeqCst), 60);
}

#[tokio::test]
async fn a_drip_of_bytes_meets_the_total_deadline() {
    let (target, _) = server(|mut stream, _| async move {
        if head(&mut stream).await {
            for byte in OK {
                if stream.write_all(&[*byte]).await.is_err() {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    })
    .await;
    let began = Instant::now();
    let failure = HttpTransport::default()
        .send(&target, &get(), Duration::from_millis(300))
        .await
        .unwrap_err();
    assert_eq!(failure.cause, FailureCause::Deadline);
    assert!(began.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn an_endless_body_stops_at_the_cap() {
    let (target, _) = server(|mut stream, _| async move {
        if head(&mut stream).await {
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
                .await
                .unwrap();
            let mut chunk = b"10000\r\n".to_vec();
            chunk.extend(vec![b' '; 0x10000]);
            chunk.extend(b"\r\n");
            while stream.write_all(&chunk).await.is_ok() {}
        }
    })
    .await;
    let mut options = HttpOptions::default();
    options.max_body = 1 << 20;
    let failure = HttpTransport::new(options)
        .send(&target, &get(), LONG)
        .await
        .unwrap_err();
    assert_eq!(failure.cause, FailureCause::TooLarge);
}

#[tokio::test]
async fn a_lost_reply_is_told_from_a_refused_connection() {
    let (target, _) = server(|mut stream, _| async move {
        head(&mut stream).await;
    })
    .await;
    let failure = HttpTransport::default()
        .send(&target, &get(), LONG)
        .await
        .unwrap_err();
    assert_eq!(failure.cause, FailureCause::Broken);

    let gone = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let url = format!("http://{gone}");
    let target = Target::resolve(Samco::new("k", "s").policy(), Some(&url), &[]).unwrap();
    let failure = HttpTransport::default()
        .send(&target, &get(), LONG)
        .await
        .unwrap_err();
    assert_eq!(failure.cause, FailureCause::Connect);
    assert!(failure.message.contains("refused"), "{}", failure.message);
}

#[tokio::test]
async fn only_a_kept_connection_that_dies_before_the_reply_is_stale() {
    // Each connection answers once, reads the next request, says this much, and ends.
    for (said, cause) in [
        ("", FailureCause::Stale),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{",
            FailureCause::Broken,
        ),
    ] {
        let (target, requests) = server(move |mut stream, count| async move {
            for reply in [OK, said.as_bytes()] {
                if !head(&mut stream).await {
                    return;
                }
                count.fetch_add(1, Ordering::SeqCst);
                stream.write_all(reply).await.unwrap();
            }
        })
        .await;
        let transport = HttpTransport::default();
        assert!(transport.send(&target, &get(), LONG).await.is_ok());
        let failure = transport.send(&target, &get(), LONG).await.unwrap_err();
        assert_eq!(failure.cause, cause, "{said:?}");
        assert_eq!(requests.load(Ordering::SeqCst), 2, "nothing is repeated below");
    }
}

#[tokio::test]
async fn a_header_that_cannot_be_sent_is_refused_before_connecting() {
    let (target, requests) = server(|mut stream, count| async move {
        head(&mut stream).await;
        count.fetch_add(1, Ordering::SeqCst);
    })
    .await;
    let request = get().headers([("x-key".to_owned(), "CANARY\nsecond line".into())]);
    let failure = HttpTransport::default()
        .send(&target, &request, LONG)
        .await
        .unwrap_err();
    let error = failure.into_error(&request.endpoint);
    assert_eq!(error.field(), Some("headers"));
    assert!(!format!("{error:?}").contains("CANARY"));
    assert_eq!(requests.load(Ordering::SeqCst), 0);
}
