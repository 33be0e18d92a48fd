//! `preopen key`: a new key for sealed sessions, alone on a line.

use std::process::ExitCode;

use preopen::SealKey;
use serde_json::json;

use crate::output::{DIM, Failure, Output, json_line, line};

pub(crate) fn run(output: Output) -> Result<ExitCode, Failure> {
    let key = SealKey::generate()?.to_text();
    if output.is_json() {
        json_line(&json!({"key": key.expose()}));
    } else {
        line(key.expose());
        anstream::eprintln!("{DIM}keep it where secrets are kept; programs find it in PREOPEN_KEY{DIM:#}");
    }
    Ok(ExitCode::SUCCESS)
}
