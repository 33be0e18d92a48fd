//! The command as scripts use it: output, exit codes, and credentials that never show.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod common;

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use common::{Broker, PREOPEN, code, error, first_line, json};

#[test]
fn the_demo_tells_what_happened() {
    let began = Instant::now();
    let mut child = Command::new(PREOPEN)
        .args(["demo", "--json"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut steps: Vec<Value> = vec![serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap()];
    assert!(
        began.elapsed() < Duration::from_secs(10),
        "the first line comes at once"
    );
    steps.extend(lines.map(|line| serde_json::from_str(&line.unwrap()).unwrap()));
    assert!(child.wait().unwrap().success());
    let step = |name: &str| {
        steps
            .iter()
            .find(|step| step["step"] == name)
            .unwrap_or_else(|| panic!("no {name}"))
    };
    let expiries: Vec<&Value> = steps
        .iter()
        .filter(|s| s["step"] == "login")
        .map(|s| &s["expires_at"])
        .collect();
    assert!(
        expiries[0].as_str().unwrap().ends_with("T02:30:00Z"),
        "Samco ends at 08:00 IST"
    );
    assert!(
        expiries[1].as_str().unwrap().ends_with("T18:30:00Z"),
        "SmartAPI ends at 00:00 IST"
    );
    assert_eq!(step("whoami")["verdict"], "match");
    assert_eq!(step("order_refused")["code"], "static_ip_mismatch");
    assert_eq!(step("order_refused")["source_ip"], "198.51.100.7");
    assert!(
        step("order_accepted")["order"]
            .as_str()
            .is_some_and(|order| !order.is_empty())
    );
    assert!(step("refused")["refused_calls"].as_u64().unwrap() >= 1);
    assert_eq!(step("renewed")["callers"], 1000);
    assert_eq!(
        (&step("logins")["samco"], &step("logins")["angelone"]),
        (&2.into(), &2.into())
    );
}

#[test]
fn the_demo_as_text_ends_with_what_to_type_next() {
    let output = Command::new(PREOPEN).arg("demo").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success());
    assert!(!text.contains('\u{1b}'), "no colours into a pipe");
    assert!(
        text.contains("Next:") && text.trim_end().ends_with("and the fix"),
        "{text}"
    );
    assert!(!text.contains("sandbox-samco-key"), "no credential is shown");
}

#[test]
fn the_sandbox_keeps_its_contract() {
    let broker = Broker::start();
    let ready = &broker.ready;
    for key in [
        "samco_url",
        "angelone_url",
        "dashboard_url",
        "control_url",
        "control_token",
    ] {
        assert!(ready[key].as_str().is_some_and(|text| !text.is_empty()), "{key}");
    }
    assert!(ready["ca_file"].is_null());
    assert!(ready["control_url"].as_str().unwrap().ends_with("/_sandbox"));
    let fields = |account: &Value| account.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(
        fields(broker.account("samco")),
        [
            "broker",
            "account",
            "password",
            "api_key",
            "api_secret",
            "primary_ip",
            "secondary_ip",
            "redirect_url",
            "secret_api_key"
        ]
    );
    assert_eq!(
        fields(broker.account("angelone")),
        [
            "broker",
            "account",
            "client_code",
            "pin",
            "totp_secret",
            "api_key",
            "redirect_url"
        ]
    );
}

#[test]
fn whoami_tells_the_verdict_and_its_exit_code() {
    let broker = Broker::start();
    let wrong = broker
        .command(&["whoami", "angelone", "--json"])
        .env("ANGELONE_PIN", "9999")
        .output()
        .unwrap();
    assert_eq!(
        (code(&wrong), &error(&wrong)["which"]),
        (3, &"pin".into()),
        "no verdict without a login"
    );
    let output = broker.run(&["whoami", "samco", "--json"]);
    assert_eq!((code(&output), &json(&output)["verdict"]), (0, &"match".into()));
    let output = broker.run(&["whoami", "angelone", "--json"]);
    assert_eq!(
        (code(&output), &json(&output)["verdict"]),
        (0, &"unsupported".into())
    );
}

#[test]
fn request_prints_the_payload() {
    let broker = Broker::start();
    let quote = [
        "request",
        "samco",
        "GET",
        "/quote/getQuote",
        "-p",
        "symbolName=INFY",
        "-p",
        "exchange=NSE",
        "--json",
    ];
    let output = broker.run(&quote);
    assert_eq!(
        json(&output)["data"]["quoteDetails"]["symbolName"],
        "INFY",
        "{output:?}"
    );

    let path = "/rest/secure/angelbroking/order/v1/getLtpData";
    let mut command = broker.command(&["request", "angelone", "post", path, "--data", "-", "--json"]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let body = br#"{"exchange":"NSE","tradingsymbol":"SBIN-EQ","symboltoken":"3045"}"#;
    child.stdin.take().unwrap().write_all(body).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(json(&output)["data"]["tradingsymbol"], "SBIN-EQ", "{output:?}");
}

#[test]
fn exit_codes_say_what_kind_of_trouble() {
    let broker = Broker::start();
    let whoami = ["whoami", "samco", "--json"];

    let mut command = broker.command(&whoami);
    let missing = command.env_remove("SAMCO_API_SECRET").output().unwrap();
    assert_eq!(
        (code(&missing), &error(&missing)["field"]),
        (2, &"SAMCO_API_SECRET".into())
    );

    let wrong = broker
        .command(&whoami)
        .env("SAMCO_API_SECRET", "CANARY-secret")
        .output()
        .unwrap();
    assert_eq!((code(&wrong), &error(&wrong)["which"]), (3, &"api_secret".into()));
    assert!(!String::from_utf8_lossy(&wrong.stderr).contains("CANARY"));

    assert_eq!(code(&broker.run(&["whoami"])), 2, "the broker is missing");
    let dead = Command::new(PREOPEN)
        .args(["whoami", "samco", "--json", "--base-url", "http://127.0.0.1:1"])
        .env_clear()
        .env("PREOPEN_STORE", "memory")
        .env("SAMCO_API_KEY", "k")
        .env("SAMCO_API_SECRET", "s")
        .output()
        .unwrap();
    assert_eq!((code(&dead), &error(&dead)["code"]), (5, &"network".into()));

    let path = broker.run(&["request", "samco", "GET", "//evil.example", "--json"]);
    assert_eq!((code(&path), &error(&path)["field"]), (2, &"path".into()));

    let text = broker.run(&["request", "samco", "GET", "/nothing/here"]);
    let shown = String::from_utf8_lossy(&text.stderr).into_owned();
    assert!(shown.starts_with("error: samco: "), "{shown}");
}

#[test]
fn credentials_come_from_a_file_or_standard_input_too() {
    let broker = Broker::start();
    let samco = broker.account("samco");
    let lines = format!(
        "# my account\nSAMCO_API_KEY={}\nSAMCO_API_SECRET=\"{}\"\n",
        samco["api_key"].as_str().unwrap(),
        samco["api_secret"].as_str().unwrap()
    );
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(lines.as_bytes()).unwrap();
    let path = file.path().to_str().unwrap();
    let arguments = [
        "whoami",
        "samco",
        "--json",
        "--base-url",
        broker.url(),
        "--env-file",
    ];
    let output = Command::new(PREOPEN)
        .args(arguments)
        .arg(path)
        .env_clear()
        .env("PREOPEN_STORE", "memory")
        .output()
        .unwrap();
    assert_eq!(code(&output), 0, "{output:?}");

    let mut child = Command::new(PREOPEN)
        .args(arguments)
        .arg("-")
        .env_clear()
        .env("PREOPEN_STORE", "memory")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    assert!(child.wait_with_output().unwrap().status.success());
}

#[test]
fn totp_prints_the_code_alone() {
    let run = |secret: &str, arguments: &[&str]| {
        Command::new(PREOPEN)
            .arg("totp")
            .args(arguments)
            .env("ANGELONE_TOTP_SECRET", secret)
            .output()
            .unwrap()
    };
    let output = run("JBSWY3DPEHPK3PXPJBSWY3DPEH", &[]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.trim_end().len() == 6 && text.trim_end().bytes().all(|byte| byte.is_ascii_digit()),
        "{text}"
    );
    let bad = run("287082-CANARY-0189", &["--json"]);
    assert_eq!((code(&bad), &error(&bad)["field"]), (2, &"totp_secret".into()));
    assert!(!String::from_utf8_lossy(&bad.stderr).contains("CANARY"));
}

#[test]
fn key_prints_a_new_key_alone_each_time() {
    let key = || {
        let output = Command::new(PREOPEN).arg("key").output().unwrap();
        assert_eq!(code(&output), 0);
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    };
    let (one, other) = (key(), key());
    assert_ne!(one, other);
    assert!(preopen::SealKey::from_text(one.as_str()).is_ok());
}

#[test]
fn the_sandbox_says_when_its_port_is_taken() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = Command::new(PREOPEN)
        .args(["sandbox", "--port", &port])
        .output()
        .unwrap();
    assert_eq!(code(&output), 2);
    let said = String::from_utf8_lossy(&output.stderr);
    let begin = format!("error: cannot listen on 127.0.0.1:{port}: ");
    assert!(said.starts_with(&begin), "{said}");
    assert!(
        said.contains("choose another port") && !said.contains("os error"),
        "{said}"
    );
}

#[test]
fn the_sandbox_says_what_is_wrong_with_its_data_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("orders.csv");
    std::fs::write(&file, "symbol,quantity\n").unwrap();
    let output = Command::new(PREOPEN)
        .args(["sandbox", "--data"])
        .arg(&file)
        .output()
        .unwrap();
    assert_eq!(code(&output), 2);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.starts_with("error: cannot use the data file ") && said.contains("not a file of the sandbox"),
        "{said}"
    );
    assert_eq!(std::fs::read(&file).unwrap(), b"symbol,quantity\n");
}

#[cfg(unix)]
#[test]
fn the_sandbox_ends_at_once_when_it_is_told_to() {
    let mut child = Command::new(PREOPEN)
        .args(["sandbox", "--json"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    first_line(&mut child);
    let killed = Command::new("kill")
        .args(["-TERM", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(killed.success());
    let asked = Instant::now();
    assert!(child.wait().unwrap().success());
    assert!(asked.elapsed() < Duration::from_secs(2));
}

#[test]
fn the_sandbox_prints_what_selects_each_login() {
    let mut child = Command::new(PREOPEN)
        .args(["sandbox", "--exit-with-stdin"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut shown = Vec::new();
    for line in lines {
        shown.push(line.unwrap());
        if shown.last().unwrap().starts_with("Then, in another terminal") {
            break;
        }
    }
    drop(child.stdin.take());
    child.wait().unwrap();
    let starting = |with: &str| shown.iter().find(|line| line.trim_start().starts_with(with));
    for (comment, word) in [
        ("# export SAMCO_REDIRECT_URL=http", "--oauth"),
        ("# export SAMCO_USER_ID=", "--legacy"),
        ("# export ANGELONE_REDIRECT_URL=http", "--publisher"),
    ] {
        let line = starting(comment).unwrap_or_else(|| panic!("{comment}: {shown:?}"));
        assert!(line.contains(word), "{line}");
    }
    let control = shown
        .iter()
        .find_map(|line| line.split_once("x-sandbox-token: "))
        .unwrap();
    let token = starting("export PREOPEN_SANDBOX_TOKEN=").unwrap();
    assert!(token.ends_with(control.1), "{token}");
    let clock = starting("its clock ").unwrap();
    assert!(clock.ends_with(" IST, runs in real time"), "{clock}");
    assert!(starting("its state ").is_none(), "{shown:?}");
}

#[test]
fn a_sandbox_that_goes_on_says_so_and_what_it_leaves_out() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sandbox.db");
    let run = |start_at: &str| {
        // Standard input is closed at once.
        Command::new(PREOPEN)
            .args([
                "sandbox",
                "--exit-with-stdin",
                "--start-at",
                start_at,
                "--speed",
                "0",
                "--script",
                "bad-day",
                "--data",
            ])
            .arg(&file)
            .stdin(Stdio::null())
            .output()
            .unwrap()
    };
    for (start_at, state, warned) in [
        ("2026-11-23T09:15:00+05:30", "kept in", false),
        ("2027-01-01T09:15:00+05:30", "goes on with", true),
    ] {
        let output = run(start_at);
        let shown = String::from_utf8_lossy(&output.stdout);
        assert!(shown.contains("2026-11-23 09:15:00 IST, stands still"), "{shown}");
        assert!(shown.contains(&format!("{state} {}", file.display())), "{shown}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!said.contains("The script is over"), "{said}");
        assert_eq!(
            said.contains("--start-at and --speed are for a new file"),
            warned,
            "{said}"
        );
    }
}

#[test]
fn a_scripted_day_is_told_step_by_step_and_ends_the_sandbox() {
    let run = |arguments: &[&str]| {
        Command::new(PREOPEN)
            .arg("sandbox")
            .args(arguments)
            .output()
            .unwrap()
    };
    let day = run(&[
        "--json",
        "--script",
        "ordinary-day",
        "--speed",
        "100000",
        "--exit-after-script",
    ]);
    assert!(day.status.success(), "{day:?}");
    assert_eq!(
        String::from_utf8(day.stdout).unwrap().lines().count(),
        1,
        "the ready line and nothing else"
    );
    let told: Vec<Value> = String::from_utf8(day.stderr)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let steps: Vec<_> = told
        .iter()
        .filter_map(|line| line["step"]["ist"].as_str())
        .collect();
    let expected = ["08:00", "09:00", "09:15", "15:30"].map(|time| format!("2026-11-23 {time}:00 IST"));
    assert_eq!(steps, expected);
    assert_eq!(
        told.last().unwrap()["script"],
        serde_json::json!({"ended": true, "steps": 4})
    );

    for (arguments, code, expected) in [
        (
            ["--script", "no-such-day"],
            2,
            "error: the script cannot be played: no-such-day cannot be read",
        ),
        (
            ["--start-at", "monday"],
            2,
            "write it as 2026-11-23T09:15:00+05:30",
        ),
        (
            ["--speed", "-1"],
            2,
            "'--speed <N>': must be from 0 (stands still) to 1000000",
        ),
        (
            ["--rate", "-1"],
            2,
            "'--speed <N>': must be from 0 (stands still) to 1000000",
        ),
    ] {
        let refused = run(&arguments);
        let said = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(code), "{said}");
        assert!(said.contains(expected), "{said}");
    }
}
