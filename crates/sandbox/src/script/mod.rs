//! Scripted days: what happens when on the virtual clock, read from TOML. `spec` reads a script, `schedule`
//! says which steps fall into a span of time, `action` is what a step does, `runner` lets them happen.

mod action;
mod error;
mod runner;
mod schedule;
mod spec;

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::Arc;

use preopen_core::Timestamp;

use crate::error::said;
pub use error::ScriptError;
pub(crate) use runner::{Following, Runner};
pub use runner::{ScriptReport, ScriptStep, ScriptSteps};
use schedule::Plan;

/// The scripts that come with the sandbox, by name.
const SHIPPED: &[(&str, &str)] = &[
    ("ordinary-day", include_str!("../../scripts/ordinary-day.toml")),
    ("bad-day", include_str!("../../scripts/bad-day.toml")),
    ("month", include_str!("../../scripts/month.toml")),
];

/// The largest file that is read.
const LENGTH: u64 = 1 << 20;

/// A script that was read and checked: which steps happen at which times of day in India, on how many days.
///
/// ```
/// use preopen_sandbox::{Options, Script};
/// let script = Script::parse(
///     "morning.toml",
///     r#"
///     start = "2026-11-23T08:55:00+05:30"
///     speed = 600
///
///     [[step]]
///     at = "10:00"
///     source_ip = "198.51.100.20"
///
///     [[step]]
///     from = "11:00"
///     until = "11:05"
///     fault = { broker = "samco", path = "/*", status = 503 }
///     "#,
/// )?;
/// let options = Options::default().script(script);
/// assert_eq!(options.clock_rate, 600.0);
/// # Ok::<(), preopen_sandbox::ScriptError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Script(Arc<Content>);

#[derive(Debug)]
struct Content {
    name: String,
    about: String,
    start: Option<Timestamp>,
    speed: Option<f64>,
    plan: Plan,
}

/// The text of a file, if it is of a size that somebody wrote.
fn read_file(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(LENGTH + 1).read_to_string(&mut text)?;
    if text.len() as u64 > LENGTH {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            "it is larger than 1 MiB",
        ));
    }
    Ok(text)
}

impl Script {
    /// The script of this name that comes with the sandbox ([`Script::shipped`]), or else the one in this file.
    pub fn load(name_or_file: &str) -> Result<Self, ScriptError> {
        if let Some((name, text)) = SHIPPED.iter().find(|(name, _)| *name == name_or_file) {
            return Self::parse(name, text);
        }
        let text = read_file(Path::new(name_or_file)).map_err(|error| {
            let names: Vec<_> = Self::shipped().collect();
            let known = names.join(", ");
            ScriptError::of_file(
                name_or_file,
                &format!(
                    "cannot be read ({}); name a file, or one of the scripts that come along: {known}",
                    said(&error)
                ),
            )
        })?;
        Self::parse(name_or_file, &text)
    }

    /// Reads a script; `name` stands for it in errors, like the name of its file.
    ///
    /// Everything is checked here, with the line in the error, but for whether its accounts exist: that is
    /// checked when the sandbox starts.
    pub fn parse(name: &str, text: &str) -> Result<Self, ScriptError> {
        spec::read(name, text).map(|content| Self(Arc::new(content)))
    }

    /// The names of the scripts that come with the sandbox.
    pub fn shipped() -> impl Iterator<Item = &'static str> {
        SHIPPED.iter().map(|(name, _)| *name)
    }

    /// The name of the script, or of its file.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// What the script says of itself; may be empty.
    pub fn about(&self) -> &str {
        &self.0.about
    }

    /// Where the script wants the clock to start.
    pub fn start(&self) -> Option<Timestamp> {
        self.0.start
    }

    /// How fast the script wants the clock to run.
    pub fn speed(&self) -> Option<f64> {
        self.0.speed
    }

    /// An error for the first step that names an account which `exists` does not know.
    pub(crate) fn check_accounts(&self, exists: impl Fn(&str) -> bool) -> Result<(), ScriptError> {
        for step in &self.0.plan.steps {
            if let Some(id) = step.action.account().filter(|id| !exists(id)) {
                let problem =
                    "is not an account of this sandbox; `preopen sandbox` without a script prints them";
                return Err(ScriptError::at(
                    &self.0.name,
                    step.line,
                    "account",
                    &format!("{id:?} {problem}"),
                ));
            }
        }
        Ok(())
    }
}
