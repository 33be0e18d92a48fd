//! The Node tests, on the oldest supported Node and on the newest one.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::counts::{self, Counts};
use crate::process;
use crate::report::Report;
use crate::tools::node::{self, Node};
use crate::workspace::Workspace;

use super::provision::Provision;
use super::python::report_file;

pub(super) fn run(provision: &mut Provision<'_>, report: &mut Report) {
    let workspace = provision.workspace;
    if provision.addon(report).is_none() {
        return report.missing("node", "the Node package");
    }
    let Some(command) = provision.command(report) else {
        return report.missing("node", "the command");
    };
    let Some(nodes) = report.setup("Node versions", || node::floor_and_newest(workspace)) else {
        return report.missing("node", "the versions it runs on");
    };
    for node in nodes {
        let suite = format!("node {}", node.major);
        let name = format!("node{}", node.major);
        report.suite(&suite, || {
            run_tests(workspace, &node, "tests/node", &name, &command)
        });
    }
}

/// Runs the test files of a folder and reads the runner's report.
pub(super) fn run_tests(
    workspace: &Workspace,
    node: &Node,
    folder: &str,
    name: &str,
    command: &Path,
) -> Result<Counts> {
    run_tests_with(workspace, node, folder, name, command, |_| ())
}

/// The same, with further settings.
pub(super) fn run_tests_with(
    workspace: &Workspace,
    node: &Node,
    folder: &str,
    name: &str,
    command: &Path,
    settings: impl FnOnce(&mut Command),
) -> Result<Counts> {
    let files = node::test_files(workspace, folder)?;
    let file = report_file(workspace, &format!("{name}.xml"))?;
    let mut runner = node.command(&node.program);
    runner.args([
        "--test",
        "--test-reporter=spec",
        "--test-reporter-destination=stdout",
    ]);
    settings(&mut runner);
    runner
        .args(["--test-reporter=junit", "--test-reporter-destination"])
        .arg(&file)
        .args(&files);
    runner.current_dir(&workspace.root).env("PREOPEN_BIN", command);
    let status = process::status(&mut runner)?;
    let text = fs::read_to_string(&file).with_context(|| format!("the runner left no report ({status})"))?;
    let counts = counts::node(&text).context("cannot read the runner's report")?;
    ensure!(
        status.success() || counts.failed > 0,
        "node --test failed ({status})"
    );
    Ok(counts)
}
