//! What several suites need: interpreters, the built command, the wheel, the addon. Each is provided once.

use std::path::PathBuf;

use crate::process;
use crate::report::Report;
use crate::tools::node::{self, Node};
use crate::tools::python::{self, Python, Venv};
use crate::workspace::Workspace;

/// Not tried yet, or tried: with what came of it.
type Once<T> = Option<Option<T>>;

pub(crate) struct Provision<'a> {
    pub(crate) workspace: &'a Workspace,
    pythons: Once<Vec<Python>>,
    dev: Once<PathBuf>,
    wheel: Once<PathBuf>,
    command: Once<PathBuf>,
    node: Once<Node>,
    packages: Once<()>,
    addon: Once<PathBuf>,
}

impl<'a> Provision<'a> {
    pub(crate) fn new(workspace: &'a Workspace) -> Self {
        Self {
            workspace,
            pythons: None,
            dev: None,
            wheel: None,
            command: None,
            node: None,
            packages: None,
            addon: None,
        }
    }

    /// Every interpreter, oldest first; never an empty list.
    pub(crate) fn pythons(&mut self, report: &mut Report) -> Option<Vec<Python>> {
        let work = || {
            let found = python::discover()?;
            let names: Vec<String> = found.iter().map(Python::name).collect();
            println!("Python {}", names.join(", "));
            Ok(found)
        };
        self.pythons
            .get_or_insert_with(|| report.setup("find Python", work))
            .clone()
    }

    pub(crate) fn newest_python(&mut self, report: &mut Report) -> Option<Python> {
        self.pythons(report)?.pop()
    }

    /// The environment with the tools that build and check.
    pub(crate) fn dev(&mut self, report: &mut Report) -> Option<Venv> {
        if self.dev.is_none() {
            let newest = self.newest_python(report);
            self.dev = Some(newest.and_then(|python| {
                let work = || Venv::provide(self.workspace, "dev", &python, "tools/requirements-dev.txt");
                report.setup("Python tools", work).map(|venv| venv.folder)
            }));
        }
        self.dev.clone().flatten().map(|folder| Venv { folder })
    }

    /// The wheel, also installed among the tools for the stub test.
    pub(crate) fn wheel(&mut self, report: &mut Report) -> Option<PathBuf> {
        if self.wheel.is_none() {
            let dev = self.dev(report);
            self.wheel = Some(dev.and_then(|dev| {
                report.setup("build the wheel", || {
                    let wheel = python::build_wheel(self.workspace, &dev, "dev", "wheels-test")?;
                    dev.install_wheel(&wheel)?;
                    Ok(wheel)
                })
            }));
        }
        self.wheel.clone().flatten()
    }

    /// The `preopen` command; tests find it in `PREOPEN_BIN`.
    pub(crate) fn command(&mut self, report: &mut Report) -> Option<PathBuf> {
        let workspace = self.workspace;
        let work = || {
            workspace.require_package("preopen-cli")?;
            process::run(workspace.cargo().args(["build", "--package", "preopen-cli"]))?;
            Ok(workspace.program("debug", "preopen"))
        };
        self.command
            .get_or_insert_with(|| report.setup("build the command", work))
            .clone()
    }

    /// The Node for builds and type checks.
    pub(crate) fn node(&mut self, report: &mut Report) -> Option<Node> {
        let workspace = self.workspace;
        self.node
            .get_or_insert_with(|| report.setup("find Node", || node::for_builds(workspace)))
            .clone()
    }

    /// The npm packages of the repository.
    pub(crate) fn packages(&mut self, report: &mut Report) -> Option<Node> {
        let node = self.node(report)?;
        let workspace = self.workspace;
        let work = || node::install(workspace, &node, "");
        let ready = *self
            .packages
            .get_or_insert_with(|| report.setup("npm packages", work));
        ready.map(|()| node)
    }

    /// The Node package: the addon and the compiled TypeScript.
    pub(crate) fn addon(&mut self, report: &mut Report) -> Option<PathBuf> {
        let node = self.packages(report)?;
        let workspace = self.workspace;
        let work = || {
            let addon = node::build_addon(workspace, "dev")?;
            node::script(workspace, &node, "build")?;
            Ok(addon)
        };
        self.addon
            .get_or_insert_with(|| report.setup("build the Node package", work))
            .clone()
    }
}
