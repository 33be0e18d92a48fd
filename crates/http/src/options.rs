//! The network path of a session, and one copy of it for all sessions that want the same.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use preopen_core::Secret;

/// Without a lock: a process may be forked while another of its threads is in here.
static KNOWN: LazyLock<ArcSwap<Vec<Arc<HttpOptions>>>> = LazyLock::new(ArcSwap::default);

/// Different paths that are kept to be shared; further ones belong to their session alone.
const SHARED: usize = 64;

/// Which address family to leave by.
///
/// ```
/// use preopen_http::IpVersion;
///
/// assert_ne!(IpVersion::V4, IpVersion::Any);
/// ```
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
/// for loopback), public authorities, 8 MiB per reply, 256 requests at the
/// same time.
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
    /// How many requests may be under way to one host at the same time, over all sessions of an async runtime. A
    /// further one waits for its turn, first come, first served.
    pub max_connections: usize,
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
            max_connections: 256,
        }
    }
}

impl HttpOptions {
    /// The copy of these options that every session with equal ones holds: a process may have ten thousand.
    pub(crate) fn shared(self) -> Arc<Self> {
        // A proxy's password must not outlive its sessions.
        if self.proxy.is_some() {
            return Arc::new(self);
        }
        let find = |known: &[Arc<Self>]| known.iter().find(|options| ***options == self).map(Arc::clone);
        if let Some(options) = find(&KNOWN.load()) {
            return options;
        }
        let mine = Arc::new(self.clone());
        KNOWN.rcu(|known| {
            let mut known = Vec::clone(known);
            if known.len() < SHARED && find(&known).is_none() {
                known.push(Arc::clone(&mine));
            }
            known
        });
        find(&KNOWN.load()).unwrap_or(mine)
    }
}

#[cfg(test)]
mod tests {
    use super::{HttpOptions, SHARED};
    use std::sync::Arc;

    #[test]
    fn equal_options_are_one_copy_and_their_number_is_bounded() {
        let with = |max_body| HttpOptions {
            max_body,
            ..HttpOptions::default()
        };
        assert!(Arc::ptr_eq(&with(7).shared(), &with(7).shared()));
        assert!(!Arc::ptr_eq(&with(7).shared(), &with(8).shared()));
        let many: Vec<_> = (0..2 * SHARED).map(|n| with(100 + n).shared()).collect();
        assert!(many.iter().all(|options| Arc::strong_count(options) <= 2));
        assert_eq!(
            Arc::strong_count(&with(100 + 2 * SHARED).shared()),
            1,
            "kept by nobody else"
        );
    }
}
