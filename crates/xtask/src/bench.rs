//! `cargo xtask bench`: release builds, the pinned peers, and the benchmark driver in `benches/`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::tools::node;
use crate::tools::python::{self, Python, Venv};
use crate::workspace::Workspace;
use crate::{children, process};

/// A whole run, on a machine that is slower than most.
const LIMIT: Duration = Duration::from_hours(3);

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only write the page and the plots anew, from the kept numbers.
    #[arg(long)]
    render: bool,
    /// Arguments of the benchmark driver: `--only GROUP`, `--quick`, `--out FOLDER`; `cargo xtask bench -- --help` has
    /// them all.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<OsString>,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let workspace = Workspace::load()?;
    // Whoever ends this ends the driver too, which keeps what it has.
    children::end_with_us()?;
    let newest = python::discover()?.pop().context("no Python")?;
    let own = Venv::provide(&workspace, "bench", &newest, "benches/requirements.txt")?;
    let script = workspace.require("benches/run.py")?;
    let driver = || {
        let mut driver = Command::new(own.python());
        driver.current_dir(&workspace.root).arg(&script);
        driver
    };
    if args.rest.iter().any(|word| word == "--help" || word == "-h") {
        process::run(driver().arg("--help"))?;
        return Ok(ExitCode::SUCCESS);
    }
    // A word that the driver does not know, or a tool that is not there, is not found out after an hour of building.
    let render = args.render.then_some("--render");
    process::run(driver().arg("--check").args(render).args(&args.rest))?;
    let mut driver = driver();
    driver.args(render);
    if !args.render
        && !args
            .rest
            .iter()
            .any(|word| word == "--render" || word == "--check")
    {
        for (name, path) in provide(&workspace, &newest)? {
            driver.arg("--program").arg(OsString::from_iter([
                name.as_ref(),
                "=".as_ref(),
                path.as_os_str(),
            ]));
        }
    }
    process::run_within(LIMIT, driver.args(&args.rest))?;
    Ok(ExitCode::SUCCESS)
}

/// What the groups need, by the names under which they ask for it.
fn provide(workspace: &Workspace, newest: &Python) -> Result<Vec<(&'static str, PathBuf)>> {
    let dev = Venv::provide(workspace, "dev", newest, "tools/requirements-dev.txt")?;
    let clients = |name, list| Venv::provide(workspace, name, newest, list);
    let peers = clients("bench-py", "benches/clients/requirements.txt")?;
    let official = clients("bench-official", "benches/clients/requirements-official.txt")?;
    let chosen = node::for_builds(workspace)?;

    let mut cargo = workspace.cargo();
    cargo.args(["build", "--release"]);
    for name in ["preopen-cli", "preopen-bench"] {
        workspace.require_package(name)?;
        cargo.args(["--package", name]);
    }
    process::run(&mut cargo)?;
    let wheel = python::build_wheel(workspace, &dev, "release", "wheels-bench")?;
    peers.install_wheel(&wheel)?;
    node::install(workspace, &chosen, "")?;
    let addon = node::build_addon(workspace, "release")?;
    node::script(workspace, &chosen, "build")?;
    let others = node::install_apart(workspace, &chosen, "benches/clients/node", "bench-node")?;

    Ok(vec![
        ("preopen", workspace.program("release", "preopen")),
        ("rust", workspace.program("release", "preopen-bench-client")),
        ("sessions", workspace.program("release", "preopen-bench")),
        ("floor", workspace.program("release", "preopen-bench-floor")),
        ("wheel", wheel),
        ("addon", addon),
        ("node", chosen.program),
        ("node-peers", others),
        ("python", peers.python()),
        ("python-official", official.python()),
    ])
}
