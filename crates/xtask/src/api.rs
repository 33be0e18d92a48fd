//! `cargo xtask api`: what users of the Rust crate can name, compared with `docs/api` or written there anew.

use std::process::ExitCode;

use anyhow::Result;

use crate::process;
use crate::workspace::Workspace;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Write `docs/api` anew.
    #[arg(long)]
    bless: bool,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let mut cargo = Workspace::load()?.cargo();
    cargo.args(["test", "--package", "xtask", "--test", "api"]);
    if args.bless {
        cargo.env("PREOPEN_BLESS", "1");
    }
    let status = process::status(&mut cargo)?;
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
