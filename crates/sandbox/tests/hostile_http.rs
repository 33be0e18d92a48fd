//! Hostile HTTP: malformed, slow, greedy or many clients get a clear answer where HTTP allows one, and the sandbox goes
//! on for all others.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

mod common;

use std::time::{Duration, Instant};

use common::{client, read};
use preopen_core::Timestamp;
use preopen_sandbox::{BodyKind, Broker, Fault, Options, Sandbox};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

/// The time limits of the sandbox in these tests.
const LIMIT: Duration = Duration::from_millis(400);
/// How long anything may take here.
const PROMPT: Duration = Duration::from_secs(10);
const HEAD: &str = "POST /session/token HTTP/1.1\r\nHost: sandbox\r\n";

async fn start() -> Sandbox {
    let options = Options::default()
        .start_at(Timestamp::parse_rfc3339("2026-11-20T10:00:00+05:30").unwrap())
        .clock_rate(0.0)
        .header_timeout(LIMIT)
        .body_timeout(LIMIT)
        .reply_timeout(LIMIT);
    Sandbox::start(options).await.unwrap()
}

async fn connect(sandbox: &Sandbox) -> TcpStream {
    let address = sandbox.samco_url().strip_prefix("http://").unwrap();
    TcpStream::connect(address).await.unwrap()
}

/// Sends bytes on a connection of their own; all that came back until the sandbox closed it.
async fn say(sandbox: &Sandbox, bytes: &[u8]) -> String {
    let (mut input, mut output) = connect(sandbox).await.into_split();
    let bytes = bytes.to_vec();
    // The sandbox may refuse, and close, before all was sent.
    let sending = tokio::spawn(async move {
        let _ = output.write_all(&bytes).await;
        output
    });
    let mut answer = Vec::new();
    timeout(PROMPT, input.read_to_end(&mut answer))
        .await
        .expect("the sandbox neither answers nor closes")
        .expect("the connection was reset before the answer was read");
    drop(timeout(PROMPT, sending).await.unwrap());
    String::from_utf8(answer).unwrap()
}

/// A session is opened and used, promptly.
async fn goes_on(sandbox: &Sandbox) {
    let began = Instant::now();
    let (client, account) = (client(), sandbox.accounts()[0].as_samco().unwrap());
    let keys = json!({"apiKey": account.api_key, "apiSecret": account.api_secret});
    let url = |path: &str| format!("{}{path}", sandbox.samco_url());
    let login = client
        .post(url("/session/token"))
        .json(&keys)
        .send()
        .await
        .unwrap();
    let (status, login) = read(login).await;
    assert_eq!(status, 200, "{login}");
    let token = login["sessionToken"].as_str().unwrap();
    let whoami = client.get(url("/ip/whoami")).header("x-session-token", token);
    assert_eq!(read(whoami.send().await.unwrap()).await.0, 200);
    assert!(began.elapsed() < PROMPT, "slow");
}

/// Whole replies: a status line, as many bytes of body as promised, and a reason that a person can read.
fn whole(answer: &str) -> (u16, &str) {
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .unwrap_or_else(|| panic!("no reply: {answer:?}"));
    let status = head
        .strip_prefix("HTTP/1.")
        .and_then(|rest| rest.get(2..5))
        .unwrap();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .unwrap();
    assert_eq!(length.parse(), Ok(body.len()), "{answer}");
    assert!(body.len() > 20, "no reason: {answer}");
    assert!(
        head.contains("\r\ndate: Fri, 20 Nov 2026 04:30:00 GMT"),
        "{answer}"
    );
    (status.parse().unwrap(), body)
}

/// Each of these is refused with this status and a text that has this word, and the connection is closed.
async fn are_refused(cases: &[(&[u8], u16, &str)]) {
    let sandbox = start().await;
    for (bytes, expected, reason) in cases {
        let answer = say(&sandbox, bytes).await;
        let (status, body) = whole(&answer);
        let shown = String::from_utf8_lossy(bytes);
        assert_eq!(status, *expected, "{shown:.200} {answer}");
        assert!(body.contains(reason), "{shown:.200} {answer}");
        assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
    }
    goes_on(&sandbox).await;
}

#[tokio::test]
async fn what_is_no_request_is_refused_in_words() {
    let many: Vec<String> = (0..=100).map(|at| format!("X-{at}: a\r\n")).collect();
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", many.concat());
    let large = format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "a".repeat(300_000));
    let long = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(65_600));
    are_refused(&[
        (b"HELO\r\n\r\n", 400, "invalid"),
        (b"GET /\r\n\r\n", 400, "invalid"),
        (b"GET / HTTP/3.0\r\nHost: a\r\n\r\n", 400, "version"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "HTTP/2"),
        // The beginning of TLS.
        (&b"\x16\x03\x01\x02\0\x01\0\x01".repeat(60), 400, "method"),
        (b"FO{O / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "method"),
        (b"GET /a\0b HTTP/1.1\r\nHost: a\r\n\r\n", 400, "URI"),
        (b"GET /\xff\xfe HTTP/1.1\r\nHost: a\r\n\r\n", 400, "URI"),
        (b"GET / HTTP/1.1\r\nX: a\0b\r\n\r\n", 400, "header"),
        (b"GET / HTTP/1.1\r\nX: a\rb\r\n\r\n", 400, "header"),
        (b"GET / HTTP/1.1\r\nX : a\r\n\r\n", 400, "header"),
        (b"GET / HTTP/1.1\r\nX: a\r\n folded\r\n\r\n", 400, "header"),
        (many.as_bytes(), 431, "100 headers"),
        (large.as_bytes(), 431, "64 KiB"),
        (&b"\r\n".repeat(100_000), 431, "64 KiB"),
        (long.as_bytes(), 414, "address"),
    ])
    .await;
}

#[tokio::test]
async fn bodies_of_no_clear_length_are_refused() {
    let of = |headers: &str, body: &str| format!("{HEAD}{headers}\r\n\r\n{body}").into_bytes();
    let length = |text: &str| of(&format!("Content-Length: {text}"), "{}");
    let chunks = |body: &str| of("Transfer-Encoding: chunked", body);
    are_refused(&[
        (&length("many"), 400, "content-length"),
        (&length("-1"), 400, "content-length"),
        (&length("+2"), 400, "content-length"),
        (&length("2, 2"), 400, "content-length"),
        (&length("2\r\nContent-Length: 3"), 400, "content-length"),
        (&length("99999999999999999999"), 400, "content-length"),
        (&length("18446744073709551615"), 431, "no possible size"),
        (&of("Transfer-Encoding: gzip", ""), 400, "transfer-encoding"),
        (
            &of("Transfer-Encoding: chunked, gzip", ""),
            400,
            "transfer-encoding",
        ),
        (&chunks("zz\r\n{}\r\n0\r\n\r\n"), 400, "body"),
        (&chunks("fffffffffffffffff\r\n"), 400, "body"),
        (&chunks(&format!("2;{}", "a".repeat(70_000))), 400, "body"),
    ])
    .await;
}

#[tokio::test]
async fn targets_that_no_server_has_are_refused() {
    are_refused(&[
        (b"GET / HTTP/1.1\r\n\r\n", 400, "Host"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "Host"),
        (
            b"CONNECT broker.example:443 HTTP/1.1\r\nHost: a\r\n\r\n",
            405,
            "CONNECT",
        ),
        (b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 400, "path"),
        (b"GET broker.example HTTP/1.1\r\nHost: a\r\n\r\n", 400, "path"),
    ])
    .await;
}

#[tokio::test]
async fn odd_requests_get_the_answer_of_their_path() {
    let sandbox = start().await;
    let host = sandbox.samco_url().strip_prefix("http://").unwrap();
    let close = "Connection: close\r\n\r\n";
    let cases = [
        (format!("GET /nope HTTP/1.0\r\n{close}"), 404),
        (
            format!("GET /nope HTTP/1.1\nHost: a\n{}", close.replace('\r', "")),
            404,
        ),
        (
            format!("GET /%zz%%00%ff?%=%zz&&=&%ff=%00 HTTP/1.1\r\nHost: a\r\n{close}"),
            404,
        ),
        // Below the pages' files, so the name of the host is looked at first.
        (
            format!("GET /assets/../../etc/passwd HTTP/1.1\r\nHost: a\r\n{close}"),
            403,
        ),
        (
            format!("GET /assets/../../etc/passwd HTTP/1.1\r\nHost: {host}\r\n{close}"),
            404,
        ),
        (
            format!("GET /{} HTTP/1.1\r\nHost: a\r\n{close}", "a".repeat(60_000)),
            404,
        ),
        (
            format!("{} /ip/whoami HTTP/1.1\r\nHost: a\r\n{close}", "A".repeat(5000)),
            405,
        ),
        (
            format!("GET http://{host}/ip/whoami HTTP/1.1\r\nHost: a\r\n{close}"),
            401,
        ),
        // The address counts, not the header: this page is for a browser on this machine only.
        (
            format!("GET http://elsewhere.example/ HTTP/1.1\r\nHost: {host}\r\n{close}"),
            403,
        ),
        (
            "GET /nope HTTP/1.1\r\nHost: a\r\nUpgrade: h2c, websocket\r\nConnection: upgrade, close\r\n\r\n"
                .to_owned(),
            404,
        ),
        // Read by the chunks alone, and then closed.
        (
            format!("{HEAD}Content-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n"),
            400,
        ),
        (
            format!("{HEAD}Content-Length: 2\r\nContent-Length: 2\r\n{close}{{}}"),
            400,
        ),
    ];
    for (bytes, expected) in cases {
        let answer = say(&sandbox, bytes.as_bytes()).await;
        assert_eq!(whole(&answer).0, expected, "{bytes:.200} {answer}");
    }
    let one = "GET /nope HTTP/1.1\r\nHost: a\r\n\r\n";
    let answer = say(&sandbox, format!("{}BYE\r\n\r\n", one.repeat(20)).as_bytes()).await;
    assert_eq!(answer.matches("HTTP/1.1 404").count(), 20, "{answer}");
    assert!(
        answer.ends_with("this is no HTTP/1.1 request: invalid HTTP method parsed\n"),
        "{answer}"
    );
    goes_on(&sandbox).await;
}

#[tokio::test]
async fn bodies_over_a_mebibyte_are_refused_and_the_refusal_is_read() {
    let sandbox = start().await;
    let size = 5 << 20;
    for path in ["/session/token", "/_sandbox/faults", "/app/login"] {
        let head = format!("POST {path} HTTP/1.1\r\nHost: a\r\n");
        let announced = format!("{head}Content-Length: {size}\r\n\r\n{}", "a".repeat(size));
        let chunked = format!(
            "{head}Transfer-Encoding: chunked\r\n\r\n{size:x}\r\n{}",
            "a".repeat(size)
        );
        for bytes in [announced, chunked] {
            let answer = say(&sandbox, bytes.as_bytes()).await;
            assert_eq!(whole(&answer).0, 413, "{path} {answer}");
            assert!(answer.contains("1 MiB"), "{answer}");
        }
        // Who asks first is told before anything is sent.
        let asked = format!("{head}Expect: 100-continue\r\nContent-Length: {size}\r\n\r\n");
        assert_eq!(whole(&say(&sandbox, asked.as_bytes()).await).0, 413, "{path}");
    }
    let mut stream = connect(&sandbox).await;
    let asked = format!("{HEAD}Expect: 100-continue\r\nConnection: close\r\nContent-Length: 2\r\n\r\n");
    stream.write_all(asked.as_bytes()).await.unwrap();
    let mut told = [0; 25];
    stream.read_exact(&mut told).await.unwrap();
    assert_eq!(&told, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"{}").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert_eq!(whole(&answer).0, 400);
    goes_on(&sandbox).await;
}

#[tokio::test]
async fn slow_heads_and_bodies_end_after_the_limit() {
    let sandbox = start().await;
    let drip = async |bytes: &str| {
        let mut stream = connect(&sandbox).await;
        let began = Instant::now();
        stream.write_all(bytes.as_bytes()).await.unwrap();
        // One more byte now and then does not buy time.
        let (mut input, mut output) = stream.into_split();
        let dripping = tokio::spawn(async move {
            while output.write_all(b"a").await.is_ok() {
                sleep(LIMIT / 8).await;
            }
        });
        let mut answer = String::new();
        timeout(PROMPT, input.read_to_string(&mut answer))
            .await
            .unwrap()
            .unwrap();
        dripping.abort();
        assert!(began.elapsed() >= LIMIT / 2, "early: {answer}");
        answer
    };
    for (bytes, reason) in [
        ("GET /nope HTTP/1.1\r\nHost: a\r\nX: ".to_owned(), "head"),
        (format!("{HEAD}Content-Length: 1000\r\n\r\n{{"), "body"),
        (
            format!("{HEAD}Transfer-Encoding: chunked\r\n\r\n4ff\r\n{{"),
            "body",
        ),
        (
            "POST /_sandbox/clock HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n{".to_owned(),
            "body",
        ),
    ] {
        let answer = drip(&bytes).await;
        let (status, body) = whole(&answer);
        assert!(status == 408 && body.contains(reason), "{bytes}: {answer}");
    }
    // Whoever says nothing is told nothing.
    assert_eq!(say(&sandbox, b"").await, "");
    goes_on(&sandbox).await;
}

#[tokio::test]
async fn a_client_that_never_reads_is_cut_off() {
    let sandbox = start().await;
    let large = Fault::on(Broker::Samco, "/large")
        .probability(1.0)
        .body_kind(BodyKind::Large);
    sandbox.fault(large.size(32 << 20)).unwrap();
    let mut streams = Vec::new();
    for _ in 0..20 {
        let mut stream = connect(&sandbox).await;
        stream
            .write_all(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
            .await
            .unwrap();
        streams.push(stream);
    }
    // Requests without end, whose answers nobody reads, are not taken without end.
    let mut greedy = connect(&sandbox).await;
    let requests = "GET /large HTTP/1.1\r\nHost: a\r\n\r\n".repeat(1000);
    let flood = async { while greedy.write_all(requests.as_bytes()).await.is_ok() {} };
    timeout(PROMPT, flood).await.expect("the sandbox reads on and on");
    goes_on(&sandbox).await;
    sleep(LIMIT * 2).await;
    for mut stream in streams {
        let mut rest = Vec::new();
        let outcome = timeout(PROMPT, stream.read_to_end(&mut rest)).await.unwrap();
        assert!(
            outcome.is_err() && rest.len() < 32 << 20,
            "{outcome:?} after {} bytes",
            rest.len()
        );
    }
    // Who reads slowly, but reads, gets everything.
    let mut stream = connect(&sandbox).await;
    stream
        .write_all(b"GET /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut read = 0;
    let mut part = vec![0; 4 << 20];
    loop {
        let got = timeout(PROMPT, stream.read(&mut part)).await.unwrap().unwrap();
        if got == 0 {
            break;
        }
        read += got;
        sleep(LIMIT / 20).await;
    }
    assert!(read > 32 << 20, "{read} bytes");
    goes_on(&sandbox).await;
}

#[tokio::test]
async fn idle_connections_go_away_and_hold_up_nobody() {
    let sandbox = start().await;
    let mut idle = Vec::new();
    for at in 0..300 {
        let mut stream = connect(&sandbox).await;
        if at % 3 == 0 {
            stream
                .write_all(b"GET /nope HTTP/1.1\r\nHost: a\r\n\r\n")
                .await
                .unwrap();
        }
        idle.push(stream);
    }
    goes_on(&sandbox).await;
    for mut stream in idle {
        let mut answer = String::new();
        timeout(PROMPT, stream.read_to_string(&mut answer))
            .await
            .unwrap()
            .unwrap();
        assert!(answer.is_empty() || whole(&answer).0 == 404, "{answer}");
    }
    goes_on(&sandbox).await;
}
