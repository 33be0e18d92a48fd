//! `preopen login-code samco`: a code that signs in at Samco's web terminal.

use std::process::ExitCode;

use preopen::Timestamp;
use serde_json::json;

use crate::output::{Failure, Output, note, secret_line};
use crate::session::SessionArguments;

pub(crate) async fn run(arguments: SessionArguments, output: Output) -> Result<ExitCode, Failure> {
    let session = arguments.session().await?;
    let login = session.web_login_code().await?;
    if output.is_json() {
        let answer = json!({
            "code": login.code.expose(),
            "expires_at": Timestamp::to_rfc3339(login.expires_at),
        });
        secret_line(&answer.to_string())?;
    } else {
        secret_line(login.code.expose())?;
        note(&format!("until {}", login.expires_at.to_ist()));
    }
    Ok(ExitCode::SUCCESS)
}
