//! What several suites need: interpreters, the built command, the wheel, the addon. Each is provided once.

use std::path::PathBuf;
use std::sync::OnceLock;

use crate::console;
use crate::process;
use crate::report::Report;
use crate::tools::node::{self, Node};
use crate::tools::python::{self, Python, Venv};
use crate::workspace::Workspace;

use super::rust::{self, Program};

/// Not tried yet, or tried: with what came of it. Who asks while it is tried waits.
type Once<T> = OnceLock<Option<T>>;

/// What cargo builds for the suites, in the order in which it is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// The command and the addon.
    Natives,
    /// The Python package.
    Wheel,
    /// The programs of the Rust tests.
    RustTests,
}

impl Need {
    pub(super) const ALL: [Self; 3] = [Self::Natives, Self::Wheel, Self::RustTests];
}

pub(crate) struct Provision<'a> {
    pub(crate) workspace: &'a Workspace,
    pythons: Once<Vec<Python>>,
    dev: Once<PathBuf>,
    wheel: Once<PathBuf>,
    natives: Once<PathBuf>,
    node: Once<Node>,
    packages: Once<()>,
    addon: Once<()>,
    rust_tests: Once<Vec<Program>>,
}

impl<'a> Provision<'a> {
    pub(crate) fn new(workspace: &'a Workspace) -> Self {
        Self {
            workspace,
            pythons: Once::new(),
            dev: Once::new(),
            wheel: Once::new(),
            natives: Once::new(),
            node: Once::new(),
            packages: Once::new(),
            addon: Once::new(),
            rust_tests: Once::new(),
        }
    }

    /// Builds it; suites that ask for it later find it, or find that it failed.
    pub(super) fn build(&self, need: Need, report: &mut Report) {
        match need {
            Need::Natives => _ = self.command(report),
            Need::Wheel => _ = self.wheel(report),
            Need::RustTests => _ = self.rust_tests(report),
        }
    }

    /// Every interpreter, oldest first; never an empty list.
    pub(crate) fn pythons(&self, report: &mut Report) -> Option<Vec<Python>> {
        let work = || {
            let found = python::discover()?;
            let names: Vec<String> = found.iter().map(Python::name).collect();
            console::say(format_args!("Python {}", names.join(", ")));
            Ok(found)
        };
        self.pythons
            .get_or_init(|| report.setup("find Python", work))
            .clone()
    }

    pub(crate) fn newest_python(&self, report: &mut Report) -> Option<Python> {
        self.pythons(report)?.pop()
    }

    /// The environment with the tools that build and check.
    pub(crate) fn dev(&self, report: &mut Report) -> Option<Venv> {
        let provide = || {
            let python = self.newest_python(report)?;
            let work = || Venv::provide(self.workspace, "dev", &python, "tools/requirements-dev.txt");
            report.setup("Python tools", work).map(|venv| venv.folder)
        };
        let folder = self.dev.get_or_init(provide).clone()?;
        Some(Venv { folder })
    }

    /// The wheel, also installed among the tools for the stub test.
    pub(crate) fn wheel(&self, report: &mut Report) -> Option<PathBuf> {
        let provide = || {
            let dev = self.dev(report)?;
            report.setup("build the wheel", || {
                let wheel = python::build_wheel(self.workspace, &dev, "dev", "wheels-test")?;
                dev.install_wheel(&wheel)?;
                Ok(wheel)
            })
        };
        self.wheel.get_or_init(provide).clone()
    }

    /// The `preopen` command; tests find it in `PREOPEN_BIN`.
    ///
    /// The addon is built with it: in one go cargo compiles what both use once. The program is a copy, because
    /// the Rust tests build one with other features at the same place while other suites run it.
    pub(crate) fn command(&self, report: &mut Report) -> Option<PathBuf> {
        let workspace = self.workspace;
        let work = || {
            let mut cargo = workspace.cargo();
            cargo.arg("build");
            for name in ["preopen-cli", "preopen-node"] {
                workspace.require_package(name)?;
                cargo.args(["--package", name]);
            }
            process::run(&mut cargo)?;
            node::place_addon(workspace, "dev")?;
            let built = workspace.program("debug", "preopen");
            let place = workspace.target.join("command-test");
            let place = place.join(built.file_name().unwrap_or_default());
            process::copy_anew(&built, &place)?;
            Ok(place)
        };
        self.natives
            .get_or_init(|| report.setup("build the command and the addon", work))
            .clone()
    }

    /// The Node for builds and type checks.
    pub(crate) fn node(&self, report: &mut Report) -> Option<Node> {
        let work = || node::for_builds(self.workspace);
        self.node.get_or_init(|| report.setup("find Node", work)).clone()
    }

    /// The npm packages of the repository.
    pub(crate) fn packages(&self, report: &mut Report) -> Option<Node> {
        let node = self.node(report)?;
        let work = || node::install(self.workspace, &node, "");
        let ready = *self.packages.get_or_init(|| report.setup("npm packages", work));
        ready.map(|()| node)
    }

    /// The Node package: the addon and the compiled TypeScript.
    pub(crate) fn addon(&self, report: &mut Report) -> Option<()> {
        let node = self.packages(report)?;
        self.command(report)?;
        let work = || node::script(self.workspace, &node, "build");
        *self
            .addon
            .get_or_init(|| report.setup("build the Node package", work))
    }

    /// The programs of the Rust tests.
    pub(super) fn rust_tests(&self, report: &mut Report) -> Option<Vec<Program>> {
        let work = || rust::build(self.workspace);
        self.rust_tests
            .get_or_init(|| report.setup("build the Rust tests", work))
            .clone()
    }
}
