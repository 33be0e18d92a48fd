//! A session from command-line options, with credentials from the environment, a file or standard input.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use preopen::{AngelOne, Error, IpVersion, Result, Samco, Session, SessionBuilder};

/// A broker by its name.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Broker {
    /// Samco Trade API
    Samco,
    /// Angel One SmartAPI
    Angelone,
}

/// How to reach the broker and where its credentials are.
#[derive(Debug, Args)]
pub(crate) struct SessionArguments {
    /// The broker.
    broker: Broker,
    /// A file of NAME=VALUE lines with the credentials, `-` for standard input; the environment by default.
    #[arg(long, value_name = "FILE")]
    env_file: Option<PathBuf>,
    /// Another address of the API, for example the sandbox's.
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// A host beside the broker's own that credentials may be sent to; may be repeated.
    #[arg(long = "allow-host", value_name = "HOST")]
    allowed_hosts: Vec<String>,
    /// The longest that one request may take, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 10.0)]
    timeout: f64,
    /// The address family to leave by: 4, 6, or any.
    #[arg(long, value_name = "4|6|any", default_value = "4", value_parser = ["4", "6", "any"])]
    ip_version: String,
    /// The local address to send from.
    #[arg(long, value_name = "ADDRESS")]
    source_ip: Option<String>,
    /// A proxy for all requests.
    #[arg(long, value_name = "URL")]
    proxy: Option<String>,
    /// A PEM file with further certificate authorities.
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
}

impl SessionArguments {
    /// The session; nothing is sent yet.
    pub(crate) fn session(self) -> Result<Session> {
        let builder = match (self.broker, &self.env_file) {
            (Broker::Samco, None) => Session::builder(Samco::from_env()?),
            (Broker::Angelone, None) => Session::builder(AngelOne::from_env()?),
            (broker, Some(path)) => from_file(broker, path)?,
        };
        let timeout = Duration::try_from_secs_f64(self.timeout)
            .map_err(|_| Error::invalid_input("timeout", "must be a positive number of seconds"))?;
        let mut builder = builder
            .timeout(timeout)
            .allowed_hosts(self.allowed_hosts)
            .ip_version(match self.ip_version.as_str() {
                "4" => IpVersion::V4,
                "6" => IpVersion::V6,
                _ => IpVersion::Any,
            });
        if let Some(url) = self.base_url {
            builder = builder.base_url(url);
        }
        if let Some(address) = self.source_ip {
            builder = builder.source_ip(address);
        }
        if let Some(url) = self.proxy {
            builder = builder.proxy(url);
        }
        if let Some(path) = self.ca_file {
            builder = builder.ca_file(path);
        }
        builder.build()
    }
}

fn from_file(broker: Broker, path: &PathBuf) -> Result<SessionBuilder> {
    let values = read_env_file(path)?;
    let look_up = |name: &str| values.get(name).cloned();
    Ok(match broker {
        Broker::Samco => Session::builder(Samco::from_lookup(look_up)?),
        Broker::Angelone => Session::builder(AngelOne::from_lookup(look_up)?),
    })
}

/// Reads NAME=VALUE lines: an `export` before the name, blank lines, lines that begin with `#` and quotes round
/// the whole value are as people write them. Nothing is expanded: a secret may hold any character. What is wrong
/// with a line is not shown: it may hold a secret.
pub(crate) fn read_env_file(path: &PathBuf) -> Result<HashMap<String, String>> {
    let bad = |problem: String| Error::invalid_input("env-file", &problem);
    let text = if path.as_os_str() == "-" {
        std::io::read_to_string(std::io::stdin()).map_err(|error| bad(format!("cannot be read: {error}")))?
    } else {
        std::fs::read_to_string(path)
            .map_err(|error| bad(format!("cannot be read: {error}: {}", path.display())))?
    };
    let mut values = HashMap::new();
    for (number, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let line = line.strip_prefix("export ").unwrap_or(line);
        let (name, value) = line
            .split_once('=')
            .ok_or_else(|| bad(format!("line {} is not NAME=VALUE", number + 1)))?;
        values.insert(name.trim().to_owned(), unquoted(value.trim()).to_owned());
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
