//! `cargo xtask package`: release builds of the wheel and the npm tarball for this platform, in `dist/`.

use std::fs;
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::process;
use crate::tools::node;
use crate::tools::python::{self, Venv};
use crate::workspace::Workspace;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// What to package; both by default.
    #[arg(value_enum)]
    kinds: Vec<Kind>,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Kind {
    /// The wheel.
    Python,
    /// The npm tarball, with the addon of this platform.
    Node,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let workspace = Workspace::load()?;
    let dist = workspace.root.join("dist");
    fs::create_dir_all(&dist)?;
    let wanted = |kind| args.kinds.is_empty() || args.kinds.contains(&kind);
    if wanted(Kind::Python) {
        let newest = python::discover()?.pop().context("no Python")?;
        let dev = Venv::provide(&workspace, "dev", &newest, "tools/requirements-dev.txt")?;
        let wheel = python::build_wheel(&workspace, &dev, "release", "wheels-release")?;
        let name = wheel.file_name().context("the wheel has no name")?;
        fs::copy(&wheel, dist.join(name))?;
        println!("dist/{}", name.display());
    }
    if wanted(Kind::Node) {
        let chosen = node::for_builds(&workspace)?;
        node::install(&workspace, &chosen, "")?;
        node::build_addon(&workspace, "release")?;
        node::script(&workspace, &chosen, "build")?;
        let packed = process::capture(
            chosen
                .command("npm")
                .args(["pack", "--workspace", "node", "--silent", "--pack-destination"])
                .arg(&dist)
                .current_dir(&workspace.root),
        )?;
        println!("dist/{}", packed.trim());
    }
    Ok(ExitCode::SUCCESS)
}
