//! Building a session: all settings checked, nothing done yet.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use preopen_core::broker::{Adapter, check_environment};
use preopen_core::clock::{Clock, SystemClock};
use preopen_core::limits::RateLimits;
use preopen_core::target::{Environment, Target};
use preopen_core::wire::Transport;
use preopen_core::{Error, Result, Secret};
use preopen_http::{HttpOptions, HttpTransport, IpVersion};
use preopen_store::Store;

use crate::audit;
use crate::runtime::{Background, Spawn};
use crate::session::{Session, Settings};
use crate::shared::StoreLoss;

/// Settings of a [`Session`]. [`SessionBuilder::build`] checks all of them and does no I/O.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
/// use preopen::{IpVersion, RateLimits, Samco, Session, StoreLoss, SystemClock, store};
///
/// # fn example() -> preopen::Result<()> {
/// let session = Session::builder(Samco::new("key", "secret"))
///     .timeout(Duration::from_secs(5))
///     .ip_version(IpVersion::V4)                 // the family of the registered static IP
///     .keep_warm(true)
///     .rate_limits(RateLimits::new().per_second("orders", 5))
///     .store(store::MemoryStore::new()?)
///     .on_store_loss(StoreLoss::LogIn)
///     .clock(Arc::new(SystemClock))
///     .build()?;                                 // no I/O: everything is checked, nothing is sent
/// # drop(session);
/// // A store by its address, another host, a proxy, a certificate authority of your own, a log of logins:
/// let builder = Session::builder(Samco::new("key", "secret"))
///     .shared_store(store::open("memory", None)?)
///     .base_url("https://gateway.example")
///     .allowed_hosts(["gateway.example"])
///     .source_ip("10.0.0.5")
///     .proxy("http://127.0.0.1:3128")
///     .ca_file("ca.pem")
///     .audit_file("audit.jsonl");
/// # drop(builder);
/// # Ok(()) }
/// # example().unwrap();
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct SessionBuilder {
    adapter: Arc<dyn Adapter>,
    base_url: Option<String>,
    allowed_hosts: Vec<String>,
    timeout: Duration,
    http: HttpOptions,
    source_ip: Option<String>,
    clock: Arc<dyn Clock>,
    keep_warm: bool,
    transport: Option<Arc<dyn Transport>>,
    spawn: Arc<dyn Spawn>,
    store: Option<Arc<dyn Store>>,
    on_store_loss: StoreLoss,
    rate_limits: RateLimits,
    audit: Option<PathBuf>,
}

impl SessionBuilder {
    pub(crate) fn new(adapter: Arc<dyn Adapter>) -> Self {
        Self {
            adapter,
            base_url: None,
            allowed_hosts: Vec::new(),
            timeout: Duration::from_secs(10),
            http: HttpOptions::default(),
            source_ip: None,
            clock: system_clock(),
            keep_warm: false,
            transport: None,
            spawn: background(),
            store: None,
            on_store_loss: StoreLoss::default(),
            rate_limits: RateLimits::default(),
            audit: None,
        }
    }

    /// Another address of the API. A loopback address makes a sandbox session, where plain http is allowed; any
    /// other host must be https and the broker's own, or named in `allowed_hosts`.
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.base_url = Some(url.into());
        self
    }

    /// Hosts beside the broker's own that credentials may be sent to.
    pub fn allowed_hosts<T: Into<String>>(mut self, hosts: impl IntoIterator<Item = T>) -> Self {
        self.allowed_hosts = hosts.into_iter().map(Into::into).collect();
        self
    }

    /// The longest that one request to the broker may take, from connecting to the last byte; a login counts
    /// on its own. 10 seconds by default, at most 10 minutes. A call that waits for its turn because 256 others are
    /// under way to the same host spends at most half of it waiting, and has sent nothing when it gets none.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The address family to leave by. IPv4 by default, since that is what brokers register.
    pub fn ip_version(mut self, version: IpVersion) -> Self {
        self.http.ip_version = version;
        self
    }

    /// The local address to send from, on a host with several: the registered one.
    pub fn source_ip(mut self, address: impl Into<String>) -> Self {
        self.source_ip = Some(address.into());
        self
    }

    /// A proxy for all requests, for example `http://10.0.0.1:3128`. Without it the system's settings hold. The broker
    /// sees a proxy's address in place of this host's: [`Session::preflight`] warns of it.
    pub fn proxy(mut self, url: impl Into<String>) -> Self {
        self.http.proxy = Some(Secret::new(url));
        self
    }

    /// A PEM file with further certificate authorities to trust, beside the platform's and Mozilla's.
    pub fn ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.http.ca_file = Some(path.into());
        self
    }

    /// Another clock: the embedded broker's, or a test's.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Renews the session after each daily end without being asked, so that the first order of the day waits for no
    /// login: between 5 and 125 seconds after the end, each account at its own time, never before it. It begins with
    /// the first call that needs a token, and rests while a login needs a person. Off by default.
    pub fn keep_warm(mut self, keep_warm: bool) -> Self {
        self.keep_warm = keep_warm;
        self
    }

    /// Shares the session with every other program that uses the same store: exactly one of them logs in, and all use
    /// its session. Without a store a session belongs to this object alone.
    pub fn store(mut self, store: impl Store + 'static) -> Self {
        self.store = Some(Arc::new(store));
        self
    }

    /// The same, for a store that is shared already; `None` for no store.
    pub fn shared_store(mut self, store: Option<Arc<dyn Store>>) -> Self {
        self.store = store;
        self
    }

    /// What a new login does while the store cannot be used. It is refused by default.
    pub fn on_store_loss(mut self, what: StoreLoss) -> Self {
        self.on_store_loss = what;
        self
    }

    /// Limits of your own in place of the broker's, by group of calls. SmartAPI's groups have the documented limits; Samco
    /// documents none, so that its groups `orders` and `other` have none unless you set one. The sessions of an account in
    /// this process count together; a call waits for its slot within half of its deadline, and is refused with
    /// `RateLimited` before anything is sent when that is not enough.
    ///
    /// ```
    /// # use preopen::{RateLimits, Samco, Session};
    /// let limits = RateLimits::new().per_second("orders", 5);
    /// let session = Session::builder(Samco::new("key", "secret")).rate_limits(limits).build();
    /// # assert!(session.is_ok());
    /// ```
    pub fn rate_limits(mut self, limits: RateLimits) -> Self {
        self.rate_limits = limits;
        self
    }

    /// Appends a line of JSON to this file for each login, refusal and logout: when, at which broker, of which account (a
    /// label that nothing can be read from), on which host, why, how it ended and how long it took. The file is made with
    /// mode 0600; programs may share one, and it may be moved away at any time. One that cannot be written keeps
    /// nobody from logging in: that is told once, as a log record.
    ///
    /// The same entries are log records of the target `preopen.audit`, with or without a file.
    ///
    /// ```
    /// # use preopen::{Samco, Session};
    /// let session = Session::builder(Samco::new("key", "secret")).audit_file("audit.jsonl").build();
    /// # assert!(session.is_ok());
    /// ```
    pub fn audit_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.audit = Some(path.into());
        self
    }

    /// Another transport, for tests.
    #[doc(hidden)]
    pub fn transport(mut self, transport: Arc<dyn Transport>) -> Self {
        self.transport = Some(transport);
        self
    }

    /// Another place for logins to run, for tests.
    #[doc(hidden)]
    pub fn spawn(mut self, spawn: Arc<dyn Spawn>) -> Self {
        self.spawn = spawn;
        self
    }

    /// Checks everything and makes the session. Nothing is sent, opened or started.
    ///
    /// Errors: `InvalidInput` with the field that is wrong.
    pub fn build(mut self) -> Result<Session> {
        let policy = self.adapter.policy();
        let name = |error: Error| error.with(|context| context.broker = Some(policy.broker));
        self.adapter.validate().map_err(name)?;
        let target = Target::resolve(policy, self.base_url.as_deref(), &self.allowed_hosts).map_err(name)?;
        check_environment(self.adapter.as_ref(), target.environment()).map_err(name)?;
        if self.timeout.is_zero() || self.timeout > Duration::from_mins(10) {
            return Err(Error::invalid_input(
                "timeout",
                "must be more than 0 and at most 600 seconds",
            ));
        }
        if let Some(text) = &self.source_ip {
            let address: IpAddr = text.trim().parse().map_err(|_| {
                Error::invalid_input(
                    "source_ip",
                    "is not an IP address: give one of this host's own addresses",
                )
            })?;
            self.http.source_ip = Some(address);
        }
        if let Some(proxy) = &self.http.proxy {
            let bad = |problem: &str| Err(Error::invalid_input("proxy", problem));
            if !["http://", "https://"]
                .iter()
                .any(|scheme| proxy.expose().starts_with(scheme))
            {
                return bad("must be a URL that begins with http:// or https://");
            }
            if target.environment() == Environment::Sandbox {
                return bad("cannot be used with a loopback base_url: plain http would leave this machine");
            }
        }
        let rates = self.rate_limits.on(policy).map_err(name)?;
        audit::check(self.audit.as_ref()).map_err(name)?;
        if let Some(store) = &self.store {
            store.validate().map_err(name)?;
        }
        self.http.connect_timeout = self.http.connect_timeout.min(self.timeout);
        let transport = self
            .transport
            .unwrap_or_else(|| Arc::new(HttpTransport::new(self.http)));
        Ok(Session::new(Settings {
            adapter: self.adapter,
            target,
            transport,
            clock: self.clock,
            timeout: self.timeout,
            keep_warm: self.keep_warm,
            spawn: self.spawn,
            store: self.store.map(|store| (store, self.on_store_loss)),
            rates: (self.rate_limits != RateLimits::default()).then_some(rates),
            audit: self.audit,
        }))
    }
}

/// One for all sessions.
fn background() -> Arc<dyn Spawn> {
    static BACKGROUND: OnceLock<Arc<Background>> = OnceLock::new();
    Arc::<Background>::clone(BACKGROUND.get_or_init(|| Arc::new(Background)))
}

/// One for all sessions, so that they can be seen to share it.
fn system_clock() -> Arc<dyn Clock> {
    static CLOCK: OnceLock<Arc<SystemClock>> = OnceLock::new();
    Arc::<SystemClock>::clone(CLOCK.get_or_init(Arc::default))
}
