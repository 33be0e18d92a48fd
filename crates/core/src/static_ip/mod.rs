//! Static-IP facts and verdicts: which addresses are registered, which one the broker saw, and whether
//! orders from this host will be accepted. When an address may be changed is in `rules`.

mod json;
mod path;
mod public;
mod rules;

pub use json::may_change;
pub use path::{Family, NetworkPath, Proxy};
pub use public::{NotPublic, check_public, is_ipv6, public_ipv4};
pub use rules::{Answer, Change, Edit, Entry, Rule, Window};

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// Which registered address matched.
///
/// ```
/// assert_eq!(preopen_core::static_ip::Slot::Primary.as_str(), "primary");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Slot {
    /// The primary address.
    Primary,
    /// The secondary address.
    Secondary,
}

impl Slot {
    /// `primary` or `secondary`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Secondary => "secondary",
        }
    }
}

/// Whether the broker accepts orders from the address it sees.
///
/// ```
/// use preopen_core::static_ip::{Slot, Verdict};
///
/// assert_eq!(Verdict::Match(Slot::Secondary).as_str(), "match");
/// assert_eq!(Verdict::Unregistered.to_string(), "unregistered");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Verdict {
    /// The address is registered in this slot.
    Match(Slot),
    /// Addresses are registered, and this is none of them.
    Mismatch,
    /// No address is registered.
    Unregistered,
    /// This broker has no way to ask.
    Unsupported,
}

impl Verdict {
    /// `match`, `mismatch`, `unregistered` or `unsupported`, the same in every language.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Match(_) => "match",
            Self::Mismatch => "mismatch",
            Self::Unregistered => "unregistered",
            Self::Unsupported => "unsupported",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The addresses that a broker told: the one it saw and the registered ones. Unset ones are `None`,
/// whether the broker sent `null`, an empty string or a dash.
///
/// ```
/// use preopen_core::static_ip::{Addresses, Verdict};
///
/// let told = Addresses::new(Some("8.8.4.4"), Some("8.8.8.8"), Some("--"));
/// assert_eq!(told.verdict(), Some(Verdict::Mismatch));
/// assert!(told.are_refused() && told.fix().is_some() && !told.left_by_ipv6());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Addresses {
    /// The address that the broker saw.
    pub source: Option<String>,
    /// The registered primary address.
    pub primary: Option<String>,
    /// The registered secondary address.
    pub secondary: Option<String>,
}

impl Addresses {
    /// The three addresses, unset ones made `None`.
    pub fn new(source: Option<&str>, primary: Option<&str>, secondary: Option<&str>) -> Self {
        let set = |text: Option<&str>| {
            let text = text?.trim();
            (!text.is_empty() && text != "--" && text != "NA").then(|| text.to_owned())
        };
        Self {
            source: set(source),
            primary: set(primary),
            secondary: set(secondary),
        }
    }

    /// The verdict that follows from the addresses; `None` when the broker did not say which one it saw.
    pub fn verdict(&self) -> Option<Verdict> {
        if self.primary.is_none() && self.secondary.is_none() {
            return Some(Verdict::Unregistered);
        }
        let source = self.source.as_deref()?;
        let is = |registered: &Option<String>| registered.as_deref().is_some_and(|one| is_same(one, source));
        Some(if is(&self.primary) {
            Verdict::Match(Slot::Primary)
        } else if is(&self.secondary) {
            Verdict::Match(Slot::Secondary)
        } else {
            Verdict::Mismatch
        })
    }

    /// Whether orders from here will be refused, as far as the addresses tell.
    pub fn are_refused(&self) -> bool {
        matches!(self.verdict(), Some(Verdict::Mismatch | Verdict::Unregistered))
    }

    /// Whether the broker saw an IPv6 address: then this host left by the wrong family.
    pub fn left_by_ipv6(&self) -> bool {
        self.source.as_deref().is_some_and(is_ipv6)
    }

    /// What to do, when orders from here will be refused.
    pub fn fix(&self) -> Option<String> {
        if !self.are_refused() {
            return None;
        }
        let seen = self
            .source
            .as_deref()
            .unwrap_or("this host's public IPv4 address");
        Some(if self.left_by_ipv6() {
            BY_IPV6.to_owned()
        } else if self.verdict() == Some(Verdict::Unregistered) {
            format!("register {seen} with the broker")
        } else {
            format!(
                "register {seen} with the broker, or send from a host that has a registered address: set source_ip if \
                 this one does, and leave out a proxy in between"
            )
        })
    }
}

/// Said where the broker saw an IPv6 address.
const BY_IPV6: &str = "this host left by IPv6, and brokers register IPv4 addresses: keep ip_version at 4, or set \
                       source_ip to this host's IPv4 address";

/// Whether two texts are the same address: a broker's server may tell an IPv4 one in IPv6 form.
fn is_same(one: &str, other: &str) -> bool {
    let address = |text: &str| text.parse().ok().map(|address: IpAddr| address.to_canonical());
    one == other || address(one).is_some_and(|one| address(other) == Some(one))
}

impl fmt::Display for Addresses {
    /// For a person: the address that the broker sees, and the registered ones.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |address: &Option<String>| address.clone().unwrap_or_else(|| "none".to_owned());
        write!(
            f,
            "the broker sees {}; registered: primary {}, secondary {}",
            text(&self.source),
            text(&self.primary),
            text(&self.secondary)
        )
    }
}

/// What the broker says about the address of this host.
///
/// Samco answers `GET /ip/whoami` (documented; a mismatch is an HTTP 200). SmartAPI has no such call
/// (none in its documentation), so its verdict is `Unsupported` and all addresses are `None`.
///
/// ```
/// use preopen_core::static_ip::{Verdict, WhoAmI};
///
/// let who = WhoAmI::unsupported("this broker does not tell");
/// assert_eq!((who.verdict, who.matched_as()), (Verdict::Unsupported, None));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WhoAmI {
    /// The addresses told.
    pub addresses: Addresses,
    /// Whether orders from here will be accepted.
    pub verdict: Verdict,
    /// One line for a person.
    pub message: String,
}

impl WhoAmI {
    /// The slot that matched, if one did.
    pub fn matched_as(&self) -> Option<Slot> {
        match self.verdict {
            Verdict::Match(slot) => Some(slot),
            _ => None,
        }
    }

    /// Says so when the broker saw an IPv6 address.
    #[must_use]
    pub fn explained(mut self) -> Self {
        if self.verdict == Verdict::Mismatch && self.addresses.left_by_ipv6() {
            let said = if self.message.is_empty() { "" } else { "; " };
            self.message = format!("{}{said}{BY_IPV6}", self.message);
        }
        self
    }

    /// The answer for a broker that has no way to ask.
    pub fn unsupported(message: &str) -> Self {
        Self {
            addresses: Addresses::default(),
            verdict: Verdict::Unsupported,
            message: message.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Addresses, Slot, Verdict, WhoAmI};

    #[test]
    fn x7_verdicts() {
        let v = |s, p, q| Addresses::new(s, p, q).verdict();
        let (a, b, c) = (Some("203.0.113.10"), Some("203.0.113.11"), Some("198.51.100.7"));
        assert_eq!(v(a, a, b), Some(Verdict::Match(Slot::Primary)));
        assert_eq!(v(b, a, b), Some(Verdict::Match(Slot::Secondary)));
        assert_eq!(v(c, a, b), Some(Verdict::Mismatch));
        assert_eq!(v(c, None, Some("")), Some(Verdict::Unregistered));
        assert_eq!(v(c, Some("  "), Some("--")), Some(Verdict::Unregistered));
        assert_eq!(v(None, a, None), None);
    }

    #[test]
    fn x7_an_ipv4_address_in_ipv6_form_is_the_same_one() {
        let v = |s, p, q| Addresses::new(Some(s), Some(p), q).verdict();
        assert_eq!(
            v("::ffff:203.0.113.10", "203.0.113.10", None),
            Some(Verdict::Match(Slot::Primary))
        );
        assert_eq!(
            v("203.0.113.11", "203.0.113.10", Some("::ffff:203.0.113.11")),
            Some(Verdict::Match(Slot::Secondary))
        );
        assert_eq!(
            v("::ffff:203.0.113.12", "203.0.113.10", None),
            Some(Verdict::Mismatch)
        );
        assert_eq!(
            v("somewhere", "anywhere", None),
            Some(Verdict::Mismatch),
            "no address is like no other"
        );
    }

    #[test]
    fn x7_the_fix_fits_what_is_wrong() {
        let of = |s, p| Addresses::new(s, p, None);
        let fix = |s, p| of(s, p).fix().unwrap_or_default();
        assert_eq!(fix(Some("203.0.113.10"), Some("203.0.113.10")), "");
        assert_eq!(fix(None, Some("203.0.113.10")), "", "nothing is known");
        assert!(fix(Some("198.51.100.7"), Some("203.0.113.10")).starts_with("register 198.51.100.7"));
        assert_eq!(
            fix(Some("198.51.100.7"), None),
            "register 198.51.100.7 with the broker"
        );
        assert!(fix(None, None).contains("public IPv4"));
        assert!(fix(Some("2001:db8::7"), Some("203.0.113.10")).contains("left by IPv6"));
        let who = |message: &str| {
            let addresses = of(Some("2001:db8::7"), Some("203.0.113.10"));
            let (verdict, message) = (Verdict::Mismatch, message.to_owned());
            WhoAmI {
                addresses,
                verdict,
                message,
            }
            .explained()
            .message
        };
        assert!(who("IP details").starts_with("IP details; this host left by IPv6"));
        assert!(who("").starts_with("this host left by IPv6"));
    }
}
