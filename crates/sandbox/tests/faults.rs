//! Every fault as a client meets it, and what the request log says of it.

#![allow(clippy::unwrap_used)] // helpers of tests may unwrap

mod common;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use common::{Harness, read, samco_order, start};
use preopen_sandbox::{BodyKind, Broker, Fault, Reset, Stall};
use reqwest::Method;
use serde_json::{Value, json};

const PATH: &str = "/session/token";

fn on(path: &str) -> Fault {
    Fault::on(Broker::Samco, path)
}

async fn login(h: &Harness) -> Result<reqwest::Response, reqwest::Error> {
    let account = h.samco(0);
    let body = json!({"apiKey": account.api_key, "apiSecret": account.api_secret});
    h.request(Method::POST, PATH).json(&body).send().await
}

#[tokio::test]
async fn replies_of_their_own() {
    let h = start().await;
    let over_http = [
        json!({"status": 503, "body": "busy", "headers": {"Retry-After": "2"}}),
        json!({"body": {"status": "Failure"}, "status": 400}),
        json!({"body_kind": "html"}),
        json!({"body_kind": "empty", "status": 400}),
        json!({"body_kind": "malformed"}),
        json!({"redirect_to": "http://127.0.0.1:9/elsewhere"}),
    ];
    for mut fault in over_http {
        fault["broker"] = "samco".into();
        fault["path"] = "/session/*".into();
        let (status, record) = h.control("POST", "/faults", fault).await;
        assert_eq!((status, &record["remaining"]), (201, &json!(1)), "{record}");
    }
    let reply = login(&h).await.unwrap();
    assert_eq!(
        (
            reply.status().as_u16(),
            reply.headers()["retry-after"].to_str().unwrap()
        ),
        (503, "2")
    );
    assert_eq!(reply.text().await.unwrap(), "busy");
    assert_eq!(
        read(login(&h).await.unwrap()).await,
        (400, json!({"status": "Failure"}))
    );
    let reply = login(&h).await.unwrap();
    assert_eq!(
        (
            reply.status().as_u16(),
            reply.headers()["content-type"].as_bytes()
        ),
        (502, &b"text/html; charset=utf-8"[..])
    );
    assert!(reply.text().await.unwrap().starts_with("<!DOCTYPE html>"));
    let reply = login(&h).await.unwrap();
    assert_eq!((reply.status().as_u16(), reply.content_length()), (400, Some(0)));
    let (status, text) = read(login(&h).await.unwrap()).await;
    assert!(status == 200 && text.is_string());
    let reply = login(&h).await.unwrap();
    assert_eq!(
        (
            reply.status().as_u16(),
            reply.headers()["location"].to_str().unwrap()
        ),
        (307, "http://127.0.0.1:9/elsewhere")
    );
    // All used up: the real endpoint answers.
    assert_eq!(login(&h).await.unwrap().status(), 200);

    let (_, log) = h
        .control("GET", "/requests?broker=samco&path=/session/token", Value::Null)
        .await;
    assert_eq!(log["count"], 7);
    let faults: Vec<_> = log["requests"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["fault"].clone())
        .collect();
    assert_eq!(json!(faults), json!([1, 2, 3, 4, 5, 6, null]));
    let (_, list) = h.control("GET", "/faults", Value::Null).await;
    assert!(
        list["faults"]
            .as_array()
            .unwrap()
            .iter()
            .all(|fault| fault["remaining"] == 0 && fault["hits"] == 1)
    );
    let (_, list) = h.control("DELETE", "/faults", Value::Null).await;
    assert_eq!(list, json!({"faults": []}));
}

#[tokio::test]
async fn large_and_compressed_bodies() {
    let h = start().await;
    h.sandbox
        .fault(on(PATH).body_kind(BodyKind::Large).size(3 << 20))
        .unwrap();
    let body = login(&h).await.unwrap().bytes().await.unwrap();
    assert_eq!(body.len(), 3 << 20);
    assert!(serde_json::from_slice::<Value>(&body).unwrap()["padding"].is_string());
    h.sandbox
        .fault(on(PATH).body_kind(BodyKind::GzipBomb).size(4 << 20))
        .unwrap();
    let reply = login(&h).await.unwrap();
    assert_eq!(reply.headers()["content-encoding"], "gzip");
    let packed = reply.bytes().await.unwrap();
    assert!(packed.len() < 100_000 && packed.starts_with(&[0x1f, 0x8b]));
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(&packed[..])
        .read_to_end(&mut unpacked)
        .unwrap();
    assert_eq!(unpacked.len(), 4 << 20);
}

#[tokio::test]
async fn cut_and_reset_replies() {
    let h = start().await;
    h.sandbox.fault(on(PATH).body_kind(BodyKind::Truncated)).unwrap();
    let reply = login(&h).await.unwrap();
    assert_eq!(reply.status(), 200);
    reply.text().await.unwrap_err();

    let token = h.samco_login(0).await;
    let place = async || {
        let request = h
            .request(Method::POST, "/order/placeOrder")
            .header("x-session-token", &token);
        request.json(&samco_order()).send().await
    };
    let orders = async || {
        let (_, book) = h.with_token(Method::GET, "/order/orderBook", &token, None).await;
        book["orderBookDetails"].as_array().map_or(0, Vec::len)
    };
    h.sandbox
        .fault(on("/order/placeOrder").reset(Reset::Before))
        .unwrap();
    assert!(place().await.is_err());
    assert_eq!(orders().await, 0);
    h.sandbox
        .fault(on("/order/placeOrder").reset(Reset::After))
        .unwrap();
    assert!(place().await.is_err());
    assert_eq!(orders().await, 1);
    h.sandbox
        .fault(on("/order/placeOrder").status(502).handled(true))
        .unwrap();
    assert_eq!(place().await.unwrap().status(), 502);
    assert_eq!(orders().await, 2);
    h.sandbox.fault(on("/order/placeOrder").duplicate(true)).unwrap();
    assert_eq!(place().await.unwrap().status(), 200);
    assert_eq!(orders().await, 4);
    let report = h.sandbox.requests(Some(Broker::Samco), Some("/order/placeOrder"));
    let statuses: Vec<_> = report.requests.iter().map(|request| request.status).collect();
    assert_eq!(
        (report.count, statuses),
        (4, vec![None, Some(200), Some(502), Some(200)])
    );
    assert_eq!(report.requests[1].account.as_deref(), Some("SBX001"));
}

#[test]
fn a_reset_is_a_real_one() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let h = runtime.block_on(start());
    h.sandbox.fault(on("/ip/whoami").reset(Reset::Before)).unwrap();
    let mut stream = TcpStream::connect(h.sandbox.samco_url().trim_start_matches("http://")).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    stream
        .write_all(b"GET /ip/whoami HTTP/1.1\r\nHost: x\r\n\r\n")
        .unwrap();
    let error = stream.read(&mut [0; 1]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    runtime.block_on(h.sandbox.stop());
}

#[tokio::test]
async fn slow_and_silent_replies() {
    let h = start().await;
    let started = Instant::now();
    h.sandbox.fault(on(PATH).delay_ms(120)).unwrap();
    assert_eq!(login(&h).await.unwrap().status(), 200);
    assert!(started.elapsed() >= Duration::from_millis(120));

    let started = Instant::now();
    h.sandbox.fault(on(PATH).body("0123456789").drip_ms(10)).unwrap();
    assert_eq!(login(&h).await.unwrap().text().await.unwrap(), "0123456789");
    assert!(started.elapsed() >= Duration::from_millis(90));

    let brief = Duration::from_millis(200);
    h.sandbox.fault(on(PATH).stall(Stall::Before)).unwrap();
    assert!(tokio::time::timeout(brief, login(&h)).await.is_err());
    let (status, record) = h
        .control(
            "POST",
            "/faults",
            json!({"broker": "samco", "path": PATH, "stall": true}),
        )
        .await;
    assert_eq!((status, &record["stall"]), (201, &json!(true)));
    let reply = login(&h).await.unwrap();
    assert_eq!(reply.status(), 200);
    assert!(tokio::time::timeout(brief, reply.text()).await.is_err());
    // The silent ones were counted all the same.
    assert_eq!(h.sandbox.requests(None, Some(PATH)).count, 4);
    // And do not hold up the end.
    h.sandbox.fault(on(PATH).stall(Stall::Before)).unwrap();
    let (client, url) = (h.client.clone(), format!("{}{PATH}", h.sandbox.samco_url()));
    let waiting = tokio::spawn(async move { client.post(url).send().await });
    while h.sandbox.requests(None, Some(PATH)).count < 5 {
        tokio::task::yield_now().await;
    }
    let started = Instant::now();
    h.sandbox.stop().await;
    assert!(waiting.await.unwrap().is_err());
    assert!(started.elapsed() < Duration::from_secs(1));
}

#[tokio::test]
async fn faults_that_make_no_sense_are_refused_by_name() {
    let h = start().await;
    for (fault, named) in [
        (json!({"path": "/a", "status": 500}), "broker"),
        (
            json!({"broker": "zerodha", "path": "/a", "status": 500}),
            "broker",
        ),
        (json!({"broker": "samco", "path": "/a"}), "does nothing"),
        (
            json!({"broker": "samco", "path": "/a", "times": "two", "status": 500}),
            "times",
        ),
        (
            json!({"broker": "samco", "path": "/a", "times": 0, "status": 500}),
            "times",
        ),
        (
            json!({"broker": "samco", "path": "/a", "probability": 2, "status": 500}),
            "probability",
        ),
        (
            json!({"broker": "samco", "path": "/a", "stall": "sometimes"}),
            "stall",
        ),
        (
            json!({"broker": "samco", "path": "/a", "reset": "never"}),
            "reset",
        ),
        (
            json!({"broker": "samco", "path": "/a", "colour": "red"}),
            "colour",
        ),
        (
            json!({"broker": "samco", "path": "/a", "size": 5, "status": 500}),
            "size",
        ),
        (
            json!({"broker": "samco", "path": "/_sandbox/clock", "status": 500}),
            "path",
        ),
    ] {
        let (status, reply) = h.control("POST", "/faults", fault).await;
        assert_eq!(status, 400);
        let message = reply["error"]["message"].as_str().unwrap();
        assert!(message.contains(named), "{named}: {message}");
    }
    assert!(h.sandbox.faults().is_empty());
}
