//! The control API, the status page and the edges of the server.

#![allow(clippy::unwrap_used)] // helpers of tests may unwrap

mod common;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use common::{client, read, start};
use preopen_sandbox::{Broker, Options, Sandbox, StartError};
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn strangers_are_refused() {
    let h = start().await;
    let url = format!("{}/clock", h.sandbox.control_url());
    let token = h.sandbox.control_token();
    let ask = || h.client.get(&url);
    assert_eq!(ask().send().await.unwrap().status(), 401);
    assert_eq!(
        ask()
            .header("x-sandbox-token", "wrong")
            .send()
            .await
            .unwrap()
            .status(),
        401
    );
    let asked = || ask().header("x-sandbox-token", token);
    assert_eq!(asked().send().await.unwrap().status(), 200);
    for host in ["evil.example", "127.0.0.1", "127.0.0.1:1", "evil.example:80"] {
        let reply = asked().header("host", host).send().await.unwrap();
        assert_eq!(reply.status(), 403, "{host}");
    }
    let port = h.sandbox.samco_url().rsplit(':').next().unwrap();
    assert_eq!(
        asked()
            .header("host", format!("localhost:{port}"))
            .send()
            .await
            .unwrap()
            .status(),
        200
    );
    for origin in ["https://evil.example", "null", "http://127.0.0.1"] {
        let (status, reply) = read(asked().header("origin", origin).send().await.unwrap()).await;
        assert_eq!(
            (status, &reply["error"]["code"]),
            (403, &json!("forbidden")),
            "{origin}"
        );
    }
    assert_eq!(
        asked()
            .header("origin", h.sandbox.samco_url())
            .send()
            .await
            .unwrap()
            .status(),
        200
    );
}

#[tokio::test]
async fn the_clock_can_be_read_set_and_advanced() {
    let h = start().await;
    let (_, clock) = h.control("GET", "/clock", Value::Null).await;
    assert_eq!(
        clock,
        json!({"now": "2026-11-20T04:30:00Z", "ist": "2026-11-20 10:00:00 IST", "rate": 0})
    );
    let (_, clock) = h
        .control("POST", "/clock/advance", json!({"to": "08:00 IST"}))
        .await;
    assert_eq!(clock["ist"], "2026-11-21 08:00:00 IST");
    let (_, clock) = h
        .control("POST", "/clock/advance", json!({"to": "08:00 IST"}))
        .await;
    assert_eq!(clock["ist"], "2026-11-22 08:00:00 IST");
    let (_, clock) = h.control("PUT", "/clock", json!({"rate": 2.5})).await;
    assert_eq!(clock["rate"], 2.5);
    for (method, path, body, named) in [
        ("PUT", "/clock", json!({"now": "tomorrow"}), "now"),
        ("PUT", "/clock", json!({"rate": -1}), "rate"),
        ("PUT", "/clock", json!({"rate": "fast"}), "rate"),
        ("PUT", "/clock", json!({}), "now"),
        ("PUT", "/clock", json!({"speed": 1}), "speed"),
        ("POST", "/clock/advance", json!({"to": "noon"}), "to"),
        ("POST", "/clock/advance", json!({"seconds": -1}), "seconds"),
        (
            "POST",
            "/clock/advance",
            json!({"seconds": 1, "to": "08:00 IST"}),
            "to",
        ),
        ("PUT", "/source-ip", json!({"ip": "somewhere"}), "ip"),
        ("PUT", "/source-ip", json!({}), "ip"),
        ("PATCH", "/switches", json!({"nonsense": true}), "nonsense"),
        (
            "PATCH",
            "/switches",
            json!({"totp_clock": "sundial"}),
            "totp_clock",
        ),
        (
            "PATCH",
            "/switches",
            json!({"totp_reuse_refused": null}),
            "totp_reuse_refused",
        ),
        (
            "POST",
            "/accounts",
            json!({"broker": "samco", "primary_ip": "x"}),
            "primary_ip",
        ),
        (
            "POST",
            "/accounts",
            json!({"broker": "samco", "colour": "red"}),
            "colour",
        ),
        (
            "POST",
            "/accounts",
            json!({"broker": "angelone", "pin": "12"}),
            "pin",
        ),
        (
            "POST",
            "/accounts",
            json!({"broker": "angelone", "totp_secret": "018!"}),
            "totp_secret",
        ),
        ("PATCH", "/accounts/SBX001", json!({"blocked": "yes"}), "blocked"),
        ("PATCH", "/accounts/SBX001", json!({"colour": "red"}), "colour"),
        (
            "PATCH",
            "/accounts/SBX101",
            json!({"subscribed": true}),
            "subscribed",
        ),
    ] {
        let (status, reply) = h.control(method, path, body).await;
        let message = reply["error"]["message"].as_str().unwrap_or_default().to_owned();
        assert!(
            status == 400 && message.contains(named),
            "{method} {path}: {status} {named}: {message}"
        );
    }
    let url = format!("{}/clock", h.sandbox.control_url());
    let broken = h
        .client
        .put(url)
        .header("x-sandbox-token", h.sandbox.control_token())
        .body("{\"now\":");
    let (status, reply) = read(broken.send().await.unwrap()).await;
    assert_eq!((status, &reply["error"]["code"]), (400, &json!("invalid_json")));
    assert_eq!(h.control("GET", "/nowhere", Value::Null).await.0, 404);
    assert_eq!(h.control("DELETE", "/clock", Value::Null).await.0, 405);
    assert_eq!(h.control("PATCH", "/accounts/NOBODY", json!({})).await.0, 404);
    assert_eq!(
        h.control("GET", "/requests?broker=zerodha", Value::Null).await.0,
        400
    );
}

#[tokio::test]
async fn switches_explain_themselves() {
    let h = start().await;
    let (_, switches) = h.control("GET", "/switches", Value::Null).await;
    let all = switches.as_object().unwrap();
    assert!(all.len() > 15);
    for (name, switch) in all {
        assert_eq!(switch["value"], switch["default"], "{name}");
        assert!(switch["why"].as_str().is_some_and(|why| why.len() > 10), "{name}");
    }
    let changes = json!({"totp_clock": "virtual", "totp_window_steps": 2, "totp_reuse_refused": true});
    let (status, switches) = h.control("PATCH", "/switches", changes).await;
    assert_eq!(status, 200);
    assert_eq!(
        (
            &switches["totp_clock"]["value"],
            &switches["totp_window_steps"]["value"]
        ),
        (&json!("virtual"), &json!(2))
    );
}

#[tokio::test]
async fn accounts_can_be_added_and_used() {
    let h = start().await;
    let (status, account) = h.control("POST", "/accounts", json!({"broker": "samco"})).await;
    assert_eq!(status, 201);
    let fields = [
        "broker",
        "account",
        "password",
        "api_key",
        "api_secret",
        "primary_ip",
        "secondary_ip",
        "redirect_url",
        "secret_api_key",
    ];
    common::same_fields(&account, &fields);
    let body = json!({"apiKey": account["api_key"], "apiSecret": account["api_secret"]});
    assert_eq!(h.post("/session/token", &body).await.0, 200);
    let (_, other) = h.control("POST", "/accounts", json!({"broker": "samco"})).await;
    assert_ne!(other["account"], account["account"]);
    let taken = json!({"broker": "samco", "account": account["account"], "api_key": "sandbox-other"});
    assert_eq!(h.control("POST", "/accounts", taken).await.0, 409);
    let taken = json!({"broker": "samco", "api_key": account["api_key"]});
    assert_eq!(h.control("POST", "/accounts", taken).await.0, 409);
    let (status, account) = h
        .control(
            "POST",
            "/accounts",
            json!({"broker": "angelone", "client_code": "SBX777", "pin": "7777"}),
        )
        .await;
    assert_eq!(status, 201);
    common::same_fields(
        &account,
        &[
            "broker",
            "account",
            "client_code",
            "pin",
            "totp_secret",
            "api_key",
            "redirect_url",
        ],
    );
    let (_, list) = h.control("GET", "/accounts", Value::Null).await;
    assert_eq!(list["accounts"].as_array().unwrap().len(), 7);
}

#[tokio::test]
async fn ten_thousand_accounts_are_added_at_once_and_each_logs_in() {
    let h = start().await;
    let (status, added) = h
        .control("POST", "/accounts", json!({"broker": "samco", "count": 10_000}))
        .await;
    assert_eq!(status, 201);
    let added = added["accounts"].as_array().unwrap();
    let keys: std::collections::HashSet<_> = added.iter().map(|a| a["api_key"].as_str()).collect();
    assert_eq!(keys.len(), 10_000, "every account has a key of its own");
    for account in [&added[0], &added[9_999]] {
        let body = json!({"apiKey": account["api_key"], "apiSecret": account["api_secret"]});
        let (status, login) = h.post("/session/token", &body).await;
        assert_eq!((status, &login["accountID"]), (200, &account["account"]));
    }
    for (wrong, field) in [
        (json!({"broker": "samco", "count": 0}), "count"),
        (
            json!({"broker": "samco", "count": 2, "api_key": "same"}),
            "api_key",
        ),
        (
            json!({"broker": "angelone", "count": 2, "client_code": "SAME"}),
            "client_code",
        ),
    ] {
        let (status, refused) = h.control("POST", "/accounts", wrong).await;
        assert_eq!(status, 400);
        assert!(
            refused["error"]["message"].as_str().unwrap().starts_with(field),
            "{refused}"
        );
    }
    let too_many = json!({"broker": "angelone", "count": 10_001});
    assert_eq!(h.control("POST", "/accounts", too_many).await.0, 409);
    let (_, list) = h.control("GET", "/accounts", Value::Null).await;
    let list = list["accounts"].as_array().unwrap();
    assert_eq!(list.len(), 10_004, "what does not fit adds nothing");
    assert_eq!(list[2]["live_sessions"], 1);
}

#[tokio::test]
async fn a_changed_key_is_the_one_that_logs_in() {
    let h = start().await;
    let change = json!({"api_key": "sandbox-changed"});
    assert_eq!(h.control("PATCH", "/accounts/SBX001", change).await.0, 200);
    let (_, list) = h.control("GET", "/accounts", Value::Null).await;
    let secret = &list["accounts"][0]["api_secret"];
    for (key, expected) in [("sandbox-samco-key-1", 401), ("sandbox-changed", 200)] {
        let body = json!({"apiKey": key, "apiSecret": secret});
        assert_eq!(h.post("/session/token", &body).await.0, expected, "{key}");
    }
    let taken = json!({"api_key": "sandbox-changed"});
    assert_eq!(h.control("PATCH", "/accounts/SBX002", taken).await.0, 409);
}

#[tokio::test]
async fn the_ready_line_is_the_contract() {
    let h = start().await;
    let line = h.sandbox.ready_line();
    let fields = [
        "samco_url",
        "angelone_url",
        "dashboard_url",
        "control_url",
        "control_token",
        "ca_file",
        "accounts",
    ];
    common::same_fields(&line, &fields);
    assert_eq!(line["ca_file"], Value::Null);
    assert_eq!(line["control_url"], format!("{}/_sandbox", h.sandbox.samco_url()));
    let accounts = line["accounts"].as_array().unwrap();
    let names: Vec<_> = accounts.iter().map(|account| &account["account"]).collect();
    assert_eq!(names, ["SBX001", "SBX002", "SBX101", "SBX102"]);
    assert_eq!(accounts[2]["client_code"], "SBX101");
    common::same_fields(
        &accounts[2],
        &[
            "broker",
            "account",
            "client_code",
            "pin",
            "totp_secret",
            "api_key",
            "redirect_url",
        ],
    );
}

#[tokio::test]
async fn requests_are_counted_and_hold_no_secret() {
    let h = start().await;
    let token = h.samco_login(0).await;
    for _ in 0..3 {
        h.with_token(
            Method::GET,
            "/quote/getQuote?symbolName=TCS&key=CANARY",
            &token,
            None,
        )
        .await;
    }
    h.angelone_login(0).await;
    let (_, log) = h
        .control("GET", "/requests?broker=samco&path=/quote/getQuote", Value::Null)
        .await;
    assert_eq!(log["count"], 3);
    let last = &log["requests"][2];
    assert_eq!(last["query"], "symbolName=TCS&key=**redacted**");
    assert_eq!(
        (&last["status"], &last["account"], &last["source_ip"]),
        (&json!(200), &json!("SBX001"), &json!("203.0.113.10"))
    );
    let fields = [
        "seq",
        "at",
        "ist",
        "broker",
        "method",
        "path",
        "query",
        "status",
        "source_ip",
        "fault",
        "account",
    ];
    common::same_fields(last, &fields);
    let (_, all) = h.control("GET", "/requests", Value::Null).await;
    assert_eq!(all["count"], 5);
    let (_, none) = h.control("GET", "/requests?limit=0", Value::Null).await;
    assert_eq!(none, json!({"count": 5, "requests": []}));
    let text = all.to_string();
    for secret in [
        &h.samco(0).api_secret,
        &h.samco(0).api_key,
        &token,
        &h.angelone(0).totp_secret,
        "CANARY",
    ] {
        assert!(!text.contains(secret));
    }
    assert_eq!(
        h.sandbox
            .requests(Some(Broker::AngelOne), Some("/rest/auth/*"))
            .count,
        1
    );
    h.control("DELETE", "/requests", Value::Null).await;
    assert_eq!(h.sandbox.requests(None, None).count, 0);
}

#[tokio::test]
async fn the_status_page_is_safe_and_useful() {
    let h = start().await;
    read(h.request(Method::GET, "/%3Cscript%3E").send().await.unwrap()).await;
    read(h.request(Method::GET, "/x?symbol=<script>").send().await.unwrap()).await;
    let page = h.client.get(h.sandbox.dashboard_url()).send().await.unwrap();
    assert_eq!(page.status(), 200);
    let policy = page.headers()["content-security-policy"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"));
    let text = page.text().await.unwrap();
    for shown in [
        "2026-11-20 10:00:00 IST",
        "SBX001",
        "SBX102",
        "203.0.113.10",
        "sandbox-samco-key-1",
    ] {
        assert!(text.contains(shown), "{shown}");
    }
    assert!(
        !text.contains("<script>") && !text.contains("style=") && !text.contains(h.sandbox.control_token())
    );
    let style = h
        .request(Method::GET, "/assets/sandbox.css")
        .send()
        .await
        .unwrap();
    assert!(
        style.headers()["content-type"]
            .to_str()
            .unwrap()
            .starts_with("text/css")
    );
    let reply = h
        .client
        .get(h.sandbox.dashboard_url())
        .header("host", "evil.example")
        .send()
        .await
        .unwrap();
    assert_eq!(reply.status(), 403);
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let first = Sandbox::start(Options::default()).await.unwrap();
    let port: u16 = first.samco_url().rsplit(':').next().unwrap().parse().unwrap();
    let error = Sandbox::start(Options::default().port(port)).await.unwrap_err();
    assert!(matches!(error, StartError::Bind { port: named, .. } if named == port));
    assert!(error.to_string().contains(&port.to_string()));
    first.stop().await;
    Sandbox::start(Options::default().port(port))
        .await
        .unwrap()
        .stop()
        .await;
}

#[tokio::test]
async fn tls_with_a_ca_of_its_own() {
    let sandbox = Sandbox::start(Options::default().tls(true)).await.unwrap();
    let ca_file = sandbox.ca_file().unwrap().to_owned();
    assert_eq!(sandbox.ready_line()["ca_file"], ca_file.to_str().unwrap());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(ca_file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
    let pem = std::fs::read(&ca_file).unwrap();
    assert!(!String::from_utf8_lossy(&pem).contains("PRIVATE"));
    let ca = reqwest::Certificate::from_pem(&pem).unwrap();
    client();
    let trusting = reqwest::Client::builder()
        .tls_certs_only([ca])
        .no_proxy()
        .build()
        .unwrap();
    let url = sandbox.samco_url().to_owned();
    assert!(url.starts_with("https://127.0.0.1:"));
    for url in [url.clone(), url.replace("127.0.0.1", "localhost")] {
        let (status, reply) = read(trusting.get(format!("{url}/ip/whoami")).send().await.unwrap()).await;
        assert_eq!((status, &reply["status"]), (401, &json!("Failure")));
    }
    let wary = reqwest::Client::builder()
        .tls_certs_only([])
        .no_proxy()
        .build()
        .unwrap();
    wary.get(format!("{url}/ip/whoami")).send().await.unwrap_err();
    sandbox.stop().await;
    assert!(!ca_file.exists());
}

#[tokio::test]
async fn oversized_bodies_are_refused_by_both_brokers() {
    let h = start().await;
    let body = vec![b' '; (1 << 20) + 1];
    for path in ["/session/token", common::LOGIN] {
        let sent = h
            .request(Method::POST, path)
            .body(body.clone())
            .send()
            .await
            .unwrap();
        let (status, reply) = read(sent).await;
        assert_eq!(status, 413);
        assert!(reply.is_object(), "{reply}");
    }
}

#[test]
fn slow_and_broken_requests_are_ended() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let brief = Duration::from_millis(150);
    let options = Options::default().header_timeout(brief).body_timeout(brief);
    let sandbox = runtime.block_on(Sandbox::start(options)).unwrap();
    let send = |text: &str| {
        let mut stream = TcpStream::connect(sandbox.samco_url().trim_start_matches("http://")).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        stream.write_all(text.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    let slow_head = send("POST /session/token HTTP/1.1\r\nHost: x\r\nX-Never");
    assert!(
        slow_head.is_empty() || slow_head.starts_with("HTTP/1.1 408"),
        "{slow_head}"
    );
    let slow_body = send("POST /session/token HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{");
    assert!(slow_body.starts_with("HTTP/1.1 408"), "{slow_body}");
    assert!(send("nonsense\r\n\r\n").starts_with("HTTP/1.1 400"));
    runtime.block_on(sandbox.stop());
}

#[tokio::test]
async fn the_documentation_names_every_switch() {
    let h = start().await;
    let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/sandbox.md");
    let page = std::fs::read_to_string(page).unwrap();
    let (_, switches) = h.control("GET", "/switches", Value::Null).await;
    for name in switches.as_object().unwrap().keys() {
        assert!(
            page.contains(&format!("| `{name}` |")),
            "docs/sandbox.md does not name {name}"
        );
    }
}

#[tokio::test]
async fn what_does_not_fit_is_told_in_words_of_the_caller() {
    let h = start().await;
    let fault = |more: Value| {
        let mut fault = json!({"broker": "samco", "path": "/quote/*"});
        fault
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        fault
    };
    for (method, path, body, expected) in [
        (
            "POST",
            "/faults",
            fault(json!({"broker": "zerodha"})),
            "broker must be `samco` or `angelone`, not `zerodha`",
        ),
        (
            "POST",
            "/faults",
            fault(json!({"status": "503"})),
            "status must be a whole number from 0 to 65535, not \"503\"",
        ),
        (
            "POST",
            "/faults",
            fault(json!({"staus": 503})),
            "staus is not a field here: use one of `broker`, ",
        ),
        ("POST", "/faults", json!({"broker": "samco"}), "path is missing"),
        (
            "PATCH",
            "/accounts/SBX001",
            json!({"colour": "red"}),
            "colour is not a field here: use one of `password`, ",
        ),
        (
            "PATCH",
            "/accounts/SBX001",
            json!({"password": 5}),
            "password must be a string, not 5",
        ),
        (
            "POST",
            "/portal",
            json!({"account": "SBX001", "action": {"create_app": {"name": "Momentum"}}}),
            "action.create_app.redirect_url is missing",
        ),
        ("PUT", "/clock", json!(5), "body must be an object, not 5"),
    ] {
        let (status, told) = h.control(method, path, body).await;
        let (code, message) = (&told["error"]["code"], told["error"]["message"].as_str().unwrap());
        assert_eq!((status, code), (400, &json!("invalid_field")), "{message}");
        assert!(message.starts_with(expected), "{message}");
        assert!(!message.contains(" at line "), "{message}");
    }
}
