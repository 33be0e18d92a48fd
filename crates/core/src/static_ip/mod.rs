//! Static-IP facts and verdicts: which addresses are registered, which one the broker saw, and whether
//! orders from this host will be accepted. When an address may be changed is in `rules`.

mod json;
mod public;
mod rules;

pub use json::may_change;
pub use public::{NotPublic, check_public, is_ipv6, public_ipv4};
pub use rules::{Answer, Change, Edit, Entry, Rule, Window};

use std::fmt;

/// Which registered address matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
        let source = self.source.as_ref()?;
        Some(if self.primary.as_ref() == Some(source) {
            Verdict::Match(Slot::Primary)
        } else if self.secondary.as_ref() == Some(source) {
            Verdict::Match(Slot::Secondary)
        } else {
            Verdict::Mismatch
        })
    }
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
    use super::{Addresses, Slot, Verdict};

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
}
