//! `preopen request BROKER METHOD PATH`: one call with a live token.

use std::io::Read as _;
use std::process::ExitCode;

use clap::Args;
use preopen::{Error, Timestamp};
use serde_json::json;

use crate::output::{Failure, Output, json_line, line};
use crate::session::SessionArguments;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    session: SessionArguments,
    /// GET, POST, PUT or DELETE.
    method: String,
    /// The path, for example /quote/getQuote.
    path: String,
    /// A query parameter as NAME=VALUE; may be repeated.
    #[arg(long = "param", short = 'p', value_name = "NAME=VALUE")]
    params: Vec<String>,
    /// The JSON body, or `-` to read it from standard input.
    #[arg(long, short = 'd', value_name = "JSON")]
    data: Option<String>,
    /// The call may be repeated after a renewal although its method says that it writes.
    #[arg(long)]
    replay_safe: bool,
}

pub(crate) async fn run(arguments: Arguments, output: Output) -> Result<ExitCode, Failure> {
    let method = preopen::core::wire::Method::parse(&arguments.method)?;
    let params: Vec<(&str, &str)> = arguments
        .params
        .iter()
        .map(|text| split(text))
        .collect::<Result<_, _>>()?;
    let body = arguments.data.as_deref().map(body).transpose()?;
    let session = arguments.session.session().await?;
    let mut call = session.request(method, &arguments.path);
    for (name, value) in params {
        call = call.query(name, value);
    }
    if let Some(body) = body {
        call = call.json_text(body);
    }
    if arguments.replay_safe {
        call = call.replay_safe(true);
    }
    let reply = call.send().await?;
    if output.is_json() {
        json_line(&json!({
            "data": reply.data(), "message": reply.message, "message_id": reply.message_id,
            "server_time": reply.server_time.map(Timestamp::to_rfc3339), "http_status": reply.http_status,
        }));
    } else {
        line(&format!("{:#}", reply.data()));
    }
    Ok(ExitCode::SUCCESS)
}

fn split(text: &str) -> Result<(&str, &str), Error> {
    text.split_once('=')
        .ok_or_else(|| Error::invalid_input("param", "must be NAME=VALUE"))
}

fn body(text: &str) -> Result<String, Error> {
    if text != "-" {
        return Ok(text.to_owned());
    }
    let mut body = String::new();
    match std::io::stdin().read_to_string(&mut body) {
        Ok(_) => Ok(body),
        Err(error) => Err(Error::invalid_input(
            "data",
            &format!("cannot be read from standard input: {error}"),
        )),
    }
}
