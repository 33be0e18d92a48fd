//! The control API under junk: every route with structured nonsense answers 2xx or 4xx with an error that names what is
//! wrong, quickly, in bounded memory, and the sandbox goes on.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

mod common;

use std::time::{Duration, Instant};

use common::{Harness, start};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

/// Every route that reads a body, with the names that it knows.
const BODIES: &[(&str, &str, &[&str])] = &[
    ("PUT", "/clock", &["now", "rate"]),
    ("POST", "/clock/advance", &["to", "seconds"]),
    (
        "POST",
        "/faults",
        &[
            "broker",
            "path",
            "method",
            "times",
            "probability",
            "skip",
            "status",
            "body",
            "body_kind",
            "size",
            "headers",
            "delay_ms",
            "stall",
            "drip_ms",
            "reset",
            "redirect_to",
            "handled",
            "duplicate",
            "fault",
        ],
    ),
    (
        "PATCH",
        "/switches",
        &["samco_jwt_exp", "totp_window_steps", "totp_clock"],
    ),
    ("PUT", "/source-ip", &["ip"]),
    (
        "POST",
        "/accounts",
        &[
            "broker",
            "count",
            "account",
            "client_code",
            "password",
            "pin",
            "totp_secret",
            "api_key",
            "api_secret",
            "primary_ip",
            "secondary_ip",
            "redirect_url",
            "secret_api_key",
        ],
    ),
    (
        "PATCH",
        "/accounts/SBX002",
        &[
            "blocked",
            "subscribed",
            "app_active",
            "needs_app_login",
            "password",
            "pin",
            "totp_secret",
            "api_key",
            "api_secret",
            "primary_ip",
            "secondary_ip",
            "redirect_url",
            "secret_api_key",
        ],
    ),
    ("POST", "/consent", &["url", "decision", "account"]),
    ("POST", "/portal", &["account", "action"]),
    ("POST", "/portal/confirm", &["account", "proposal", "otp"]),
    ("POST", "/portal/sign-in", &["account", "password"]),
];
const QUERIES: &[(&str, &str, &[&str])] = &[
    ("GET", "/requests", &["broker", "path", "limit"]),
    ("GET", "/inbox", &["account"]),
    ("DELETE", "/inbox", &["account"]),
    ("DELETE", "/requests", &["broker"]),
    ("DELETE", "/sessions", &["broker", "account"]),
    ("DELETE", "/faults", &["id"]),
    ("GET", "/accounts", &["broker"]),
    ("GET", "/portal", &["account"]),
];
/// How long one answer may take, with other tests on the same processors.
const PROMPT: Duration = Duration::from_secs(10);

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        select(vec![
            "",
            " ",
            "samco",
            "angelone",
            "home",
            "approve",
            "cancel",
            "08:00 IST",
            "99:99 IST",
            "é8:00 IST",
            "2026-11-22T07:59:00+05:30",
            "9999-12-30T22:00:00Z",
            "-000001-01-01T00:00:00Z",
            "1970-01-01T00:00:00Z",
            "/",
            "/*",
            "/_sandbox",
            "SBX001",
            "SBX002",
            "html",
            "empty",
            "truncated",
            "malformed",
            "before",
            "after",
            "true",
            "null",
            "203.0.113.10",
            "::1",
            "256.256.256.256",
            "http://127.0.0.1:1/app/oauth/authorize",
            "javascript:alert(1)",
            "\0",
            "\r\nX: y",
            "{}",
            "<b>",
            "\u{202e}",
            "\u{feff}",
            "𝕊𝔸𝕄ℂ𝕆",
        ])
        .prop_map(str::to_owned),
        "\\PC{0,60}",
        (1..=3_usize).prop_map(|power| "é".repeat(10_usize.pow(u32::try_from(power).unwrap()) * 30)),
    ]
}

/// A JSON value as text, so that it may be one that no value of serde's can be.
fn junk() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        text().prop_map(|text| Value::String(text).to_string()),
        select(vec![
            "null",
            "true",
            "false",
            "0",
            "1",
            "2",
            "-1",
            "0.5",
            "1.0",
            "1e2",
            "204",
            "599",
            "65536",
            "4294967296",
            "9223372036854775808",
            "18446744073709551615",
            "18446744073709551616",
            "-9223372036854775809",
            "1e308",
            "-1e308",
            "1e999",
            "1e-999",
            "-0",
            "0.1e-7",
            "123456789012345678901234567890",
            "{}",
            "[]",
            "[[]]",
            "NaN",
            "Infinity",
            "01",
            "0x10",
            "'a'",
            "\"\\ud800\"",
            "\"\\u0000\"",
        ])
        .prop_map(str::to_owned),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            vec((text(), inner), 0..4).prop_map(|fields| object(&fields)),
        ]
    })
}

fn object(fields: &[(String, String)]) -> String {
    let fields: Vec<String> = fields
        .iter()
        .map(|(name, value)| format!("{}:{value}", Value::from(name.as_str())))
        .collect();
    format!("{{{}}}", fields.join(","))
}

/// An object with some of these names, now and then one twice or a foreign one.
fn body(names: &'static [&'static str]) -> impl Strategy<Value = String> {
    let name = prop_oneof![
        20 => select(names).prop_map(str::to_owned),
        1 => text(),
    ];
    let fields = vec((name, junk()), 0..6).prop_map(|fields| object(&fields));
    prop_oneof![
        12 => fields,
        2 => junk(),
        1 => "\\PC{0,40}",
        1 => (1..100_000_usize).prop_map(|depth| "[".repeat(depth)),
        1 => (1..20_000_usize).prop_map(|depth| "{\"headers\":".repeat(depth)),
    ]
}

struct Fuzzed {
    harness: Harness,
    runner: TestRunner,
}

impl Fuzzed {
    async fn new() -> Self {
        Self {
            harness: start().await,
            runner: TestRunner::deterministic(),
        }
    }

    fn draw<T: std::fmt::Debug>(&mut self, strategy: &impl Strategy<Value = T>) -> T {
        strategy.new_tree(&mut self.runner).unwrap().current()
    }

    /// Sends one request with the token; checks what must be true of every answer.
    async fn send(&self, method: &str, path: &str, body: String) -> (u16, Value) {
        let url = format!("{}{path}", self.harness.sandbox.control_url());
        let began = Instant::now();
        let reply = self
            .harness
            .client
            .request(method.parse().unwrap(), url)
            .header("x-sandbox-token", self.harness.sandbox.control_token())
            .body(body.clone())
            .send()
            .await
            .unwrap();
        let status = reply.status().as_u16();
        let kind = reply.headers()["content-type"].to_str().unwrap().to_owned();
        let told = reply.text().await.unwrap();
        let case = || format!("{method} {path} {body:.300} -> {status} {told:.600}");
        assert!(began.elapsed() < PROMPT, "slow: {}", case());
        assert!(
            (200..300).contains(&status) || (400..500).contains(&status),
            "{}",
            case()
        );
        assert_eq!(kind, "application/json", "{}", case());
        let told: Value = serde_json::from_str(&told).unwrap_or_else(|_| panic!("{}", case()));
        if status >= 400 {
            let error = told["error"].as_object().unwrap_or_else(|| panic!("{}", case()));
            let (code, message) = (
                error["code"].as_str().unwrap(),
                error["message"].as_str().unwrap(),
            );
            assert!(
                told.as_object().unwrap().len() == 1 && error.len() == 2,
                "{}",
                case()
            );
            assert!(!code.is_empty() && code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'));
            assert!(
                message.len() >= 8 && message.chars().count() <= 1003,
                "{} bytes: {}",
                message.len(),
                case()
            );
        }
        (status, told)
    }

    /// The sandbox is as useful as before: its clock is told, and an account of a new name logs in.
    async fn goes_on(&self) {
        self.send("DELETE", "/faults", String::new()).await;
        let (status, shown) = self.send("GET", "/clock", String::new()).await;
        assert_eq!(status, 200, "{shown}");
        let now = json!({"now": "2026-11-20T10:00:00+05:30", "rate": 0}).to_string();
        assert_eq!(self.send("PUT", "/clock", now).await.0, 200);
        let (status, account) = self
            .send("POST", "/accounts", json!({"broker": "samco"}).to_string())
            .await;
        assert_eq!(status, 201, "{account}");
        let keys = json!({"apiKey": account["api_key"], "apiSecret": account["api_secret"]});
        let (status, reply) = self.harness.post("/session/token", &keys).await;
        assert_eq!(status, 200, "{reply}");
        let token = reply["sessionToken"].as_str().unwrap();
        let (status, reply) = self
            .harness
            .with_token(reqwest::Method::GET, "/ip/whoami", token, None)
            .await;
        assert_eq!((status, &reply["status"]), (200, &json!("Success")), "{reply}");
    }
}

/// Resident memory of this process in bytes, where the system tells it this way.
fn resident() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<usize>().ok()? << 10)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn junk_in_every_body_is_refused_by_name_and_harms_nothing() {
    let mut fuzzed = Fuzzed::new().await;
    let before = resident();
    for (method, path, names) in BODIES {
        let strategy = body(names);
        let (mut refused, mut done) = (0, 0);
        for _ in 0..150 {
            let body = fuzzed.draw(&strategy);
            let (status, told) = fuzzed.send(method, path, body.clone()).await;
            if status < 400 {
                done += 1;
                continue;
            }
            refused += 1;
            let (code, message) = (&told["error"]["code"], told["error"]["message"].as_str().unwrap());
            if code == "invalid_field" {
                names_what_is_wrong(message, names, &body);
            }
        }
        assert!(refused > 30, "{method} {path}: {refused} refused, {done} done");
    }
    fuzzed.goes_on().await;
    if let (Some(before), Some(after)) = (before, resident()) {
        let grown = after.saturating_sub(before) >> 20;
        assert!(grown < 300, "{grown} MiB more than before");
    }
}

/// An error begins with a field that the call knows or that was sent, or with `body` when it is about all of it.
fn names_what_is_wrong(message: &str, names: &[&str], body: &str) {
    let first = message.split_whitespace().next().unwrap_or_default();
    let field = first.split(['.', '[']).next().unwrap_or_default();
    let is_object = serde_json::from_str::<Value>(body).is_ok_and(|value| value.is_object());
    let known = names.contains(&field)
        || (field == "body" && !is_object)
        // "missing field `broker`", "duplicate field `now`", "body is wrong: password: invalid type"
        || names
            .iter()
            .any(|name| message.contains(&format!("field `{name}`")) || message.contains(&format!(": {name}")))
        // A field that was sent and is not known.
        || keys(body).any(|key| {
            let told = [format!("unknown field `{key}"), format!("body is wrong: {key}")];
            (!key.is_empty() && message.starts_with(&key)) || told.iter().any(|told| message.contains(told))
        });
    assert!(known, "{message} does not name a field of {body}");
}

/// The texts that could be fields of a body, whether or not all of it is JSON.
fn keys(body: &str) -> impl Iterator<Item = String> {
    let starts = body.match_indices('"').map(|(at, _)| &body[at..]);
    starts.filter_map(|rest| {
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<String>();
        let text = values.next()?.ok()?;
        // A message quotes no more than its beginning.
        Some(text.chars().take(400).collect())
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn junk_in_queries_methods_and_paths_is_refused_or_ignored() {
    let mut fuzzed = Fuzzed::new().await;
    let value = prop_oneof![text(), "[0-9-]{1,25}"];
    for (method, path, names) in QUERIES {
        let strategy = vec((select(*names), option::of(value.clone())), 0..4);
        for _ in 0..60 {
            let mut query = form_urlencoded::Serializer::new(String::new());
            for (name, value) in fuzzed.draw(&strategy) {
                // An address has its own limit.
                let value: String = value.unwrap_or_default().chars().take(300).collect();
                query.append_pair(name, &value);
            }
            fuzzed
                .send(method, &format!("{path}?{}", query.finish()), String::new())
                .await;
        }
    }
    let methods = select(vec![
        "GET", "PUT", "POST", "PATCH", "DELETE", "HEADERS", "OPTIONS", "TRACE",
    ]);
    let paths = prop_oneof![
        select(vec![
            "",
            "/",
            "/clock/",
            "/clock/advance/x",
            "/accounts/",
            "/accounts/%00",
            "/accounts/%ff%zz",
            "/accounts/..",
            "/accounts/SBX001/x",
            "/../clock",
            "/%2e%2e/clock",
            "/clock;x",
            "/clock%2fadvance",
            "/Clock",
            "//clock",
        ])
        .prop_map(str::to_owned),
        "/[a-z%0-9/.-]{0,30}",
        (1..60_000_usize).prop_map(|length| format!("/{}", "a".repeat(length))),
    ];
    for _ in 0..300 {
        let (method, path) = fuzzed.draw(&(methods.clone(), paths.clone()));
        // Clients take dots out of a path themselves, and may so leave the control API.
        if !path.contains("..") && !path.contains("%2e") {
            fuzzed.send(method, &path, "{}".to_owned()).await;
        }
    }
    fuzzed.goes_on().await;
}

#[tokio::test]
async fn numbers_without_end_are_refused_at_once() {
    let fuzzed = Fuzzed::new().await;
    let cases = [
        (
            "POST",
            "/accounts",
            r#"{"broker": "samco", "count": 18446744073709551615}"#,
            "20000",
        ),
        ("POST", "/accounts", r#"{"broker": "samco", "count": 0}"#, "count"),
        (
            "POST",
            "/accounts",
            r#"{"broker": "samco", "count": -1}"#,
            "count",
        ),
        (
            "POST",
            "/accounts",
            r#"{"broker": "samco", "password": 7}"#,
            "password",
        ),
        (
            "POST",
            "/accounts",
            r#"{"broker": "samco", "pasword": "x"}"#,
            "pasword",
        ),
        ("PATCH", "/accounts/SBX001", r#"{"blocked": "yes"}"#, "blocked"),
        (
            "PATCH",
            "/accounts/SBX001",
            r#"{"primary_ip": ["203.0.113.10"]}"#,
            "primary_ip",
        ),
        ("PUT", "/clock", r#"{"rate": 1e999}"#, "not JSON"),
        ("PUT", "/clock", r#"{"rate": -1}"#, "rate"),
        (
            "PUT",
            "/clock",
            r#"{"now": "2026-11-22T07:59:00Z", "now": "x"}"#,
            "now",
        ),
        ("POST", "/clock/advance", r#"{"seconds": 1e300}"#, "seconds"),
        (
            "POST",
            "/faults",
            r#"{"broker": "samco", "path": "/a", "status": 200, "headers": {"a": 1}}"#,
            "headers.a",
        ),
        ("PUT", "/source-ip", "[]", "body"),
    ];
    for (method, path, body, named) in cases {
        let (status, told) = fuzzed.send(method, path, body.to_owned()).await;
        let message = told["error"]["message"].as_str().unwrap_or_default();
        assert!(
            (400..500).contains(&status) && message.contains(named),
            "{method} {path} {body}: {told}"
        );
    }
    // A hundred years at a time, until the calendar ends.
    let century = json!({"seconds": 100 * 365 * 86_400_u64}).to_string();
    for _ in 0..100 {
        let (status, told) = fuzzed.send("POST", "/clock/advance", century.clone()).await;
        if status == 400 {
            assert!(
                told["error"]["message"].as_str().unwrap().starts_with("seconds"),
                "{told}"
            );
            fuzzed.goes_on().await;
            return;
        }
    }
    panic!("the clock went past the end of the calendar");
}

#[tokio::test]
async fn faults_with_large_bodies_have_a_limit_together() {
    let fuzzed = Fuzzed::new().await;
    let large = json!({"broker": "samco", "path": "/a", "body_kind": "large", "size": 64 << 20}).to_string();
    let mut added = 0;
    let told = loop {
        let (status, told) = fuzzed.send("POST", "/faults", large.clone()).await;
        if status != 201 {
            break told;
        }
        added += 1;
        assert!(added <= 16, "more than 1 GiB of bodies");
    };
    assert_eq!((added, &told["error"]["code"]), (7, &json!("conflict")), "{told}");
    fuzzed.send("DELETE", "/faults", String::new()).await;
    assert_eq!(fuzzed.send("POST", "/faults", large).await.0, 201);
}
