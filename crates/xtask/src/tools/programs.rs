//! Programs from crates.io, in the version that is asked for, below the target folder.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::process;
use crate::workspace::Workspace;

/// Building a program with its dependencies takes minutes on a small machine.
const LIMIT: Duration = Duration::from_hours(1);

/// The path of `name` in exactly `version`, built here if it is not there yet. `ask` makes it tell its version.
pub(crate) fn provide(workspace: &Workspace, name: &str, version: &str, ask: &[&str]) -> Result<PathBuf> {
    let tools = workspace.tools();
    let program = tools
        .join("bin")
        .join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    let there = || process::capture(Command::new(&program).args(ask)).is_ok_and(|said| tells(&said, version));
    if !there() {
        let mut install = workspace.cargo();
        install
            .args(["install", "--locked", "--force", "--version", version, "--root"])
            .arg(&tools)
            .arg(name)
            .env("CARGO_TARGET_DIR", tools.join("build"));
        let status = process::tee_within(LIMIT, &mut install, |_| {})?;
        ensure!(status.success() && there(), "cannot install {name} {version}");
    }
    Ok(program)
}

fn tells(said: &str, version: &str) -> bool {
    said.split_whitespace().any(|word| word == version)
}

#[cfg(test)]
mod tests {
    use super::tells;

    #[test]
    fn a_version_is_a_whole_word() {
        assert!(tells("cargo-mutants 27.1.0\n", "27.1.0"));
        assert!(!tells("cargo-mutants 27.1.0-rc1\n", "27.1.0"));
        assert!(!tells("", "27.1.0"));
    }
}
