//! How the requests of a session leave this host, as far as its settings tell: what the broker sees depends on it.

use std::net::IpAddr;

/// The address family that requests are held to.
///
/// ```
/// assert_eq!(preopen_core::static_ip::Family::V4.as_str(), "4");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Family {
    /// IPv4, which brokers register.
    V4,
    /// IPv6.
    V6,
    /// Whatever the system prefers, which is IPv6 on most hosts that have both.
    Any,
}

impl Family {
    /// `4`, `6` or `any`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V4 => "4",
            Self::V6 => "6",
            Self::Any => "any",
        }
    }
}

/// A proxy that the requests go through: the broker sees its address, not this host's.
///
/// ```
/// let proxy = preopen_core::static_ip::Proxy::new(true, "127.0.0.1:3128");
/// assert!(proxy.from_system);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Proxy {
    /// Whether it is from the system's settings (`HTTPS_PROXY` and its like), not from the session's own.
    pub from_system: bool,
    /// Its host and port, without user and password.
    pub authority: String,
}

impl Proxy {
    /// A proxy at `authority`.
    pub fn new(from_system: bool, authority: impl Into<String>) -> Self {
        Self {
            from_system,
            authority: authority.into(),
        }
    }
}

/// How requests leave this host.
///
/// ```
/// use preopen_core::static_ip::{Family, NetworkPath};
///
/// println!("{:?}", NetworkPath::new(Family::V4));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NetworkPath {
    /// The address family.
    pub family: Family,
    /// The local address that is sent from, when one is set.
    pub source_ip: Option<IpAddr>,
    /// The proxy in between.
    pub proxy: Option<Proxy>,
}

impl NetworkPath {
    /// A path of this family, without a source address and a proxy.
    pub fn new(family: Family) -> Self {
        Self {
            family,
            source_ip: None,
            proxy: None,
        }
    }
}
