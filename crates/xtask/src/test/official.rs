//! The brokers' own Python and Node clients, run against the embedded broker; the fault table plays them, too.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::report::Report;
use crate::tools::node::{self, Node};
use crate::tools::python::Venv;
use crate::workspace::Workspace;

use super::node::run_tests;
use super::provision::Provision;
use super::python::pytest_with;

/// Where the Node client is installed.
const NODE: &str = "tests/official/node";

pub(super) fn run(provision: &Provision<'_>, report: &mut Report) {
    let Some(clients) = Clients::provide(provision, report) else {
        return report.missing("official", "a package of Preopen's or a client");
    };
    let Clients {
        workspace,
        venv,
        node,
        command,
    } = &clients;
    report.suite("official: python", || {
        pytest_with(workspace, venv, "tests/official", "official", command, |pytest| {
            pytest.env("PREOPEN_FAULTS_NODE", &node.program);
        })
    });
    report.suite("official: node", || {
        run_tests(workspace, node, NODE, "official-node", command)
    });
}

/// The brokers' own clients in the pinned versions, beside Preopen for both languages.
pub(crate) struct Clients<'a> {
    workspace: &'a Workspace,
    venv: Venv,
    node: Node,
    command: PathBuf,
}

impl<'a> Clients<'a> {
    /// Builds and installs them; what failed is in the report.
    pub(crate) fn provide(provision: &Provision<'a>, report: &mut Report) -> Option<Self> {
        let workspace = provision.workspace;
        let command = provision.command(report)?;
        provision.addon(report)?;
        let node = provision.node(report)?;
        let wheel = provision.wheel(report)?;
        let newest = provision.newest_python(report)?;
        let venv = report.setup("official: python clients", || {
            let venv = Venv::provide(
                workspace,
                "official-py",
                &newest,
                "tests/official/requirements.txt",
            )?;
            venv.install_wheel(&wheel)?;
            Ok(venv)
        })?;
        report.setup("official: node client", || node::install(workspace, &node, NODE))?;
        Some(Self {
            workspace,
            venv,
            node,
            command,
        })
    }

    /// The driver of the fault table.
    pub(crate) fn fault_table(&self) -> Result<Command> {
        let driver = self.workspace.require("tests/faults/run.py")?;
        let mut command = Command::new(self.venv.python());
        command
            .current_dir(&self.workspace.root)
            .env("PREOPEN_BIN", &self.command)
            .arg(driver)
            .arg("--node")
            .arg(&self.node.program);
        Ok(command)
    }
}
