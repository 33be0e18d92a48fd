//! Settings of a session as every language passes them: plain fields, checked in Rust once.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use preopen::{
    AngelOne, AngelOnePublisher, Error, ErrorKind, IpVersion, RateLimits, Result, Samco, SamcoLegacy,
    SamcoLoginCode, SamcoOAuth, SealKey, Secret, Session, SessionBuilder, StoreLoss, VirtualClock, store,
};

use crate::store::ForeignStore;

/// Credentials by broker.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Credentials {
    /// Samco's direct login.
    Samco(Samco),
    /// SmartAPI's direct login.
    AngelOne(AngelOne),
    /// Samco's OAuth login.
    SamcoOAuth(SamcoOAuth),
    /// Samco's deprecated login.
    SamcoLegacy(SamcoLegacy),
    /// Samco's login with a code of another session.
    SamcoLoginCode(SamcoLoginCode),
    /// SmartAPI's publisher login.
    AngelOnePublisher(AngelOnePublisher),
}

impl Credentials {
    /// Reads the credentials of `broker` (`samco` or `angelone`), or of another way to log in (`samco_oauth`,
    /// `samco_legacy`, `angelone_publisher`), from the environment. Errors: `InvalidInput`.
    pub fn from_env(broker: &str) -> Result<Self> {
        match broker {
            "samco" => Samco::from_env().map(Self::Samco),
            "angelone" => AngelOne::from_env().map(Self::AngelOne),
            "samco_oauth" => SamcoOAuth::from_env().map(Self::SamcoOAuth),
            #[allow(deprecated, reason = "each language warns in its own way")]
            "samco_legacy" => SamcoLegacy::from_env().map(Self::SamcoLegacy),
            "angelone_publisher" => AngelOnePublisher::from_env().map(Self::AngelOnePublisher),
            _ => Err(Error::invalid_input("broker", "must be samco or angelone")),
        }
    }
}

/// Credentials that a program may tell something by name: what the headers of SmartAPI say of its machine.
pub trait Tell: Sized {
    /// Tells one thing; `None` when they know nothing of that name.
    fn tell(self, name: &str, value: String) -> Option<Self>;
}

/// Each name is that of the method.
macro_rules! tells {
    ($credentials:ty: $($name:ident),+) => {
        impl Tell for $credentials {
            fn tell(self, name: &str, value: String) -> Option<Self> {
                match name {
                    $(stringify!($name) => Some(self.$name(value)),)+
                    _ => None,
                }
            }
        }
    };
}

tells!(AngelOne: local_ip, public_ip, mac_address, user_type, source_id, state);
// No `state`: a publisher login makes one of its own.
tells!(AngelOnePublisher: local_ip, public_ip, mac_address, user_type, source_id);

/// SmartAPI's credentials with what the program says of its machine, by the names of their methods. Errors:
/// `InvalidInput` with a name that is none of them.
pub fn told<T: Tell>(credentials: T, what: impl IntoIterator<Item = (String, String)>) -> Result<T> {
    what.into_iter()
        .try_fold(credentials, |credentials, (name, value)| {
            credentials
                .tell(&name, value)
                .ok_or_else(|| Error::invalid_input(&name, "is nothing that SmartAPI is told"))
        })
}

/// The store of a session.
#[derive(Clone, Debug)]
pub enum StoreChoice {
    /// One that Preopen knows, by its address: `memory`, `file`, `redis://...`. It may hold a password.
    Address(Secret),
    /// One of the program's own.
    Own(ForeignStore),
}

impl StoreChoice {
    /// The store, if there is one; no I/O. Errors: `InvalidInput` (`store`, `store_key`).
    fn open(self, key: Option<&Secret>) -> Result<Option<Arc<dyn store::Store>>> {
        let key = key.map(Secret::expose);
        match (self, key) {
            (Self::Address(address), key) => store::open(address.expose(), key),
            (Self::Own(store), Some(key)) => Ok(Some(Arc::new(store.with_key(key)?))),
            (Self::Own(store), None) => Ok(Some(Arc::new(store))),
        }
    }
}

/// Settings of a session. `None` means the default of the Rust builder.
#[derive(Clone, Default)]
pub struct SessionConfig {
    /// See `SessionBuilder::base_url`.
    pub base_url: Option<String>,
    /// See `SessionBuilder::allowed_hosts`.
    pub allowed_hosts: Vec<String>,
    /// Seconds; see `SessionBuilder::timeout`.
    pub timeout: Option<f64>,
    /// 4, 6, or 0 for whatever the system prefers.
    pub ip_version: Option<u32>,
    /// See `SessionBuilder::source_ip`.
    pub source_ip: Option<String>,
    /// See `SessionBuilder::proxy`.
    pub proxy: Option<String>,
    /// See `SessionBuilder::ca_file`.
    pub ca_file: Option<String>,
    /// See `SessionBuilder::keep_warm`.
    pub keep_warm: bool,
    /// Where the session is shared; nowhere by default.
    pub store: Option<StoreChoice>,
    /// `keyring`, or the text of a key; nothing for the store's own choice.
    pub store_key: Option<Secret>,
    /// `refuse` or `login`; see `SessionBuilder::on_store_loss`.
    pub on_store_loss: Option<String>,
    /// Limits by group as JSON text; see `RateLimits::from_json`.
    pub rate_limits: Option<String>,
    /// See `SessionBuilder::audit_file`.
    pub audit: Option<String>,
    /// The clock of a sandbox, for its sessions.
    pub clock: Option<Arc<VirtualClock>>,
}

impl SessionConfig {
    /// Builds the session; no I/O. Errors: `InvalidInput` with the field.
    pub fn build(self, credentials: Credentials) -> Result<Session> {
        let mut builder: SessionBuilder = match credentials {
            Credentials::Samco(samco) => Session::builder(samco),
            Credentials::AngelOne(angel_one) => Session::builder(angel_one),
            Credentials::SamcoOAuth(samco) => Session::builder(samco),
            Credentials::SamcoLegacy(samco) => Session::builder(samco),
            Credentials::SamcoLoginCode(samco) => Session::builder(samco),
            Credentials::AngelOnePublisher(angel_one) => Session::builder(angel_one),
        };
        builder = builder
            .allowed_hosts(self.allowed_hosts)
            .keep_warm(self.keep_warm);
        if let Some(url) = self.base_url {
            builder = builder.base_url(url);
        }
        if let Some(seconds) = self.timeout {
            builder = builder.timeout(seconds_to_duration(seconds)?);
        }
        if let Some(version) = self.ip_version {
            builder = builder.ip_version(match version {
                4 => IpVersion::V4,
                6 => IpVersion::V6,
                0 => IpVersion::Any,
                _ => {
                    return Err(Error::invalid_input(
                        "ip_version",
                        "must be 4, 6, or 0 for either",
                    ));
                }
            });
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
        if let Some(limits) = self.rate_limits {
            builder = builder.rate_limits(RateLimits::from_json(&limits)?);
        }
        if let Some(path) = self.audit {
            builder = builder.audit_file(path);
        }
        if let Some(clock) = self.clock {
            builder = builder.clock(clock);
        }
        if let Some(what) = self.on_store_loss {
            builder = builder.on_store_loss(match what.as_str() {
                "refuse" => StoreLoss::Refuse,
                "login" => StoreLoss::LogIn,
                _ => {
                    return Err(Error::invalid_input("on_store_loss", "must be refuse or login"));
                }
            });
        }
        let store = self
            .store
            .unwrap_or_else(|| StoreChoice::Address("memory".into()));
        builder
            .shared_store(store.open(self.store_key.as_ref())?)
            .build()
            .map_err(as_store_key)
    }
}

/// What is wrong with the key of a store is told by the name that the key has among a session's settings.
fn as_store_key(error: Error) -> Error {
    let key = error.kind() == ErrorKind::InvalidInput && error.context().field.as_deref() == Some("key");
    match error.message().strip_prefix("key ") {
        Some(problem) if key => {
            Error::invalid_input("store_key", problem).with(|context| context.broker = error.context().broker)
        }
        _ => error,
    }
}

impl fmt::Debug for SessionConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "SessionConfig(base_url {:?}, timeout {:?})",
            self.base_url, self.timeout
        )
    }
}

/// The key that a record is sealed with: the one given, or that of the environment. Errors: `InvalidInput`.
pub fn seal_key(given: Option<String>) -> Result<SealKey> {
    given.map_or_else(SealKey::from_env, SealKey::from_text)
}

/// Takes over an exported session; a sealed one is opened with the key given, or that of the environment. Errors:
/// `InvalidInput` (`record`, `key`).
pub fn prime(session: &Session, record: &str, key: Option<String>) -> Result<()> {
    let sealed = !record.trim_start().starts_with('{');
    let key = match key {
        Some(key) => Some(SealKey::from_text(key)?),
        None if sealed && std::env::var_os("PREOPEN_KEY").is_some_and(|key| !key.is_empty()) => {
            Some(SealKey::from_env()?)
        }
        None => None,
    };
    session.prime(record, key.as_ref())
}

/// A timeout in seconds as a duration. Errors: `InvalidInput` (`timeout`).
pub fn seconds_to_duration(seconds: f64) -> Result<Duration> {
    Duration::try_from_secs_f64(seconds)
        .ok()
        .filter(|duration| !duration.is_zero())
        .ok_or_else(|| Error::invalid_input("timeout", "must be a positive number of seconds"))
}

#[cfg(test)]
mod tests {
    use super::told;
    use preopen::{AngelOne, AngelOnePublisher, Session};

    fn pair(name: &str) -> [(String, String); 1] {
        [(name.to_owned(), "not an address".to_owned())]
    }

    #[test]
    fn both_logins_are_told_of_the_machine_and_one_of_them_a_state() {
        let direct = || AngelOne::new("k", "A1", "1234", "JBSWY3DPEHPK3PXP");
        let publisher = || AngelOnePublisher::new("k", "A1");
        // That a value arrives is seen by its being refused.
        for name in ["local_ip", "public_ip", "mac_address"] {
            let refused = Session::builder(told(direct(), pair(name)).unwrap()).build();
            assert_eq!(refused.unwrap_err().field(), Some(name));
            let refused = Session::builder(told(publisher(), pair(name)).unwrap()).build();
            assert_eq!(refused.unwrap_err().field(), Some(name));
        }
        for name in ["user_type", "source_id"] {
            assert!(told(direct(), pair(name)).is_ok() && told(publisher(), pair(name)).is_ok());
        }
        assert!(told(direct(), pair("state")).is_ok());
        assert_eq!(
            told(publisher(), pair("state")).unwrap_err().field(),
            Some("state")
        );
        assert_eq!(told(direct(), pair("pin")).unwrap_err().field(), Some("pin"));
    }
}
