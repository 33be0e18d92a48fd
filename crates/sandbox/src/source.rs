//! The address that a request seems to come from: a header, a setting, or the peer.

use std::net::IpAddr;

use http::HeaderMap;
use serde::{Deserialize, Serialize};

/// What the address of requests is set to, for clients that cannot send `X-Sandbox-Source-IP`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SourceIp {
    /// Each account's own primary address: as if the client ran on the registered host.
    #[default]
    Home,
    /// This address, for every account.
    Fixed(IpAddr),
    /// The real address of the peer, which is a loopback address.
    Peer,
}

impl SourceIp {
    /// The setting as the control API shows it: `"home"`, an address or `null`.
    pub(crate) fn to_json(self) -> serde_json::Value {
        match self {
            Self::Home => "home".into(),
            Self::Fixed(ip) => ip.to_string().into(),
            Self::Peer => serde_json::Value::Null,
        }
    }
}

/// The address of one request; `None` is the account's own primary address.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source(pub(crate) Option<IpAddr>);

/// The address of home when no account is known or none is registered.
const HOME: &str = "203.0.113.10";

impl Source {
    /// Decides by header (when `read_header`), setting and peer, in this order.
    pub(crate) fn of(headers: &HeaderMap, read_header: bool, setting: SourceIp, peer: IpAddr) -> Self {
        if read_header
            && let Some(ip) = headers
                .get("x-sandbox-source-ip")
                .and_then(|value| value.to_str().ok())
            && let Ok(ip) = ip.trim().parse()
        {
            return Self(Some(ip));
        }
        match setting {
            SourceIp::Home => Self(None),
            SourceIp::Fixed(ip) => Self(Some(ip)),
            SourceIp::Peer => Self(Some(peer)),
        }
    }

    /// The address as the broker sees it for an account whose primary address is `primary`.
    pub(crate) fn seen(self, primary: &str) -> String {
        match self.0 {
            Some(ip) => ip.to_string(),
            None if primary.is_empty() => HOME.to_owned(),
            None => primary.to_owned(),
        }
    }
}
