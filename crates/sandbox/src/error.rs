//! The two errors of this crate: a sandbox that could not start, and a refused control request.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use http::StatusCode;

use crate::data::Unwritten;
use crate::script::ScriptError;

/// Why a sandbox did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The port could not be taken.
    #[error("cannot listen on 127.0.0.1:{port}: {reason}; choose another port, or 0 for a free one")]
    Bind {
        /// The port asked for.
        port: u16,
        /// What the system said.
        reason: String,
    },
    /// The script cannot be played here.
    #[error(transparent)]
    Script(#[from] ScriptError),
    /// The certificates could not be made or written.
    #[error("cannot prepare TLS: {reason}")]
    Tls {
        /// What went wrong.
        reason: String,
    },
    /// The data file cannot be used.
    #[error("cannot use the data file {}: {reason}", path.display())]
    Data {
        /// The file asked for.
        path: PathBuf,
        /// What is wrong with it and what to do.
        reason: String,
    },
    /// The system gave no random numbers.
    #[error("the system gives no random numbers: {reason}")]
    Random {
        /// What the system said.
        reason: String,
    },
}

/// What the system said, without its number.
pub(crate) fn said(error: &io::Error) -> String {
    let text = error.to_string();
    let number = error.raw_os_error().map(|code| format!(" (os error {code})"));
    let cut = number.and_then(|number| text.strip_suffix(&number).map(str::to_owned));
    cut.unwrap_or(text)
}

impl StartError {
    pub(crate) fn unwritten(path: Option<&Path>, problem: Unwritten) -> Self {
        Self::Data {
            path: path.unwrap_or(Path::new("")).to_owned(),
            reason: problem.0,
        }
    }
}

/// A control request that was refused: what to change is in the message, which names the field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlError {
    status: StatusCode,
    code: &'static str,
    message: String,
    /// The field that the message begins with; empty when it is about none.
    field: String,
}

impl ControlError {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            field: String::new(),
        }
    }

    /// A field with a value that cannot be; `problem` completes the sentence that begins with its name.
    pub(crate) fn field(name: &str, problem: impl fmt::Display) -> Self {
        let message = format!("{name} {problem}");
        Self {
            field: name.to_owned(),
            ..Self::new(StatusCode::BAD_REQUEST, "invalid_field", message)
        }
    }

    /// The field that is wrong, and what is wrong with it; without a field, the whole message.
    pub(crate) fn parts(&self) -> (&str, &str) {
        let problem = self.message.strip_prefix(&self.field);
        (&self.field, problem.unwrap_or(&self.message).trim_start())
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    pub(crate) fn conflict(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", message)
    }

    pub(crate) fn unwritten(problem: &Unwritten) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "data_file", &*problem.0)
    }

    /// The stable code: `invalid_field`, `invalid_json`, `not_found`, `conflict`, `forbidden`, ...
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// One line for a person.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The HTTP status that the control API answers with.
    pub fn http_status(&self) -> u16 {
        self.status.as_u16()
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }
}

impl fmt::Display for ControlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ControlError {}
