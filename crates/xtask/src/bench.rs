//! `cargo xtask bench`: release builds, the pinned peers, and the benchmark drivers in `benches/`.

use std::ffi::OsString;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use crate::process;
use crate::tools::node;
use crate::tools::python::{self, Venv};
use crate::workspace::Workspace;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Arguments of the benchmark drivers.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<OsString>,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let workspace = Workspace::load()?;
    workspace.require_package("preopen-cli")?;
    let newest = python::discover()?.pop().context("no Python")?;
    let dev = Venv::provide(&workspace, "dev", &newest, "tools/requirements-dev.txt")?;
    let peers = Venv::provide(&workspace, "bench-py", &newest, "benches/requirements.txt")?;
    let chosen = node::for_builds(&workspace)?;

    process::run(
        workspace
            .cargo()
            .args(["build", "--release", "--package", "preopen-cli"]),
    )?;
    let command = workspace.program("release", "preopen");
    let wheel = python::build_wheel(&workspace, &dev, "release", "wheels-bench")?;
    peers.install_wheel(&wheel)?;
    node::install(&workspace, &chosen, "")?;
    node::build_addon(&workspace, "release")?;
    node::script(&workspace, &chosen, "build")?;

    let mut drivers = [
        (Command::new(peers.python()), "benches/run.py"),
        (chosen.command(&chosen.program), "benches/run.mjs"),
    ];
    for (driver, script) in &mut drivers {
        driver
            .current_dir(&workspace.root)
            .arg(workspace.require(script)?);
        driver
            .arg("--preopen-bin")
            .arg(&command)
            .arg("--node")
            .arg(&chosen.program);
        process::run(driver.args(&args.rest))?;
    }
    Ok(ExitCode::SUCCESS)
}
