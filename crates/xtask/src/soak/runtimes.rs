//! The main job of the Node package on other runtimes, which no suite runs: Bun and Deno, from npm.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::{Outcome, Soak};
use crate::process;
use crate::report::Report;
use crate::test::Provision;
use crate::tools::node;

/// What is tried, with the arguments before the script.
const RUNTIMES: &[(&str, &str, &[&str])] = &[
    ("bun", "1.4.5", &[]),
    (
        "deno",
        "2.9.6",
        &["run", "--allow-all", "--node-modules-dir=manual"],
    ),
];

const SCRIPT: &str = "tests/node/children/smoke.mjs";
/// The last that the script says.
const END: &str = "closed closed";

pub(super) fn run(soak: &Soak<'_>) -> Result<Outcome> {
    let workspace = soak.workspace;
    let mut report = Report::default();
    let provision = Provision::new(workspace);
    provision
        .addon(&mut report)
        .context("the Node package was not built")?;
    let command = provision
        .command(&mut report)
        .context("the command was not built")?;
    let (mut told, mut findings) = (Vec::new(), Vec::new());
    for (name, version, args) in RUNTIMES {
        let program = fetch(soak, name, version)?;
        let mut runtime = Command::new(&program);
        runtime
            .args(*args)
            .arg(workspace.root.join(SCRIPT))
            .current_dir(workspace.root.join("tests/node"))
            .env("PREOPEN_BIN", &command)
            .env("DENO_DIR", soak.folder("runtimes").join("deno-cache"));
        // It must say its last word and then end by itself.
        match process::capture(&mut runtime) {
            Ok(said) if said.trim_end().ends_with(END) => told.push(format!("{name} {version}")),
            Ok(said) => findings.push(format!(
                "failed: {name} {version} ended after `{}`",
                said.trim_end()
            )),
            Err(error) => findings.push(format!("failed: {name} {version}: {error:#}")),
        }
    }
    let ran = format!("bun {SCRIPT}` and `deno {} {SCRIPT}", RUNTIMES[1].2.join(" "));
    let mut outcome = Outcome::new(
        findings.is_empty(),
        ran,
        format!("passed on {}", told.join(" and ")),
    );
    outcome.findings = findings;
    Ok(outcome)
}

/// Where npm has put a runtime.
fn fetch(soak: &Soak<'_>, name: &str, version: &str) -> Result<PathBuf> {
    let folder = soak.folder("runtimes");
    let program = folder.join("node_modules/.bin").join(name);
    if is_there(&program, version) {
        return Ok(program);
    }
    std::fs::create_dir_all(&folder)?;
    let wanted: Vec<String> = RUNTIMES
        .iter()
        .map(|(name, version, _)| format!("{name}@{version}"))
        .collect();
    let mut npm = node::npm_command(&node::for_builds(soak.workspace)?);
    npm.args(["install", "--no-audit", "--no-fund", "--no-save", "--prefix"])
        .arg(&folder)
        .args(wanted);
    process::run(&mut npm)?;
    Ok(program)
}

fn is_there(program: &Path, version: &str) -> bool {
    process::capture(Command::new(program).arg("--version")).is_ok_and(|said| said.contains(version))
}
