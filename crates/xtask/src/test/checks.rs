//! Format, lints and types: what a reviewer should never have to point out.

use std::process::Command;

use crate::counts::Counts;
use crate::process;
use crate::report::Report;
use crate::tools::node::Node;
use crate::tools::python::Venv;
use crate::version;
use crate::workspace::Workspace;

use super::provision::Provision;

/// A named command that holds when it succeeds.
pub(crate) struct Check {
    name: &'static str,
    command: Command,
}

impl Check {
    pub(super) fn new(
        name: &'static str,
        workspace: &Workspace,
        mut command: Command,
        args: &[&str],
    ) -> Self {
        command.current_dir(&workspace.root).args(args);
        Self { name, command }
    }

    fn run(mut self, report: &mut Report) {
        report.suite(&format!("check: {}", self.name), || {
            Ok(Counts::one(process::status(&mut self.command)?.success()))
        });
    }
}

pub(crate) fn rust(workspace: &Workspace) -> Vec<Check> {
    let clippy = [
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "--deny",
        "warnings",
    ];
    vec![
        Check::new(
            "cargo fmt",
            workspace,
            workspace.cargo(),
            &["fmt", "--all", "--check"],
        ),
        Check::new("clippy", workspace, workspace.cargo(), &clippy),
    ]
}

/// `dev` is the environment with the pinned tools.
pub(crate) fn python(workspace: &Workspace, dev: &Venv) -> Vec<Check> {
    vec![
        Check::new("ruff check", workspace, dev.run("ruff"), &["check", "."]),
        Check::new(
            "ruff format",
            workspace,
            dev.run("ruff"),
            &["format", "--check", "."],
        ),
        Check::new(
            "mypy",
            workspace,
            dev.run("mypy"),
            &["--strict", "python/", "tests/python/typed"],
        ),
    ]
}

pub(crate) fn node(workspace: &Workspace, node: &Node) -> Vec<Check> {
    let compiler = "node_modules/typescript/bin/tsc";
    vec![Check::new(
        "tsc",
        workspace,
        node.command(&node.program),
        &[compiler, "--noEmit", "--project", "node"],
    )]
}

/// Compares the stub of the native module with the module itself, so it needs the wheel.
fn stubs(workspace: &Workspace, dev: &Venv) -> Check {
    Check::new(
        "stubtest",
        workspace,
        dev.run("mypy.stubtest"),
        &["preopen._native"],
    )
}

pub(crate) fn run_all(checks: Vec<Check>, report: &mut Report) {
    for check in checks {
        check.run(report);
    }
}

pub(super) fn of_rust(provision: &Provision<'_>, report: &mut Report) {
    run_all(rust(provision.workspace), report);
}

pub(super) fn of_others(provision: &Provision<'_>, report: &mut Report) {
    let workspace = provision.workspace;
    report.suite("check: one version", || {
        version::checked(workspace).map(|_| Counts::one(true))
    });
    match provision.dev(report) {
        Some(dev) => run_all(python(workspace, &dev), report),
        None => report.missing("ruff and mypy", "the Python tools"),
    }
    match (provision.wheel(report), provision.dev(report)) {
        (Some(_), Some(dev)) => run_all(vec![stubs(workspace, &dev)], report),
        _ => report.missing("stubtest", "the wheel"),
    }
    match provision.packages(report) {
        Some(chosen) => run_all(node(workspace, &chosen), report),
        None => report.missing("tsc", "the npm packages"),
    }
}
