//! Clients and their pools: shared by all sessions of the process that reach the same host over the same network
//! path, and never carried over a fork or from one async runtime to another.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use preopen_core::target::{Environment, Target};
use preopen_core::{Error, ErrorKind};
use reqwest::dns::Resolve;
use reqwest::{Client, Proxy, redirect, retry};
use tokio::runtime;
use tokio::sync::Semaphore;

use crate::fresh;
use crate::names::Names;
use crate::options::{HttpOptions, IpVersion};
use crate::tls;

/// Pools kept for reuse; runtimes that have gone push theirs out.
const KEPT_POOLS: usize = 256;

/// A client for one host, and the room in its pool.
pub(crate) struct Pool {
    process: u32,
    runtime: runtime::Id,
    options: Arc<HttpOptions>,
    authority: String,
    pub(crate) client: Client,
    /// A request holds one permit from before it connects until its reply is read.
    pub(crate) room: Semaphore,
    /// When it was last asked for, counted in requests.
    used: AtomicU64,
}

impl Pool {
    fn serves(
        &self,
        process: u32,
        runtime: runtime::Id,
        options: &Arc<HttpOptions>,
        target: &Target,
    ) -> bool {
        self.process == process
            && self.runtime == runtime
            && self.authority == target.authority()
            && (Arc::ptr_eq(&self.options, options) || self.options == *options)
    }
}

/// Every pool of the process. Read without a lock: it is on the way of every request, and a process may be
/// forked while another of its threads is in here.
static POOLS: LazyLock<ArcSwap<Vec<Arc<Pool>>>> = LazyLock::new(ArcSwap::default);

/// The pool for this host and path on the current runtime, made on first use. Errors: `InvalidInput` (`proxy`,
/// `ca_file`), `Internal`.
pub(crate) fn pool(options: &Arc<HttpOptions>, target: &Target) -> Result<Arc<Pool>, Error> {
    let (process, runtime) = (std::process::id(), runtime::Handle::current().id());
    let find = |pools: &[Arc<Pool>]| {
        let pool = pools
            .iter()
            .find(|pool| pool.serves(process, runtime, options, target))?;
        pool.used.store(next_use(), Ordering::Relaxed);
        Some(Arc::clone(pool))
    };
    if let Some(pool) = find(&POOLS.load()) {
        return Ok(pool);
    }
    let made = Arc::new(Pool {
        process,
        runtime,
        options: Arc::clone(options),
        authority: target.authority().to_owned(),
        client: build(options, target, Names::default())?,
        room: Semaphore::new(options.max_connections.clamp(1, Semaphore::MAX_PERMITS)),
        used: AtomicU64::new(next_use()),
    });
    POOLS.rcu(|pools| {
        let mut pools = Vec::clone(pools);
        if find(&pools).is_none() {
            drop_least_used(&mut pools, process);
            pools.push(Arc::clone(&made));
        }
        pools
    });
    // When two threads made one at the same time, both use the one that is kept.
    Ok(find(&POOLS.load()).unwrap_or(made))
}

fn next_use() -> u64 {
    static USES: AtomicU64 = AtomicU64::new(0);
    USES.fetch_add(1, Ordering::Relaxed)
}

/// Makes room. The pool of a parent process must not be closed here: that would end the parent's connections.
fn drop_least_used(pools: &mut Vec<Arc<Pool>>, process: u32) {
    if pools.len() < KEPT_POOLS {
        return;
    }
    let least = (0..pools.len()).min_by_key(|at| pools[*at].used.load(Ordering::Relaxed));
    if let Some(pool) = least.map(|at| pools.remove(at))
        && pool.process != process
    {
        std::mem::forget(pool);
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

fn build(options: &HttpOptions, target: &Target, names: impl Resolve + 'static) -> Result<Client, Error> {
    let mut builder = Client::builder()
        .tls_backend_preconfigured(tls::config(options.ca_file.as_deref())?)
        .redirect(redirect::Policy::none())
        // What is repeated is decided in one place, by what the call does: a write is sent at most once.
        .retry(retry::never())
        .dns_resolver(Arc::new(names))
        .http1_only()
        .connector_layer(fresh::Notes)
        .connect_timeout(options.connect_timeout)
        .pool_idle_timeout(Duration::from_secs(55))
        .pool_max_idle_per_host(options.max_connections)
        .local_address(local_address(options, target))
        .user_agent(concat!("preopen/", env!("CARGO_PKG_VERSION")));
    if let Some(proxy) = &options.proxy {
        let proxy = Proxy::all(proxy.expose()).map_err(|_| {
            Error::invalid_input(
                "proxy",
                "is not a proxy URL: give for example http://10.0.0.1:3128",
            )
        })?;
        builder = builder.proxy(proxy);
    } else if target.environment() == Environment::Sandbox {
        builder = builder.no_proxy();
    }
    builder.build().map_err(|error| {
        Error::new(ErrorKind::Internal, "the HTTP client cannot be built")
            .with_source(preopen_core::error::Cause::from_chain(&error))
    })
}

#[cfg(test)]
mod tests {
    use super::build;
    use crate::options::{HttpOptions, IpVersion};
    use preopen_core::broker::Adapter as _;
    use preopen_core::brokers::Samco;
    use preopen_core::target::Target;
    use reqwest::dns::{Addrs, Name, Resolve, Resolving};
    use std::net::{IpAddr, SocketAddr};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    /// A name with an IPv6 and an IPv4 address, in the order in which most systems give them.
    struct Both;

    impl Resolve for Both {
        fn resolve(&self, _: Name) -> Resolving {
            let both = ["[::1]:0", "127.0.0.1:0"].map(|address| address.parse::<SocketAddr>().unwrap());
            Box::pin(async move { Ok(Box::new(both.into_iter()) as Addrs) })
        }
    }

    /// A server that is reached over both families at one port, and tells which address it was reached from.
    async fn dual_stack() -> u16 {
        let (four, six) = loop {
            let four = TcpListener::bind("127.0.0.1:0").await.unwrap();
            // Another program may have the port for IPv6.
            if let Ok(six) = TcpListener::bind(("::1", four.local_addr().unwrap().port())).await {
                break (four, six);
            }
        };
        let port = four.local_addr().unwrap().port();
        for listener in [four, six] {
            tokio::spawn(async move {
                while let Ok((mut stream, peer)) = listener.accept().await {
                    let mut request = [0; 4096];
                    let _ = stream.read(&mut request).await.unwrap();
                    let seen = peer.ip().to_string();
                    let head = format!(
                        "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                        seen.len()
                    );
                    stream.write_all((head + &seen).as_bytes()).await.unwrap();
                }
            });
        }
        port
    }

    async fn seen_from(options: HttpOptions) -> IpAddr {
        let url = format!("http://localhost:{}", dual_stack().await);
        let target = Target::resolve(Samco::new("k", "s").policy(), Some(&url), &[]).unwrap();
        let client = build(&options, &target, Both).unwrap();
        let reply = client.get(&url).send().await.unwrap();
        reply.text().await.unwrap().parse().unwrap()
    }

    #[tokio::test]
    async fn a_host_of_both_families_is_left_by_ipv4_unless_told_otherwise() {
        let of = |ip_version| {
            seen_from(HttpOptions {
                ip_version,
                ..HttpOptions::default()
            })
        };
        assert!(seen_from(HttpOptions::default()).await.is_ipv4());
        assert!(of(IpVersion::V4).await.is_ipv4());
        assert!(of(IpVersion::V6).await.is_ipv6());
        assert!(
            of(IpVersion::Any).await.is_ipv6(),
            "which is what the default protects from"
        );
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn the_source_address_is_the_one_that_the_server_sees() {
        for address in ["127.0.0.1", "127.0.0.2", "127.1.2.3"] {
            let options = HttpOptions {
                source_ip: Some(address.parse().unwrap()),
                ip_version: IpVersion::Any,
                ..HttpOptions::default()
            };
            assert_eq!(seen_from(options).await.to_string(), address);
        }
    }
}
