//! The `preopen` command: arguments, the runtime, and the exit code. Each command has a file in `commands`.

mod commands;
mod output;
mod session;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::output::{Failure, Output};

/// Keeps a broker session valid. Try it without an account: `preopen demo`.
#[derive(Debug, Parser)]
#[command(name = "preopen", version, max_term_width = 100, after_help = EXIT_CODES)]
struct Arguments {
    /// Print JSON for a script instead of text for a person.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str =
    "Exit codes: 0 ok, 2 usage, 3 credentials or account, 4 static IP, 5 network or broker, 6 login needed.
Credentials come from the environment or --env-file, never from an argument:
  Samco     SAMCO_API_KEY  SAMCO_API_SECRET
  SmartAPI  ANGELONE_API_KEY  ANGELONE_CLIENT_CODE  ANGELONE_PIN  ANGELONE_TOTP_SECRET";

#[derive(Debug, Subcommand)]
enum Command {
    /// Show a day in the life of a session, on the embedded broker.
    Demo,
    /// Run the embedded broker until it is interrupted.
    Sandbox(commands::sandbox::Arguments),
    /// Log in and ask the broker which address it sees, and whether orders from here will be accepted.
    Whoami(commands::whoami::Arguments),
    /// Log in and call one path of the broker's API.
    Request(commands::request::Arguments),
    /// Print the one-time code for now.
    Totp(commands::totp::Arguments),
    /// Make a key that sealed sessions are exported with.
    Key,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let output = Output::new(arguments.json);
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return output.fail(&Failure::Other(format!("the runtime cannot be started: {error}"))),
    };
    let result = runtime.block_on(run(arguments.command, output));
    // Nothing that still runs is worth waiting for.
    runtime.shutdown_background();
    match result {
        Ok(code) => code,
        Err(failure) => output.fail(&failure),
    }
}

async fn run(command: Command, output: Output) -> Result<ExitCode, Failure> {
    match command {
        Command::Demo => commands::demo::run(output).await,
        Command::Sandbox(arguments) => commands::sandbox::run(arguments, output).await,
        Command::Whoami(arguments) => commands::whoami::run(arguments, output).await,
        Command::Request(arguments) => commands::request::run(arguments, output).await,
        Command::Totp(arguments) => commands::totp::run(&arguments, output),
        Command::Key => commands::key::run(output),
    }
}
