//! What the command prints and how it ends: text or JSON, errors on standard error, one exit code per kind of
//! trouble.

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use anstyle::{AnsiColor, Style};
use preopen::{Advice, Error, ErrorKind, Json, LoginReason};
use serde_json::json;

use crate::progress;

pub(crate) const BOLD: Style = Style::new().bold();
pub(crate) const DIM: Style = Style::new().dimmed();
pub(crate) const GOOD: Style = AnsiColor::Green.on_default().bold();
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
pub(crate) const CLOCK: Style = AnsiColor::Cyan.on_default();

/// The exit code for an address that is not registered.
pub(crate) const EXIT_STATIC_IP: u8 = 4;

/// The exit code when the next call has to log in.
pub(crate) const EXIT_LOGIN_NEEDED: u8 = 6;

/// Why a command failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A Preopen error.
    Broker(Error),
    /// The same of a call that no login helps.
    Sessionless(Error),
    /// A command that `run` could not start, and the exit code that shells have for it.
    Command(String, u8),
    /// Anything else, for example a taken port.
    Other(String),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Broker(error)
    }
}

/// When text is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Colours {
    /// On a terminal, unless `NO_COLOR` is set or `TERM` is dumb
    Auto,
    /// Also in a pipe or a file
    Always,
    /// Nowhere
    Never,
}

impl Colours {
    /// From here on, for standard output and standard error.
    pub(crate) fn set(self) {
        match self {
            Self::Auto => anstream::ColorChoice::Auto,
            Self::Always => anstream::ColorChoice::Always,
            Self::Never => anstream::ColorChoice::Never,
        }
        .write_global();
    }
}

/// Text for a person or JSON for a script.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    json: bool,
}

/// The same for those who have no `Output` at hand.
static FOR_A_SCRIPT: AtomicBool = AtomicBool::new(false);

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        FOR_A_SCRIPT.store(json, Ordering::Relaxed);
        Self { json }
    }

    pub(crate) fn is_json(self) -> bool {
        self.json
    }

    /// Says why the command failed, on standard error, and gives its exit code.
    pub(crate) fn fail(self, failure: &Failure) -> ExitCode {
        let mut stderr = anstream::stderr().lock();
        let (text, code) = match failure {
            Failure::Broker(error) | Failure::Sessionless(error) => {
                (error.to_string(), exit_code(error.kind()))
            }
            Failure::Command(text, code) => (text.clone(), *code),
            Failure::Other(text) => (text.clone(), 5),
        };
        let _ = if self.json {
            writeln!(stderr, "{}", json!({"error": failure_json(failure)}))
        } else {
            writeln!(stderr, "{BAD}error:{BAD:#} {text}")
        };
        if let (Failure::Broker(error), false) = (failure, self.json)
            && let Some(hint) = hint(error)
        {
            let _ = writeln!(stderr, "{DIM}{hint}{DIM:#}");
        }
        ExitCode::from(code)
    }
}

/// One line of JSON on standard output.
pub(crate) fn json_line(value: &Json) {
    line(&value.to_string());
}

/// Text of some length on standard output. A reader that has enough of it is no reason to fail.
pub(crate) fn text(bytes: &[u8]) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(unwritten(&error)),
        _ => Ok(()),
    }
}

/// A secret on standard output: these bytes and nothing else. Whoever reads them must know when he did not get all.
pub(crate) fn secret_line(text: &str) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    let written = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.write_all(b"\n"))
        .and_then(|()| stdout.flush());
    written.map_err(|error| unwritten(&error))
}

fn unwritten(error: &std::io::Error) -> Failure {
    Failure::Other(format!("standard output cannot be written to: {error}"))
}

/// One line on standard error, for a person.
pub(crate) fn note(text: &str) {
    progress::aside(|| {
        let mut stderr = anstream::stderr().lock();
        let _ = writeln!(stderr, "{DIM}{text}{DIM:#}");
    });
}

/// One line of JSON on standard error.
pub(crate) fn note_json(value: &Json) {
    let mut stderr = std::io::stderr().lock();
    let _ = writeln!(stderr, "{value}");
}

/// The same as `note`, and nothing where a script reads.
pub(crate) fn advise(text: &str) {
    if !FOR_A_SCRIPT.load(Ordering::Relaxed) {
        note(text);
    }
}

/// One line on standard output; a closed pipe is not a reason to fail.
pub(crate) fn line(text: &str) {
    progress::aside(|| {
        let mut stdout = anstream::stdout().lock();
        let _ = writeln!(stdout, "{text}");
        let _ = stdout.flush();
    });
}

/// The exit code for this kind of trouble.
pub(crate) fn exit_code(kind: ErrorKind) -> u8 {
    match kind {
        ErrorKind::InvalidInput => 2,
        ErrorKind::CredentialsRejected | ErrorKind::AccountActionRequired => 3,
        ErrorKind::StaticIpMismatch => EXIT_STATIC_IP,
        ErrorKind::LoginRequired | ErrorKind::SessionExpired => EXIT_LOGIN_NEEDED,
        _ => 5,
    }
}

/// The library speaks of its own calls; on a terminal they are commands.
fn hint(error: &Error) -> Option<String> {
    let context = error.context();
    if let Some(broker) = context.broker {
        let needs_person = matches!(
            context.login_reason,
            Some(LoginReason::ConsentNeeded | LoginReason::ConsentDenied | LoginReason::RefreshExpired)
        );
        if needs_person {
            return Some(format!("Run: preopen login {broker}"));
        }
        if error.is_terminal_for_login() {
            return Some(format!("Fix it, then run: preopen login {broker}"));
        }
    }
    match error.advice() {
        Advice::After(wait) => Some(format!("Worth another try after {} s.", wait.as_secs_f64())),
        Advice::Now => Some("Worth another try.".to_owned()),
        _ => None,
    }
}

fn failure_json(failure: &Failure) -> Json {
    match failure {
        Failure::Command(text, _) => json!({"code": "command", "message": text}),
        Failure::Other(text) => json!({"code": "internal", "message": text}),
        Failure::Broker(error) | Failure::Sessionless(error) => error_json(error),
    }
}

/// An error as a script reads it.
pub(crate) fn error_json(error: &Error) -> Json {
    let context = error.context();
    json!({
        "code": error.code(),
        "message": error.message(),
        "advice": error.advice().as_str(),
        "field": context.field,
        "broker": context.broker,
        "endpoint": context.endpoint,
        "http_status": context.http_status,
        "broker_code": context.broker_code,
        "which": context.credential.map(preopen::Credential::as_str)
            .or(context.account_action.map(preopen::AccountAction::as_str)),
        "reason": context.login_reason.map(LoginReason::as_str),
        "phase": context.phase.map(preopen::Phase::as_str),
        "source_ip": context.source_ip,
        "primary_ip": context.primary_ip,
        "secondary_ip": context.secondary_ip,
        "causes": error.causes(),
    })
}
