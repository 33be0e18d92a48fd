//! `preopen totp`: the code for now, alone on a line.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use preopen::totp::{STEP_SECONDS, TotpSecret, step_start};
use preopen::{Clock as _, Error, SystemClock};
use serde_json::json;

use crate::credentials::{ANGELONE_TOTP_SECRET, Values};
use crate::output::{DIM, Failure, Output, json_line, line};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// A file of NAME=VALUE lines that holds `ANGELONE_TOTP_SECRET`, `-` for standard input; the environment by
    /// default.
    #[arg(long, value_name = "FILE")]
    env_file: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments, output: Output) -> Result<ExitCode, Failure> {
    let values = Values::read(arguments.env_file.as_deref())?;
    let secret = values.get(ANGELONE_TOTP_SECRET);
    let secret = secret.ok_or_else(|| Error::invalid_input(ANGELONE_TOTP_SECRET, "is not set"))?;
    let now = SystemClock.now().wall;
    let code = TotpSecret::new(secret).code_at(now)?;
    let ends = step_start(code.step()).plus_millis(STEP_SECONDS * 1000);
    let left = ends.since(now).as_secs() + 1;
    let code = code.spend();
    if output.is_json() {
        json_line(&json!({"code": code.expose(), "valid_until": ends.to_rfc3339(), "seconds_left": left}));
    } else {
        line(code.expose());
        anstream::eprintln!("{DIM}valid for {left} s more{DIM:#}");
    }
    Ok(ExitCode::SUCCESS)
}
