//! The browser tests: the machine's Chromium on the pages of the embedded broker; and the pictures of those pages.

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::Result;

use super::node::run_tests_with;
use super::provision::Provision;
use crate::process;
use crate::report::Report;
use crate::tools::chromium;
use crate::tools::node::Node;
use crate::workspace::Workspace;

const SUITE: &str = "browser";
const FOLDER: &str = "tests/browser";

/// What drives the pages: the command that serves them, and a browser.
struct Browser {
    command: PathBuf,
    node: Node,
    chromium: PathBuf,
}

impl Browser {
    /// Builds, installs and finds it; what failed is in the report.
    fn provide(provision: &Provision<'_>, report: &mut Report) -> Option<Self> {
        let chromium = report.setup("find Chromium", chromium::find)?;
        let command = provision.command(report)?;
        let node = provision.packages(report)?;
        Some(Self {
            command,
            node,
            chromium,
        })
    }
}

pub(super) fn run(provision: &Provision<'_>, report: &mut Report) {
    let workspace = provision.workspace;
    match Browser::provide(provision, report) {
        Some(Browser {
            command,
            node,
            chromium,
        }) => report.suite(SUITE, || {
            run_tests_with(workspace, &node, FOLDER, SUITE, &command, |runner| {
                // A page waits for its browser more than it works: two files at once, each with brokers of its own.
                runner
                    .arg("--test-concurrency=2")
                    .env(chromium::VARIABLE, chromium);
            })
        }),
        None => report.missing(SUITE, "Chromium, the command and the npm packages"),
    }
}

/// `cargo xtask screenshots`: takes the pictures of `docs/dashboard` anew.
pub(crate) fn screenshots() -> Result<ExitCode> {
    let workspace = Workspace::load()?;
    let mut report = Report::default();
    let provision = Provision::new(&workspace);
    let Some(browser) = Browser::provide(&provision, &mut report) else {
        return Ok(ExitCode::FAILURE);
    };
    let mut script: Command = browser.node.command(&browser.node.program);
    script
        .arg(format!("{FOLDER}/screenshots.mjs"))
        .current_dir(&workspace.root)
        .env("PREOPEN_BIN", &browser.command)
        .env(chromium::VARIABLE, &browser.chromium);
    process::run(&mut script)?;
    Ok(ExitCode::SUCCESS)
}
