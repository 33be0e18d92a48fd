//! Sessions from command-line options: where the credentials are, how the broker is reached, and which store holds the
//! session.

use std::env::var;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use preopen::store::Store;
use preopen::{Clock, Error, IpVersion, Result, Session, SessionBuilder, StoreLoss, SystemClock, Timestamp};

use crate::credentials::{Asking, Values, Way, Ways};
use crate::output::advise;
use crate::sandbox_clock;

/// The variable that names the store.
pub(crate) const STORE_VARIABLE: &str = "PREOPEN_STORE";

/// The variable that names the audit file.
const AUDIT_VARIABLE: &str = "PREOPEN_AUDIT";

/// The heading of the options that every command with a session has.
pub(crate) const SHARED: &str = "Session options";

/// A broker by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Broker {
    /// Samco Trade API
    Samco,
    /// Angel One SmartAPI
    Angelone,
}

impl Broker {
    pub(crate) const ALL: [Self; 2] = [Self::Samco, Self::Angelone];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Samco => "samco",
            Self::Angelone => "angelone",
        }
    }
}

/// The account of a broker, and how to use it.
#[derive(Debug, Args)]
pub(crate) struct SessionArguments {
    /// The broker.
    broker: Broker,
    #[command(flatten)]
    options: SessionOptions,
}

impl SessionArguments {
    /// The broker, and everything for its session.
    pub(crate) async fn prepare(self) -> Result<(Broker, Prepared)> {
        self.options.admit(Some(self.broker))?;
        Ok((self.broker, self.options.prepare().await?))
    }

    /// The session; nothing is sent yet.
    pub(crate) async fn session(self) -> Result<Session> {
        let (broker, prepared) = self.prepare().await?;
        prepared.session(broker)
    }
}

/// How to reach a broker, where the credentials are, and where the session is kept.
#[derive(Debug, Args)]
pub(crate) struct SessionOptions {
    /// A file of NAME=VALUE lines with the credentials, `-` for standard input; the environment by default.
    #[arg(help_heading = SHARED, long, value_name = "FILE")]
    env_file: Option<PathBuf>,
    /// Where the session is kept, so that every program uses one: `file`, `file:/a/folder`, `redis://...`, or `memory`
    /// for this command alone. `PREOPEN_STORE`, or `file`, by default.
    #[arg(help_heading = SHARED, long, value_name = "ADDRESS")]
    store: Option<String>,
    /// Seal new entries of the store with a key in the system's keyring, not in a file. A key of your own goes into
    /// `PREOPEN_KEY`.
    #[arg(help_heading = SHARED, long, value_name = "keyring", value_parser = ["keyring"])]
    store_key: Option<String>,
    /// What a login does while the store cannot be used: `refuse`, or `login` for this command alone.
    #[arg(help_heading = SHARED, long, value_name = "refuse|login", default_value = "refuse", value_parser = ["refuse", "login"])]
    on_store_loss: String,
    /// The audit file: one line of JSON is appended for each login, refusal and logout of this command; `serve-metrics` counts
    /// those of all programs. `PREOPEN_AUDIT` by default.
    #[arg(help_heading = SHARED, long, value_name = "FILE", env = AUDIT_VARIABLE, hide_env = true)]
    audit: Option<PathBuf>,
    #[command(flatten)]
    ways: Ways,
    /// Never ask on the terminal for a secret that is not set. `PREOPEN_NO_INPUT=1` does the same.
    #[arg(help_heading = SHARED, long)]
    no_input: bool,
    /// Another address of the API, for example the sandbox's.
    #[arg(help_heading = SHARED, long, value_name = "URL")]
    base_url: Option<String>,
    /// A host beside the broker's own that credentials may be sent to; may be repeated.
    #[arg(help_heading = SHARED, long = "allow-host", value_name = "HOST")]
    allowed_hosts: Vec<String>,
    /// The longest that one request may take, in seconds.
    #[arg(help_heading = SHARED, long, value_name = "SECONDS", default_value_t = 10.0)]
    timeout: f64,
    /// The address family to leave by: 4, 6, or any.
    #[arg(help_heading = SHARED, long, value_name = "4|6|any", default_value = "4", value_parser = ["4", "6", "any"])]
    ip_version: String,
    /// The local address to send from.
    #[arg(help_heading = SHARED, long, value_name = "ADDRESS")]
    source_ip: Option<String>,
    /// A proxy for all requests.
    #[arg(help_heading = SHARED, long, value_name = "URL")]
    proxy: Option<String>,
    /// A PEM file with further certificate authorities.
    #[arg(help_heading = SHARED, long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
}

impl SessionOptions {
    /// The same, for Samco's deprecated credentials.
    pub(crate) fn legacy(mut self) -> Self {
        self.ways = self.ways.legacy();
        self
    }

    /// Options that this broker does not have are refused before anything is read, and a deprecated one is told. Without a
    /// broker, those of all are looked at. Errors: `InvalidInput`.
    pub(crate) fn admit(&self, broker: Option<Broker>) -> Result<()> {
        broker.map_or(Ok(()), |broker| self.ways.check(broker))?;
        if self.ways.is_legacy() {
            advise(
                "--legacy is deprecated, and Samco will remove this login: use an API secret, or --oauth.",
            );
        }
        Ok(())
    }

    /// Whether the credentials come from standard input.
    fn reads_stdin(&self) -> bool {
        self.env_file.as_ref().is_some_and(|file| file.as_os_str() == "-")
    }

    /// Reads what the options name.
    pub(crate) async fn prepare(self) -> Result<Prepared> {
        let address = self.store_address()?;
        let store = preopen::store::open(&address, self.store_key.as_deref())?;
        let values = Values::read(self.env_file.as_deref())?;
        let forbidden = self.no_input || var("PREOPEN_NO_INPUT").is_ok_and(|value| !value.is_empty());
        Ok(Prepared {
            address,
            store,
            values,
            asking: Asking::new(!forbidden),
            clock: sandbox_clock::of(self.base_url.as_deref()).await?,
            options: self,
        })
    }

    fn store_address(&self) -> Result<String> {
        match &self.store {
            Some(address) if has_password(address) => Err(Error::invalid_input(
                "store",
                "has a password, which every user of this machine sees among a command's arguments: put the address \
                 into PREOPEN_STORE",
            )),
            Some(address) => Ok(address.clone()),
            None => Ok(var(STORE_VARIABLE)
                .ok()
                .filter(|address| !address.trim().is_empty())
                .unwrap_or_else(|| "file".to_owned())),
        }
    }
}

/// Everything for a session but the broker.
pub(crate) struct Prepared {
    options: SessionOptions,
    address: String,
    store: Option<Arc<dyn Store>>,
    clock: Option<Arc<dyn Clock>>,
    pub(crate) values: Values,
    pub(crate) asking: Asking,
}

impl Prepared {
    /// The session; nothing is sent yet.
    pub(crate) fn session(&self, broker: Broker) -> Result<Session> {
        self.builder(broker)?.build()
    }

    /// The session's settings.
    pub(crate) fn builder(&self, broker: Broker) -> Result<SessionBuilder> {
        let options = &self.options;
        let timeout = Duration::try_from_secs_f64(options.timeout)
            .map_err(|_| Error::invalid_input("timeout", "must be a positive number of seconds"))?;
        let way = self.way(broker);
        let credentials = self.values.builder(broker, way, &self.asking)?;
        let mut builder = credentials
            .timeout(timeout)
            .allowed_hosts(options.allowed_hosts.clone())
            .ip_version(match options.ip_version.as_str() {
                "4" => IpVersion::V4,
                "6" => IpVersion::V6,
                _ => IpVersion::Any,
            })
            .shared_store(self.store.clone())
            .on_store_loss(match options.on_store_loss.as_str() {
                "login" => StoreLoss::LogIn,
                _ => StoreLoss::Refuse,
            });
        if let Some(url) = &options.base_url {
            builder = builder.base_url(url);
        }
        if let Some(address) = &options.source_ip {
            builder = builder.source_ip(address);
        }
        if let Some(url) = &options.proxy {
            builder = builder.proxy(url);
        }
        if let Some(path) = &options.ca_file {
            builder = builder.ca_file(path);
        }
        if let Some(path) = self.audit_file() {
            builder = builder.audit_file(path);
        }
        if let Some(clock) = &self.clock {
            builder = builder.clock(Arc::clone(clock));
        }
        Ok(builder)
    }

    /// The audit file, if there is one.
    pub(crate) fn audit_file(&self) -> Option<&Path> {
        let file = self.options.audit.as_deref();
        file.filter(|file| !file.as_os_str().is_empty())
    }

    /// Refuses options that this broker does not have, where it was not known before. Errors: `InvalidInput`.
    pub(crate) fn admit(&self, broker: Broker) -> Result<()> {
        self.options.admit(Some(broker))
    }

    /// Whether standard input was the credentials'.
    pub(crate) fn has_read_stdin(&self) -> bool {
        self.options.reads_stdin()
    }

    /// The file that the credentials were read from.
    pub(crate) fn env_file(&self) -> Option<&Path> {
        self.options
            .env_file
            .as_deref()
            .filter(|file| file.as_os_str() != "-")
    }

    /// The brokers whose account the credentials name.
    pub(crate) fn accounts(&self) -> Vec<Broker> {
        let named = |broker: &Broker| self.missing_name(*broker).is_none();
        Broker::ALL.into_iter().filter(named).collect()
    }

    /// How the account of this broker logs in.
    pub(crate) fn way(&self, broker: Broker) -> Way {
        self.values.way(broker, self.options.ways)
    }

    /// The first variable that the name of this broker's account lacks.
    pub(crate) fn missing_name(&self, broker: Broker) -> Option<&'static str> {
        self.values.missing_name(broker, self.way(broker))
    }

    /// The variables without which no login is possible once nobody can be asked any more.
    pub(crate) fn missing_at_renewal(&self, broker: Broker) -> Vec<&'static str> {
        let mut missing = self.values.missing_secrets(broker, self.way(broker));
        missing.retain(|variable| !self.asking.was_told(variable));
        missing
    }

    /// The time by the sessions' clock.
    pub(crate) fn now(&self) -> Timestamp {
        let clock = self.clock.as_ref().map(|clock| clock.now());
        clock.unwrap_or_else(|| SystemClock.now()).wall
    }

    /// The store in a few words.
    pub(crate) fn store(&self) -> String {
        let described = self.store.as_ref().map(|store| store.describe());
        described.unwrap_or_else(|| "none: each command is on its own".to_owned())
    }

    /// What a person should know about the store.
    pub(crate) async fn store_warnings(&self) -> Vec<String> {
        preopen::store::warnings(&self.address).await.unwrap_or_default()
    }
}

/// Whether a URL has a password.
pub(crate) fn has_password(address: &str) -> bool {
    let authority = address.split_once("://").map(|(_, rest)| rest.split('/').next());
    let user = authority
        .flatten()
        .and_then(|authority| authority.rsplit_once('@'));
    user.is_some_and(|(user, _)| user.contains(':'))
}

#[cfg(test)]
mod tests {
    use super::has_password;

    #[test]
    fn a_password_in_an_address_is_seen() {
        for with in [
            "redis://:pw@host",
            "rediss://me:pw@host:1/0",
            "redis://a:b@c@host/1",
        ] {
            assert!(has_password(with), "{with}");
        }
        for without in [
            "file",
            "file:/a@b:c/d",
            "redis://host:6379/0",
            "redis://me@host:1",
            "memory",
        ] {
            assert!(!has_password(without), "{without}");
        }
    }
}
