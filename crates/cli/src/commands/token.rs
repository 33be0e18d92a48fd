//! `preopen token BROKER`: the live token, alone on a line.

use std::process::ExitCode;

use preopen::Timestamp;
use serde_json::json;

use crate::output::{Failure, Output, secret_line};
use crate::session::SessionArguments;

pub(crate) async fn run(arguments: SessionArguments, output: Output) -> Result<ExitCode, Failure> {
    let session = arguments.session().await?;
    let token = session.token().await?;
    if output.is_json() {
        let answer = json!({
            "token": token.expose(),
            "generation": token.generation(),
            "expires_at": Timestamp::to_rfc3339(token.expires_at()),
        });
        secret_line(&answer.to_string())?;
    } else {
        secret_line(token.expose())?;
    }
    Ok(ExitCode::SUCCESS)
}
