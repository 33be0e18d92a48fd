//! `preopen login` where a person logs in at the broker's page, and with Samco's deprecated credentials.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod common;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use common::{Broker, PREOPEN, authority, code, error, eventually, http, json, stderr, stdout};
use serde_json::json;

const TOKEN: &str = "/oauth/token";

/// A free port, registered as the app's redirect URL.
fn registered(broker: &Broker) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/callback", listener.local_addr().unwrap());
    let path = format!("/accounts/{}", broker.secret("samco", "account"));
    broker.control("PATCH", &path, &json!({"redirect_url": url}).to_string());
    url
}

/// A command with this environment and nothing else.
fn preopen(broker: &Broker, url: &str, arguments: &[&str], environment: &[(&str, String)]) -> Command {
    let mut command = Command::new(PREOPEN);
    command
        .args(arguments)
        .args(["--base-url", url])
        .env_clear()
        .env("PREOPEN_STORE", broker.store())
        .env("PREOPEN_NO_INPUT", "1")
        .env("PREOPEN_SANDBOX_TOKEN", broker.control_token())
        .env("PATH", std::env::var("PATH").unwrap())
        .envs(environment.iter().map(|(name, value)| (*name, value)));
    command
}

fn oauth(broker: &Broker, arguments: &[&str], redirect: &str) -> Command {
    let environment = [
        ("SAMCO_API_KEY", broker.secret("samco", "api_key")),
        ("SAMCO_REDIRECT_URL", redirect.to_owned()),
    ];
    preopen(broker, broker.url(), arguments, &environment)
}

/// The page that a command shows on standard error.
fn shown(child: &mut Child) -> String {
    shown_with(child).1
}

/// What it shows before the page, and the page.
fn shown_with(child: &mut Child) -> (String, String) {
    let mut before = String::new();
    for line in BufReader::new(child.stderr.take().unwrap()).lines() {
        let line = line.unwrap();
        if line.starts_with("http") {
            return (before, line);
        }
        before.push_str(&line);
        before.push('\n');
    }
    panic!("no page: {before}");
}

/// Where the browser of a person who consents ends.
fn consent(broker: &Broker, page: &str) -> String {
    let body = json!({"url": page, "decision": "approve"}).to_string();
    let answer = broker.control("POST", "/consent", &body);
    answer["redirect_to"].as_str().unwrap().to_owned()
}

fn get(address: &str) -> u16 {
    let host = authority(address);
    let target = address.split_once(host).unwrap().1;
    http(&format!("http://{host}"), "GET", target, "", "").status
}

#[test]
fn a_listener_receives_the_answer_and_every_command_uses_the_session() {
    let broker = Broker::start();
    let redirect = registered(&broker);
    let before = oauth(&broker, &["token", "samco"], &redirect).output().unwrap();
    assert_eq!(code(&before), 6);
    assert!(stderr(&before).contains("Run: preopen login samco"), "{before:?}");

    let mut child = oauth(
        &broker,
        &["login", "samco", "--oauth", "--no-browser", "--json"],
        &redirect,
    )
    .stdout(Stdio::piped())
    .stderr(Stdio::piped())
    .spawn()
    .unwrap();
    let (before, page) = shown_with(&mut child);
    assert!(page.contains("/app/oauth/authorize?api_key="), "{page}");
    let place = authority(&redirect);
    let port = place.rsplit_once(':').unwrap().1;
    for words in [
        "Log in at this page within 300 s. It is".to_owned(),
        format!("comes back to {place}. "),
        "--paste".to_owned(),
        format!("ssh -L {port}:127.0.0.1:{port} "),
    ] {
        assert!(before.contains(&words), "{words}: {before}");
    }
    assert_eq!(get(&consent(&broker, &page)), 200);
    let done = child.wait_with_output().unwrap();
    assert!(done.status.success(), "{done:?}");
    assert_eq!(json(&done)["logged_in"], true);
    assert_eq!(json(&done)["account"], broker.secret("samco", "account").as_str());

    let token = oauth(&broker, &["token", "samco"], &redirect).output().unwrap();
    assert_eq!(stdout(&token).lines().count(), 1);
    // The next day nobody is needed: not even for `login`.
    broker.advance("08:00 IST");
    let again = oauth(&broker, &["login", "samco", "--json"], &redirect)
        .output()
        .unwrap();
    assert!(again.status.success(), "{again:?}");
    assert_eq!(broker.count(TOKEN), 2);
    let out = oauth(&broker, &["logout", "samco"], &redirect).output().unwrap();
    assert!(out.status.success(), "{out:?}");
    assert_eq!(broker.count("/oauth/revoke"), 1);
}

#[test]
fn an_address_is_pasted_where_no_listener_can_be() {
    let broker = Broker::start();
    let redirect = registered(&broker);
    let paste = |arguments: &[&str], address: &dyn Fn(&str) -> String| -> Output {
        let mut child = oauth(&broker, arguments, &redirect)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let page = shown(&mut child);
        let mut stdin = child.stdin.take().unwrap();
        writeln!(stdin, "{}", address(&page)).unwrap();
        drop(stdin);
        child.wait_with_output().unwrap()
    };
    let nothing = paste(&["login", "samco", "--paste", "--json"], &|_| String::new());
    assert_eq!(code(&nothing), 2);
    let foreign = paste(&["login", "samco", "--paste", "--json"], &|_| {
        format!("{redirect}?code=x&state=y")
    });
    assert_eq!(code(&foreign), 2);
    assert_eq!(broker.count(TOKEN), 0);
    let done = paste(&["login", "samco", "--paste", "--json"], &|page| {
        consent(&broker, page)
    });
    assert!(done.status.success(), "{done:?}");
    assert_eq!(broker.count(TOKEN), 1);
}

#[test]
fn a_publisher_login_is_pasted_and_is_needed_again_after_midnight() {
    let broker = Broker::start();
    let environment = [
        ("ANGELONE_API_KEY", broker.secret("angelone", "api_key")),
        ("ANGELONE_CLIENT_CODE", broker.secret("angelone", "client_code")),
        ("ANGELONE_REDIRECT_URL", broker.secret("angelone", "redirect_url")),
    ];
    let url = broker.ready["angelone_url"].as_str().unwrap();
    let run = |arguments: &[&str]| preopen(&broker, url, arguments, &environment);
    let mut child = run(&["login", "angelone", "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let page = shown(&mut child);
    let mut stdin = child.stdin.take().unwrap();
    writeln!(stdin, "{}", consent(&broker, &page)).unwrap();
    drop(stdin);
    let done = child.wait_with_output().unwrap();
    assert!(done.status.success(), "{done:?}");
    assert!(run(&["token", "angelone"]).output().unwrap().status.success());
    broker.advance("00:00 IST");
    let over = run(&["token", "angelone", "--json"]).output().unwrap();
    assert_eq!(
        (code(&over), error(&over)["reason"].as_str()),
        (6, Some("consent_needed"))
    );
}

#[test]
fn the_browser_is_opened_with_the_page() {
    let broker = Broker::start();
    let redirect = registered(&broker);
    let opened = broker.folder.path().join("opened");
    let programs = broker.folder.path().join("bin");
    std::fs::create_dir(&programs).unwrap();
    let script = format!("#!/bin/sh\nprintf '%s' \"$1\" > {}\n", opened.display());
    for name in ["xdg-open", "wslview", "gio", "open"] {
        let path = programs.join(name);
        std::fs::write(&path, &script).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let mut child = oauth(&broker, &["login", "samco", "--json"], &redirect)
        .env("PATH", path)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let page = eventually("a browser is opened", || written(&opened));
    assert_eq!(page, shown(&mut child));
    assert_eq!(get(&consent(&broker, &page)), 200);
    assert!(child.wait().unwrap().success());
}

/// What the file holds, once it is whole.
fn written(path: &Path) -> Option<String> {
    let mut text = String::new();
    std::fs::File::open(path).ok()?.read_to_string(&mut text).ok()?;
    text.contains("scopes=").then_some(text)
}

#[test]
fn nobody_is_waited_for_longer_than_the_user_wants() {
    let broker = Broker::start();
    let redirect = registered(&broker);
    let arguments = ["login", "samco", "--no-browser", "--wait", "0.2", "--json"];
    let late = oauth(&broker, &arguments, &redirect).output().unwrap();
    assert_eq!(code(&late), 5);
    assert!(stderr(&late).contains("nobody completed the login"), "{late:?}");
    for wait in ["0", "-1", "nan", "1e300", "86401"] {
        let wait = format!("--wait={wait}");
        let never = oauth(&broker, &["login", "samco", &wait], &redirect)
            .output()
            .unwrap();
        assert_eq!(code(&never), 2, "{never:?}");
        assert!(
            stderr(&never).contains("wait must be a number of seconds above 0 and up to 86400"),
            "{never:?}"
        );
    }
}

#[test]
fn an_option_that_would_do_nothing_is_refused() {
    let broker = Broker::start();
    for (arguments, field, why) in [
        (
            ["login", "samco", "--publisher"],
            "publisher",
            "samco has --oauth",
        ),
        (
            ["token", "samco", "--publisher"],
            "publisher",
            "samco has --oauth",
        ),
        (
            ["login", "angelone", "--oauth"],
            "oauth",
            "angelone has --publisher",
        ),
        (["doctor", "angelone", "--legacy"], "legacy", "a login of samco"),
        (["login", "samco", "--paste"], "paste", "add --oauth"),
        (["login", "samco", "--no-browser"], "no-browser", "add --oauth"),
        (["login", "angelone", "--wait=5"], "wait", "add --publisher"),
    ] {
        let refused = broker.run(&[&arguments[..], &["--json"]].concat());
        let told = error(&refused);
        assert_eq!((code(&refused), &told["field"]), (2, &json!(field)), "{told}");
        assert!(told["message"].as_str().unwrap().contains(why), "{told}");
    }
    let mut of_one = broker.command(&["run", "--publisher", "--json", "--", "true"]);
    let of_one = of_one.env_remove("ANGELONE_API_KEY").output().unwrap();
    assert_eq!(
        (code(&of_one), &error(&of_one)["field"]),
        (2, &json!("publisher")),
        "{of_one:?}"
    );
    // Where both are looked at, each broker's options are meant for it.
    assert_eq!(code(&broker.run(&["status", "--oauth", "--publisher"])), 6);
    assert_eq!(broker.all(), 0);
}

#[test]
fn credentials_and_address_do_not_share_standard_input() {
    let broker = Broker::start();
    let redirect = registered(&broker);
    let run = |arguments: &[&str], credentials: &str| {
        let mut child = preopen(&broker, broker.url(), arguments, &[])
            .args(["--env-file", "-", "--json"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(credentials.as_bytes())
            .unwrap();
        child.wait_with_output().unwrap()
    };
    let refused = |output: &Output| {
        // Nothing but the error is there: no page was shown.
        let told = error(output);
        assert_eq!((code(output), &told["field"]), (2, &json!("paste")), "{told}");
        assert!(
            told["message"].as_str().unwrap().contains("--env-file -"),
            "{told}"
        );
    };
    let key = broker.secret("samco", "api_key");
    let samco = format!("SAMCO_API_KEY={key}\nSAMCO_REDIRECT_URL={redirect}\n");
    refused(&run(&["login", "samco", "--paste"], &samco));
    let (key, client) = (
        broker.secret("angelone", "api_key"),
        broker.secret("angelone", "client_code"),
    );
    let angelone = format!("ANGELONE_API_KEY={key}\nANGELONE_CLIENT_CODE={client}\n");
    refused(&run(&["login", "angelone", "--publisher"], &angelone));

    // Refused whether or not there is a session, so that it does not work on some days only.
    let mut child = oauth(&broker, &["login", "samco", "--no-browser"], &redirect)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let page = shown(&mut child);
    assert_eq!(get(&consent(&broker, &page)), 200);
    assert!(child.wait_with_output().unwrap().status.success());
    refused(&run(&["login", "samco", "--paste"], &samco));
}

#[test]
fn no_more_than_an_address_is_read() {
    let broker = Broker::start();
    let redirect = registered(&broker);
    let mut child = oauth(&broker, &["login", "samco", "--paste"], &redirect)
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It must come to an end although this line has none.
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&vec![b'x'; 17 * 1024]).unwrap();
    stdin.flush().unwrap();
    let mut told = String::new();
    child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(2));
    assert!(told.contains("url is longer than 16 KiB"), "{told}");
    drop(stdin);
}

#[test]
fn a_refusal_at_the_page_names_the_command() {
    let broker = Broker::start();
    let redirect = registered(&broker);
    let mut child = oauth(&broker, &["login", "samco", "--paste"], &redirect)
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let page = lines
        .by_ref()
        .map(Result::unwrap)
        .find(|line| line.starts_with("http"))
        .unwrap();
    let body = json!({"url": page, "decision": "cancel"}).to_string();
    let answer = broker.control("POST", "/consent", &body);
    let address = answer["redirect_to"].as_str().unwrap();
    writeln!(child.stdin.take().unwrap(), "{address}").unwrap();
    let rest: Vec<String> = lines.map(Result::unwrap).collect();
    assert_eq!(child.wait().unwrap().code(), Some(6), "{rest:?}");
    assert_eq!(rest.last().unwrap(), "Run: preopen login samco", "{rest:?}");
}

#[test]
fn codes_headers_of_streams_and_deprecated_calls_are_commands() {
    let broker = Broker::start();
    let code_of = broker.run(&["login-code", "samco", "--json"]);
    assert_eq!(json(&code_of)["code"].as_str().unwrap().len(), 8, "{code_of:?}");
    let names = |output: &Output| -> Vec<String> {
        let lines = stdout(output);
        let name = |line: &str| line.split(':').next().unwrap().to_ascii_lowercase();
        lines.lines().map(name).collect()
    };
    let market = broker.run(&["headers", "angelone", "--stream", "smart-stream"]);
    for name in ["authorization", "x-api-key", "x-client-code", "x-feed-token"] {
        assert!(names(&market).contains(&name.to_owned()), "{market:?}");
    }
    assert_eq!(
        names(&broker.run(&["headers", "samco", "--stream", "stream"])),
        ["x-session-token"]
    );
    assert_eq!(
        code(&broker.run(&["headers", "samco", "--stream", "smart-stream"])),
        2
    );

    let environment = [
        ("SAMCO_USER_ID", broker.secret("samco", "account")),
        ("SAMCO_PASSWORD", broker.secret("samco", "password")),
        ("SAMCO_SECRET_API_KEY", broker.secret("samco", "secret_api_key")),
    ];
    let legacy = |arguments: &[&str]| {
        let mut all = vec!["legacy"];
        all.extend(arguments);
        preopen(&broker, broker.url(), &all, &environment)
    };
    assert!(
        legacy(&["generate-otp", "--json"])
            .output()
            .unwrap()
            .status
            .success()
    );
    let inbox = broker.control("GET", "/inbox", "");
    let otp = inbox["messages"][0]["value"].as_str().unwrap().to_owned();
    let mut child = legacy(&["generate-secret-key", "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    writeln!(child.stdin.take().unwrap(), "{otp}").unwrap();
    assert!(child.wait_with_output().unwrap().status.success());
    let private = legacy(&["update-ips", "10.0.0.7", "--json"]).output().unwrap();
    assert_eq!(
        (code(&private), error(&private)["field"].as_str()),
        (2, Some("primary"))
    );
    assert_eq!(broker.count("/ip/ipUpdate"), 0);
}

#[test]
fn the_deprecated_login_works_when_it_is_asked_for() {
    let broker = Broker::start();
    let environment = [
        ("SAMCO_USER_ID", broker.secret("samco", "account")),
        ("SAMCO_PASSWORD", broker.secret("samco", "password")),
        ("SAMCO_SECRET_API_KEY", broker.secret("samco", "secret_api_key")),
    ];
    let run = |arguments: &[&str]| {
        preopen(&broker, broker.url(), arguments, &environment)
            .output()
            .unwrap()
    };
    let done = run(&["login", "samco", "--legacy", "--json"]);
    assert!(done.status.success(), "{done:?}");
    assert!(done.stderr.is_empty(), "{done:?}");
    assert_eq!(
        (broker.count("/accessToken/token"), broker.count("/login")),
        (1, 1)
    );
    let token = run(&["token", "samco", "--legacy"]);
    assert!(token.status.success());
    assert_eq!(
        stderr(&token).matches("--legacy is deprecated").count(),
        1,
        "{token:?}"
    );
    assert_eq!(stderr(&token).lines().count(), 1, "{token:?}");
    assert_eq!(broker.count("/login"), 1);
    assert_eq!(code(&run(&["token", "samco"])), 2, "not without being asked for");
}
