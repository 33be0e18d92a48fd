//! `cargo xtask bench`: release builds, the pinned peers, and the benchmark driver in `benches/`.

use std::ffi::OsString;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use crate::process;
use crate::tools::node;
use crate::tools::python::{self, Venv};
use crate::workspace::Workspace;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Arguments of the benchmark driver.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<OsString>,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let workspace = Workspace::load()?;
    workspace.require_package("preopen-cli")?;
    let newest = python::discover()?.pop().context("no Python")?;
    let dev = Venv::provide(&workspace, "dev", &newest, "tools/requirements-dev.txt")?;
    let peers = Venv::provide(&workspace, "bench-py", &newest, "benches/clients/requirements.txt")?;
    let chosen = node::for_builds(&workspace)?;

    process::run(workspace.cargo().args([
        "build",
        "--release",
        "--package",
        "preopen-cli",
        "--package",
        "preopen-bench",
    ]))?;
    let command = workspace.program("release", "preopen");
    let rust = workspace.program("release", "preopen-bench");
    let floor = workspace.program("release", "preopen-bench-floor");
    let wheel = python::build_wheel(&workspace, &dev, "release", "wheels-bench")?;
    peers.install_wheel(&wheel)?;
    node::install(&workspace, &chosen, "")?;
    node::build_addon(&workspace, "release")?;
    node::script(&workspace, &chosen, "build")?;

    let mut driver = Command::new(peers.python());
    driver
        .current_dir(&workspace.root)
        .arg(workspace.require("benches/run.py")?);
    let programs = [
        ("preopen", command),
        ("rust", rust),
        ("floor", floor),
        ("node", chosen.program),
        ("python", peers.python()),
    ];
    for (name, path) in programs {
        driver
            .arg("--program")
            .arg(OsString::from_iter([name.as_ref(), "=".as_ref(), path.as_os_str()]));
    }
    driver.args(&args.rest);
    process::run(&mut driver)?;
    Ok(ExitCode::SUCCESS)
}
