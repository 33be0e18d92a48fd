//! The system's keyring as the place of the sealing key: a real Secret Service, on a bus of the test's own.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod common;

use std::process::Command;

use common::{Broker, PREOPEN, SAMCO_LOGIN};

/// What runs on the bus. The keyring ends with it.
const SCRIPT: &str = r#"
printf password | gnome-keyring-daemon --unlock --components=secrets >/dev/null 2>&1 || exit 90
"$PREOPEN" login samco --base-url "$URL" --store-key keyring >/dev/null || exit 91
"$PREOPEN" token samco --base-url "$URL" || exit 92
"#;

#[test]
fn the_keyring_is_asked_for_once_and_found_by_programs_that_do_not_name_it() {
    let broker = Broker::start();
    let home = tempfile::tempdir().unwrap();
    let mut command = Command::new("dbus-run-session");
    command
        .args(["--", "sh", "-c", SCRIPT])
        .env_clear()
        .envs(broker.environment())
        .env("HOME", home.path())
        .env("XDG_RUNTIME_DIR", home.path())
        .env("PREOPEN", PREOPEN)
        .env("URL", broker.url());
    let output = command.output().unwrap_or_else(|error| {
        panic!("dbus-run-session (Debian: dbus-daemon) and gnome-keyring are needed: {error}")
    });
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let why = "90: gnome-keyring is missing or does not start; 91: login; 92: token";
    assert_eq!(output.status.code(), Some(0), "{why}: {said}");
    assert!(output.stdout.len() > 20, "{output:?}");
    assert_eq!(broker.count(SAMCO_LOGIN), 1);
    // Without the keyring nobody can open it, and the command says so; there is no key beside it.
    let folder = broker.folder.path().join("store");
    let mut names: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.retain(|name| name == "key");
    assert!(names.is_empty(), "{names:?}");
    let alone = broker
        .command(&["token", "samco"])
        .env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&alone.stderr).into_owned();
    assert_eq!(alone.status.code(), Some(5), "{said}");
    assert!(said.contains("keyring") && alone.stdout.is_empty(), "{said}");
    assert_eq!(broker.count(SAMCO_LOGIN), 1);
}
