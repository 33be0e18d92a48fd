//! `preflight`, `doctor` and `static-ip`: findings, fixes and exit codes.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod common;

use std::io::Write as _;
use std::process::{Command, Stdio};

use common::{Broker, PREOPEN, SAMCO_LOGIN, code, error, json, stderr, stdout};
use serde_json::Value;

const WHOAMI: &str = "/ip/whoami";

fn check<'a>(found: &'a Value, name: &str) -> &'a Value {
    let checks = found["checks"].as_array().unwrap();
    let found = checks.iter().find(|check| check["name"] == name);
    found.unwrap_or_else(|| panic!("no {name} in {checks:?}"))
}

fn leave_by(broker: &Broker, address: &str) {
    broker.control("PUT", "/source-ip", &format!("{{\"ip\": \"{address}\"}}"));
}

#[test]
fn preflight_is_a_readiness_probe() {
    let broker = Broker::start();
    let probe = ["preflight", "samco", "--json"];
    let output = broker.run(&probe);
    assert_eq!(
        (code(&output), &json(&output)["ready"]),
        (0, &true.into()),
        "{output:?}"
    );
    assert_eq!(check(&json(&output), "static_ip")["status"], "pass");
    assert_eq!(code(&broker.run(&["preflight", "samco", "--no-input"])), 0);
    assert_eq!(broker.count(SAMCO_LOGIN), 1, "the store is used");

    leave_by(&broker, "198.51.100.7");
    let output = broker.run(&probe);
    let found = json(&output);
    assert_eq!(
        (code(&output), &found["ready"], &found["source_ip"]),
        (4, &false.into(), &"198.51.100.7".into())
    );
    assert_eq!(check(&found, "static_ip")["error"]["code"], "static_ip_mismatch");
    let text = broker.run(&["preflight", "samco"]);
    assert_eq!(code(&text), 4);
    let shown = stdout(&text);
    assert!(
        shown.contains("to fix it: register 198.51.100.7 with the broker"),
        "{shown}"
    );
    assert!(shown.contains("not ready"), "{shown}");

    let output = broker.run(&["preflight", "angelone", "--json"]);
    assert_eq!(
        (code(&output), &check(&json(&output), "static_ip")["status"]),
        (0, &"unknown".into())
    );
    let output = broker.run(&["preflight", "angelone", "--json", "--strict"]);
    assert_eq!(
        (code(&output), &json(&output)["ready"]),
        (4, &false.into()),
        "it cannot be known"
    );
    let shown = stdout(&broker.run(&["preflight", "angelone"]));
    assert!(
        shown.contains("is unknown until the first order") && !shown.contains("can place orders"),
        "{shown}"
    );
}

#[test]
fn a_strict_probe_names_everything_that_stopped_it() {
    let broker = Broker::start();
    broker.advance("07:30 IST");
    let strict = |which: &str| {
        let mut command = broker.command(&["preflight", which, "--strict"]);
        let command = command.env("PREOPEN_SANDBOX_TOKEN", broker.control_token());
        let output = command.output().unwrap();
        (code(&output), stdout(&output))
    };
    let last = |shown: &str| shown.lines().last().unwrap_or_default().to_owned();
    let (ended, shown) = strict("samco");
    assert_eq!(ended, 6, "{shown}");
    assert_eq!(last(&shown), "not ready  samco: session_end (--strict)");
    leave_by(&broker, "198.51.100.7");
    let (ended, shown) = strict("samco");
    assert_eq!(ended, 4, "{shown}");
    assert_eq!(
        last(&shown),
        "not ready  samco: static_ip; with --strict also session_end"
    );
    broker.control("PATCH", "/switches", r#"{"server_clock_skew": 90}"#);
    let (_, shown) = strict("angelone");
    assert_eq!(last(&shown), "not ready  angelone: static_ip, clock (--strict)");
}

#[test]
fn preflight_tells_other_trouble_by_its_exit_code() {
    let broker = Broker::start();
    let probe = ["preflight", "samco", "--json"];
    let wrong = broker
        .command(&probe)
        .env("SAMCO_API_SECRET", "CANARY-secret")
        .output()
        .unwrap();
    let found = json(&wrong);
    assert_eq!(code(&wrong), 3, "{wrong:?}");
    assert_eq!(check(&found, "session")["error"]["which"], "api_secret");
    assert!(
        check(&found, "session")["fix"]
            .as_str()
            .unwrap()
            .starts_with("correct SAMCO_API_SECRET")
    );
    assert_eq!(check(&found, "static_ip")["status"], "unknown");
    assert!(!stdout(&wrong).contains("CANARY") && stderr(&wrong).is_empty());

    let missing = broker
        .command(&probe)
        .env_remove("SAMCO_API_SECRET")
        .env("PREOPEN_STORE", "memory")
        .output()
        .unwrap();
    assert_eq!(code(&missing), 2, "{missing:?}");
    assert_eq!(code(&broker.run(&["preflight"])), 2);

    broker.run(&["login", "samco"]);
    broker.control(
        "POST",
        "/faults",
        &format!(r#"{{"broker": "samco", "path": "{WHOAMI}", "status": 503, "times": 3}}"#),
    );
    let output = broker.run(&probe);
    assert_eq!(
        (code(&output), &check(&json(&output), "broker")["status"]),
        (5, &"fail".into()),
        "{output:?}"
    );

    broker.advance("07:30 IST");
    let on_the_clock = |arguments: &[&str]| {
        let mut command = broker.command(arguments);
        let command = command.env("PREOPEN_SANDBOX_TOKEN", broker.control_token());
        command.output().unwrap()
    };
    let output = on_the_clock(&["preflight", "samco", "--json", "--strict"]);
    assert_eq!(
        (code(&output), &check(&json(&output), "session_end")["status"]),
        (6, &"warn".into()),
        "{output:?}"
    );
    assert_eq!(code(&on_the_clock(&probe)), 0);

    let dead = Command::new(PREOPEN)
        .args(["preflight", "samco", "--json", "--base-url", "http://127.0.0.1:1"])
        .env_clear()
        .envs([
            ("PREOPEN_STORE", "memory"),
            ("SAMCO_API_KEY", "k"),
            ("SAMCO_API_SECRET", "s"),
        ])
        .output()
        .unwrap();
    assert_eq!(
        (code(&dead), &check(&json(&dead), "session")["error"]["code"]),
        (5, &"network".into())
    );
}

#[test]
fn doctor_explains_and_looks_at_the_machine_too() {
    let broker = Broker::start();
    let output = broker.run(&["doctor", "--json"]);
    let found = json(&output);
    assert_eq!(code(&output), 0, "{output:?}");
    let machine: Vec<_> = found["machine"]
        .as_array()
        .unwrap()
        .iter()
        .map(|check| check["name"].clone())
        .collect();
    assert_eq!(
        machine[..4],
        ["version", "ipv4", "ipv6", "store_place"].map(Value::from),
        "{found}"
    );
    let accounts = found["accounts"].as_array().unwrap();
    assert_eq!(accounts.len(), 2, "every account that the credentials name");
    let samco = &accounts[0];
    for name in [
        "session",
        "broker",
        "static_ip",
        "clock",
        "network",
        "store",
        "stored",
        "lock",
        "proxy",
    ] {
        assert!(
            ["pass", "unknown"].contains(&check(samco, name)["status"].as_str().unwrap()),
            "{samco}"
        );
    }
    assert!(
        check(samco, "stored")["message"]
            .as_str()
            .unwrap()
            .starts_with("active: ends at")
    );

    leave_by(&broker, "2001:db8::7");
    broker.control("PATCH", "/switches", r#"{"server_clock_skew": 90}"#);
    let output = broker.run(&["doctor", "samco"]);
    let shown = stdout(&output);
    assert_eq!(code(&output), 4, "{shown}");
    for words in [
        "left by IPv6",
        "keep ip_version at 4",
        " s behind the broker's",
        "set the clock by NTP",
        "not ready",
    ] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    for secret in broker.secrets() {
        assert!(!shown.contains(&secret));
    }
}

#[test]
fn doctor_needs_no_account_and_names_a_proxy_of_the_environment() {
    let bare = Command::new(PREOPEN)
        .args(["doctor", "--json"])
        .env_clear()
        .env("PREOPEN_STORE", "memory")
        .output()
        .unwrap();
    let found = json(&bare);
    assert_eq!(code(&bare), 2, "nothing was looked at: {bare:?}");
    let machine = found["machine"].as_array().unwrap();
    assert!(
        machine
            .iter()
            .any(|check| check["name"] == "account" && check["fix"].is_string()),
        "{found}"
    );

    // A live session whose requests end at a proxy that is not there: nothing reaches a broker.
    let proxied = Command::new(PREOPEN)
        .args(["doctor", "samco", "--json", "--timeout", "3"])
        .env_clear()
        .envs([
            ("PREOPEN_STORE", "memory"),
            ("SAMCO_API_KEY", "k"),
            ("SAMCO_API_SECRET", "s"),
        ])
        .env("HTTPS_PROXY", "http://me:CANARY@127.0.0.1:1")
        .output()
        .unwrap();
    let samco = &json(&proxied)["accounts"][0];
    assert_eq!(code(&proxied), 5, "{proxied:?}");
    assert_eq!(check(samco, "network")["status"], "warn");
    let message = check(samco, "network")["message"].as_str().unwrap();
    assert!(
        message.contains("the proxy 127.0.0.1:1 of the system's settings"),
        "{message}"
    );
    assert!(
        check(samco, "network")["fix"]
            .as_str()
            .unwrap()
            .contains("NO_PROXY")
    );
    assert!(
        check(samco, "proxy")["message"]
            .as_str()
            .unwrap()
            .contains("HTTPS_PROXY")
    );
    assert!(!stdout(&proxied).contains("CANARY"));
}

#[test]
fn static_ip_answers_for_a_history() {
    let history = r#"[{"at": "2026-11-16T10:00:00+05:30", "app": "bot", "primary": "1.1.1.1"}]"#;
    let ask = |arguments: &[&str]| {
        let mut child = Command::new(PREOPEN)
            .args(["static-ip", "samco", "--history", "-"])
            .args(arguments)
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(history.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    };
    let early = ["--now", "2026-11-20T10:00:00+05:30"];
    let output = ask(&[&early[..], &["--json", "--primary", "8.8.8.8", "--app", "bot"]].concat());
    assert_eq!(
        (code(&output), &json(&output)["at"]),
        (4, &"2026-11-23T04:30:00Z".into()),
        "{output:?}"
    );
    let output = ask(&early);
    assert_eq!(code(&output), 4);
    assert!(
        stdout(&output).contains("from 2026-11-23 10:00:00 IST on"),
        "{output:?}"
    );
    let output = ask(&[&early[..], &["--json", "--primary", "1.1.1.1", "--app", "other"]].concat());
    assert_eq!((code(&output), &json(&output)["free"]), (0, &true.into()));
    let output = ask(&[&early[..], &["--json", "--rule", "calendar_week"]].concat());
    assert_eq!(
        (code(&output), &json(&output)["at"]),
        (4, &"2026-11-22T18:30:00Z".into())
    );
    let output = ask(&[&early[..], &["--json", "--primary", "none", "--app", "bot"]].concat());
    assert_eq!(
        (code(&output), &json(&output)["free"]),
        (4, &false.into()),
        "a deletion counts"
    );
    let late = [
        "--now",
        "2026-11-23T10:00:00+05:30",
        "--primary",
        "8.8.8.8",
        "--app",
        "bot",
    ];
    assert_eq!(code(&ask(&late)), 0, "exactly seven days later");
    let output = ask(&["--json", "--primary", "192.168.1.5"]);
    assert_eq!((code(&output), &error(&output)["field"]), (2, &"primary".into()));
    let output = ask(&["--json", "--app", "bot"]);
    assert_eq!((code(&output), &error(&output)["field"]), (2, &"app".into()));
    let output = Command::new(PREOPEN)
        .args(["static-ip", "angelone", "--json", "--history", "/nowhere"])
        .output()
        .unwrap();
    assert_eq!((code(&output), &error(&output)["field"]), (2, &"history".into()));
    let output = Command::new(PREOPEN)
        .args(["static-ip", "angelone", "--primary", "1.1.1.1"])
        .output()
        .unwrap();
    assert_eq!(code(&output), 0, "the first registration: {output:?}");
}

#[test]
fn doctor_warns_of_an_entry_that_is_blocked_or_over() {
    let broker = Broker::start();
    let wrong = broker
        .command(&["doctor", "samco", "--json"])
        .env("SAMCO_API_SECRET", "CANARY-secret")
        .output()
        .unwrap();
    let found = json(&wrong);
    let stored = check(&found["accounts"][0], "stored");
    assert_eq!(stored["status"], "warn", "{stored}");
    assert!(
        stored["message"].as_str().unwrap().starts_with("blocked: "),
        "{stored}"
    );
    assert!(
        stored["fix"]
            .as_str()
            .unwrap()
            .starts_with("correct SAMCO_API_SECRET"),
        "{stored}"
    );

    broker.run(&["login", "angelone"]);
    broker.advance("00:00 IST");
    let late = broker
        .command(&["doctor", "angelone", "--json"])
        .env("PREOPEN_SANDBOX_TOKEN", broker.control_token())
        .env_remove("ANGELONE_PIN")
        .output()
        .unwrap();
    let found = json(&late);
    let stored = check(&found["accounts"][0], "stored");
    assert_eq!(stored["status"], "warn", "{found}");
    assert!(
        stored["message"].as_str().unwrap().starts_with("expired: "),
        "{stored}"
    );
    assert_eq!(stored["fix"], "`preopen login angelone`");
}

#[test]
fn a_login_warns_of_an_address_from_which_orders_will_be_refused() {
    let broker = Broker::start();
    let login = |arguments: &[&str]| broker.run(&[&["login", "samco"], arguments].concat());
    let told = json(&login(&["--json"]));
    assert_eq!(told["static_ip"]["verdict"], "match", "{told}");
    assert_eq!(broker.count(WHOAMI), 1);
    let told = json(&login(&["--json"]));
    assert!(
        told["static_ip"].is_null(),
        "a live session costs no call: {told}"
    );
    assert_eq!(broker.count(WHOAMI), 1);

    leave_by(&broker, "198.51.100.7");
    let told = login(&["--force", "--json"]);
    let seen = &json(&told)["static_ip"];
    assert_eq!(code(&told), 0, "the login is done: {told:?}");
    assert_eq!(
        (&seen["verdict"], &seen["source_ip"]),
        (&"mismatch".into(), &"198.51.100.7".into()),
        "{seen}"
    );
    let registered = seen["primary_ip"].as_str().unwrap();
    let shown = stdout(&login(&["--force"]));
    let warning = shown.lines().find(|line| line.starts_with("warning")).unwrap();
    assert!(
        warning.contains("the broker sees 198.51.100.7, registered are ") && warning.contains(registered),
        "{warning}"
    );

    // Nobody's login fails because the address is not told.
    broker.control(
        "POST",
        "/faults",
        &format!(r#"{{"broker": "samco", "path": "{WHOAMI}", "status": 400, "times": 3}}"#),
    );
    let told = login(&["--force", "--json"]);
    assert_eq!(
        (code(&told), &json(&told)["static_ip"]),
        (0, &Value::Null),
        "{told:?}"
    );
    let told = json(&broker.run(&["login", "angelone", "--json"]));
    assert!(told["static_ip"].is_null(), "{told}");
}

#[test]
fn advice_is_in_the_words_of_commands() {
    let broker = Broker::start();
    let with_wrong = || {
        let mut command = broker.command(&["token", "samco"]);
        let command = command.env("SAMCO_API_SECRET", "CANARY-secret");
        stderr(&command.output().unwrap())
    };
    with_wrong();
    let shown = with_wrong();
    assert!(shown.contains("it was refused before"), "{shown}");
    assert_eq!(
        shown.lines().last(),
        Some("Fix it, then run: preopen login samco"),
        "{shown}"
    );
    let sessionless = broker
        .command(&["legacy", "register-ips", "8.8.8.8"])
        .env("SAMCO_USER_ID", broker.secret("samco", "account"))
        .env("SAMCO_PASSWORD", "p")
        .env("SAMCO_SECRET_API_KEY", "k")
        .output()
        .unwrap();
    assert_eq!(code(&sessionless), 3, "{sessionless:?}");
    assert!(!stderr(&sessionless).contains("preopen login"), "{sessionless:?}");
    let missing = broker
        .command(&["token", "samco"])
        .env_remove("SAMCO_API_SECRET")
        .env("PREOPEN_STORE", "memory")
        .output()
        .unwrap();
    assert!(
        stderr(&missing)
            .contains("with SAMCO_REDIRECT_URL in its place, a person logs in at Samco's page (OAuth)"),
        "{missing:?}"
    );
}
