//! `preopen legacy CALL`: Samco's deprecated calls that need no session. Each says what replaces it.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use preopen::{Error, Reply, Secret};
use serde_json::json;

use crate::output::{Failure, Output, json_line, line, note};
use crate::session::{Broker, SessionOptions};
use crate::terminal;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    call: Call,
}

#[derive(Debug, Subcommand)]
enum Call {
    /// Send a one-time code to the holder. Deprecated: create an app on the dashboard's API Keys page.
    GenerateOtp(SessionOptions),
    /// Have the secret API key mailed; asks for the one-time code, or reads it from standard input. Deprecated: create an app
    /// on the dashboard's API Keys page.
    GenerateSecretKey(SessionOptions),
    /// Register the account's addresses for the first time. Deprecated: use the dashboard's Static IPs page.
    RegisterIps(Ips),
    /// Change the account's addresses. Deprecated: use the dashboard's Static IPs page.
    UpdateIps(Ips),
}

#[derive(Debug, Args)]
struct Ips {
    /// The primary address: public IPv4.
    primary: String,
    /// The secondary address: another one.
    secondary: Option<String>,
    #[command(flatten)]
    options: SessionOptions,
}

pub(crate) async fn run(arguments: Arguments, output: Output) -> Result<ExitCode, Failure> {
    if !output.is_json() {
        note("Samco will remove this call.");
    }
    let reply = call(arguments.call).await.map_err(Failure::Sessionless)?;
    if output.is_json() {
        json_line(&json!({"message": reply.message, "data": reply.data()}));
    } else {
        line(reply.message.as_deref().unwrap_or("done"));
    }
    Ok(ExitCode::SUCCESS)
}

#[allow(deprecated, reason = "the command says so too")]
async fn call(call: Call) -> Result<Reply, Error> {
    match call {
        Call::GenerateOtp(options) => {
            let prepared = options.legacy().prepare().await?;
            prepared
                .session(Broker::Samco)?
                .samco_legacy()?
                .generate_otp()
                .await
        }
        Call::GenerateSecretKey(options) => {
            let prepared = options.legacy().prepare().await?;
            let calls = prepared.session(Broker::Samco)?.samco_legacy()?;
            calls.generate_secret_key(code(prepared.asking.may_ask())?).await
        }
        Call::RegisterIps(ips) => {
            let prepared = ips.options.legacy().prepare().await?;
            let calls = prepared.session(Broker::Samco)?.samco_legacy()?;
            calls.register_ips(&ips.primary, ips.secondary.as_deref()).await
        }
        Call::UpdateIps(ips) => {
            let prepared = ips.options.legacy().prepare().await?;
            let calls = prepared.session(Broker::Samco)?.samco_legacy()?;
            calls.update_ips(&ips.primary, ips.secondary.as_deref()).await
        }
    }
}

fn code(may_ask: bool) -> Result<Secret, Error> {
    let answer = terminal::answer("The one-time code: ", may_ask);
    let answer =
        answer.map_err(|problem| Error::invalid_input("otp", &format!("could not be read: {problem}")))?;
    answer.ok_or_else(|| Error::invalid_input("otp", "is empty: give the code that Samco sent"))
}
