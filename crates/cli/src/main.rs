//! The `preopen` command: arguments, the runtime, and the exit code. Each command has a file in `commands`.

mod commands;
mod credentials;
mod http_server;
mod open_files;
mod output;
mod progress;
mod reference;
mod sandbox_clock;
mod session;
mod terminal;

use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum as _};
use tokio::runtime::Builder;

use crate::output::{Colours, Failure, Output};
use crate::session::SessionArguments;

/// Keeps a broker session valid. Try it without an account: `preopen demo`.
#[derive(Debug, Parser)]
#[command(name = "preopen", version, max_term_width = 100, after_help = reference::after_help())]
struct Arguments {
    /// Print JSON for a script instead of text for a person.
    #[arg(long, global = true)]
    json: bool,
    /// When to colour what is printed for a person.
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t = Colours::Auto, hide_possible_values = true)]
    color: Colours,
    #[command(subcommand)]
    command: Command,
}

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
    /// Tell what the store holds; the broker is not asked. Exit code 0 when each account looked at has a live session.
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
    /// Print a script that completes this command in a shell.
    Completions(commands::completions::Arguments),
    /// Print this command's manual page, or write all of them into a folder.
    Man(commands::man::Arguments),
}

impl Command {
    /// What a person is told who waits for it, where waiting is not what the command is for.
    fn wait(&self) -> Option<&'static str> {
        match self {
            Self::Demo => Some("the demo goes on"),
            Self::Login(_) | Self::Token(_) | Self::Headers(_) => Some("waiting for a session"),
            Self::Status(arguments) if !arguments.watches() => Some("waiting for the store"),
            Self::Logout(_) => Some("waiting for the broker to end the session"),
            Self::Whoami(_) | Self::LoginCode(_) | Self::Legacy(_) | Self::Request(_) => {
                Some("waiting for the broker")
            }
            Self::Preflight(_) | Self::Doctor(_) => Some("looking at what orders need"),
            _ => None,
        }
    }
}

/// The arguments, with the commands of the help in groups.
fn command() -> clap::Command {
    let command = Arguments::command();
    let commands = reference::commands(&command);
    command.help_template(format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{commands}Options:\n{{options}}{{after-help}}"
    ))
}

/// `--color` holds for what is said about the arguments too, so that it is looked for before they are read.
fn colours() -> Colours {
    let given = std::env::args_os()
        .skip(1)
        .map(|one| one.to_string_lossy().into_owned());
    let mut given = given.take_while(|one| one != "--");
    let mut value = None;
    while let Some(argument) = given.next() {
        if argument == "--color" {
            value = given.next();
        } else if let Some(one) = argument.strip_prefix("--color=") {
            value = Some(one.to_owned());
        }
    }
    let known = value.and_then(|value| Colours::from_str(&value, false).ok());
    known.unwrap_or(Colours::Auto)
}

fn main() -> ExitCode {
    colours().set();
    let arguments =
        Arguments::from_arg_matches(&command().get_matches()).unwrap_or_else(|error| error.exit());
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
    let wait = arguments.command.wait();
    let work = Box::pin(run(arguments.command, output));
    let result = runtime.block_on(async {
        match wait {
            Some(what) => progress::during(what, output.is_json(), work).await,
            None => work.await,
        }
    });
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
        Command::Completions(arguments) => commands::completions::run(&arguments),
        Command::Man(arguments) => commands::man::run(&arguments, output),
    }
}
