//! `preopen sandbox`: the embedded broker in the foreground.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use preopen::Error;
use preopen_sandbox::{Account, Options, Sandbox, StartError};
use tokio::io::AsyncReadExt as _;

use crate::output::{BOLD, DIM, Failure, Output, json_line, line};
use crate::sandbox_clock;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The port on 127.0.0.1; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Serve https with a certificate authority made for this run.
    #[arg(long)]
    tls: bool,
    /// Keep the state in this file, which is made when it is missing; by default it is gone at the end.
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// End when standard input closes, so that the sandbox cannot outlive the program that started it.
    #[arg(long)]
    exit_with_stdin: bool,
}

pub(crate) async fn run(arguments: Arguments, output: Output) -> Result<ExitCode, Failure> {
    let mut options = Options::default().port(arguments.port).tls(arguments.tls);
    options.data = arguments.data;
    // Whoever reads the line that says it is ready may end it in the same moment.
    let signalled = signalled()?;
    let sandbox = Sandbox::start(options).await.map_err(|error| match error {
        StartError::Bind { .. } => Error::invalid_input("port", &format!("cannot be used: {error}")).into(),
        StartError::Data { .. } => Error::invalid_input("data", &format!("cannot be used: {error}")).into(),
        _ => Failure::Other(error.to_string()),
    })?;
    if output.is_json() {
        json_line(&sandbox.ready_line());
    } else {
        describe(&sandbox);
    }
    tokio::select! {
        () = signalled => {}
        () = stdin_closed(), if arguments.exit_with_stdin => {}
    }
    sandbox.stop().await;
    Ok(ExitCode::SUCCESS)
}

fn describe(sandbox: &Sandbox) {
    line(&format!(
        "{BOLD}The embedded broker is ready.{BOLD:#} Stop it with Ctrl-C.\n"
    ));
    line(&format!(
        "  Samco, SmartAPI  {BOLD}{}{BOLD:#}",
        sandbox.samco_url()
    ));
    line(&format!("  look at it       {}", sandbox.dashboard_url()));
    line(&format!(
        "  control API      {}   x-sandbox-token: {}",
        sandbox.control_url(),
        sandbox.control_token()
    ));
    if let Some(path) = sandbox.ca_file() {
        line(&format!("  CA file          {}", path.display()));
    }
    line(&format!("\n{DIM}Accounts, as environment variables:{DIM:#}"));
    for account in sandbox.accounts() {
        line("");
        if let Some(samco) = account.as_samco() {
            line(&format!(
                "  export SAMCO_API_KEY={} SAMCO_API_SECRET={}",
                samco.api_key, samco.api_secret
            ));
            page_line(
                "SAMCO_REDIRECT_URL",
                &samco.redirect_url,
                "SAMCO_API_SECRET",
                "--oauth",
            );
            line(&format!(
                "  {DIM}# export SAMCO_USER_ID={} SAMCO_PASSWORD={} SAMCO_SECRET_API_KEY={}   # --legacy: the deprecated \
                 login{DIM:#}",
                samco.account, samco.password, samco.secret_api_key
            ));
        }
        if let Some(angel) = account.as_angelone() {
            line(&format!(
                "  export ANGELONE_API_KEY={} ANGELONE_CLIENT_CODE={} ANGELONE_PIN={} ANGELONE_TOTP_SECRET={}",
                angel.api_key, angel.client_code, angel.pin, angel.totp_secret
            ));
            page_line(
                "ANGELONE_REDIRECT_URL",
                &angel.redirect_url,
                "ANGELONE_PIN",
                "--publisher",
            );
        }
    }
    line(&format!(
        "\n{DIM}So that commands follow this broker's clock, which the control API moves:{DIM:#}"
    ));
    line(&format!(
        "  export {}={}",
        sandbox_clock::VARIABLE,
        sandbox.control_token()
    ));
    let samco = sandbox
        .accounts()
        .iter()
        .any(|account| Account::as_samco(account).is_some());
    if samco {
        line(&format!(
            "\nThen, in another terminal: preopen whoami samco --base-url {}",
            sandbox.samco_url()
        ));
    }
}

/// The variable that selects a login at the broker's page: a comment, since that login needs a person.
fn page_line(variable: &str, url: &str, secret: &str, option: &str) {
    if !url.is_empty() {
        line(&format!(
            "  {DIM}# export {variable}={url}   # {option}, or this without {secret}: a person logs in at the broker's \
             page{DIM:#}"
        ));
    }
}

/// Starts to listen for SIGINT and SIGTERM at once; the future ends with the first of them.
fn signalled() -> Result<impl Future<Output = ()>, Failure> {
    let cannot = |error: std::io::Error| Failure::Other(format!("signals cannot be listened for: {error}"));
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(cannot)?;
        Ok(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        })
    }
    #[cfg(windows)]
    {
        let mut interrupt = tokio::signal::windows::ctrl_c().map_err(cannot)?;
        Ok(async move {
            interrupt.recv().await;
        })
    }
}

async fn stdin_closed() {
    let mut stdin = tokio::io::stdin();
    let mut buffer = [0; 256];
    while let Ok(read) = stdin.read(&mut buffer).await
        && read > 0
    {}
}
