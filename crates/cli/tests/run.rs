//! `preopen run`: what the command finds and what it does not, the signals that it gets, and how it ends.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod common;

use std::io::{BufReader, Read as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use common::{Broker, SAMCO_LOGIN, code, error, eventually, http, json, stderr, stdout};

/// Asks the endpoint as a command does.
const ASK: &str = r#"curl -sS -f -H @"$PREOPEN_CREDENTIALS_AUTH_FILE" "$PREOPEN_CREDENTIALS_URL""#;

fn shell(broker: &Broker, script: &str) -> Output {
    broker.run(&["run", "samco", "--", "sh", "-c", script])
}

fn started(command: &mut Command) -> (Child, BufReader<ChildStdout>) {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    (child, output)
}

fn line(output: &mut impl std::io::BufRead) -> String {
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}

fn send(signal: &str, child: &Child) {
    let sent = Command::new("kill")
        .args([signal, &child.id().to_string()])
        .status()
        .unwrap();
    assert!(sent.success());
}

#[test]
fn the_command_finds_the_live_session() {
    let broker = Broker::start();
    let output = shell(&broker, ASK);
    let found = json(&output);
    let token = stdout(&broker.run(&["token", "samco"]));
    assert_eq!(code(&output), 0);
    assert_eq!(found["token"], token.trim_end());
    assert_eq!(found["headers"]["x-session-token"], token.trim_end());
    assert_eq!(
        (&found["broker"], &found["generation"]),
        (&"samco".into(), &1.into())
    );
    assert_eq!(found["environment"], "sandbox");
    assert!(found["expires_at"].as_str().unwrap().ends_with('Z'));
    assert_eq!(stderr(&output), "");

    let used = shell(
        &broker,
        &format!("{ASK}/headers | curl -sS -f -H @- {}/ip/whoami", broker.url()),
    );
    assert_eq!(json(&used)["matches"], true, "{used:?}");
    assert_eq!(broker.count(SAMCO_LOGIN), 1);
}

#[test]
fn examples_read_it_with_the_standard_library() {
    let broker = Broker::start();
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    for (program, file) in [("python3", "run_child.py"), ("node", "run_child.mjs")] {
        let file = examples.join(file);
        for name in ["samco", "angelone"] {
            let output = broker
                .command(&["run", name, "--", program, file.to_str().unwrap()])
                .env("http_proxy", "http://127.0.0.1:1")
                .output()
                .unwrap();
            let text = stdout(&output);
            assert_eq!(code(&output), 0, "{output:?}");
            assert!(
                text.starts_with(&format!("{name} sandbox: login 1, until ")),
                "{text}"
            );
            assert!(text.contains("headers: Content-Type, Accept"), "{text}");
        }
    }
}

#[test]
fn x1_no_secret_is_in_the_environment_or_the_arguments() {
    let broker = Broker::start();
    let key = stdout(&Command::new(common::PREOPEN).arg("key").output().unwrap());
    let looking = r#"cat "$PREOPEN_CREDENTIALS_AUTH_FILE"; echo ====; env; \
        for of in $$ $PPID; do tr '\0' '\n' < /proc/$of/cmdline; done; tr '\0' '\n' < /proc/$$/environ"#;
    for name in ["samco", "angelone"] {
        let token = broker
            .command(&["token", name])
            .env("PREOPEN_KEY", key.trim())
            .output()
            .unwrap();
        let output = broker
            .command(&["run", name, "--", "sh", "-c", looking])
            .env("PREOPEN_KEY", key.trim())
            .env("PREOPEN_SANDBOX_TOKEN", broker.control_token())
            .output()
            .unwrap();
        assert_eq!(code(&output), 0, "{output:?}");
        let text = stdout(&output);
        let (line, seen) = text.split_once("====").unwrap();
        let bearer = line.trim().strip_prefix("Authorization: Bearer ").unwrap();
        assert!(bearer.len() >= 43, "256 bits");
        assert!(
            seen.contains("PREOPEN_CREDENTIALS_URL=http://127.0.0.1:"),
            "{seen}"
        );
        let mut secrets = broker.secrets();
        secrets.extend([
            bearer.to_owned(),
            key.trim().to_owned(),
            stdout(&token).trim().to_owned(),
            broker.control_token().to_owned(),
        ]);
        for secret in secrets {
            assert!(
                !secret.is_empty() && !seen.contains(&secret),
                "{secret} in {seen}"
            );
        }
        // A PIN is too short to look for.
        assert!(!seen.contains("ANGELONE_PIN"), "{seen}");
    }
    let address = "redis://:CANARY@127.0.0.1:1/0";
    let output = broker
        .command(&["run", "samco", "--store", "memory", "--", "env"])
        .env("PREOPEN_STORE", address)
        .output()
        .unwrap();
    assert_eq!(code(&output), 0, "{output:?}");
    assert!(!stdout(&output).contains("CANARY"), "{output:?}");
}

#[test]
fn the_file_is_this_users_alone_and_ends_with_the_command() {
    use std::os::unix::fs::PermissionsExt as _;
    let broker = Broker::start();
    let script = r#"echo "$PREOPEN_CREDENTIALS_AUTH_FILE"; echo "$PREOPEN_CREDENTIALS_URL"; cat"#;
    let (mut child, mut output) = started(&mut broker.command(&["run", "samco", "--", "sh", "-c", script]));
    let (file, url) = (line(&mut output), line(&mut output));
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o7777;
    let path = Path::new(&file);
    assert_eq!((mode(path), mode(path.parent().unwrap())), (0o600, 0o700));
    assert_eq!(http(&url, "GET", "/v1/session", "", "").status, 401);
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
    assert!(!path.exists() && !path.parent().unwrap().exists());
    assert!(std::net::TcpStream::connect(common::authority(&url)).is_err());
}

#[test]
fn proxies_are_kept_away_from_the_endpoint() {
    let broker = Broker::start();
    let output = broker
        .command(&[
            "run",
            "samco",
            "--",
            "sh",
            "-c",
            &format!("env | grep -i no_proxy; {ASK}"),
        ])
        .env("http_proxy", "http://127.0.0.1:1")
        .env("NO_PROXY", "intranet")
        .output()
        .unwrap();
    let text = stdout(&output);
    assert_eq!(code(&output), 0, "{output:?}");
    assert!(
        text.contains("NO_PROXY=intranet,127.0.0.1\n") && text.contains("no_proxy=127.0.0.1\n"),
        "{text}"
    );
}

#[test]
fn exit_codes_pass_through() {
    let broker = Broker::start();
    for (script, expected) in [
        ("exit 0", 0),
        ("exit 7", 7),
        ("exit 255", 255),
        ("kill -TERM $$", 128 + 15),
        ("kill -KILL $$", 128 + 9),
    ] {
        assert_eq!(code(&shell(&broker, script)), expected, "{script}");
    }
    let missing = broker.run(&["run", "samco", "--", "no-such-command-anywhere"]);
    assert_eq!(code(&missing), 127, "{missing:?}");
    assert!(stderr(&missing).contains("no-such-command-anywhere"));
    assert_eq!(code(&broker.run(&["run", "samco", "--", "/"])), 126);
    assert_eq!(code(&broker.run(&["run", "samco"])), 2, "no command");
}

#[test]
fn the_command_is_not_started_without_a_session() {
    let broker = Broker::start();
    let mut command = broker.command(&["run", "samco", "--", "sh", "-c", "echo started"]);
    let wrong = command.env("SAMCO_API_SECRET", "CANARY").output().unwrap();
    assert_eq!((code(&wrong), stdout(&wrong).as_str()), (3, ""));
    assert!(!stderr(&wrong).contains("CANARY"));
}

#[test]
fn the_broker_need_not_be_named_when_only_one_can_be_meant() {
    let broker = Broker::start();
    let both = broker.run(&["run", "--json", "--", "true"]);
    assert_eq!((code(&both), &error(&both)["field"]), (2, &"broker".into()));
    let mut one = broker.command(&["run", "--", "sh", "-c", ASK]);
    let one = one.env_remove("ANGELONE_API_KEY").output().unwrap();
    assert_eq!(json(&one)["broker"], "samco", "{one:?}");
    let mut none = broker.command(&["run", "--json", "--", "true"]);
    let none = none
        .env_remove("ANGELONE_API_KEY")
        .env_remove("SAMCO_API_KEY")
        .output()
        .unwrap();
    assert_eq!(code(&none), 2);
}

/// The command with every signal as it usually is: a shell that ran the tests in the background had some ignored, and so
/// would the command.
fn with_default_signals(command: &Command) -> Command {
    let mut same = if cfg!(target_os = "linux") {
        let mut env = Command::new("env");
        env.arg("--default-signal=HUP,INT,QUIT")
            .arg(command.get_program());
        env
    } else {
        Command::new(command.get_program())
    };
    same.args(command.get_args()).env_clear();
    same.envs(
        command
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    same
}

#[test]
fn signals_reach_the_command_and_its_answer_counts() {
    let broker = Broker::start();
    for (signal, name) in [
        ("-TERM", "TERM"),
        ("-INT", "INT"),
        ("-HUP", "HUP"),
        ("-USR1", "USR1"),
        ("-QUIT", "QUIT"),
    ] {
        let script = format!("trap 'echo got; exit 9' {name}; echo ready; while :; do sleep 0.02; done");
        let command = broker.command(&["run", "samco", "--", "sh", "-c", &script]);
        let (mut child, mut output) = started(&mut with_default_signals(&command));
        assert_eq!(line(&mut output), "ready");
        send(signal, &child);
        assert_eq!(child.wait().unwrap().code(), Some(9), "{signal}");
        let mut rest = String::new();
        output.read_to_string(&mut rest).unwrap();
        assert_eq!(rest.trim_end(), "got", "{signal}");
    }
    // A command that does not listen to it ends by it.
    let (mut child, mut output) =
        started(&mut broker.command(&["run", "samco", "--", "sh", "-c", "echo ready; exec sleep 60"]));
    assert_eq!(line(&mut output), "ready");
    send("-TERM", &child);
    assert_eq!(child.wait().unwrap().code(), Some(128 + 15));
}

#[cfg(target_os = "linux")]
#[test]
fn a_signal_that_was_to_be_ignored_is_ignored_by_the_command_too() {
    let broker = Broker::start();
    let nohup = format!(
        "trap '' HUP; exec '{}' run samco --base-url {} -- sh -c 'kill -HUP $PPID; kill -HUP $$; sleep 0.2; echo alive'",
        common::PREOPEN,
        broker.url()
    );
    let output = Command::new("sh")
        .args(["-c", &nohup])
        .env_clear()
        .envs(broker.environment())
        .output()
        .unwrap();
    assert_eq!(
        (code(&output), stdout(&output).as_str()),
        (0, "alive\n"),
        "{output:?}"
    );
}

#[test]
fn the_session_is_renewed_after_the_daily_end_without_being_asked() {
    let broker = Broker::start();
    let script = format!("while read -r word; do {ASK}; echo; done");
    let mut command = broker.command(&["run", "samco", "--", "sh", "-c", &script]);
    let command = command.env("PREOPEN_SANDBOX_TOKEN", broker.control_token());
    let (mut child, mut output) = started(command);
    let mut input = child.stdin.take().unwrap();
    let mut ask = || -> serde_json::Value {
        std::io::Write::write_all(&mut input, b"now\n").unwrap();
        serde_json::from_str(&line(&mut output)).unwrap()
    };
    let first = ask();
    assert_eq!(first["generation"], 1);
    broker.advance("08:00 IST");
    // Each account has its own moment within two minutes.
    broker.advance_seconds(125);
    eventually("the renewal", || (broker.count(SAMCO_LOGIN) == 2).then_some(()));
    let second = eventually("the new session", || {
        let found = ask();
        (found["generation"] == 2).then_some(found)
    });
    assert_ne!(second["token"], first["token"]);
    assert_eq!(broker.count(SAMCO_LOGIN), 2, "asking costs no login");
    let used = http(
        broker.url(),
        "GET",
        "/ip/whoami",
        &format!("x-session-token: {}\r\n", second["token"].as_str().unwrap()),
        "",
    );
    assert_eq!(used.status, 200, "{used:?}");

    // And at the boundary itself, when the command is faster than the renewal.
    broker.advance("08:00 IST");
    let third = eventually("the next day's session", || {
        let found = ask();
        (found["generation"] == 3).then_some(found)
    });
    assert_ne!(third["token"], second["token"]);
    drop(input);
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_session_that_cannot_be_renewed_is_announced_before() {
    let broker = Broker::start();
    broker.run(&["login", "samco"]);
    let mut command = broker.command(&["run", "samco", "--", "sh", "-c", "echo started"]);
    let output = command.env_remove("SAMCO_API_SECRET").output().unwrap();
    assert_eq!((code(&output), stdout(&output).as_str()), (0, "started\n"));
    assert!(stderr(&output).contains("SAMCO_API_SECRET missing"), "{output:?}");
}
