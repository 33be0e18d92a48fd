//! Credentials from the environment or a file. A secret that is not there is asked for on the terminal, when a login
//! needs it and not before: a session in the store needs only what names the account.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use preopen::{AngelOne, Ask, Error, ErrorKind, Result, Samco, Secret, SecretSource, TotpSource};

use crate::session::Broker;
use crate::terminal;

pub(crate) const SAMCO_API_KEY: &str = "SAMCO_API_KEY";
pub(crate) const SAMCO_API_SECRET: &str = "SAMCO_API_SECRET";
pub(crate) const ANGELONE_API_KEY: &str = "ANGELONE_API_KEY";
pub(crate) const ANGELONE_CLIENT_CODE: &str = "ANGELONE_CLIENT_CODE";
pub(crate) const ANGELONE_PIN: &str = "ANGELONE_PIN";
pub(crate) const ANGELONE_TOTP_SECRET: &str = "ANGELONE_TOTP_SECRET";

/// Whether a person may be asked, and whether answers are kept.
#[derive(Clone, Debug)]
pub(crate) struct Asking {
    allowed: Arc<AtomicBool>,
    keeps: Arc<AtomicBool>,
    told: Arc<Mutex<HashMap<&'static str, Secret>>>,
}

impl Asking {
    pub(crate) fn new(allowed: bool) -> Self {
        Self {
            allowed: Arc::new(AtomicBool::new(allowed)),
            keeps: Arc::default(),
            told: Arc::default(),
        }
    }

    /// Answers are kept as long as this process lives, for the logins of the days to come.
    pub(crate) fn keep(&self) {
        self.keeps.store(true, Ordering::Relaxed);
    }

    /// Nobody is asked any more: the terminal is another program's.
    pub(crate) fn end(&self) {
        self.allowed.store(false, Ordering::Relaxed);
    }

    /// Whether the answer for this variable is kept.
    pub(crate) fn was_told(&self, variable: &str) -> bool {
        self.told().contains_key(variable)
    }

    fn told(&self) -> MutexGuard<'_, HashMap<&'static str, Secret>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for what `variable` would hold; `prompt` is what the person reads. A code is good for one login only.
    fn ask(&self, variable: &'static str, prompt: &'static str, once: bool) -> Ask {
        let asking = self.clone();
        Ask::blocking(move || {
            let told = asking.told().get(variable).cloned();
            if told.is_some() {
                return Ok(told);
            }
            if !asking.allowed.load(Ordering::Relaxed) || !terminal::is_there() {
                return Err(missing(variable));
            }
            let answer = terminal::ask(prompt).map_err(|problem| {
                Error::new(
                    ErrorKind::LoginRequired,
                    format!("{variable} could not be read from the terminal: {problem}"),
                )
            })?;
            if let (Some(answer), false) = (&answer, once)
                && asking.keeps.load(Ordering::Relaxed)
            {
                asking.told().insert(variable, answer.clone());
            }
            Ok(answer)
        })
    }
}

fn missing(variable: &str) -> Error {
    Error::invalid_input(
        variable,
        "is not set, and the login that is needed cannot ask for it here: export it, or name a file with --env-file",
    )
}

/// Variables by their names.
#[derive(Debug)]
pub(crate) enum Values {
    Environment,
    File(HashMap<String, Secret>),
}

impl Values {
    /// Of this file, `-` for standard input; of the environment without one. Errors: `InvalidInput`.
    pub(crate) fn read(file: Option<&Path>) -> Result<Self> {
        match file {
            None => Ok(Self::Environment),
            Some(path) => read_env_file(path).map(Self::File),
        }
    }

    /// The value, if there is one that is not blank.
    pub(crate) fn get(&self, name: &str) -> Option<Secret> {
        let value = match self {
            Self::Environment => std::env::var(name).ok().map(Secret::new),
            Self::File(values) => values.get(name).cloned(),
        };
        value.filter(|value| !value.expose().trim().is_empty())
    }

    /// The first variable that the account's name lacks.
    pub(crate) fn missing_name(&self, broker: Broker) -> Option<&'static str> {
        let names: &[&str] = match broker {
            Broker::Samco => &[SAMCO_API_KEY],
            Broker::Angelone => &[ANGELONE_API_KEY, ANGELONE_CLIENT_CODE],
        };
        names.iter().copied().find(|name| self.get(name).is_none())
    }

    /// The variables that a login of this broker would have to ask for.
    pub(crate) fn missing_secrets(&self, broker: Broker) -> Vec<&'static str> {
        let names: &[&str] = match broker {
            Broker::Samco => &[SAMCO_API_SECRET],
            Broker::Angelone => &[ANGELONE_PIN, ANGELONE_TOTP_SECRET],
        };
        let missing = |name: &&str| self.get(name).is_none();
        names.iter().copied().filter(missing).collect()
    }

    pub(crate) fn samco(&self, asking: &Asking) -> Result<Samco> {
        let api_secret = match self.get(SAMCO_API_SECRET) {
            Some(secret) => SecretSource::from(secret),
            None => asking.ask(SAMCO_API_SECRET, "Samco API secret: ", false).into(),
        };
        Ok(Samco::new(self.name(SAMCO_API_KEY)?, api_secret))
    }

    pub(crate) fn angelone(&self, asking: &Asking) -> Result<AngelOne> {
        let pin = match self.get(ANGELONE_PIN) {
            Some(pin) => SecretSource::from(pin),
            None => asking.ask(ANGELONE_PIN, "Angel One PIN: ", false).into(),
        };
        let totp = match self.get(ANGELONE_TOTP_SECRET) {
            Some(secret) => TotpSource::from(secret),
            None => TotpSource::Typed(asking.ask(ANGELONE_TOTP_SECRET, "Angel One one-time code: ", true)),
        };
        Ok(AngelOne::new(
            self.name(ANGELONE_API_KEY)?,
            self.name(ANGELONE_CLIENT_CODE)?.expose(),
            pin,
            totp,
        ))
    }

    /// What names the account is never asked for.
    fn name(&self, variable: &str) -> Result<Secret> {
        self.get(variable).ok_or_else(|| {
            Error::invalid_input(variable, "is not set: export it, or name a file with --env-file")
        })
    }
}

/// Reads NAME=VALUE lines: an `export` before the name, blank lines, lines that begin with `#` and quotes round
/// the whole value are as people write them. Nothing is expanded: a secret may hold any character. What is wrong
/// with a line is not shown: it may hold a secret.
fn read_env_file(path: &Path) -> Result<HashMap<String, Secret>> {
    let bad = |problem: String| Error::invalid_input("env-file", &problem);
    let text = if path.as_os_str() == "-" {
        std::io::read_to_string(std::io::stdin()).map_err(|error| bad(format!("cannot be read: {error}")))?
    } else {
        std::fs::read_to_string(path)
            .map_err(|error| bad(format!("cannot be read: {error}: {}", path.display())))?
    };
    let text = Secret::new(text);
    let mut values = HashMap::new();
    for (number, line) in text.expose().trim_start_matches('\u{feff}').lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let line = line.strip_prefix("export ").unwrap_or(line);
        let (name, value) = line
            .split_once('=')
            .ok_or_else(|| bad(format!("line {} is not NAME=VALUE", number + 1)))?;
        values.insert(name.trim().to_owned(), Secret::new(unquoted(value.trim())));
    }
    Ok(values)
}

fn unquoted(value: &str) -> &str {
    let inside = |quote: char| {
        value
            .strip_prefix(quote)
            .and_then(|rest| rest.strip_suffix(quote))
    };
    inside('"').or_else(|| inside('\'')).unwrap_or(value)
}
