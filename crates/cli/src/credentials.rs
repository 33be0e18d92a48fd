//! Credentials from the environment or a file. A secret that is not there is asked for on the terminal, when a login
//! needs it and not before: a session in the store needs only what names the account.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use clap::Args;
use preopen::{
    AngelOne, AngelOnePublisher, Ask, Error, ErrorKind, Result, Samco, SamcoLegacy, SamcoOAuth, Secret,
    SecretSource, Session, SessionBuilder, TotpSource,
};

use crate::session::{Broker, SHARED};
use crate::terminal;

pub(crate) const SAMCO_API_KEY: &str = "SAMCO_API_KEY";
pub(crate) const SAMCO_API_SECRET: &str = "SAMCO_API_SECRET";
pub(crate) const SAMCO_REDIRECT_URL: &str = "SAMCO_REDIRECT_URL";
pub(crate) const SAMCO_USER_ID: &str = "SAMCO_USER_ID";
pub(crate) const SAMCO_PASSWORD: &str = "SAMCO_PASSWORD";
pub(crate) const SAMCO_SECRET_API_KEY: &str = "SAMCO_SECRET_API_KEY";
pub(crate) const ANGELONE_REDIRECT_URL: &str = "ANGELONE_REDIRECT_URL";
pub(crate) const ANGELONE_API_KEY: &str = "ANGELONE_API_KEY";
pub(crate) const ANGELONE_CLIENT_CODE: &str = "ANGELONE_CLIENT_CODE";
pub(crate) const ANGELONE_PIN: &str = "ANGELONE_PIN";
pub(crate) const ANGELONE_TOTP_SECRET: &str = "ANGELONE_TOTP_SECRET";

/// How an account logs in, where that is not by its key and secrets alone.
#[derive(Clone, Copy, Debug, Default, Args)]
pub(crate) struct Ways {
    /// Samco: a person consents at the broker's page, once in up to seven days. So it is without this option too when
    /// `SAMCO_REDIRECT_URL` is set and `SAMCO_API_SECRET` is not.
    #[arg(help_heading = SHARED, long)]
    oauth: bool,
    /// SmartAPI: a person logs in at the broker's page each day. So it is without this option too when
    /// `ANGELONE_REDIRECT_URL` is set and `ANGELONE_PIN` is not.
    #[arg(help_heading = SHARED, long)]
    publisher: bool,
    /// Samco: the deprecated login with user id and password, which Samco will remove.
    #[arg(help_heading = SHARED, long, conflicts_with = "oauth")]
    legacy: bool,
}

impl Ways {
    /// Samco's deprecated login.
    pub(crate) fn legacy(self) -> Self {
        Self { legacy: true, ..self }
    }

    /// Whether the deprecated login was asked for.
    pub(crate) fn is_legacy(self) -> bool {
        self.legacy
    }

    /// A login of the other broker would be passed over in silence. Errors: `InvalidInput`.
    pub(crate) fn check(self, broker: Broker) -> Result<()> {
        let (option, problem) = match broker {
            Broker::Samco if self.publisher => ("publisher", "is a login of angelone: samco has --oauth"),
            Broker::Angelone if self.oauth => ("oauth", "is a login of samco: angelone has --publisher"),
            Broker::Angelone if self.legacy => (
                "legacy",
                "is a login of samco; angelone has none that is deprecated",
            ),
            _ => return Ok(()),
        };
        Err(Error::invalid_input(option, problem))
    }
}

/// How an account logs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Direct,
    Page,
    Legacy,
}

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

    /// Whether a person may be asked.
    pub(crate) fn may_ask(&self) -> bool {
        self.allowed.load(Ordering::Relaxed)
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
            if !asking.may_ask() || !terminal::is_there() {
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
    let instead = if variable == SAMCO_API_SECRET {
        "; with SAMCO_REDIRECT_URL in its place, a person logs in at Samco's page (OAuth): preopen login samco"
    } else {
        ""
    };
    let problem = format!(
        "is not set, and the login that is needed cannot ask for it here: export it, or name a file with \
         --env-file{instead}"
    );
    Error::invalid_input(variable, &problem)
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

    /// How the account of this broker logs in: as the options say, or as the variables that are there.
    pub(crate) fn way(&self, broker: Broker, ways: Ways) -> Way {
        let set = |name| self.get(name).is_some();
        let page = match broker {
            Broker::Samco => ways.oauth || (set(SAMCO_REDIRECT_URL) && !set(SAMCO_API_SECRET)),
            Broker::Angelone => ways.publisher || (set(ANGELONE_REDIRECT_URL) && !set(ANGELONE_PIN)),
        };
        match broker {
            Broker::Samco if ways.legacy => Way::Legacy,
            _ if page => Way::Page,
            _ => Way::Direct,
        }
    }

    /// Host and port of the redirect URL, where a login on this machine listens.
    pub(crate) fn redirect_authority(&self, broker: Broker) -> Option<String> {
        let url = self.get(match broker {
            Broker::Samco => SAMCO_REDIRECT_URL,
            Broker::Angelone => ANGELONE_REDIRECT_URL,
        })?;
        let (_, rest) = url.expose().trim().split_once("://")?;
        rest.split('/').next().map(str::to_owned)
    }

    /// The first variable that the account's name lacks.
    pub(crate) fn missing_name(&self, broker: Broker, way: Way) -> Option<&'static str> {
        let names: &[&str] = match (broker, way) {
            (Broker::Samco, Way::Direct) => &[SAMCO_API_KEY],
            (Broker::Samco, Way::Page) => &[SAMCO_API_KEY, SAMCO_REDIRECT_URL],
            (Broker::Samco, Way::Legacy) => &[SAMCO_USER_ID],
            (Broker::Angelone, _) => &[ANGELONE_API_KEY, ANGELONE_CLIENT_CODE],
        };
        names.iter().copied().find(|name| self.get(name).is_none())
    }

    /// The variables that a login of this broker would have to ask for.
    pub(crate) fn missing_secrets(&self, broker: Broker, way: Way) -> Vec<&'static str> {
        let names: &[&str] = match (broker, way) {
            (_, Way::Page) => &[],
            (Broker::Samco, Way::Legacy) => &[SAMCO_PASSWORD, SAMCO_SECRET_API_KEY],
            (Broker::Samco, _) => &[SAMCO_API_SECRET],
            (Broker::Angelone, _) => &[ANGELONE_PIN, ANGELONE_TOTP_SECRET],
        };
        let missing = |name: &&str| self.get(name).is_none();
        names.iter().copied().filter(missing).collect()
    }

    /// The session of these credentials, to be set up further.
    pub(crate) fn builder(&self, broker: Broker, way: Way, asking: &Asking) -> Result<SessionBuilder> {
        Ok(match (broker, way) {
            (Broker::Samco, Way::Direct) => Session::builder(self.samco(asking)?),
            (Broker::Samco, Way::Page) => {
                let redirect_url = self.name(SAMCO_REDIRECT_URL)?;
                Session::builder(SamcoOAuth::new(self.name(SAMCO_API_KEY)?, redirect_url.expose()))
            }
            (Broker::Samco, Way::Legacy) => Session::builder(self.legacy(asking)?),
            (Broker::Angelone, Way::Page) => Session::builder(self.publisher()?),
            (Broker::Angelone, _) => Session::builder(self.angelone(asking)?),
        })
    }

    /// The variable's value, or somebody who is asked for it.
    fn source(&self, variable: &'static str, prompt: &'static str, asking: &Asking) -> SecretSource {
        match self.get(variable) {
            Some(secret) => SecretSource::from(secret),
            None => asking.ask(variable, prompt, false).into(),
        }
    }

    fn samco(&self, asking: &Asking) -> Result<Samco> {
        let api_secret = self.source(SAMCO_API_SECRET, "Samco API secret: ", asking);
        Ok(Samco::new(self.name(SAMCO_API_KEY)?, api_secret))
    }

    fn legacy(&self, asking: &Asking) -> Result<SamcoLegacy> {
        let password = self.source(SAMCO_PASSWORD, "Samco password: ", asking);
        let key = self.source(SAMCO_SECRET_API_KEY, "Samco secret API key: ", asking);
        let user_id = self.name(SAMCO_USER_ID)?;
        #[allow(deprecated, reason = "the user asked for it with --legacy")]
        Ok(SamcoLegacy::new(user_id.expose(), password, key))
    }

    fn publisher(&self) -> Result<AngelOnePublisher> {
        let client_code = self.name(ANGELONE_CLIENT_CODE)?;
        let app = AngelOnePublisher::new(self.name(ANGELONE_API_KEY)?, client_code.expose());
        let app = match self.get(ANGELONE_REDIRECT_URL) {
            Some(url) => app.redirect_url(url.expose()),
            None => app,
        };
        Ok(app.told_by(|name| self.get(name).map(|value| value.expose().to_owned())))
    }

    fn angelone(&self, asking: &Asking) -> Result<AngelOne> {
        let pin = self.source(ANGELONE_PIN, "Angel One PIN: ", asking);
        let totp = match self.get(ANGELONE_TOTP_SECRET) {
            Some(secret) => TotpSource::from(secret),
            None => TotpSource::Typed(asking.ask(ANGELONE_TOTP_SECRET, "Angel One one-time code: ", true)),
        };
        let account = AngelOne::new(
            self.name(ANGELONE_API_KEY)?,
            self.name(ANGELONE_CLIENT_CODE)?.expose(),
            pin,
            totp,
        );
        Ok(account.told_by(|name| self.get(name).map(|value| value.expose().to_owned())))
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
