//! The crates as `cargo publish` would upload them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::process;
use crate::version;
use crate::workspace::Workspace;

/// Packs every crate; what may not be published is packed too, and left behind. Nothing is compiled: `cargo package
/// --workspace` does that, in a job of its own.
pub(super) fn pack(workspace: &Workspace, out: &Path) -> Result<Vec<PathBuf>> {
    let version = version::checked(workspace)?;
    let mut cargo = workspace.cargo();
    // What is not committed yet can be looked at; the workflow of a release has a clean checkout.
    cargo.args([
        "package",
        "--workspace",
        "--no-verify",
        "--allow-dirty",
        "--quiet",
    ]);
    process::run(cargo.arg("--target-dir").arg(&workspace.target))?;
    let mut made = Vec::new();
    for package in workspace.packages.iter().filter(|package| package.published) {
        let name = format!("{}-{version}.crate", package.name);
        let from = workspace.target.join("package").join(&name);
        fs::copy(&from, out.join(&name)).with_context(|| format!("cargo left no {name}"))?;
        made.push(out.join(name));
    }
    Ok(made)
}
