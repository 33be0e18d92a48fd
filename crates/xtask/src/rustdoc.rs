//! This program in rustdoc's place: its JSON is not stable, and the switch that allows it must not reach rustc, whose build
//! scripts would see it and have every crate built anew.

use std::ffi::OsString;
use std::process::{Command, ExitCode};

/// Names the rustdoc to run; set by `crates/xtask/tests/api`, which names this program to cargo.
pub(crate) const REAL: &str = "XTASK_RUSTDOC";

/// Runs `rustdoc` with this program's arguments.
pub(crate) fn run(rustdoc: OsString) -> anyhow::Result<ExitCode> {
    let mut command = Command::new(rustdoc);
    command
        .args(std::env::args_os().skip(1))
        .env("RUSTC_BOOTSTRAP", "1");
    let code = command.status()?.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}
