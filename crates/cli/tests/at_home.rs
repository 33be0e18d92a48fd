//! The command as a guest in a terminal: completions, the manual, colours, waits that are told, and a status that is watched.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod common;

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use common::terminal::Terminal;
use common::{Broker, PREOPEN, SAMCO_LOGIN, code, json, stderr, stdout};
use serde_json::Value;

fn preopen(arguments: &[&str]) -> Output {
    Command::new(PREOPEN)
        .args(arguments)
        .env_clear()
        .output()
        .unwrap()
}

/// What bash offers behind this line.
fn completed(script: &Path, line: &str) -> Vec<String> {
    let words: Vec<&str> = line.split(' ').collect();
    let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    let last = words.len() - 1;
    let bash = format!(
        "source {}; COMP_WORDS=({}); COMP_CWORD={last}; _preopen preopen '{}' '{}'; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        script.display(),
        quoted.join(" "),
        words[last],
        words[last - 1],
    );
    let output = Command::new("bash")
        .args(["--norc", "-c", &bash])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    stdout(&output).lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_commands_brokers_and_values() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("preopen.bash");
    std::fs::write(&script, preopen(&["completions", "bash"]).stdout).unwrap();
    assert_eq!(completed(&script, "preopen who"), ["whoami"]);
    assert_eq!(completed(&script, "preopen token sa"), ["samco"]);
    assert_eq!(
        completed(&script, "preopen status --color "),
        ["auto", "always", "never"]
    );
    assert_eq!(completed(&script, "preopen sandbox --scr"), ["--script"]);
    assert_eq!(
        completed(&script, "preopen completions z"),
        ["zsh"],
        "its own values too"
    );
}

#[test]
fn the_other_shells_have_every_command() {
    let commands = commands();
    for (shell, head) in [
        ("zsh", "#compdef preopen"),
        ("fish", "# Print an optspec"),
        ("powershell", "using namespace System.Management.Automation"),
    ] {
        let output = preopen(&["completions", shell]);
        let script = stdout(&output);
        assert_eq!(code(&output), 0);
        assert!(script.trim_start().starts_with(head), "{shell}: {script:.80}");
        for name in &commands {
            assert!(script.contains(name.as_str()), "{shell} lacks {name}");
        }
    }
    assert_eq!(code(&preopen(&["completions", "tcsh"])), 2);
}

/// What is a secret must come from the environment or a file: no script may offer an option for one.
#[test]
fn no_option_takes_a_secret() {
    let script = stdout(&preopen(&["completions", "bash"]));
    for word in ["secret", "password", "pin", "totp-secret", "api-key", "token"] {
        assert!(!script.contains(&format!("--{word} ")), "--{word}");
    }
}

/// The commands of `preopen --help`.
fn commands() -> Vec<String> {
    let help = stdout(&preopen(&["--help"]));
    let (_, below) = help.split_once("Usage:").unwrap();
    let (commands, _) = below.split_once("\nOptions:").unwrap();
    let rows = commands.lines().filter_map(|line| line.strip_prefix("  "));
    rows.map(|row| row.split(' ').next().unwrap().to_owned())
        .collect()
}

#[test]
fn every_command_is_in_one_group_of_the_help() {
    let shown = commands();
    // What the program has without the groups: the words after which `help` takes an argument.
    for name in &shown {
        let output = preopen(&["help", name]);
        assert_eq!(code(&output), 0, "{name}: {}", stderr(&output));
    }
    let script = stdout(&preopen(&["completions", "fish"]));
    let known = script
        .lines()
        .filter(|line| line.contains("__fish_preopen_needs_command\" -f -a \""))
        .map(|line| {
            line.split(" -a \"")
                .nth(1)
                .unwrap()
                .split('"')
                .next()
                .unwrap()
                .to_owned()
        });
    let mut known: Vec<String> = known.collect();
    let mut shown = shown;
    known.sort();
    shown.sort();
    assert_eq!(shown, known);
    let lost = preopen(&["tokn", "samco"]);
    assert_eq!(code(&lost), 2);
    assert!(stderr(&lost).contains("'token'"), "{}", stderr(&lost));
}

#[test]
fn the_manual_has_a_page_for_each_command() {
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("man1");
    let output = preopen(&["man", "--dir", pages.to_str().unwrap()]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let first = std::fs::read_to_string(pages.join("preopen.1")).unwrap();
    assert_eq!(first.as_bytes(), preopen(&["man"]).stdout);
    for heading in [
        "NAME",
        "SYNOPSIS",
        "OPTIONS",
        "SUBCOMMANDS",
        "EXIT STATUS",
        "ENVIRONMENT",
        "FILES",
        "EXAMPLES",
    ] {
        assert!(
            first.contains(&format!(".SH \"{heading}\"")) || first.contains(&format!(".SH {heading}\n")),
            "{heading}"
        );
    }
    for name in commands().iter().filter(|name| *name != "help") {
        let page = std::fs::read_to_string(pages.join(format!("preopen-{name}.1"))).unwrap();
        assert!(
            page.contains(&format!("preopen\\-{}", name.replace('-', "\\-"))),
            "{name}: {page}"
        );
        assert!(page.contains("SEE ALSO"), "{name}");
    }
    let below = std::fs::read_to_string(pages.join("preopen-legacy-register-ips.1")).unwrap();
    assert!(below.contains("preopen\\-legacy\\-register\\-ips"), "{below}");
    let nowhere = preopen(&["man", "--dir", "/proc/nowhere/man1"]);
    assert_eq!(code(&nowhere), 5);
    assert!(stderr(&nowhere).contains("/proc/nowhere/man1"));
}

/// `docs/command-line.md` is this output below a head of its own.
#[test]
fn the_page_of_the_documentation_is_up_to_date() {
    let written = include_str!("../../../docs/command-line.md");
    let (_, reference) = written.split_once("<!-- preopen man --markdown -->\n\n").unwrap();
    let now = stdout(&preopen(&["man", "--markdown"]));
    assert!(
        reference == now,
        "docs/command-line.md is old: replace what is below its mark with the output of `preopen man --markdown`"
    );
}

#[test]
fn colours_are_for_terminals_unless_asked_for() {
    let broker = Broker::start();
    let plain = |output: &Output| !stdout(output).contains('\x1b') && !stderr(output).contains('\x1b');
    assert!(plain(&broker.run(&["status", "samco"])));
    let painted = broker.run(&["status", "samco", "--color", "always"]);
    assert!(stdout(&painted).contains("\x1b["), "{painted:?}");
    let forced = broker
        .command(&["status", "samco"])
        .env("CLICOLOR_FORCE", "1")
        .output()
        .unwrap();
    assert!(!plain(&forced));
    let never = ["status", "samco", "--color=never"];
    assert!(plain(
        &broker
            .command(&never)
            .env("CLICOLOR_FORCE", "1")
            .output()
            .unwrap()
    ));
    assert!(plain(&preopen(&["--color", "never", "--help"])));
    assert!(!plain(&preopen(&["--color", "always", "--help"])));
    let script = broker.run(&["status", "samco", "--json", "--color", "always"]);
    assert!(plain(&script), "JSON is for a script");
    assert_eq!(code(&preopen(&["--color", "sometimes", "status"])), 2);

    let script =
        |settings: &str| format!(r#"TERM=xterm {settings} "$PREOPEN" status samco --base-url "$URL""#);
    let shown = |settings: &str| Terminal::start(&broker, &[], &script(settings)).end().1;
    assert!(shown("").contains("\x1b["), "a terminal");
    assert!(!shown("NO_COLOR=1").contains('\x1b'));
    assert!(!shown("TERM=dumb").contains('\x1b'));
}

#[test]
fn a_wait_is_told_after_a_second_and_goes_away() {
    let broker = Broker::start();
    broker.control(
        "POST",
        "/faults",
        &format!(r#"{{"broker": "samco", "path": "{SAMCO_LOGIN}", "delay_ms": 2500, "times": 1}}"#),
    );
    let script = r#""$PREOPEN" token samco --base-url "$URL" > "$FOLDER/out""#;
    let terminal = Terminal::start(&broker, &[], script);
    terminal.wait_for("waiting for a session, 1 s; Ctrl-C stops");
    let (ended, shown) = terminal.end();
    assert_eq!(ended, 0, "{shown}");
    assert!(
        shown.trim_end_matches(['\r', '\n']).ends_with("\x1b[2K"),
        "the line is erased at the end: {shown:?}"
    );
    let token = std::fs::read_to_string(broker.folder.path().join("out")).unwrap();
    assert_eq!(token.lines().count(), 1, "nothing of it is in the output");

    // Neither where a script reads, nor where nothing is waited for.
    let fault = format!(r#"{{"broker": "samco", "path": "{SAMCO_LOGIN}", "delay_ms": 1500, "times": 2}}"#);
    broker.control("POST", "/faults", &fault);
    let quiet = broker.run(&["login", "samco", "--force"]);
    assert_eq!((code(&quiet), stderr(&quiet)), (0, String::new()));
    let json = r#""$PREOPEN" login samco --force --json --base-url "$URL" > "$FOLDER/out""#;
    assert_eq!(Terminal::start(&broker, &[], json).end(), (0, String::new()));
    assert_eq!(
        Terminal::start(&broker, &[], script).end(),
        (0, String::new()),
        "a warm store"
    );
}

#[test]
fn a_question_is_asked_on_a_line_of_its_own() {
    let broker = Broker::start();
    let secret = broker.secret("samco", "api_secret");
    let script = r#"sleep 0.1; "$PREOPEN" login samco --base-url "$URL""#;
    let mut terminal = Terminal::start(&broker, &["SAMCO_API_SECRET"], script);
    terminal.wait_for("Samco API secret: ");
    // Longer than a wait goes untold.
    std::thread::sleep(std::time::Duration::from_millis(1500));
    assert!(!terminal.shown().contains("Ctrl-C stops"), "{}", terminal.shown());
    terminal.type_in(&format!("{secret}\n"));
    let (ended, shown) = terminal.end();
    assert_eq!(ended, 0, "{shown}");
}

#[test]
fn a_watch_tells_each_change_once() {
    let broker = Broker::start();
    broker.run(&["login", "samco"]);
    let mut watch = broker
        .command(&["status", "samco", "--watch", "--interval", "0.1", "--json"])
        .env("PREOPEN_SANDBOX_TOKEN", broker.control_token())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    let mut next = || serde_json::from_str::<Value>(&lines.next().unwrap().unwrap()).unwrap();
    let first = next();
    assert_eq!(
        (&first["state"], &first["generation"]),
        (&"active".into(), &1.into())
    );
    // Another program logs in anew; then the day ends; then another one logs out.
    broker.run(&["login", "samco", "--force"]);
    let renewed = std::iter::repeat_with(&mut next)
        .take(4)
        .find(|told| told["generation"] == 2);
    assert_eq!(renewed.unwrap()["state"], "active");
    let asked = broker.all();
    broker.advance("08:00 IST");
    assert_eq!(next()["state"], "expired");
    assert_eq!(broker.all(), asked, "the broker is not asked");
    assert!(
        Command::new("kill")
            .args(["-INT", &watch.id().to_string()])
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(watch.wait().unwrap().code(), Some(0));
}

#[test]
fn a_watch_ends_with_its_reader_and_refuses_a_senseless_interval() {
    let broker = Broker::start();
    let script = r#""$PREOPEN" status samco --watch --interval 0.1 --base-url "$URL" | head -n 1"#;
    let (ended, shown) = Terminal::start(&broker, &[], script).end();
    assert_eq!(ended, 0);
    assert!(shown.contains(" samco signed out: "), "{shown}");
    for interval in ["0", "0.01", "4000", "nan", "-1"] {
        let output = broker.run(&["status", "--watch", &format!("--interval={interval}"), "--json"]);
        assert_eq!(
            (code(&output), &common::error(&output)["field"]),
            (2, &"interval".into()),
            "{interval}"
        );
    }
    assert_eq!(
        code(&broker.run(&["status", "--interval", "1"])),
        2,
        "it is a watch's"
    );
}

#[test]
fn a_watch_gives_the_terminal_back() {
    let broker = Broker::start();
    broker.run(&["login", "samco"]);
    let script = r#""$PREOPEN" status samco --watch --interval 0.1 --base-url "$URL"; echo "ended $?""#;
    let mut terminal = Terminal::start(&broker, &[], script);
    terminal.wait_for("time left");
    terminal.type_in("\x03");
    let (_, shown) = terminal.end();
    let (screen, after) = shown.rsplit_once("\x1b[?25h\x1b[?1049l").unwrap();
    assert!(screen.contains("\x1b[?1049h\x1b[?25l"));
    assert!(after.contains("time left"), "the last look stays: {after}");
}

/// Every finding that is not well says what to do.
#[test]
fn doctor_has_a_fix_for_each_finding() {
    let broker = Broker::start();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("credentials");
    let lines: Vec<String> = broker
        .environment()
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    std::fs::write(&file, lines.join("\n")).unwrap();
    let mode = |mode: u32| {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    mode(0o644);
    let with_file = ["doctor", "--json", "--env-file", file.to_str().unwrap()];
    let warned = every_finding_has_a_fix(&broker.run(&with_file));
    let readable = warned.iter().find(|check| check["name"] == "env_file").unwrap();
    assert_eq!(readable["fix"], format!("chmod 600 {}", file.display()));
    mode(0o600);
    let well = broker.run(&with_file);
    let machine = json(&well)["machine"].clone();
    let found = machine
        .as_array()
        .unwrap()
        .iter()
        .find(|check| check["name"] == "env_file")
        .unwrap()
        .clone();
    assert_eq!(found["status"], "pass");

    let provoke = |what: &str, change: &dyn Fn(&mut Command)| {
        let mut command = broker.command(&["doctor", "--json", "--timeout", "2"]);
        change(&mut command);
        let found = every_finding_has_a_fix(&command.output().unwrap());
        assert!(!found.is_empty(), "{what} found nothing");
        found
    };
    let named = |found: &[Value], name: &str| found.iter().any(|check| check["name"] == name);
    let wrong = provoke("a wrong secret", &|command| {
        command
            .env("SAMCO_API_SECRET", "CANARY")
            .env("PREOPEN_STORE", "memory");
    });
    assert!(named(&wrong, "session") && named(&wrong, "static_ip") && named(&wrong, "session_end"));
    broker.run(&["login", "samco"]);
    broker.run(&["login", "angelone"]);
    let store = broker.folder.path().join("store");
    common::damage(&store, "session");
    let damaged = provoke("a damaged store", &|_| ());
    assert!(
        named(&damaged, "stored") || named(&damaged, "store") || named(&damaged, "session"),
        "{damaged:?}"
    );
    broker.control("PATCH", "/switches", r#"{"server_clock_skew": 90}"#);
    assert!(named(&provoke("a clock that is wrong", &|_| ()), "clock"));
    broker.control("PUT", "/source-ip", r#"{"ip": "198.51.100.7"}"#);
    assert!(named(&provoke("another address", &|_| ()), "static_ip"));
    broker.control(
        "POST",
        "/faults",
        r#"{"broker": "samco", "path": "/ip/whoami", "status": 503, "times": 9}"#,
    );
    assert!(named(&provoke("an outage", &|_| ()), "broker"));
    let nobody = Command::new(PREOPEN)
        .args(["doctor", "--json"])
        .env_clear()
        .env("PREOPEN_STORE", "memory")
        .output();
    assert!(named(&every_finding_has_a_fix(&nobody.unwrap()), "account"));
}

/// What is not well, each with its fix.
fn every_finding_has_a_fix(output: &Output) -> Vec<Value> {
    let told = json(output);
    let accounts = told["accounts"].as_array().unwrap();
    let checks = accounts.iter().map(|account| &account["checks"]);
    let all = checks
        .chain([&told["machine"]])
        .flat_map(|checks| checks.as_array().unwrap());
    let found: Vec<Value> = all.filter(|check| check["status"] != "pass").cloned().collect();
    for check in &found {
        assert!(check["fix"].as_str().is_some_and(|fix| fix.len() > 10), "{check}");
        assert!(!check.to_string().contains("CANARY"), "{check}");
    }
    found
}
