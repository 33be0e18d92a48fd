//! Secrets that are asked for on a terminal: only when a login needs them, never shown, and not by those who must not ask.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod common;

use std::path::Path;
use std::process::Command;

use common::terminal::Terminal;
use common::{Broker, PREOPEN, SAMCO_LOGIN, eventually, stdout};

/// Ends the process whose number was shown.
fn terminate(shown: &str) {
    let pid = shown.split("pid ").nth(1).unwrap().split('.').next().unwrap();
    let killed = Command::new("kill").args(["-TERM", pid]).status().unwrap();
    assert!(killed.success());
}

fn read(folder: &Path, name: &str) -> String {
    std::fs::read_to_string(folder.join(name)).unwrap()
}

const TOKEN: &str = r#""$PREOPEN" token samco --base-url "$URL" > "$FOLDER/out" < /dev/null"#;

#[test]
fn a_missing_secret_is_asked_for_once_and_not_shown() {
    let broker = Broker::start();
    let secret = broker.secret("samco", "api_secret");
    let mut terminal = Terminal::start(&broker, &["SAMCO_API_SECRET"], TOKEN);
    terminal.wait_for("Samco API secret: ");
    terminal.type_in(&format!("{secret}\n"));
    let (code, shown) = terminal.end();
    assert_eq!(code, 0, "{shown}");
    assert!(!shown.contains(&secret), "{shown}");
    let token = read(broker.folder.path(), "out");
    assert_eq!(
        token,
        stdout(&broker.run(&["token", "samco"])),
        "only the token is on standard output"
    );
    // The store is warm: nobody is asked.
    let (code, shown) = Terminal::start(&broker, &["SAMCO_API_SECRET"], TOKEN).end();
    assert_eq!((code, shown.as_str()), (0, ""));
    assert_eq!(read(broker.folder.path(), "out"), token);
    assert_eq!(broker.count(SAMCO_LOGIN), 1);
}

#[test]
fn a_pin_and_a_code_are_asked_for() {
    let broker = Broker::start();
    let script = r#""$PREOPEN" login angelone --base-url "$URL""#;
    let mut terminal = Terminal::start(&broker, &["ANGELONE_PIN", "ANGELONE_TOTP_SECRET"], script);
    terminal.wait_for("Angel One PIN: ");
    let pin = broker.secret("angelone", "pin");
    terminal.type_in(&format!("{pin}\n"));
    terminal.wait_for("Angel One one-time code: ");
    let mut totp = Command::new(PREOPEN);
    let code = stdout(&totp.arg("totp").envs(broker.environment()).output().unwrap());
    terminal.type_in(&code);
    let (ended, shown) = terminal.end();
    assert_eq!(ended, 0, "{shown}");
    assert!(shown.contains("logged in"), "{shown}");
    assert!(!shown.contains(code.trim()), "{shown}");
}

#[test]
fn nobody_is_asked_who_must_not_be() {
    let broker = Broker::start();
    for script in [
        r#""$PREOPEN" token samco --base-url "$URL" --no-input"#,
        r#"PREOPEN_NO_INPUT=1 "$PREOPEN" token samco --base-url "$URL""#,
        // Without a terminal of its own.
        r#"setsid "$PREOPEN" token samco --base-url "$URL" < /dev/null 2>&1 | cat; exit 2"#,
    ] {
        let (code, shown) = Terminal::start(&broker, &["SAMCO_API_SECRET"], script).end();
        assert_eq!(code, 2, "{script}: {shown}");
        assert!(shown.contains("SAMCO_API_SECRET is not set"), "{script}: {shown}");
    }
    // What names the account is never asked for.
    let (code, shown) = Terminal::start(&broker, &["SAMCO_API_KEY"], TOKEN).end();
    assert_eq!(code, 2, "{shown}");
    assert!(shown.contains("SAMCO_API_KEY is not set"), "{shown}");
    assert_eq!(broker.all(), 0);
}

#[test]
fn no_answer_is_a_login_that_is_needed() {
    let broker = Broker::start();
    for keys in ["\n", "\u{4}"] {
        let mut terminal = Terminal::start(&broker, &["SAMCO_API_SECRET"], TOKEN);
        terminal.wait_for("Samco API secret: ");
        terminal.type_in(keys);
        let (code, shown) = terminal.end();
        assert_eq!(code, 6, "{keys:?}: {shown}");
    }
    assert_eq!(broker.count(SAMCO_LOGIN), 0);
}

#[test]
fn the_terminal_is_as_it_was_after_ctrl_c_and_after_a_signal() {
    let broker = Broker::start();
    let asking = r#""$PREOPEN" token samco --base-url "$URL"; echo "ended with $?"; stty -a; echo done"#;
    let mut terminal = Terminal::start(&broker, &["SAMCO_API_SECRET"], asking);
    terminal.wait_for("Samco API secret: ");
    terminal.type_in("half a sec\u{3}");
    terminal.wait_for("done");
    let (_, shown) = terminal.end();
    assert!(shown.contains("ended with 130"), "{shown}");
    assert!(
        shown.contains(" echo ") && shown.contains("isig") && shown.contains(" icanon"),
        "{shown}"
    );

    let asking = r#"sh -c 'echo "pid $$."; exec "$PREOPEN" token samco --base-url "$URL"'; echo "ended with $?"; stty -a; echo done"#;
    let terminal = Terminal::start(&broker, &["SAMCO_API_SECRET"], asking);
    terminal.wait_for("Samco API secret: ");
    terminate(&terminal.shown());
    terminal.wait_for("done");
    let (_, shown) = terminal.end();
    assert!(shown.contains("ended with 143"), "{shown}");
    assert!(shown.contains(" echo ") && !shown.contains("-echo "), "{shown}");
}

#[test]
fn run_asks_before_the_command_starts_and_keeps_the_answer_for_the_next_day() {
    let broker = Broker::start();
    let script =
        r#""$PREOPEN" run samco --base-url "$URL" -- sh -c 'echo started; read -r line; echo "got $line"'"#;
    let mut terminal = Terminal::start(&broker, &["SAMCO_API_SECRET"], script);
    terminal.wait_for("Samco API secret: ");
    assert!(!terminal.shown().contains("started"));
    let secret = broker.secret("samco", "api_secret");
    terminal.type_in(&format!("{secret}\n"));
    terminal.wait_for("started");
    broker.advance("08:00 IST");
    broker.advance_seconds(125);
    eventually("the renewal", || (broker.count(SAMCO_LOGIN) == 2).then_some(()));
    terminal.type_in("hello\n");
    let (code, shown) = terminal.end();
    assert_eq!(code, 0, "{shown}");
    assert!(
        shown.contains("got hello"),
        "the terminal is the command's: {shown}"
    );
    assert!(!shown.contains(&secret) && !shown.contains("missing"), "{shown}");
}

#[test]
fn a_signal_is_the_commands_even_after_somebody_was_asked() {
    let broker = Broker::start();
    let script = r#"sh -c 'echo "pid $$."; exec "$PREOPEN" run samco --base-url "$URL" -- \
        sh -c "trap \"echo got it; exit 9\" TERM; echo started; while :; do sleep 0.02; done"'"#;
    let mut terminal = Terminal::start(&broker, &["SAMCO_API_SECRET"], script);
    terminal.wait_for("Samco API secret: ");
    let secret = broker.secret("samco", "api_secret");
    terminal.type_in(&format!("{secret}\n"));
    terminal.wait_for("started");
    terminate(&terminal.shown());
    let (code, shown) = terminal.end();
    assert_eq!(code, 9, "{shown}");
    assert!(shown.contains("got it"), "{shown}");
}

#[test]
fn ctrl_c_reaches_a_running_command_once() {
    let broker = Broker::start();
    let script = r#""$PREOPEN" run samco --base-url "$URL" -- sh -c '
        trap "echo counted" INT; echo ready
        i=0; while [ $i -lt 20 ]; do sleep 0.05; i=$((i + 1)); done; exit 5'"#;
    let mut terminal = Terminal::start(&broker, &[], &format!("trap : INT; {script}"));
    terminal.wait_for("ready");
    terminal.type_in("\u{3}");
    terminal.wait_for("counted");
    let (code, shown) = terminal.end();
    assert_eq!(shown.matches("counted").count(), 1, "{shown}");
    assert_eq!(code, 5, "{shown}");
}

#[test]
fn a_wrong_address_is_asked_for_again_as_long_as_the_login_can_be_completed() {
    let broker = Broker::start();
    let script = r#"export SAMCO_REDIRECT_URL="$REDIRECT"; "$PREOPEN" login samco --paste --base-url "$URL""#;
    let script = script.replace("$REDIRECT", &broker.secret("samco", "redirect_url"));
    let prompt = "Then paste the address";
    let asked = |terminal: &Terminal, times: usize| {
        eventually("the prompt", || {
            (terminal.shown().matches(prompt).count() == times).then_some(())
        });
    };
    let mut terminal = Terminal::start(&broker, &["SAMCO_API_SECRET"], &script);
    asked(&terminal, 1);
    terminal.type_in("not the address\n");
    asked(&terminal, 2);
    terminal.type_in("\n");
    asked(&terminal, 3);
    let shown = terminal.shown();
    let page = shown
        .lines()
        .find(|line| line.starts_with("http"))
        .unwrap()
        .trim();
    let body = format!(r#"{{"url": "{page}", "decision": "approve"}}"#);
    let answer = broker.control("POST", "/consent", &body);
    terminal.type_in(&format!("{}\n", answer["redirect_to"].as_str().unwrap()));
    let (code, shown) = terminal.end();
    assert_eq!(code, 0, "{shown}");
    assert!(
        shown.contains("logged in") && shown.contains("the address is empty"),
        "{shown}"
    );

    let script = script.replace("login samco", "login samco --force");
    let mut terminal = Terminal::start(&broker, &["SAMCO_API_SECRET"], &script);
    for times in 1..=3 {
        asked(&terminal, times);
        terminal.type_in("?code=x&state=y\n");
    }
    let (code, shown) = terminal.end();
    assert_eq!((code, shown.matches(prompt).count()), (2, 3), "{shown}");
    assert_eq!(broker.count("/oauth/token"), 1);
}
