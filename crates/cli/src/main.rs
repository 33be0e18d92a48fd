//! The `preopen` command: arguments, the runtime, and the exit code. Each command has a file in `commands`.

mod commands;
mod credentials;
mod http_server;
mod open_files;
mod output;
mod sandbox_clock;
mod session;
mod terminal;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tokio::runtime::Builder;

use crate::output::{Failure, Output};
use crate::session::SessionArguments;

/// Keeps a broker session valid. Try it without an account: `preopen demo`.
#[derive(Debug, Parser)]
#[command(name = "preopen", version, max_term_width = 100, after_help = NOTES)]
struct Arguments {
    /// Print JSON for a script instead of text for a person.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

const NOTES: &str = "\
Exit codes: 0 ok, 2 usage, 3 credentials or account, 4 static IP, 5 network, broker or store, 6 login needed;
`run` ends with its command's.
Credentials come from the environment or --env-file, never from an argument. What names the account is needed always,
the rest only for a login; it is asked for on the terminal when it is not there.
  Samco     SAMCO_API_KEY                           SAMCO_API_SECRET
  SmartAPI  ANGELONE_API_KEY  ANGELONE_CLIENT_CODE  ANGELONE_PIN  ANGELONE_TOTP_SECRET
Where a person logs in at the broker's page (--oauth, --publisher), and for the deprecated login (--legacy):
  Samco     SAMCO_API_KEY     SAMCO_REDIRECT_URL
  SmartAPI  ANGELONE_API_KEY  ANGELONE_CLIENT_CODE  ANGELONE_REDIRECT_URL
  legacy    SAMCO_USER_ID     SAMCO_PASSWORD        SAMCO_SECRET_API_KEY
The session is kept in a store for all programs: --store, PREOPEN_STORE, or files of this user. PREOPEN_KEY may seal it.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Show a day in the life of a session, on the embedded broker.
    Demo,
    /// Run the embedded broker until it is interrupted.
    Sandbox(commands::sandbox::Arguments),
    /// Log in if there is no live session, and tell whose it is, until when, and where it is kept.
    Login(commands::login::Arguments),
    /// Print the live token and nothing else; logs in if there is none.
    Token(SessionArguments),
    /// Print the headers of an authenticated call: `preopen headers samco | curl -H @- URL`.
    Headers(commands::headers::Arguments),
    /// Tell what the store holds; the broker is not asked. Exit code 0 when there is a live session.
    Status(commands::status::Arguments),
    /// End the session at the broker, for every program that shares it.
    Logout(SessionArguments),
    /// Run a command with a live session in its reach and no secret in its environment.
    Run(commands::run::Arguments),
    /// Ask the broker which address it sees, and whether orders from here will be accepted.
    Whoami(SessionArguments),
    /// Tell whether this host can place orders now, for a readiness probe; logs in if there is no live session.
    Preflight(commands::preflight::Arguments),
    /// Explain what keeps this host from placing orders: clock, address, proxy, store, session. Logs in as `preflight`.
    Doctor(commands::doctor::Arguments),
    /// Tell whether a registered address may be changed now, and if not, when. Exit code 4 when not now.
    StaticIp(commands::static_ip::Arguments),
    /// Print a code that signs in at Samco's web terminal for two minutes, and until when it does.
    LoginCode(SessionArguments),
    /// Samco's deprecated calls that need no session; Samco will remove them.
    Legacy(commands::legacy::Arguments),
    /// Call one path of the broker's API.
    Request(commands::request::Arguments),
    /// Tell Prometheus of the sessions in the store, and of the logins that an audit file holds. The broker is not asked.
    ServeMetrics(commands::serve_metrics::Arguments),
    /// Print the one-time code for now.
    Totp(commands::totp::Arguments),
    /// Make a key that sealed sessions are exported or stored with.
    Key,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let output = Output::new(arguments.json);
    // Only the broker has work for several threads.
    let mut builder = match arguments.command {
        Command::Demo | Command::Sandbox(_) => Builder::new_multi_thread(),
        _ => Builder::new_current_thread(),
    };
    let runtime = match builder.worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return output.fail(&Failure::Other(format!("the runtime cannot be started: {error}"))),
    };
    let result = runtime.block_on(run(arguments.command, output));
    // Nothing that still runs is worth waiting for.
    runtime.shutdown_background();
    terminal::restore();
    match result {
        Ok(code) => code,
        Err(failure) => output.fail(&failure),
    }
}

async fn run(command: Command, output: Output) -> Result<ExitCode, Failure> {
    match command {
        Command::Demo => commands::demo::run(output).await,
        Command::Sandbox(arguments) => commands::sandbox::run(arguments, output).await,
        Command::Login(arguments) => commands::login::run(arguments, output).await,
        Command::Token(arguments) => commands::token::run(arguments, output).await,
        Command::Headers(arguments) => commands::headers::run(arguments, output).await,
        Command::Status(arguments) => commands::status::run(arguments, output).await,
        Command::Logout(arguments) => commands::logout::run(arguments, output).await,
        Command::Run(arguments) => commands::run::run(arguments).await,
        Command::Whoami(arguments) => commands::whoami::run(arguments, output).await,
        Command::Preflight(arguments) => commands::preflight::run(arguments, output).await,
        Command::Doctor(arguments) => commands::doctor::run(arguments, output).await,
        Command::StaticIp(arguments) => commands::static_ip::run(&arguments, output),
        Command::LoginCode(arguments) => commands::login_code::run(arguments, output).await,
        Command::Legacy(arguments) => commands::legacy::run(arguments, output).await,
        Command::Request(arguments) => commands::request::run(arguments, output).await,
        Command::ServeMetrics(arguments) => commands::serve_metrics::run(arguments, output).await,
        Command::Totp(arguments) => commands::totp::run(&arguments, output),
        Command::Key => commands::key::run(output),
    }
}
