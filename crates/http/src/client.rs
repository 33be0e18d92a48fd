//! Clients and their pools: shared by all sessions of the process that want the same network path, and never
//! carried over a fork or from one async runtime to another.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use preopen_core::target::Target;
use preopen_core::{Error, ErrorKind, Secret};
use reqwest::{Client, Proxy, redirect, retry};

use crate::tls;

/// Clients kept for reuse; runtimes that have gone push theirs out.
const KEPT_CLIENTS: usize = 256;

/// Which address family to leave by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum IpVersion {
    /// IPv4: the one that brokers register. The default, because a host with both families otherwise leaves by
    /// IPv6 and fails the broker's address check.
    #[default]
    V4,
    /// IPv6.
    V6,
    /// Whatever the system prefers.
    Any,
}

/// The network path of a session. `Default` is: IPv4, any source address, the system's proxy settings (none
/// for loopback), public authorities, 8 MiB per reply.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HttpOptions {
    /// The local address to send from, for hosts with several.
    pub source_ip: Option<IpAddr>,
    /// The address family, when `source_ip` does not decide it.
    pub ip_version: IpVersion,
    /// The proxy for all requests, for example `http://10.0.0.1:3128`. A secret, since it may hold a password.
    pub proxy: Option<Secret>,
    /// A PEM file with further certificate authorities to trust.
    pub ca_file: Option<PathBuf>,
    /// The longest wait for a connection.
    pub connect_timeout: Duration,
    /// The largest reply in bytes, compressed and decompressed.
    pub max_body: usize,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            source_ip: None,
            ip_version: IpVersion::V4,
            proxy: None,
            ca_file: None,
            connect_timeout: Duration::from_secs(5),
            max_body: 8 * 1024 * 1024,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Key {
    process: u32,
    runtime: tokio::runtime::Id,
    local_address: Option<IpAddr>,
    proxy: Option<Secret>,
    direct: bool,
    ca_file: Option<PathBuf>,
    connect_timeout: Duration,
}

/// A kept client and when it was last asked for, counted in requests.
struct Kept {
    key: Key,
    client: Client,
    used: AtomicU64,
}

/// Every client of the process. Read without a lock: it is on the way of every request, and a process may be
/// forked while another of its threads is in here.
static CLIENTS: LazyLock<ArcSwap<Vec<Arc<Kept>>>> = LazyLock::new(ArcSwap::default);

/// The client for this path on the current runtime, made on first use. Errors: `InvalidInput` (`proxy`,
/// `ca_file`), `Internal`.
pub(crate) fn client(options: &HttpOptions, target: &Target) -> Result<Client, Error> {
    let loopback = target.environment() == preopen_core::target::Environment::Sandbox;
    let key = Key {
        process: std::process::id(),
        runtime: tokio::runtime::Handle::current().id(),
        local_address: local_address(options, target),
        proxy: options.proxy.clone(),
        direct: loopback && options.proxy.is_none(),
        ca_file: options.ca_file.clone(),
        connect_timeout: options.connect_timeout,
    };
    if let Some(client) = find(&CLIENTS.load(), &key) {
        return Ok(client);
    }
    let client = build(&key)?;
    let made = Arc::new(Kept {
        key,
        client,
        used: AtomicU64::new(next_use()),
    });
    CLIENTS.rcu(|clients| {
        let mut clients = Vec::clone(clients);
        if find(&clients, &made.key).is_none() {
            drop_least_used(&mut clients, made.key.process);
            clients.push(Arc::clone(&made));
        }
        clients
    });
    // When two threads made one at the same time, both use the one that is kept.
    Ok(find(&CLIENTS.load(), &made.key).unwrap_or_else(|| made.client.clone()))
}

fn find(clients: &[Arc<Kept>], key: &Key) -> Option<Client> {
    let kept = clients.iter().find(|kept| kept.key == *key)?;
    kept.used.store(next_use(), Ordering::Relaxed);
    Some(kept.client.clone())
}

fn next_use() -> u64 {
    static USES: AtomicU64 = AtomicU64::new(0);
    USES.fetch_add(1, Ordering::Relaxed)
}

/// Makes room. The pool of a parent process must not be closed here: that would end the parent's connections.
fn drop_least_used(clients: &mut Vec<Arc<Kept>>, process: u32) {
    if clients.len() < KEPT_CLIENTS {
        return;
    }
    let least = (0..clients.len()).min_by_key(|at| clients[*at].used.load(Ordering::Relaxed));
    if let Some(kept) = least.map(|at| clients.remove(at))
        && kept.key.process != process
    {
        std::mem::forget(kept);
    }
}

fn local_address(options: &HttpOptions, target: &Target) -> Option<IpAddr> {
    if options.source_ip.is_some() {
        return options.source_ip;
    }
    // Binding to "any address" of a family is how the connector is held to that family. A target that is an
    // address itself has no choice of family, and a proxy is reached by whatever family it has.
    if options.proxy.is_some() {
        return None;
    }
    match (options.ip_version, target.ip()) {
        (_, Some(_)) | (IpVersion::Any, None) => None,
        (IpVersion::V4, None) => Some(Ipv4Addr::UNSPECIFIED.into()),
        (IpVersion::V6, None) => Some(Ipv6Addr::UNSPECIFIED.into()),
    }
}

fn build(key: &Key) -> Result<Client, Error> {
    let mut builder = Client::builder()
        .tls_backend_preconfigured(tls::config(key.ca_file.as_deref())?)
        .redirect(redirect::Policy::none())
        // What is repeated is decided in one place, by what the call does: a write is sent at most once.
        .retry(retry::never())
        .http1_only()
        .connect_timeout(key.connect_timeout)
        .pool_idle_timeout(Duration::from_secs(55))
        .local_address(key.local_address)
        .user_agent(concat!("preopen/", env!("CARGO_PKG_VERSION")));
    if let Some(proxy) = &key.proxy {
        let proxy = Proxy::all(proxy.expose()).map_err(|_| {
            Error::invalid_input(
                "proxy",
                "is not a proxy URL: give for example http://10.0.0.1:3128",
            )
        })?;
        builder = builder.proxy(proxy);
    } else if key.direct {
        builder = builder.no_proxy();
    }
    builder.build().map_err(|error| {
        Error::new(ErrorKind::Internal, "the HTTP client cannot be built")
            .with_source(preopen_core::error::Cause::from_chain(&error))
    })
}
