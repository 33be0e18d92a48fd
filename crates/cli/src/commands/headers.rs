//! `preopen headers BROKER`: the headers of an authenticated call, one on a line, as `curl -H @-` reads them.

use std::process::ExitCode;

use preopen::{Json, Secret};

use crate::output::{Failure, Output, secret_line};
use crate::session::SessionArguments;

pub(crate) async fn run(arguments: SessionArguments, output: Output) -> Result<ExitCode, Failure> {
    let session = arguments.session().await?;
    let headers = session.headers().await?;
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
