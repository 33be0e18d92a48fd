//! `preopen static-ip BROKER`: whether a registered address may be changed now, for a history that the user keeps. Nothing
//! is sent.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use preopen::{Clock as _, Error, Json, SystemClock, Timestamp, static_ip};
use serde_json::json;

use crate::output::{BAD, EXIT_STATIC_IP, Failure, GOOD, Output, json_line, line};
use crate::session::Broker;

/// The largest history that is read: more than anybody has.
const LARGEST: u64 = 1 << 20;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The broker.
    broker: Broker,
    /// A JSON list of the changes so far, `-` for standard input: objects with `at` (RFC 3339), `app`, `primary` and
    /// `secondary` (null for a deletion), or `deactivated`. None by default.
    #[arg(long, value_name = "FILE")]
    history: Option<PathBuf>,
    /// The app whose addresses are to be changed, by its name in the history.
    #[arg(long, value_name = "NAME")]
    app: Option<String>,
    /// The new primary address, `none` to delete it. Without an address it is any change that counts.
    #[arg(long, value_name = "ADDRESS")]
    primary: Option<String>,
    /// The new secondary address, `none` to delete it.
    #[arg(long, value_name = "ADDRESS")]
    secondary: Option<String>,
    /// Count in another way than this broker is believed to.
    #[arg(long, value_name = "RULE", value_parser = ["rolling_7_days", "calendar_week"])]
    rule: Option<String>,
    /// Another time than now (RFC 3339).
    #[arg(long, value_name = "TIME")]
    now: Option<String>,
}

pub(crate) fn run(arguments: &Arguments, output: Output) -> Result<ExitCode, Failure> {
    let mut asked =
        json!({"broker": arguments.broker.as_str(), "rule": arguments.rule, "now": arguments.now});
    if let Some(path) = &arguments.history {
        asked["history"] = history(path)?;
    }
    let addresses = [
        ("primary", &arguments.primary),
        ("secondary", &arguments.secondary),
    ];
    for (name, address) in addresses {
        if let Some(address) = address {
            let address = (address != "none").then_some(address);
            asked["wanted"][name] = json!(address);
        }
    }
    if let Some(app) = &arguments.app {
        if asked["wanted"].is_null() {
            return Err(Error::invalid_input("app", "needs --primary or --secondary").into());
        }
        asked["wanted"]["app"] = json!(app);
    }
    let answer = static_ip::may_change(&asked.to_string(), SystemClock.now().wall)?;
    let allowed = answer["allowed"] == true;
    if output.is_json() {
        json_line(&answer);
    } else {
        let reason = answer["reason"].as_str().unwrap_or_default();
        let at = answer["at"].as_str().and_then(Timestamp::parse_rfc3339);
        line(&match (allowed, answer["free"] == true, at) {
            (true, true, _) => format!("{GOOD}free{GOOD:#}       now and at any time"),
            (true, false, _) => format!("{GOOD}allowed{GOOD:#}    now, as the change that counts"),
            (false, _, Some(at)) => format!("{BAD}not now{BAD:#}    from {} on", at.to_ist()),
            (false, _, None) => format!("{BAD}not allowed{BAD:#}"),
        });
        line(reason);
    }
    Ok(if allowed {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(EXIT_STATIC_IP)
    })
}

fn history(path: &Path) -> Result<Json, Failure> {
    let mut text = String::new();
    let read = if path == Path::new("-") {
        std::io::stdin().take(LARGEST).read_to_string(&mut text)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(LARGEST).read_to_string(&mut text))
    };
    read.map_err(|error| Error::invalid_input("history", &format!("cannot be read: {error}")))?;
    serde_json::from_str(&text)
        .map_err(|_| Error::invalid_input("history", "is not a JSON list of changes").into())
}
