//! Clients and their pools: shared by all sessions of the process that want the same network path, and never
//! carried over a fork or from one async runtime to another.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

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

/// The client for this path on the current runtime, made on first use. Errors: `InvalidInput` (`proxy`,
/// `ca_file`), `Internal`.
pub(crate) fn client(options: &HttpOptions, target: &Target) -> Result<Client, Error> {
    static CLIENTS: Mutex<Vec<(Key, Client)>> = Mutex::new(Vec::new());
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
    let mut clients = CLIENTS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(at) = clients.iter().position(|(known, _)| *known == key) {
        return Ok(clients[at].1.clone());
    }
    let client = build(&key)?;
    if clients.len() >= KEPT_CLIENTS {
        let (old, pool) = clients.remove(0);
        if old.process != key.process {
            // The pool of a parent process: closing it here would end the parent's connections.
            std::mem::forget(pool);
        }
    }
    clients.push((key, client.clone()));
    Ok(client)
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
