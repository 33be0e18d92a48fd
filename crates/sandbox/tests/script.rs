//! Scripted days over HTTP: a step is done before any later request is answered, in order, once, on whatever clock.
#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use std::time::{Duration, Instant};

use common::{Harness, client};
use preopen_core::{Clock as _, Timestamp};
use preopen_sandbox::{Broker, Options, Sandbox, Script, StartError};
use reqwest::Method;
use serde_json::{Value, json};

const DAY: &str = r#"
start = "2026-11-23T09:00:00+05:30"
speed = 0
days = 2
end = "16:00"

[[step]]
at = "09:30"
switches = { samco_expired_status = 403 }

[[step]]
name = "another line"
at = "10:00"
source_ip = "198.51.100.20"

[[step]]
from = "11:00"
until = "11:05"
fault = { broker = "samco", path = "/*", status = 503, body_kind = "html" }

[[step]]
from = "11:05"
until = "11:06"
rate_limit = { broker = "angelone", path = "/rest/*", retry_after = 7 }

[[step]]
at = "12:00"
end_sessions = { broker = "samco", account = "SBX001" }

[[step]]
at = "13:00"
account = { id = "SBX001", blocked = true, primary_ip = "198.51.100.20" }

[[step]]
at = "14:00"
mark = "tea"
on_days = [2]
"#;

async fn play(text: &str) -> Harness {
    let options = Options::default().script(Script::parse("day.toml", text).unwrap());
    Harness {
        sandbox: Sandbox::start(options).await.unwrap(),
        client: client(),
    }
}

fn ist(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(&format!("2026-11-23T{text}+05:30")).unwrap()
}

impl Harness {
    async fn status(&self, path: &str) -> u16 {
        let sent = self.request(Method::GET, path).send().await.unwrap();
        sent.status().as_u16()
    }

    async fn told(&self) -> Vec<String> {
        let (_, report) = self.control("GET", "/script", Value::Null).await;
        let done = report["done"].as_array().unwrap().iter();
        done.map(|step| {
            format!(
                "{} {}",
                &step["ist"].as_str().unwrap()[11..16],
                step["what"].as_str().unwrap()
            )
        })
        .collect()
    }
}

#[tokio::test]
async fn on_a_standing_clock_every_step_comes_before_the_next_request() {
    let day = play(DAY).await;
    let clock = day.sandbox.clock();
    assert_eq!(clock.rate().to_bits(), 0.0_f64.to_bits());
    assert_eq!(day.status("/ip/whoami").await, 401);
    // Nobody tells the sandbox that its clock was moved: the request itself must notice.
    for (time, status) in [
        ("10:59:59.999", 401),
        ("11:00:00", 503),
        ("11:04:59.999", 503),
        ("11:05:00", 401),
    ] {
        clock.set(ist(time));
        assert_eq!(day.status("/ip/whoami").await, status, "{time}");
    }
    let seen = day.sandbox.requests(Some(Broker::Samco), None).requests;
    let addresses: Vec<_> = seen.iter().map(|request| request.source_ip.clone()).collect();
    assert_eq!(
        addresses,
        [
            "203.0.113.10",
            "198.51.100.20",
            "198.51.100.20",
            "198.51.100.20",
            "198.51.100.20"
        ]
    );

    let limited = day
        .request(Method::GET, "/rest/secure/angelbroking/user/v1/getProfile")
        .send()
        .await
        .unwrap();
    assert_eq!(
        (
            limited.status().as_u16(),
            limited.headers()["retry-after"].to_str().unwrap()
        ),
        (403, "7")
    );
    let expected = [
        "09:30 switches: samco_expired_status = 403",
        "10:00 requests come from 198.51.100.20",
        "11:00 samco /*: body_kind html, status 503, until 11:05:00 IST",
        "11:05 over: samco /*: body_kind html, status 503",
        "11:05 angelone /rest/*: body, headers, status 403, until 11:06:00 IST",
    ];
    assert_eq!(day.told().await, expected);
    let (_, report) = day.control("GET", "/script", Value::Null).await;
    assert_eq!(report["next"]["ist"], "2026-11-23 11:06:00 IST");
    assert_eq!(report["done"][1]["name"], "another line");
    assert_eq!(
        (
            &report["script"],
            &report["days"],
            &report["done_count"],
            &report["ended"]
        ),
        (&json!("day.toml"), &json!(2), &json!(5), &json!(false))
    );
}

#[tokio::test]
async fn a_clock_that_is_set_back_does_not_play_anything_again() {
    let day = play(DAY).await;
    let steps = async || day.told().await.len();
    day.control("PUT", "/clock", json!({"now": "2026-11-23T11:02:00+05:30"}))
        .await;
    assert_eq!((steps().await, day.status("/ip/whoami").await), (3, 503));
    day.control("PUT", "/clock", json!({"now": "2026-11-23T10:30:00+05:30"}))
        .await;
    assert_eq!((steps().await, day.status("/ip/whoami").await), (3, 401));
    day.sandbox.set_source_ip(preopen_sandbox::SourceIp::Home);
    day.control("POST", "/clock/advance", json!({"seconds": 60}))
        .await;
    day.status("/ip/whoami").await;
    let seen = day.sandbox.requests(None, None).requests;
    assert_eq!(seen.last().unwrap().source_ip, "203.0.113.10");
    // The outage goes on when its time comes again, since it has not ended yet; it ends once.
    day.control("PUT", "/clock", json!({"now": "2026-11-23T11:03:00+05:30"}))
        .await;
    assert_eq!((steps().await, day.status("/ip/whoami").await), (3, 503));
    day.control("PUT", "/clock", json!({"now": "2026-11-23T11:05:30+05:30"}))
        .await;
    assert_eq!((steps().await, day.status("/ip/whoami").await), (5, 401));
    day.control("PUT", "/clock", json!({"now": "2026-11-23T11:03:00+05:30"}))
        .await;
    assert_eq!((steps().await, day.status("/ip/whoami").await), (5, 401));
}

#[tokio::test]
async fn one_jump_over_everything_ends_where_small_steps_end() {
    let small = play(DAY).await;
    while small.sandbox.clock().now().wall < Timestamp::parse_rfc3339("2026-11-24T16:00:00+05:30").unwrap() {
        small.sandbox.clock().advance(Duration::from_mins(7));
        small.status("/ip/whoami").await;
    }
    let large = play(DAY).await;
    let mut steps = large.sandbox.script_steps().unwrap();
    large.sandbox.clock().advance(Duration::from_hours(48));
    assert_eq!(large.told().await, small.told().await);
    let report = large.sandbox.script().unwrap();
    assert!(report.ended && report.next.is_none());
    assert_eq!(report.done_count, 17);
    let mut told = Vec::new();
    while let Some(step) = steps.next().await {
        told.push(step);
    }
    assert_eq!(told, report.done);
    for day in [&small, &large] {
        assert!(day.sandbox.faults().is_empty());
        let account = day.sandbox.change_account("SBX001", &json!({})).unwrap();
        assert_eq!(
            (&account["blocked"], &account["primary_ip"]),
            (&json!(true), &json!("198.51.100.20"))
        );
    }
}

#[tokio::test]
async fn at_high_speed_no_request_sees_the_wrong_side_of_a_step() {
    let text = DAY
        .replace("speed = 0", "speed = 20000")
        .replace("09:00:00", "10:55:00");
    let day = play(&text).await;
    let began = Instant::now();
    while !day.sandbox.script().unwrap().ended {
        assert!(began.elapsed() < Duration::from_mins(1));
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..4 {
            let sent = day.request(Method::GET, "/ip/whoami").send();
            tasks.spawn(sent);
        }
        tasks.join_all().await;
    }
    let seen = day.sandbox.requests(None, None).requests;
    let mut in_outage = 0;
    for request in &seen {
        let outage = ["23", "24"].iter().any(|day| {
            let time = |time: &str| Timestamp::parse_rfc3339(&format!("2026-11-{day}T{time}+05:30")).unwrap();
            (time("11:00:00")..time("11:05:00")).contains(&request.at)
        });
        in_outage += usize::from(outage);
        assert_eq!(
            request.status,
            Some(if outage { 503 } else { 401 }),
            "{}",
            request.at.to_ist()
        );
        // The step of the first day was before the clock's start.
        let moved = request.at >= Timestamp::parse_rfc3339("2026-11-24T10:00:00+05:30").unwrap();
        assert_eq!(
            request.source_ip,
            if moved { "198.51.100.20" } else { "203.0.113.10" }
        );
    }
    assert!(seen.len() > 100, "{}", seen.len());
    println!("{} requests, {in_outage} in an outage", seen.len());
}

#[tokio::test]
async fn sessions_are_ended_and_accounts_changed_as_planned() {
    let day = play(DAY).await;
    let token = day.samco_login(0).await;
    let other = day.samco_login(1).await;
    let asked = async |token: &str| {
        let sent = day
            .request(Method::GET, "/ip/whoami")
            .header("x-session-token", token);
        sent.send().await.unwrap().status().as_u16()
    };
    day.sandbox.clock().set(ist("11:59:59"));
    assert_eq!((asked(&token).await, asked(&other).await), (200, 200));
    day.sandbox.clock().set(ist("12:00:00"));
    assert_eq!((asked(&token).await, asked(&other).await), (403, 200));
}

#[tokio::test]
async fn a_script_about_a_stranger_does_not_start_and_without_one_there_is_none() {
    let text = "[[step]]\nat = \"10:00\"\naccount = { id = \"SBX077\", blocked = true }";
    let options = Options::default().script(Script::parse("day.toml", text).unwrap());
    let error = Sandbox::start(options).await.unwrap_err();
    assert!(matches!(error, StartError::Script(_)), "{error}");
    assert!(
        error.to_string().starts_with("day.toml:3: account \"SBX077\""),
        "{error}"
    );

    let plain = common::start().await;
    assert_eq!(
        plain.control("GET", "/script", Value::Null).await,
        (200, json!({"script": null}))
    );
    assert!(plain.sandbox.script().is_none() && plain.sandbox.script_steps().is_none());
}

#[tokio::test]
async fn a_step_that_cannot_be_done_says_so_and_the_script_goes_on() {
    let text = "start = \"2026-11-23T09:00:00+05:30\"\nspeed = 0\n[[step]]\nat = \"10:00\"\n\
                account = { id = \"SBX001\", api_key = \"sandbox-key-of-the-second\" }\n[[step]]\nat = \"11:00\"\nmark = \"on\"";
    let day = play(text).await;
    day.sandbox
        .change_account("SBX002", &json!({"api_key": "sandbox-key-of-the-second"}))
        .unwrap();
    day.sandbox.advance_to("11:00 IST").unwrap();
    let done = day.sandbox.script().unwrap().done;
    assert_eq!(
        done[0].problem.as_deref(),
        Some("api_key is taken by another app")
    );
    assert_eq!(done[0].what, "account SBX001: a new api_key");
    assert_eq!((done[1].what.as_str(), &done[1].problem), ("on", &None));
}

#[tokio::test]
async fn the_overview_tells_how_far_the_script_has_come() {
    let h = play(DAY).await;
    let page = async || {
        h.request(Method::GET, "/")
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap()
    };
    assert!(
        page()
            .await
            .contains("day.toml: 0 steps done, next at 2026-11-23 09:30:00 IST: ")
    );
    h.control("POST", "/clock/advance", json!({"to": "09:45 IST"}))
        .await;
    assert!(
        page()
            .await
            .contains("day.toml: 1 step done, next at 2026-11-23 10:00:00 IST: another line")
    );
    h.control("POST", "/clock/advance", json!({"seconds": 2 * 86_400}))
        .await;
    assert!(page().await.contains("it is over"));
}
