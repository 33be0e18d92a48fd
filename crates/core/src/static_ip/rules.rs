//! When a registered address may be changed: each broker's rule as data, and the checker that answers for a history
//! that the user supplies, because no broker tells it. Reading histories from JSON is `json`'s business.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use crate::clock::{IST_OFFSET_SECONDS, Timestamp};
use crate::error::{Error, Result};

const DAY: Duration = Duration::from_hours(24);

/// How long one change rules out the next.
///
/// ```
/// use preopen_core::Timestamp;
/// use preopen_core::static_ip::Rule;
///
/// let changed = Timestamp::parse_rfc3339("2026-11-18T10:00:00+05:30").unwrap();   // a Wednesday
/// let monday = Rule::ANGEL_ONE.window.next_after(changed);
/// assert_eq!(monday.format_ist("%a %H:%M"), "Mon 00:00");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Window {
    /// One change in any stretch of this length: the next one is possible exactly this long after the last.
    Rolling(Duration),
    /// One change between Monday 00:00 IST and the next.
    CalendarWeek,
}

impl Window {
    /// When the next change is possible after one at `changed`.
    pub fn next_after(self, changed: Timestamp) -> Timestamp {
        match self {
            Self::Rolling(length) => changed.plus(length),
            Self::CalendarWeek => {
                // 1970-01-01 was a Thursday: the first Monday came four days later.
                const WEEK: i64 = 7 * 86_400_000;
                const FIRST: i64 = 4 * 86_400_000 - IST_OFFSET_SECONDS as i64 * 1000;
                let into = changed.as_millis().saturating_sub(FIRST).rem_euclid(WEEK);
                changed.plus_millis(WEEK - into)
            }
        }
    }
}

/// A rule on changes of static IPs. Changes of all apps of an account count together, also those of apps that are
/// deactivated by now.
///
/// ```
/// use preopen_core::Timestamp;
/// use preopen_core::static_ip::{Change, Edit, Entry, Rule};
///
/// let at = |text: &str| Timestamp::parse_rfc3339(text).unwrap();
/// let moved = Edit::new("bot", Entry::Set("8.8.8.8".parse().unwrap()), Entry::Keep);
/// let history = [Change::new(at("2026-11-16T10:00:00+05:30"), moved)];
/// let again = Rule::SAMCO.next_change(&history, at("2026-11-18T10:00:00+05:30"));
/// assert!(!again.allowed);
/// assert_eq!(again.at, Some(at("2026-11-23T10:00:00+05:30")));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rule {
    /// The stable name: `rolling_7_days` or `calendar_week`.
    pub name: &'static str,
    /// How long one change rules out the next.
    pub window: Window,
    /// Whether an address may be registered for one app of the account only.
    pub one_app_per_address: bool,
    /// The rule in a few words, where it is from and how sure it is.
    pub note: &'static str,
}

impl Rule {
    /// Samco's rule.
    pub const SAMCO: Self = Self {
        name: "rolling_7_days",
        window: Window::Rolling(DAY.saturating_mul(7)),
        one_app_per_address: false,
        note: "Samco takes one change in any 7 days per account (its dashboard's page, documented; an error text of its \
               API says calendar week)",
    };

    /// Angel One's rule.
    pub const ANGEL_ONE: Self = Self {
        name: "calendar_week",
        window: Window::CalendarWeek,
        one_app_per_address: true,
        note: "Angel One takes one change in a calendar week (told by a third party, not confirmed; counted here from \
               Monday 00:00 IST)",
    };

    /// The rule of a broker by its name.
    pub fn of(broker: &str) -> Option<Self> {
        match broker {
            "samco" => Some(Self::SAMCO),
            "angelone" => Some(Self::ANGEL_ONE),
            _ => None,
        }
    }

    /// The same with another window, by the name of a rule: where the broker turns out to count in the other way.
    pub fn counting_by(self, name: &str) -> Option<Self> {
        let other = [Self::SAMCO, Self::ANGEL_ONE]
            .into_iter()
            .find(|rule| rule.name == name)?;
        Some(if other.name == self.name {
            self
        } else {
            Self {
                name: other.name,
                window: other.window,
                note: match other.window {
                    Window::Rolling(_) => "one change in any 7 days per account, as you asked to count",
                    Window::CalendarWeek => {
                        "one change between Monday 00:00 IST and the next per account, as you asked to count"
                    }
                },
                ..self
            }
        })
    }

    /// Whether `wanted` may be done at `now`, after everything in `history` (in any order; what is later than `now`
    /// counts as done). Addresses are taken as they are: see [`public_ipv4`](super::public_ipv4).
    ///
    /// Errors: `InvalidInput` (`primary`, `secondary`) for a pair that no broker takes, whenever it is asked.
    pub fn may_change(&self, history: &[Change], now: Timestamp, wanted: &Edit) -> Result<Answer> {
        let (registered, last_counted) = Registered::replay(history);
        let after = registered.after(wanted);
        after.check()?;
        let elsewhere = |address| registered.app_with(address).filter(|app| *app != wanted.app);
        let tied = after.addresses().find_map(|at| Some((at, elsewhere(at)?)));
        if let (true, Some((address, app))) = (self.one_app_per_address, tied) {
            return Ok(Answer {
                allowed: false,
                free: false,
                at: None,
                last_counted,
                reason: format!(
                    "{address} is registered for the app {app:?}: this broker's portal takes an address for one app of \
                     an account only (observed by users)"
                ),
            });
        }
        if !registered.counts(wanted) {
            return Ok(Answer {
                allowed: true,
                free: true,
                at: None,
                last_counted,
                reason:
                    "no address is new to the account and none is deleted: this does not count as a change"
                        .to_owned(),
            });
        }
        Ok(self.answer(last_counted, now))
    }

    /// Whether any change that counts may be done at `now`, and if not, when.
    pub fn next_change(&self, history: &[Change], now: Timestamp) -> Answer {
        self.answer(Registered::replay(history).1, now)
    }

    fn answer(&self, last_counted: Option<Timestamp>, now: Timestamp) -> Answer {
        let next = last_counted
            .map(|last| self.window.next_after(last))
            .filter(|next| now < *next);
        let reason = match (last_counted, next) {
            (None, _) => format!("no change that counts is in the history: {}", self.note),
            (Some(last), None) => format!(
                "the last change that counts was at {}: {}",
                last.to_ist(),
                self.note
            ),
            (Some(last), Some(next)) => format!(
                "the last change that counts was at {}, so the next is possible from {} on: {}",
                last.to_ist(),
                next.to_ist(),
                self.note
            ),
        };
        Answer {
            allowed: next.is_none(),
            free: false,
            at: next,
            last_counted,
            reason,
        }
    }
}

/// What happens to one of an app's two addresses.
///
/// ```
/// use preopen_core::static_ip::{Edit, Entry};
///
/// let edit = Edit::new("bot", Entry::Set("8.8.8.8".parse().unwrap()), Entry::Keep);
/// assert_eq!(edit.secondary, Entry::Keep);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Entry {
    /// It stays as it is.
    #[default]
    Keep,
    /// It is deleted.
    Delete,
    /// It becomes this one.
    Set(Ipv4Addr),
}

/// One operation on the addresses of an app. Both addresses at once are one change.
///
/// ```
/// use preopen_core::static_ip::Edit;
///
/// assert!(Edit::deactivation("bot").deactivated);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Edit {
    /// The app, by whatever name the user has for it.
    pub app: String,
    /// The primary address.
    pub primary: Entry,
    /// The secondary address.
    pub secondary: Entry,
    /// The app was deactivated, which releases its addresses and does not count as a change (inferred).
    pub deactivated: bool,
}

impl Edit {
    /// An operation on the addresses of `app`.
    pub fn new(app: impl Into<String>, primary: Entry, secondary: Entry) -> Self {
        Self {
            app: app.into(),
            primary,
            secondary,
            deactivated: false,
        }
    }

    /// `app` was deactivated.
    pub fn deactivation(app: impl Into<String>) -> Self {
        Self {
            deactivated: true,
            ..Self::new(app, Entry::Keep, Entry::Keep)
        }
    }
}

/// An operation that was done.
///
/// ```
/// use preopen_core::Timestamp;
/// use preopen_core::static_ip::{Change, Edit};
///
/// let change = Change::new(Timestamp::from_seconds(1_790_000_000), Edit::deactivation("bot"));
/// assert_eq!(change.edit.app, "bot");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Change {
    /// When.
    pub at: Timestamp,
    /// What.
    pub edit: Edit,
}

impl Change {
    /// `edit` was done at `at`.
    pub fn new(at: Timestamp, edit: Edit) -> Self {
        Self { at, edit }
    }
}

/// Whether a change may be done now, and if not, when.
///
/// ```
/// use preopen_core::Timestamp;
/// use preopen_core::static_ip::Rule;
///
/// let answer = Rule::SAMCO.next_change(&[], Timestamp::from_seconds(1_790_000_000));
/// assert!(answer.allowed && answer.at.is_none());
/// println!("{}", answer.reason);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Answer {
    /// Whether it may be done now.
    pub allowed: bool,
    /// Whether it does not count as a change: it may be done at any time and rules nothing out.
    pub free: bool,
    /// The first moment at which it may be done, when that is not now; `None` also when waiting does not help.
    pub at: Option<Timestamp>,
    /// The last change in the history that counts.
    pub last_counted: Option<Timestamp>,
    /// Why, for a person.
    pub reason: String,
}

/// The addresses of one app.
#[derive(Clone, Copy, Debug, Default)]
struct Pair {
    primary: Option<Ipv4Addr>,
    secondary: Option<Ipv4Addr>,
}

impl Pair {
    fn addresses(self) -> impl Iterator<Item = Ipv4Addr> {
        self.primary.into_iter().chain(self.secondary)
    }

    fn check(self) -> Result<()> {
        match (self.primary, self.secondary) {
            (None, Some(_)) => Err(Error::invalid_input(
                "primary",
                "is required where a secondary address is registered",
            )),
            (Some(one), Some(other)) if one == other => Err(Error::invalid_input(
                "secondary",
                "must be another address than the primary one",
            )),
            _ => Ok(()),
        }
    }
}

/// The addresses of all apps that are active.
#[derive(Debug, Default)]
struct Registered(BTreeMap<String, Pair>);

impl Registered {
    /// What is registered after these changes, and when the last one was that counts.
    fn replay(history: &[Change]) -> (Self, Option<Timestamp>) {
        let mut done: Vec<&Change> = history.iter().collect();
        done.sort_by_key(|change| change.at);
        let (mut registered, mut last_counted) = (Self::default(), None);
        for change in done {
            if registered.counts(&change.edit) {
                last_counted = Some(change.at);
            }
            registered.apply(&change.edit);
        }
        (registered, last_counted)
    }

    fn before(&self, edit: &Edit) -> Pair {
        self.0.get(&edit.app).copied().unwrap_or_default()
    }

    fn after(&self, edit: &Edit) -> Pair {
        if edit.deactivated {
            return Pair::default();
        }
        let entry = |entry, before| match entry {
            Entry::Keep => before,
            Entry::Delete => None,
            Entry::Set(address) => Some(address),
        };
        let before = self.before(edit);
        Pair {
            primary: entry(edit.primary, before.primary),
            secondary: entry(edit.secondary, before.secondary),
        }
    }

    fn app_with(&self, address: Ipv4Addr) -> Option<&str> {
        let found = self
            .0
            .iter()
            .find(|(_, pair)| pair.addresses().any(|one| one == address));
        found.map(|(app, _)| app.as_str())
    }

    /// A deletion counts, also for an app that the history does not know: it may be older than that. So
    /// does an address that no app of the account has. That a first registration counts too is
    /// inferred: it sets the time of the last update in the reply of Samco's old endpoint.
    fn counts(&self, edit: &Edit) -> bool {
        if edit.deactivated {
            return false;
        }
        let (before, after) = (self.before(edit), self.after(edit));
        let known = self.0.contains_key(&edit.app);
        let deleted = |entry, before: Option<_>| entry == Entry::Delete && (before.is_some() || !known);
        deleted(edit.primary, before.primary)
            || deleted(edit.secondary, before.secondary)
            || after.addresses().any(|address| self.app_with(address).is_none())
    }

    fn apply(&mut self, edit: &Edit) {
        let after = self.after(edit);
        self.0.insert(edit.app.clone(), after);
    }
}
