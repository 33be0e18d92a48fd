//! What every form of the help has beyond the arguments: the groups of the commands, exit codes, variables, files and
//! examples. `--help`, the manual pages and docs/command-line.md are all written from here.

use std::fmt::Write as _;

use clap::Command;

/// The commands by what one wants to do, in the order of `--help`.
pub(crate) const GROUPS: &[(&str, &[&str])] = &[
    ("Try it", &["demo", "sandbox"]),
    (
        "Sessions",
        &["login", "status", "token", "headers", "run", "request", "logout"],
    ),
    ("Before 09:15", &["preflight", "doctor", "whoami", "static-ip"]),
    ("Watch it", &["serve-metrics"]),
    ("Helpers", &["totp", "key", "login-code", "legacy"]),
    ("This command", &["completions", "man", "help"]),
];

/// A table of names and what they mean.
type Table = &'static [(&'static str, &'static str)];

pub(crate) const EXIT_CODES: Table = &[
    ("0", "Done. `status`: each account looked at has a live session."),
    ("2", "Wrong usage, or a setting that is missing or wrong."),
    (
        "3",
        "The credentials were refused, or the account needs its owner.",
    ),
    ("4", "The static IP is not registered, or may not be changed now."),
    ("5", "The network, the broker or the store failed."),
    (
        "6",
        "A login is needed that only a person can do, or there is no live session.",
    ),
    (
        "other",
        "`run` ends with its command's code; 128 and the number for a signal, 127 for a command that is not there.",
    ),
];

pub(crate) const VARIABLES: Table = &[
    ("SAMCO_API_KEY", "Samco: the app's key. It names the account."),
    ("SAMCO_API_SECRET", "Samco: the app's secret."),
    (
        "SAMCO_REDIRECT_URL",
        "Samco, with --oauth: the app's redirect URL.",
    ),
    (
        "SAMCO_USER_ID, SAMCO_PASSWORD, SAMCO_SECRET_API_KEY",
        "Samco, with --legacy: the deprecated login.",
    ),
    (
        "ANGELONE_API_KEY, ANGELONE_CLIENT_CODE",
        "SmartAPI: they name the account.",
    ),
    ("ANGELONE_PIN", "SmartAPI: the PIN."),
    (
        "ANGELONE_TOTP_SECRET",
        "SmartAPI: the secret that one-time codes are made from.",
    ),
    (
        "ANGELONE_REDIRECT_URL",
        "SmartAPI, with --publisher: the app's redirect URL.",
    ),
    ("PREOPEN_STORE", "Where sessions are kept, as --store."),
    (
        "PREOPEN_KEY",
        "A key that seals new entries of the store, from `preopen key`.",
    ),
    (
        "PREOPEN_AUDIT",
        "The audit file of logins, refusals and logouts, as --audit.",
    ),
    ("PREOPEN_NO_INPUT", "Not empty: never ask, as --no-input."),
    (
        "PREOPEN_SANDBOX_TOKEN",
        "The sandbox's control token: this command's sessions on it follow its clock.",
    ),
    (
        "HTTPS_PROXY, ALL_PROXY, NO_PROXY",
        "The proxy of all requests, and the hosts without one.",
    ),
    (
        "NO_COLOR, CLICOLOR, CLICOLOR_FORCE",
        "Colours, unless --color says otherwise.",
    ),
];

pub(crate) const FILES: Table = &[
    (
        "~/.local/state/preopen/",
        "The file store of this user on Linux (XDG_STATE_HOME moves it): sealed sessions and their key.",
    ),
    ("~/Library/Application Support/Preopen/", "The same on macOS."),
    ("%LOCALAPPDATA%\\Preopen\\", "The same on Windows."),
];

/// A command line and what it does.
pub(crate) const EXAMPLES: Table = &[
    ("preopen demo", "A day of two sessions, without an account."),
    ("preopen login samco", "One login for every program of yours."),
    ("preopen status --watch", "Until when it is live, counting down."),
    (
        "preopen headers samco | curl -H @- https://tradeapi.samco.in/limit/getLimits",
        "Any HTTP client with a live session.",
    ),
    (
        "preopen run samco -- python strategy.py",
        "A program with a session in reach, and no secret in its environment.",
    ),
    (
        "preopen doctor",
        "What keeps this host from placing orders, and the fix.",
    ),
];

/// What stands below the options of `preopen --help`.
pub(crate) fn after_help() -> String {
    let mut text = String::from("Examples:\n");
    for (line, what) in EXAMPLES {
        let _ = writeln!(text, "  {line}\n      {what}");
    }
    text.push_str(
        "\nExit codes: 0 ok, 2 usage, 3 credentials or account, 4 static IP, 5 network, broker or store,\n\
         6 login needed; `run` ends with its command's.\n\n\
         Credentials come from the environment or --env-file, never from an argument. `preopen man` and\n\
         docs/command-line.md list all variables.",
    );
    text
}

/// The commands by groups, for `preopen --help`.
pub(crate) fn commands(command: &Command) -> String {
    let mut text = String::new();
    for (group, names) in GROUPS {
        let _ = writeln!(text, "{group}:");
        for name in *names {
            let about = about(command, name);
            let _ = writeln!(text, "  {name:<13} {about}");
        }
        text.push('\n');
    }
    text
}

/// The first sentence of what a command does.
fn about(command: &Command, name: &str) -> String {
    let found = command.get_subcommands().find(|one| one.get_name() == name);
    let about = found.and_then(Command::get_about).map(ToString::to_string);
    match (about, name) {
        (Some(about), _) => about,
        (None, "help") => "Print this, or the help of a command".to_owned(),
        (None, _) => String::new(),
    }
}
