//! Why a script was refused: the file, the line, the field, and what to write instead.

use std::fmt;

/// A script that cannot be played. It shows as `file:line: field problem`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptError {
    file: String,
    line: Option<usize>,
    field: Option<String>,
    problem: String,
}

impl ScriptError {
    pub(super) fn of_file(file: &str, problem: &str) -> Self {
        Self {
            file: file.to_owned(),
            line: None,
            field: None,
            problem: problem.to_owned(),
        }
    }

    /// `problem` completes the sentence that begins with the field's name.
    pub(super) fn at(file: &str, line: usize, field: &str, problem: &str) -> Self {
        Self {
            file: file.to_owned(),
            line: Some(line),
            field: (!field.is_empty()).then(|| field.to_owned()),
            problem: problem.to_owned(),
        }
    }

    /// The file, or the name of the script.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The line, from 1.
    pub fn line(&self) -> Option<usize> {
        self.line
    }

    /// The field that is wrong, such as `at` or `fault.status`.
    pub fn field(&self) -> Option<&str> {
        self.field.as_deref()
    }
}

impl fmt::Display for ScriptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}:")?;
        }
        if let Some(field) = &self.field {
            write!(f, " {field}")?;
        }
        write!(f, " {}", self.problem)
    }
}

impl std::error::Error for ScriptError {}
