//! `preopen sandbox`: the embedded broker in the foreground.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use preopen::{Clock as _, Error, ErrorKind, Timestamp};
use preopen_sandbox::{Account, Options, Sandbox, Script, ScriptStep, ScriptSteps, StartError};
use serde_json::json;
use tokio::io::AsyncReadExt as _;

use crate::open_files;
use crate::output::{BOLD, DIM, Failure, Output, advise, json_line, line, note, note_json};
use crate::sandbox_clock;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The port on 127.0.0.1; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Serve https with a certificate authority made for this run.
    #[arg(long)]
    tls: bool,
    /// Play scripted days: ordinary-day, bad-day, month, or a file of your own (TOML). Steps are told on standard error.
    #[arg(long, value_name = "NAME|FILE")]
    script: Option<String>,
    /// End with exit code 0 when the script is over.
    #[arg(long, requires = "script")]
    exit_after_script: bool,
    /// Where the broker's clock starts, for example 2026-11-23T09:15:00+05:30.
    #[arg(long, value_name = "TIME", value_parser = time)]
    start_at: Option<Timestamp>,
    /// How fast its clock runs: 1 is real time, 0 stands still.
    #[arg(long, visible_alias = "rate", value_name = "N", value_parser = speed, allow_negative_numbers = true)]
    speed: Option<f64>,
    /// Keep the state in this file, which is made when it is missing; by default it is gone at the end. The clock of a file
    /// that there is goes on: --start-at and --speed are for a new one.
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// End when standard input closes, so that the sandbox cannot outlive the program that started it.
    #[arg(long)]
    exit_with_stdin: bool,
}

fn time(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse_rfc3339(text)
        .filter(|at| at.as_millis() >= 0)
        .ok_or_else(|| "write it as 2026-11-23T09:15:00+05:30".to_owned())
}

fn speed(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|speed| (0.0..=1_000_000.0).contains(speed))
        .ok_or_else(|| "must be from 0 (stands still) to 1000000".to_owned())
}

/// Everything that the arguments ask for. What a script wants of the clock comes after them.
fn options(arguments: &Arguments) -> Result<Options, Failure> {
    let mut options = Options::default().port(arguments.port).tls(arguments.tls);
    if let Some(name) = &arguments.script {
        let script = Script::load(name)
            .map_err(|error| refused("script", &format!("the script cannot be played: {error}")))?;
        options = options.script(script);
    }
    options.data.clone_from(&arguments.data);
    if let Some(at) = arguments.start_at {
        options = options.start_at(at);
    }
    if let Some(speed) = arguments.speed {
        options = options.clock_rate(speed);
    }
    Ok(options)
}

/// Whether a sandbox goes on with what is in this file.
fn holds_something(file: &Path) -> bool {
    std::fs::metadata(file).is_ok_and(|found| found.len() > 0)
}

/// An argument that cannot be used. The sentence is whole: it need not begin with the field's name.
fn refused(field: &str, sentence: &str) -> Error {
    Error::new(ErrorKind::InvalidInput, sentence).with(|context| context.field = Some(field.to_owned()))
}

pub(crate) async fn run(arguments: Arguments, output: Output) -> Result<ExitCode, Failure> {
    let mut options = options(&arguments)?;
    let kept = arguments.data.as_deref().is_some_and(holds_something);
    if kept && (arguments.start_at.is_some() || arguments.speed.is_some()) {
        advise("The clock of the data file goes on: --start-at and --speed are for a new file.");
    }
    if let Some(room) = open_files::room() {
        options = options.connections(room);
    }
    // Whoever reads the line that says it is ready may end it in the same moment.
    let signalled = signalled()?;
    let sandbox = Sandbox::start(options).await.map_err(|error| match error {
        StartError::Script(_) => refused("script", &format!("the script cannot be played: {error}")).into(),
        StartError::Bind { .. } => refused("port", &error.to_string()).into(),
        StartError::Data { .. } => refused("data", &error.to_string()).into(),
        _ => Failure::Other(error.to_string()),
    })?;
    if output.is_json() {
        json_line(&sandbox.ready_line());
    } else {
        describe(&sandbox, arguments.data.as_deref().map(|file| (file, kept)));
    }
    let mut told = tokio::spawn(tell(sandbox.script_steps(), output));
    tokio::select! {
        () = signalled => {}
        () = stdin_closed(), if arguments.exit_with_stdin => {}
        _ = &mut told, if arguments.exit_after_script => {}
    }
    // The steps end with the sandbox too, and then the script is not over.
    told.abort();
    sandbox.stop().await;
    Ok(ExitCode::SUCCESS)
}

/// Tells the steps of the script on standard error, until it is over. Nobody may be reading there: only this waits.
async fn tell(steps: Option<ScriptSteps>, output: Output) {
    let Some(mut steps) = steps else { return };
    let mut count = 0_u64;
    loop {
        let step = steps.next().await;
        count += u64::from(step.is_some());
        let over = step.is_none();
        let told = tokio::task::spawn_blocking(move || match (step, output.is_json()) {
            (Some(step), true) => note_json(&json!({"step": step.to_json()})),
            (Some(step), false) => note(&words(&step)),
            (None, true) => note_json(&json!({"script": {"ended": true, "steps": count}})),
            (None, false) => note(&format!("The script is over: {count} steps.")),
        });
        // Not even a pipe that broke keeps the script from going on.
        let _ = told.await;
        if over {
            return;
        }
    }
}

fn words(step: &ScriptStep) -> String {
    let what = match &step.name {
        Some(name) => match step.what.strip_prefix("over: ") {
            Some(what) => format!("{name} is over ({what})"),
            None => format!("{name} ({})", step.what),
        },
        None => step.what.clone(),
    };
    let problem = step
        .problem
        .as_ref()
        .map_or_else(String::new, |problem| format!(": NOT DONE, {problem}"));
    format!("{}  {what}{problem}", step.at.to_ist())
}

/// What the sandbox is, for a person. Of its data file is known whether it goes on with what was in there.
fn describe(sandbox: &Sandbox, data: Option<(&Path, bool)>) {
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
    let clock = sandbox.clock();
    let speed = match clock.rate() {
        0.0 => "stands still".to_owned(),
        1.0 => "runs in real time".to_owned(),
        rate => format!("runs {rate} times as fast as real time"),
    };
    line(&format!(
        "  its clock        {}, {speed}",
        clock.now().wall.to_ist()
    ));
    if let Some((file, kept)) = data {
        let what = if kept { "goes on with" } else { "kept in" };
        line(&format!("  its state        {what} {}", file.display()));
    }
    if let Some(script) = sandbox.script() {
        let next = script.next.map_or("nothing is to come".to_owned(), |step| {
            format!("next at {}", step.at.to_ist())
        });
        line(&format!(
            "  script           {}: {next}, over at {}",
            script.script,
            script.ends_at.to_ist()
        ));
    }
    line(&format!(
        "\n{DIM}As environment variables: what lets commands follow this broker's clock, and the accounts.{DIM:#}\n"
    ));
    line(&format!(
        "  export {}={}",
        sandbox_clock::VARIABLE,
        sandbox.control_token()
    ));
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
pub(crate) fn signalled() -> Result<impl Future<Output = ()>, Failure> {
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
