//! Programs of all languages that share one store: what needs the wheel, the addon and the command at once.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::counts::Counts;
use crate::report::Report;
use crate::tools::python::Venv;
use crate::workspace::Workspace;

use super::provision::Provision;
use super::python::pytest_with;

const SUITE: &str = "herd";

pub(super) fn run(provision: &Provision<'_>, report: &mut Report) {
    match Herd::provide(provision, report) {
        Some(herd) => report.suite(SUITE, || herd.run(2, None)),
        None => report.missing(SUITE, "a package of one of the languages"),
    }
}

/// Everything that a herd needs.
pub(crate) struct Herd<'a> {
    workspace: &'a Workspace,
    venv: Venv,
    node: PathBuf,
    command: PathBuf,
}

impl<'a> Herd<'a> {
    /// Builds and installs it; what failed is in the report.
    pub(crate) fn provide(provision: &Provision<'a>, report: &mut Report) -> Option<Self> {
        let workspace = provision.workspace;
        let command = provision.command(report)?;
        provision.addon(report)?;
        let node = provision.node(report)?.program;
        let wheel = provision.wheel(report)?;
        let newest = provision.newest_python(report)?;
        let venv = report.setup("herd: environment", || {
            let venv = Venv::provide(workspace, "herd", &newest, "tests/herd/requirements.txt")?;
            venv.install_wheel(&wheel)?;
            Ok(venv)
        })?;
        Some(Self {
            workspace,
            venv,
            node,
            command,
        })
    }

    /// Runs so many rounds; the numbers are written to `numbers`.
    pub(crate) fn run(&self, rounds: u32, numbers: Option<&Path>) -> Result<Counts> {
        let settings = |pytest: &mut Command| {
            pytest.env("PREOPEN_HERD_NODE", &self.node);
            pytest.env("PREOPEN_HERD_ROUNDS", rounds.to_string());
            if let Some(numbers) = numbers {
                pytest.env("PREOPEN_HERD_REPORT", numbers);
            }
        };
        pytest_with(
            self.workspace,
            &self.venv,
            "tests/herd",
            SUITE,
            &self.command,
            settings,
        )
    }
}
