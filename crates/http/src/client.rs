//! Clients and their pools: shared by all sessions of the process that want the same network path, and never
//! carried over a fork or from one async runtime to another.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use arc_swap::ArcSwap;
use preopen_core::target::Target;
use preopen_core::{Error, ErrorKind};
use reqwest::{Client, Proxy, redirect};

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
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct HttpOptions {
    /// The local address to send from, for hosts with several.
    pub source_ip: Option<IpAddr>,
    /// The address family, when `source_ip` does not decide it.
    pub ip_version: IpVersion,
    /// The proxy for all requests, for example `http://10.0.0.1:3128`.
    pub proxy: Option<String>,
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
    proxy: Option<String>,
    direct: bool,
    ca_file: Option<PathBuf>,
    connect_timeout: Duration,
}

/// Every client of the process, oldest first. Read without a lock: it is on the way of every request, and a
/// process may be forked while another of its threads is in here.
static CLIENTS: LazyLock<ArcSwap<Vec<(Key, Client)>>> = LazyLock::new(ArcSwap::default);

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
    let made = build(&key)?;
    CLIENTS.rcu(|clients| {
        let mut clients = Vec::clone(clients);
        if find(&clients, &key).is_none() {
            if clients.len() >= KEPT_CLIENTS {
                forget_parents(clients.remove(0), key.process);
            }
            clients.push((key.clone(), made.clone()));
        }
        clients
    });
    // When two threads made one at the same time, both use the one that is kept.
    Ok(find(&CLIENTS.load(), &key).unwrap_or(made))
}

fn find(clients: &[(Key, Client)], key: &Key) -> Option<Client> {
    clients
        .iter()
        .find(|(known, _)| known == key)
        .map(|(_, client)| client.clone())
}

/// Lets a client go. The pool of a parent process must not be closed here: that would end the parent's
/// connections.
fn forget_parents((key, client): (Key, Client), process: u32) {
    if key.process != process {
        std::mem::forget(client);
    }
}

fn local_address(options: &HttpOptions, target: &Target) -> Option<IpAddr> {
    if options.source_ip.is_some() {
        return options.source_ip;
    }
    // Binding to "any address" of a family is how the connector is held to that family. A target that is an
    // address itself has no choice of family.
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
        .connect_timeout(key.connect_timeout)
        .pool_idle_timeout(Duration::from_secs(55))
        .local_address(key.local_address)
        .user_agent(concat!("preopen/", env!("CARGO_PKG_VERSION")));
    if let Some(proxy) = &key.proxy {
        let proxy = Proxy::all(proxy).map_err(|_| {
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
