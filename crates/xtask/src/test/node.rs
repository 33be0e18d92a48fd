//! The Node tests, on the oldest supported Node and on the newest one.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::counts::{self, Counts};
use crate::process;
use crate::report::Report;
use crate::tools::node::{self, Node, Version};
use crate::workspace::Workspace;

use super::provision::Provision;
use super::python::report_file;

pub(super) fn floor(provision: &Provision<'_>, report: &mut Report) {
    run(provision, report, Version::Floor);
}

pub(super) fn newest(provision: &Provision<'_>, report: &mut Report) {
    run(provision, report, Version::Newest);
}

fn run(provision: &Provision<'_>, report: &mut Report, version: Version) {
    let workspace = provision.workspace;
    let suite = format!("node {}", version.major());
    if provision.addon(report).is_none() {
        return report.missing(&suite, "the Node package");
    }
    let Some(command) = provision.command(report) else {
        return report.missing(&suite, "the command");
    };
    let Some(node) = report.setup(&format!("{suite}: program"), || version.provide(workspace)) else {
        return report.missing(&suite, "the version it runs on");
    };
    let name = format!("node{}", node.major);
    report.suite(&format!("node {}", node.major), || {
        run_tests_with(workspace, &node, "tests/node", &name, &command, |runner| {
            // By itself the runner takes one file at a time on a small machine; tests wait more than they work.
            runner.arg("--test-concurrency=2");
        })
    });
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
        // What hangs is a failed test with a name, before the whole run is stopped without one.
        "--test-timeout=900000",
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
