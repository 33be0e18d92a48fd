//! `cargo xtask demo`: builds the `preopen` command and becomes its demo.

use std::ffi::OsString;
use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::process;
use crate::workspace::Workspace;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Arguments of `preopen demo`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<OsString>,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let workspace = Workspace::load()?;
    workspace.require_package("preopen-cli")?;
    process::run(workspace.cargo().args(["build", "--package", "preopen-cli"]))?;
    let mut demo = Command::new(workspace.program("debug", "preopen"));
    process::forget_this_package(&mut demo);
    become_it(demo.arg("demo").args(&args.rest))
}

/// The demo takes this process's place, so that signals and the terminal are its own.
#[cfg(unix)]
fn become_it(command: &mut Command) -> Result<ExitCode> {
    use std::os::unix::process::CommandExt;

    Err(anyhow::Error::new(command.exec()).context("cannot start the demo"))
}

#[cfg(not(unix))]
fn become_it(command: &mut Command) -> Result<ExitCode> {
    let code = command.status()?.code().and_then(|code| u8::try_from(code).ok());
    Ok(ExitCode::from(code.unwrap_or(1)))
}
