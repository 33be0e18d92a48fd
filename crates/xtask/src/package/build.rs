//! Release builds: wheels with maturin, the addon with cargo; for a named Linux platform with zig as the linker.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::targets::Target;
use super::{Plan, paths, sbom};
use crate::process;
use crate::tools::python::{self, Venv};
use crate::workspace::Workspace;

/// A native file of a release takes minutes of a processor, which others may be using too.
const LIMIT: Duration = Duration::from_hours(2);
/// Where the wheel of the command has its `pyproject.toml`.
const COMMAND: &str = "crates/cli";

/// Builds for one platform.
pub(super) struct Builder<'a> {
    workspace: &'a Workspace,
    pub(super) target: Target,
    plan: Plan<'a>,
    venv: Venv,
    out: &'a Path,
    /// Where maturin puts what it makes.
    scratch: PathBuf,
}

impl<'a> Builder<'a> {
    pub(super) fn new(workspace: &'a Workspace, plan: Plan<'a>, out: &'a Path) -> Result<Self> {
        let newest = python::discover()?.pop().context("no Python")?;
        let (name, requirements, target) = match plan {
            Plan::For(triple) => ("release", "tools/requirements-release.txt", Target::find(triple)?),
            Plan::Here | Plan::Tests => ("dev", "tools/requirements-dev.txt", Target::host()?),
        };
        Ok(Self {
            workspace,
            target,
            plan,
            venv: Venv::provide(workspace, name, &newest, requirements)?,
            out,
            scratch: workspace.target.join("packaging"),
        })
    }

    fn named(&self) -> bool {
        matches!(self.plan, Plan::For(_))
    }

    fn profile(&self) -> &'static str {
        if self.plan == Plan::Tests {
            "dev"
        } else {
            "release"
        }
    }

    /// The wheel of the package: one for every Python, or one for a free-threaded interpreter.
    pub(super) fn wheel(&self, interpreter: Option<&Path>) -> Result<PathBuf> {
        let default = self.venv.python();
        let mut maturin = self.maturin("preopen-python", &self.workspace.root)?;
        maturin.arg("--interpreter").arg(interpreter.unwrap_or(&default));
        self.flags(&mut maturin, self.module())?;
        self.made(&mut maturin, "whl")
    }

    /// The wheel of the command.
    pub(super) fn command_wheel(&self) -> Result<PathBuf> {
        let mut maturin = self.maturin("preopen-cli", &self.workspace.root.join(COMMAND))?;
        self.flags(&mut maturin, &[])?;
        self.made(&mut maturin, "whl")
    }

    /// The command itself, after its wheel was built.
    pub(super) fn command(&self) -> PathBuf {
        self.built(&self.target.program("preopen"))
    }

    /// The source archive.
    pub(super) fn sdist(&self) -> Result<PathBuf> {
        let mut maturin = self.venv.run("maturin");
        maturin.args(["sdist", "--out"]).arg(&self.scratch);
        maturin.current_dir(&self.workspace.root);
        self.made(&mut maturin, "gz")
    }

    /// The addon, where cargo built it.
    pub(super) fn addon(&self) -> Result<PathBuf> {
        let built = self.built(&self.target.library("preopen_node"));
        if self.plan == Plan::Tests {
            ensure!(built.exists(), "the tests have not built the addon");
            return Ok(built);
        }
        let mut cargo = if self.zig() {
            let mut zig = Command::new(self.venv.program("cargo-zigbuild"));
            process::prefix_path(&mut zig, &self.venv.programs());
            zig.args(["zigbuild", "--target", &self.target.zig()]);
            zig
        } else {
            let mut cargo = process::cargo();
            cargo.arg("build");
            if self.named() {
                cargo.args(["--target", &self.target.triple]);
            }
            cargo
        };
        cargo.args(["--release", "--locked", "--package", "preopen-node"]);
        cargo.arg("--target-dir").arg(&self.workspace.target);
        self.flags(&mut cargo, self.module())?;
        process::run_within(LIMIT, cargo.current_dir(&self.workspace.root))?;
        Ok(built)
    }

    /// Tests pack a hundred megabytes with what a debugger wants, and throw them away.
    fn compression(&self) -> &'static str {
        if self.plan == Plan::Tests { "1" } else { "9" }
    }

    fn zig(&self) -> bool {
        self.named() && self.target.is_linux()
    }

    fn maturin(&self, krate: &str, folder: &Path) -> Result<Command> {
        let mut maturin = self.venv.run("maturin");
        maturin
            .args(["build", "--profile", self.profile(), "--locked", "--out"])
            .arg(&self.scratch)
            .args(["--compression-level", self.compression(), "--sbom-include"])
            .arg(self.bill(krate)?);
        maturin.arg("--target-dir").arg(&self.workspace.target);
        if self.named() {
            maturin.args(["--target", &self.target.triple]);
        }
        if let Some(policy) = self.target.policy().filter(|_| self.named()) {
            maturin.args(["--zig", "--compatibility", policy]);
        }
        maturin.current_dir(folder);
        Ok(maturin)
    }

    /// Maturin's own bill tells where it was made, and when.
    fn bill(&self, krate: &str) -> Result<PathBuf> {
        let folder = self.workspace.target.join("sboms");
        fs::create_dir_all(&folder)?;
        let file = folder.join(format!("{krate}.cdx.json"));
        fs::write(&file, sbom::of(self.workspace, krate, &self.target.triple)?)?;
        Ok(file)
    }

    /// What a module is compiled with: it cannot bring a C library of its own into somebody's process; only a program is
    /// linked with all of musl.
    fn module(&self) -> &'static [&'static str] {
        match self.target.libc.as_deref() {
            Some("musl") => &["-C", "target-feature=-crt-static"],
            _ => &[],
        }
    }

    /// What tests have built is taken as it is: other flags would build it all again.
    fn flags(&self, command: &mut Command, further: &[&str]) -> Result<()> {
        if self.plan == Plan::Tests {
            return Ok(());
        }
        paths::hide(command, self.workspace, &self.target.triple, further)
    }

    /// A file of the release build.
    fn built(&self, name: &str) -> PathBuf {
        let mut folder = self.workspace.target.clone();
        if self.named() {
            folder.push(&self.target.triple);
        }
        let profile = self.profile();
        folder
            .join(if profile == "dev" { "debug" } else { profile })
            .join(name)
    }

    /// Runs a build that leaves one file in the scratch folder, and tells where it is kept.
    fn made(&self, command: &mut Command, suffix: &str) -> Result<PathBuf> {
        // What another build left must not be taken for this one's.
        let _ = fs::remove_dir_all(&self.scratch);
        process::run_within(LIMIT, command)?;
        let files: Vec<PathBuf> = fs::read_dir(&self.scratch)?
            .flatten()
            .map(|entry| entry.path())
            .collect();
        let [file] = &files[..] else {
            bail!("maturin left {} files, not one", files.len());
        };
        ensure!(
            file.extension().is_some_and(|found| found == suffix),
            "maturin left {}",
            file.display()
        );
        let place = self.out.join(file.file_name().context("no name")?);
        fs::copy(file, &place)?;
        Ok(place)
    }
}
