//! What goes the paths: a Rust program and the Python package, optimised; and the Node package, as its tests have it.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use super::budgets::Budgets;
use super::counter::Counter;
use super::paths::{Language, Path};
use crate::console;
use crate::process;
use crate::report::Report;
use crate::test::Provision;
use crate::tools::node::Version;
use crate::tools::python::{self, Python};
use crate::workspace::Workspace;

/// Modules of tests are not optimised, and those of a release take long to build.
const PROFILE: &str = "instructions";
const FOLDER: &str = "tests/instructions";

/// A program up to the words that name a path.
pub(super) struct Program {
    words: Vec<PathBuf>,
    env: Vec<(&'static str, PathBuf)>,
}

impl Program {
    /// Lets `command`, which runs another program, run this one.
    pub(super) fn goes(&self, command: &mut Command) {
        command.args(&self.words);
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
    }
}

/// The programs that there are, with what the counts depend on.
#[derive(Default)]
pub(super) struct Programs {
    found: Vec<(Language, Program)>,
    pub(super) versions: Vec<(&'static str, String)>,
}

impl Programs {
    pub(super) fn of(&self, language: Language) -> Option<&Program> {
        let mut found = self.found.iter();
        found
            .find(|(other, _)| *other == language)
            .map(|(_, program)| program)
    }

    /// Provides what the paths need; nothing when something does not build. An interpreter of another version than the
    /// budgets' is another program: its paths are left out, unless new budgets are wanted.
    pub(super) fn provide(
        paths: &[&Path],
        budgets: &Budgets,
        bless: bool,
        counter: &Counter,
        provision: &Provision<'_>,
        report: &mut Report,
    ) -> Option<Self> {
        let wanted = |language| paths.iter().any(|path| path.language == language);
        let known = |name| budgets.version(name).filter(|_| !bless);
        let workspace = provision.workspace;
        let mut programs = Self::default();
        report.setup("instructions: versions", || {
            programs.versions = vec![("rustc", rustc(workspace)?), ("valgrind", counter.version()?)];
            for (name, here) in &programs.versions {
                if let Some(other) = known(name).filter(|other| other != here) {
                    console::say(format_args!(
                        "{name} {here}; the budgets were counted with {other}"
                    ));
                }
            }
            Ok(())
        })?;
        if wanted(Language::Rust) {
            let program = report.setup("instructions: build for Rust", || rust(workspace))?;
            programs.found.push((Language::Rust, program));
        }
        if wanted(Language::Python) {
            let all = provision.pythons(report)?;
            let mut all = all.iter().rev().map(|python| (python, build_of(python)));
            let chosen = all.find(|(_, build)| known("python").is_none_or(|known| known == build));
            match chosen {
                Some((chosen, version)) => {
                    provision.dev(report)?;
                    let build = || python(provision, chosen);
                    let program = report.setup("instructions: build for Python", build)?;
                    programs.found.push((Language::Python, program));
                    programs.versions.push(("python", version));
                }
                None => left_out(report, "python", known("python")),
            }
        }
        if wanted(Language::Node) {
            provision.addon(report)?;
            let node = report.setup("instructions: Node", || Version::Newest.provide(workspace))?;
            let here = node.major.to_string();
            if known("node").is_none_or(|version| version == here) {
                let mut words: Vec<PathBuf> = vec![node.program];
                // Without a compiler that works beside the program, and whose work depends on time, counts are steady.
                let steady = ["--jitless", "--single-threaded", "--predictable", "--hash-seed=1"];
                words.extend(steady.map(PathBuf::from));
                words.push(workspace.root.join(FOLDER).join("client.mjs"));
                let program = Program {
                    words,
                    env: Vec::new(),
                };
                programs.found.push((Language::Node, program));
                programs.versions.push(("node", here));
            } else {
                left_out(report, "node", known("node"));
            }
        }
        Some(programs)
    }
}

fn left_out(report: &mut Report, language: &str, version: Option<&str>) {
    let why = format!(
        "the budgets are for {language} {}, which is not here",
        version.unwrap_or_default()
    );
    report.not_applicable(&format!("instructions: {language}"), &why);
}

fn rustc(workspace: &Workspace) -> Result<String> {
    let mut rustc = Command::new("rustc");
    let said = process::capture(rustc.arg("--version").current_dir(&workspace.root))?;
    Ok(said
        .split(' ')
        .nth(1)
        .context("rustc tells no version")?
        .to_owned())
}

/// An interpreter's version, and whether its makers had it optimised by profiles: that is a fifth of what a call takes.
fn build_of(python: &Python) -> String {
    let script = "import sysconfig; print(sysconfig.get_config_var('CONFIG_ARGS'))";
    let settings = process::capture(Command::new(&python.program).args(["-c", script]));
    let kind = if settings.is_ok_and(|settings| settings.contains("--enable-optimizations")) {
        "optimized"
    } else {
        "plain"
    };
    format!("{} {kind}", python.name())
}

fn rust(workspace: &Workspace) -> Result<Program> {
    let name = "preopen-instructions";
    workspace.require_package(name)?;
    process::run(
        workspace
            .cargo()
            .args(["build", "--profile", PROFILE, "--package", name]),
    )?;
    Ok(Program {
        words: vec![workspace.program(PROFILE, name)],
        env: Vec::new(),
    })
}

/// The package as a wheel brings it, in a folder of its own, with everything compiled that Python would compile at the
/// first import.
fn python(provision: &Provision<'_>, chosen: &Python) -> Result<Program> {
    let workspace = provision.workspace;
    let newest = python::discover()?.pop().context("no Python")?;
    let dev = python::Venv::provide(workspace, "dev", &newest, "tools/requirements-dev.txt")?;
    let wheel = python::build_wheel(workspace, &dev, PROFILE, "wheels-instructions")?;
    let folder = workspace.target.join("instructions-python");
    let _ = fs::remove_dir_all(&folder);
    let mut install = dev.pip();
    install
        .args(["--no-deps", "--no-compile", "--target"])
        .arg(&folder);
    process::run(install.arg(&wheel))?;
    let mut compile = Command::new(&chosen.program);
    process::run(compile.args(["-m", "compileall", "-q"]).arg(&folder))?;
    Ok(Program {
        words: vec![
            chosen.program.clone(),
            workspace.require(format!("{FOLDER}/client.py"))?,
        ],
        env: vec![("PYTHONPATH", folder), ("PYTHONHASHSEED", "0".into())],
    })
}
