//! What the command prints and how it ends: text or JSON, errors on standard error, one exit code per kind of
//! trouble.

use std::io::Write as _;
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use preopen::{Advice, Error, ErrorKind, Json};
use serde_json::json;

pub(crate) const BOLD: Style = Style::new().bold();
pub(crate) const DIM: Style = Style::new().dimmed();
pub(crate) const GOOD: Style = AnsiColor::Green.on_default().bold();
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
pub(crate) const CLOCK: Style = AnsiColor::Cyan.on_default();

/// The exit code for an address that is not registered.
pub(crate) const EXIT_STATIC_IP: u8 = 4;

/// Why a command failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A Preopen error.
    Broker(Error),
    /// Anything else, for example a taken port.
    Other(String),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Broker(error)
    }
}

/// Text for a person or JSON for a script.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    json: bool,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }

    pub(crate) fn is_json(self) -> bool {
        self.json
    }

    /// Says why the command failed, on standard error, and gives its exit code.
    pub(crate) fn fail(self, failure: &Failure) -> ExitCode {
        let mut stderr = anstream::stderr().lock();
        let (text, code) = match failure {
            Failure::Broker(error) => (error.to_string(), exit_code(error.kind())),
            Failure::Other(text) => (text.clone(), 5),
        };
        let _ = if self.json {
            writeln!(stderr, "{}", json!({"error": error_json(failure)}))
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

/// One line on standard output; a closed pipe is not a reason to fail.
pub(crate) fn line(text: &str) {
    let mut stdout = anstream::stdout().lock();
    let _ = writeln!(stdout, "{text}");
    let _ = stdout.flush();
}

fn exit_code(kind: ErrorKind) -> u8 {
    match kind {
        ErrorKind::InvalidInput => 2,
        ErrorKind::CredentialsRejected | ErrorKind::AccountActionRequired => 3,
        ErrorKind::StaticIpMismatch => EXIT_STATIC_IP,
        ErrorKind::LoginRequired | ErrorKind::SessionExpired => 6,
        _ => 5,
    }
}

fn hint(error: &Error) -> Option<String> {
    match error.advice() {
        Advice::After(wait) => Some(format!("Worth another try after {} s.", wait.as_secs_f64())),
        Advice::Now => Some("Worth another try.".to_owned()),
        _ => None,
    }
}

fn error_json(failure: &Failure) -> Json {
    match failure {
        Failure::Other(text) => json!({"code": "internal", "message": text}),
        Failure::Broker(error) => {
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
                "phase": context.phase.map(preopen::Phase::as_str),
                "source_ip": context.source_ip,
                "primary_ip": context.primary_ip,
                "secondary_ip": context.secondary_ip,
                "causes": error.causes(),
            })
        }
    }
}
