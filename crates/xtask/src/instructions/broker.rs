//! An embedded broker for one counted process: it has seen nothing before, and goes with it.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::children::{self, Registered};
use crate::process;

/// A Monday morning: whenever it runs, the session has most of its day before it.
const BEGINS: &str = "2026-11-23T10:00:00+05:30";

pub(super) struct Broker {
    child: Child,
    _registered: Registered,
    /// What a client has to know.
    pub(super) settings: String,
}

impl Broker {
    pub(super) fn start(command: &Path) -> Result<Self> {
        let mut sandbox = Command::new(command);
        sandbox
            .args(["sandbox", "--json", "--exit-with-stdin", "--start-at", BEGINS])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        process::forget_this_package(&mut sandbox);
        children::may_start()?;
        let mut child = sandbox.spawn().context("the embedded broker does not start")?;
        let registered = children::register(&child);
        let mut line = String::new();
        let output = child.stdout.take().context("no standard output")?;
        BufReader::new(output).read_line(&mut line)?;
        let mut broker = Self {
            child,
            _registered: registered,
            settings: String::new(),
        };
        let ready: Value =
            serde_json::from_str(&line).context("the embedded broker does not tell where it is")?;
        let accounts = ready["accounts"].as_array();
        let mut accounts = accounts.into_iter().flatten();
        let account = accounts
            .find(|account| account["broker"] == "samco")
            .context("the embedded broker has no account")?;
        broker.settings = json!({
            "url": ready["samco_url"],
            "api_key": account["api_key"],
            "api_secret": account["api_secret"],
        })
        .to_string();
        Ok(broker)
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // The end of its standard input ends it.
        drop(self.child.stdin.take());
        _ = self.child.wait();
    }
}
