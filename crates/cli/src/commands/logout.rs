//! `preopen logout BROKER`: ends the session at the broker, for every program that shares it.

use std::process::ExitCode;

use preopen::StateName;
use serde_json::json;

use crate::output::{Failure, Output, error_json, exit_code, json_line, line};
use crate::session::SessionArguments;

pub(crate) async fn run(arguments: SessionArguments, output: Output) -> Result<ExitCode, Failure> {
    let session = arguments.session().await?;
    // A store that cannot be read must not look like one without a session.
    let before = session.stored_state().await?;
    let done = session.logout().await?;
    if output.is_json() {
        json_line(&json!({
            "broker": session.broker(),
            "was_live": before.name == StateName::Active,
            "acknowledged": done.acknowledged,
            "message": done.message,
            "error": done.error.as_ref().map(error_json),
        }));
    } else {
        line(&done.message);
    }
    Ok(match &done.error {
        Some(error) => ExitCode::from(exit_code(error.kind())),
        None => ExitCode::SUCCESS,
    })
}
