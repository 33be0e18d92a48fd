//! Reading the URL of a Redis store: which servers there are, how they are arranged, and who we are to them.

use std::fmt;

use percent_encoding::percent_decode_str;
use preopen_core::{Error, Result, Secret};
use url::Host;

const REDIS_PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26379;

/// How many servers a description names.
const NAMED: usize = 3;

/// The longest description, in characters.
const LONGEST: usize = 180;

/// A server's address.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Node {
    pub(super) host: String,
    pub(super) port: u16,
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// A user name and a password; without either, the server asks for none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Login {
    pub(super) user: Option<Secret>,
    pub(super) password: Option<Secret>,
}

/// How the servers are arranged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Arrangement {
    /// One server.
    Single,
    /// Sentinels, which know where the master of this name is.
    Sentinel { master: String, login: Login },
    /// Some nodes of a cluster, which know the others.
    Cluster,
}

/// What a URL says. `Debug` and `Display` show no credential.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) arrangement: Arrangement,
    pub(super) tls: bool,
    pub(super) nodes: Vec<Node>,
    pub(super) login: Login,
    pub(super) db: u32,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named: Vec<String> = self.nodes.iter().take(NAMED).map(Node::to_string).collect();
        let mut text = format!("redis{}", if self.tls { "s" } else { "" });
        let more = match self.nodes.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(",+{more}"),
        };
        let (kind, path) = match &self.arrangement {
            Arrangement::Single => ("", format!("/{}", self.db)),
            Arrangement::Sentinel { master, .. } => ("+sentinel", format!("/{master}/{}", self.db)),
            Arrangement::Cluster => ("+cluster", String::new()),
        };
        text.push_str(&format_args!("{kind}://{}{more}{path}", named.join(",")).to_string());
        if text.chars().count() > LONGEST {
            text = text.chars().take(LONGEST).chain("...".chars()).collect();
        }
        f.write_str(&text)
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// The error of a URL. It never quotes the URL: where a part of it is wrong, nobody knows which part is the password.
fn bad(problem: &str) -> Error {
    Error::invalid_input("store", problem)
}

impl Target {
    /// Reads a URL. Errors: `InvalidInput` (`store`), which quotes nothing of it.
    pub(super) fn parse(url: &Secret) -> Result<Self> {
        let url = url.trimmed();
        let (scheme, rest) = url.expose().split_once("://").ok_or_else(|| bad(FORMS))?;
        let (tls, kind) = match scheme.to_ascii_lowercase().as_str() {
            "redis" => (false, Arrangement::Single),
            "rediss" => (true, Arrangement::Single),
            "redis+sentinel" => (false, sentinel("", Login::default())),
            "rediss+sentinel" => (true, sentinel("", Login::default())),
            "redis+cluster" => (false, Arrangement::Cluster),
            "rediss+cluster" => (true, Arrangement::Cluster),
            _ => return Err(bad(FORMS)),
        };
        let (authority, tail) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        if tail.contains('@') {
            return Err(bad(
                "has a / ? or # before its @: percent-encode them in the user name and the password",
            ));
        }
        if tail.contains('#') {
            return Err(bad(
                "has a # part, which means nothing here: certificates are always verified",
            ));
        }
        let (login, hosts) = match authority.rsplit_once('@') {
            Some((info, hosts)) => (read_login(info)?, hosts),
            None => (Login::default(), authority),
        };
        let port = match kind {
            Arrangement::Sentinel { .. } => SENTINEL_PORT,
            Arrangement::Single | Arrangement::Cluster => REDIS_PORT,
        };
        let nodes = hosts
            .split(',')
            .map(|host| read_node(host, port))
            .collect::<Result<Vec<Node>>>()?;
        let (path, query) = tail.split_once('?').unwrap_or((tail, ""));
        let path = path.trim_matches('/');
        if !query.is_empty() && !matches!(kind, Arrangement::Sentinel { .. }) {
            return Err(bad("has a ? part, which only redis+sentinel:// takes"));
        }
        let (arrangement, db) = match kind {
            Arrangement::Single if nodes.len() > 1 => {
                return Err(bad(
                    "names several hosts: write redis+sentinel:// or redis+cluster:// if they are those",
                ));
            }
            Arrangement::Single => (Arrangement::Single, read_db(path)?),
            Arrangement::Cluster if path.is_empty() || path == "0" => (Arrangement::Cluster, 0),
            Arrangement::Cluster => return Err(bad("names a database, but a cluster has only 0")),
            Arrangement::Sentinel { .. } => {
                let (master, db) = path.split_once('/').unwrap_or((path, ""));
                let master = decode(master)?;
                if master.expose().is_empty() || master.expose().contains(char::is_control) {
                    return Err(bad("names no master: write redis+sentinel://host:26379/mymaster"));
                }
                (sentinel(master.expose(), read_query(query)?), read_db(db)?)
            }
        };
        Ok(Self {
            arrangement,
            tls,
            nodes,
            login,
            db,
        })
    }

    /// Everything of it that must not be shown.
    pub(super) fn secrets(&self) -> impl Iterator<Item = Secret> {
        let mut logins = vec![&self.login];
        if let Arrangement::Sentinel { login, .. } = &self.arrangement {
            logins.push(login);
        }
        let of = |login: &Login| [login.user.clone(), login.password.clone()];
        let all: Vec<Secret> = logins.into_iter().flat_map(of).flatten().collect();
        // The name that every server has is in many messages, and tells nothing.
        all.into_iter().filter(|secret| secret.expose() != "default")
    }
}

const FORMS: &str = "is not the URL of a Redis: write redis://host:6379/0, rediss://user:password@host:6379/0, \
    redis+sentinel://host1:26379,host2:26379/mymaster/0 or redis+cluster://host1:6379,host2:6379";

fn sentinel(master: &str, login: Login) -> Arrangement {
    let master = master.to_owned();
    Arrangement::Sentinel { master, login }
}

fn decode(text: &str) -> Result<Secret> {
    let decoded = percent_decode_str(text).decode_utf8();
    let decoded = decoded.map_err(|_| bad("has a percent-encoding that is not UTF-8"))?;
    Ok(Secret::new(decoded))
}

fn read_login(info: &str) -> Result<Login> {
    let (user, password) = info.split_once(':').unwrap_or((info, ""));
    let part = |part: &str| Ok::<_, Error>(Some(decode(part)?).filter(|part| !part.is_empty()));
    let (user, password) = (part(user)?, part(password)?);
    if user.is_some() && password.is_none() {
        return Err(bad(
            "has a user name without a password: write user:password@ or :password@ before the host",
        ));
    }
    Ok(Login { user, password })
}

fn read_node(text: &str, usual: u16) -> Result<Node> {
    let wrong = || bad("has no usable host and port: write redis://host:6379, and an IPv6 address in [ ]");
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port.parse().map_err(|_| wrong())?),
        _ => (text, usual),
    };
    // Only what the parser of a URL's host takes, so that no other part of a URL is shown as one.
    let host = match Host::parse(host).map_err(|_| wrong())? {
        Host::Domain(name) => name,
        Host::Ipv4(address) => address.to_string(),
        Host::Ipv6(address) => address.to_string(),
    };
    if port == 0 {
        return Err(wrong());
    }
    Ok(Node { host, port })
}

fn read_db(text: &str) -> Result<u32> {
    match text {
        "" => Ok(0),
        text => text
            .parse()
            .map_err(|_| bad("has a database that is not a number: write /0 after the host")),
    }
}

fn read_query(query: &str) -> Result<Login> {
    let mut login = Login::default();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = Some(decode(value)?).filter(|value| !value.is_empty());
        match name {
            "sentinel_username" => login.user = value,
            "sentinel_password" => login.password = value,
            _ => {
                return Err(bad(
                    "has an option other than sentinel_username and sentinel_password",
                ));
            }
        }
    }
    Ok(login)
}

#[cfg(test)]
#[path = "url_tests.rs"]
mod tests;
