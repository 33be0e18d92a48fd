//! An app of an account: its credentials, where it sends browsers, its registered addresses, and what ends its sessions.

use preopen_core::Timestamp;
use preopen_core::static_ip::{self, Slot, Verdict};
use serde::{Deserialize, Serialize};

use crate::digest::Salted;

/// The most apps of an account. Deactivated ones count, and none is ever removed (documented).
pub(crate) const APPS: usize = 5;

/// Whether an app's credentials work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Status {
    Active,
    Deactivated,
}

/// The registered addresses of an app; an empty text is none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pair {
    pub(crate) primary: String,
    pub(crate) secondary: String,
}

impl Pair {
    pub(crate) fn new(primary: impl Into<String>, secondary: impl Into<String>) -> Self {
        Self {
            primary: primary.into(),
            secondary: secondary.into(),
        }
    }

    /// What is in a slot.
    pub(crate) fn at(&self, slot: Slot) -> &str {
        match slot {
            Slot::Secondary => &self.secondary,
            _ => &self.primary,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.primary.is_empty() && self.secondary.is_empty()
    }

    pub(crate) fn has(&self, ip: &str) -> bool {
        !ip.is_empty() && (self.primary == ip || self.secondary == ip)
    }

    /// Whether a request from `seen` comes from one of them.
    pub(crate) fn verdict(&self, seen: &str) -> Verdict {
        static_ip::Addresses::new(Some(seen), Some(&self.primary), Some(&self.secondary))
            .verdict()
            .unwrap_or(Verdict::Unregistered)
    }
}

/// An app.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct App {
    /// Its number among the apps of its account, from 1.
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) redirect_url: String,
    pub(crate) api_key: String,
    pub(crate) secret: Salted,
    pub(crate) status: Status,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
    pub(crate) addresses: Pair,
    /// When they last became other ones.
    pub(crate) addresses_changed_at: Option<Timestamp>,
    /// What the last deactivation took.
    pub(crate) released: Pair,
    /// Which slots have held an address since the app was made.
    pub(crate) held: Held,
    /// Sessions of an earlier era have been ended.
    pub(super) era: u64,
    /// The same for codes and refresh tokens.
    pub(super) grants_era: u64,
}

/// Which slots have held an address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Held {
    pub(crate) primary: bool,
    pub(crate) secondary: bool,
}

impl App {
    /// A new, active one without addresses.
    pub(crate) fn new(
        id: u64,
        name: &str,
        redirect_url: &str,
        api_key: &str,
        secret: &str,
        now: Timestamp,
    ) -> Self {
        Self {
            id,
            name: name.to_owned(),
            redirect_url: redirect_url.to_owned(),
            api_key: api_key.to_owned(),
            secret: Salted::of(secret),
            status: Status::Active,
            created_at: now,
            updated_at: now,
            addresses: Pair::default(),
            addresses_changed_at: None,
            released: Pair::default(),
            held: Held::default(),
            era: 0,
            grants_era: 0,
        }
    }

    pub(crate) fn is_active(&self) -> bool {
        self.status == Status::Active
    }

    /// Gives it these addresses as if it had been born with them: no change of them ever happened.
    pub(crate) fn give_addresses(&mut self, addresses: Pair) {
        self.held = Held {
            primary: !addresses.primary.is_empty(),
            secondary: !addresses.secondary.is_empty(),
        };
        self.addresses_changed_at = None;
        self.addresses = addresses;
    }

    /// Registers other addresses.
    pub(super) fn change_addresses(&mut self, addresses: Pair, now: Timestamp) {
        if self.addresses == addresses {
            return;
        }
        self.held.primary |= !addresses.primary.is_empty();
        self.held.secondary |= !addresses.secondary.is_empty();
        self.addresses = addresses;
        self.addresses_changed_at = Some(now);
        self.updated_at = now;
    }

    /// Ends its sessions.
    pub(super) fn end_sessions(&mut self) {
        self.era = self.era.saturating_add(1);
    }

    /// Ends its sessions, codes and refresh tokens.
    pub(super) fn revoke(&mut self) {
        self.era = self.era.saturating_add(1);
        self.grants_era = self.grants_era.saturating_add(1);
    }
}

/// What app names are compared by: neither case nor outer space nor joiners make a name another one. Going through the lower case
/// makes letters meet that have two of them.
pub(crate) fn folded(name: &str) -> String {
    let seen: String = name.trim().chars().filter(|c| !is_joiner(*c)).collect();
    seen.to_lowercase().to_uppercase()
}

/// Zero width (non-)joiners, which choose the form of the letters beside them.
pub(crate) fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}')
}

#[cfg(test)]
mod tests {
    use super::{Pair, folded};
    use preopen_core::static_ip::{Slot, Verdict};

    #[test]
    fn names_differ_by_more_than_case_and_outer_space() {
        for (one, other) in [
            (" Momentum ", "MOMENTUM"),
            ("Straße", "STRASSE"),
            ("ΣΑΣ", "σας"),
            ("école", "ÉCOLE"),
            ("ДЕНЬ", "день"),
            ("क्\u{200d}ष", "क्ष"),
        ] {
            assert_eq!(folded(one), folded(other));
        }
        assert_ne!(folded("my app"), folded("myapp"));
        assert_ne!(folded("ecole"), folded("école"));
    }

    #[test]
    fn a_pair_knows_its_slots() {
        let pair = Pair::new("203.0.113.1", "203.0.113.2");
        assert_eq!(pair.at(Slot::Secondary), "203.0.113.2");
        assert_eq!(pair.verdict("203.0.113.1"), Verdict::Match(Slot::Primary));
        assert_eq!(pair.verdict("203.0.113.3"), Verdict::Mismatch);
        assert_eq!(Pair::default().verdict("203.0.113.3"), Verdict::Unregistered);
        assert!(pair.has("203.0.113.2") && !pair.has("") && !Pair::default().has(""));
    }
}
