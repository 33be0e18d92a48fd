//! `preopen headers BROKER`: the headers of an authenticated call, one on a line, as `curl -H @-` reads them.

use std::process::ExitCode;

use clap::Args;
use preopen::{Json, Secret};

use crate::output::{Failure, Output, secret_line};
use crate::session::SessionArguments;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    session: SessionArguments,
    /// Those of a WebSocket's handshake instead: `stream` at Samco; `smart-stream` or `smart-order-update` at SmartAPI.
    #[arg(long, value_name = "NAME")]
    stream: Option<String>,
}

pub(crate) async fn run(arguments: Arguments, output: Output) -> Result<ExitCode, Failure> {
    let session = arguments.session.session().await?;
    let headers = match &arguments.stream {
        None => session.headers().await?,
        stream => session.stream_headers(stream.as_deref()).await?,
    };
    if output.is_json() {
        let pairs = headers
            .expose()
            .map(|(name, value)| (name.to_owned(), value.into()));
        secret_line(&Json::Object(pairs.collect()).to_string())?;
    } else {
        for (name, value) in headers.expose() {
            secret_line(Secret::format(format_args!("{name}: {value}")).expose())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
