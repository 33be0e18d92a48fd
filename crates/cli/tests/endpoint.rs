//! The endpoint of `preopen run`: whom it answers, and whom it does not.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod common;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use common::{Broker, Reply, SAMCO_LOGIN, authority, eventually, http, raw};

/// A command that waits, so that its endpoint can be asked.
struct Running {
    child: Child,
    url: String,
    authorization: String,
}

impl Running {
    fn start(broker: &Broker) -> Self {
        let script = r#"echo "$PREOPEN_CREDENTIALS_URL"; cat "$PREOPEN_CREDENTIALS_AUTH_FILE"; cat"#;
        let mut child = broker
            .command(&["run", "samco", "--", "sh", "-c", script])
            .env("PREOPEN_SANDBOX_TOKEN", broker.control_token())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut next = || lines.next().unwrap().unwrap();
        Self {
            url: next(),
            authorization: format!("{}\r\n", next()),
            child,
        }
    }

    fn get(&self, target: &str) -> Reply {
        http(&self.url, "GET", target, &self.authorization, "")
    }

    fn host(&self) -> &str {
        authority(&self.url)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

fn holds_nothing(reply: &Reply) {
    let text = format!("{} {}", reply.head, reply.body);
    assert!(
        !text.contains("eyJ") && !text.contains("x-session-token"),
        "{reply:?}"
    );
}

#[test]
fn x5_only_the_right_host_line_path_and_method_are_answered() {
    let broker = Broker::start();
    let running = Running::start(&broker);
    let right = running.get("/v1/session");
    assert_eq!(right.status, 200);
    assert!(right.json()["token"].as_str().unwrap().starts_with("eyJ"));
    assert!(right.head.contains("cache-control: no-store"), "{}", right.head);
    assert!(
        right.head.contains("content-type: application/json"),
        "{}",
        right.head
    );
    let lines = running.get("/v1/session/headers");
    assert_eq!(lines.status, 200);
    assert!(lines.body.contains("x-session-token: eyJ"), "{lines:?}");

    let (host, authorization) = (running.host(), running.authorization.as_str());
    let port = host.split(':').nth(1).unwrap();
    for other in [
        format!("localhost:{port}"),
        "127.0.0.1".to_owned(),
        format!("127.0.0.1:{port}.evil.example"),
        "evil.example".to_owned(),
        String::new(),
    ] {
        let request = format!("GET /v1/session HTTP/1.1\r\nhost: {other}\r\n{authorization}\r\n");
        let reply = raw(host, request.as_bytes());
        assert_eq!(reply.status, 403, "{other}: {reply:?}");
        holds_nothing(&reply);
    }
    for head in [
        format!("GET /v1/session HTTP/1.1\r\n{authorization}\r\n"),
        format!("GET /v1/session HTTP/1.0\r\n{authorization}\r\n"),
        format!("GET /v1/session HTTP/1.1\r\nhost: {host}\r\nhost: {host}\r\n{authorization}\r\n"),
        format!("GET http://evil.example/v1/session HTTP/1.1\r\nhost: {host}\r\n{authorization}\r\n"),
        format!("GET /v1/session HTTP/1.1\r\nhost: {host}\r\norigin: http://{host}\r\n{authorization}\r\n"),
    ] {
        let reply = raw(host, head.as_bytes());
        assert!([400, 403].contains(&reply.status), "{head}: {reply:?}");
        holds_nothing(&reply);
    }

    let line = authorization.trim();
    for wrong in [
        String::new(),
        "Authorization: Bearer\r\n".to_owned(),
        "Authorization: Bearer \r\n".to_owned(),
        format!("{}\r\n", &line[..line.len() - 1]),
        format!("{line}x\r\n"),
        format!("{}\r\n", line.replace("Bearer", "Basic")),
        format!("{line}\r\n{line}\r\n"),
        format!(
            "x-authorization: {}\r\n",
            line.trim_start_matches("Authorization: ")
        ),
    ] {
        let reply = http(&running.url, "GET", "/v1/session", &wrong, "");
        assert_eq!(reply.status, 401, "{wrong}: {reply:?}");
        holds_nothing(&reply);
    }

    for path in [
        "/",
        "/v1",
        "/v1/session/",
        "/v1/sessions",
        "//v1/session",
        "/v1/session/../session",
        "/V1/session",
        "/v1/session%20",
    ] {
        let reply = running.get(path);
        assert_eq!(reply.status, 404, "{path}: {reply:?}");
        holds_nothing(&reply);
    }
    for query in [
        "?",
        "?after=",
        "?after=-1",
        "?after=1&after=1",
        "?token=1",
        "?after=one",
    ] {
        let reply = running.get(&format!("/v1/session{query}"));
        assert_eq!(reply.status, 400, "{query}: {reply:?}");
        holds_nothing(&reply);
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE"] {
        let reply = http(&running.url, method, "/v1/session", authorization, "");
        assert_eq!(reply.status, 405, "{method}: {reply:?}");
        assert!(reply.head.contains("allow: get"), "{reply:?}");
        holds_nothing(&reply);
    }
    assert_eq!(broker.count(SAMCO_LOGIN), 1);
}

#[test]
fn x5_big_slow_and_broken_requests_do_not_hold_up_others() {
    let broker = Broker::start();
    let running = Running::start(&broker);
    let big = format!("{}x-filler: {}\r\n", running.authorization, "x".repeat(64 * 1024));
    let reply = http(&running.url, "GET", "/v1/session", &big, "");
    assert!([431, 0].contains(&reply.status), "{reply:?}");
    holds_nothing(&reply);
    let long = format!("/v1/session?after={}", "1".repeat(64 * 1024));
    let reply = running.get(&long);
    assert!([414, 431, 400, 0].contains(&reply.status), "{reply:?}");
    holds_nothing(&reply);
    let body = http(
        &running.url,
        "GET",
        "/v1/session",
        &running.authorization,
        "a body",
    );
    assert_eq!(body.status, 413, "{body:?}");
    let chunked = format!("{}transfer-encoding: chunked\r\n", running.authorization);
    let body = http(&running.url, "GET", "/v1/session", &chunked, "");
    assert_eq!(body.status, 413, "{body:?}");

    // Some who say nothing, and one who stops in the middle.
    let mut silent: Vec<TcpStream> = (0..50)
        .map(|_| TcpStream::connect(running.host()).unwrap())
        .collect();
    silent[0]
        .write_all(b"GET /v1/session HTTP/1.1\r\nhost: ")
        .unwrap();
    let began = Instant::now();
    assert_eq!(running.get("/v1/session").status, 200);
    assert!(began.elapsed() < Duration::from_secs(2));
    for stream in &mut silent {
        stream.set_read_timeout(Some(Duration::from_secs(15))).unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap();
    }
    assert!(began.elapsed() < Duration::from_secs(12), "they are given up");
    assert_eq!(running.get("/v1/session").status, 200);
}

#[test]
fn s7_a_refused_generation_is_replaced_once_and_an_old_one_changes_nothing() {
    let broker = Broker::start();
    let running = Running::start(&broker);
    let first = running.get("/v1/session").json();
    let newer = running.get("/v1/session?after=1").json();
    assert_eq!(
        (&first["generation"], &newer["generation"]),
        (&1.into(), &2.into())
    );
    assert_ne!(first["token"], newer["token"]);
    assert_eq!(running.get("/v1/session?after=1").json()["generation"], 2);
    assert!(
        running
            .get("/v1/session/headers?after=1")
            .body
            .contains(newer["token"].as_str().unwrap())
    );
    assert_eq!(broker.count(SAMCO_LOGIN), 2);
}

#[test]
fn trouble_is_told_as_a_typed_error_without_a_secret() {
    let broker = Broker::start();
    let running = Running::start(&broker);
    broker.control(
        "POST",
        "/faults",
        r#"{"broker": "samco", "path": "/session/token", "status": 503, "times": 50}"#,
    );
    broker.advance("08:00 IST");
    let reply = eventually("the daily end", || {
        let reply = running.get("/v1/session");
        (reply.status != 200).then_some(reply)
    });
    assert_eq!(reply.status, 503, "{reply:?}");
    assert_eq!(reply.json()["error"]["code"], "broker_unavailable");
    assert!(reply.head.contains("retry-after: "), "{reply:?}");
    holds_nothing(&reply);
    broker.control("DELETE", "/faults", "");
    eventually("the recovery", || {
        broker.advance_seconds(60);
        (running.get("/v1/session").status == 200).then_some(())
    });
}
