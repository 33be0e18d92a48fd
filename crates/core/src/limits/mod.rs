//! How many calls a broker takes: groups of calls that it counts together, as data, what a user sets instead, and
//! which answers to a read are worth another try.

mod window;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

pub use window::{Ticket, Window};

use crate::broker::Policy;
use crate::error::{Error, ErrorKind, Result};
use crate::lifecycle::share_of;
use crate::wire::{Method, plain_path};

/// The most calls in any second, minute and hour; what is not named has no limit.
///
/// ```
/// use preopen_core::limits::Rates;
///
/// assert_eq!(Rates::each(9, 500, 1000).per_minute, Some(500));
/// assert_eq!(Rates::per_second(1).and_per_hour(100).per_hour, Some(100));
/// assert!(Rates::NONE.is_none());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rates {
    /// In any second.
    pub per_second: Option<u32>,
    /// In any minute.
    pub per_minute: Option<u32>,
    /// In any hour.
    pub per_hour: Option<u32>,
}

impl Rates {
    /// No limit.
    pub const NONE: Self = Self::new(None, None, None);

    const fn new(per_second: Option<u32>, per_minute: Option<u32>, per_hour: Option<u32>) -> Self {
        Self {
            per_second,
            per_minute,
            per_hour,
        }
    }

    /// So many in any second and no other limit.
    pub const fn per_second(calls: u32) -> Self {
        Self::new(Some(calls), None, None)
    }

    /// So many in any second, minute and hour.
    pub const fn each(second: u32, minute: u32, hour: u32) -> Self {
        Self::new(Some(second), Some(minute), Some(hour))
    }

    /// So many in any hour, too.
    pub const fn and_per_hour(mut self, calls: u32) -> Self {
        self.per_hour = Some(calls);
        self
    }

    /// Whether there is no limit at all.
    pub fn is_none(self) -> bool {
        self == Self::NONE
    }

    /// Every limit that there is, with the time that it holds for.
    pub(crate) fn spans(self) -> impl Iterator<Item = (usize, Duration)> {
        let all = [(self.per_second, 1), (self.per_minute, 60), (self.per_hour, 3600)];
        all.into_iter().filter_map(|(calls, seconds)| {
            Some((
                usize::try_from(calls?).unwrap_or(usize::MAX),
                Duration::from_secs(seconds),
            ))
        })
    }
}

impl std::fmt::Display for Rates {
    /// `9 a second, 500 a minute, 1000 an hour`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let all = [
            (self.per_second, "a second"),
            (self.per_minute, "a minute"),
            (self.per_hour, "an hour"),
        ];
        let mut between = "";
        for (calls, span) in all {
            if let Some(calls) = calls {
                write!(f, "{between}{calls} {span}")?;
                between = ", ";
            }
        }
        f.write_str(if between.is_empty() { "no limit" } else { "" })
    }
}

/// Calls that a broker counts together.
#[derive(Debug)]
#[non_exhaustive]
pub struct LimitGroup {
    /// What the group is called in settings and errors.
    pub name: &'static str,
    /// Its calls; a path that ends in `*` is a beginning.
    pub calls: &'static [(Method, &'static str)],
    /// The broker's own limit.
    pub rates: Rates,
}

impl LimitGroup {
    /// A group with the broker's limit.
    pub const fn new(name: &'static str, calls: &'static [(Method, &'static str)], rates: Rates) -> Self {
        Self { name, calls, rates }
    }

    /// Whether a call is one of these; its path is given as it was written and plain.
    fn holds(&self, method: Method, path: &str, plain: &str) -> bool {
        self.calls.iter().any(|(wanted, known)| {
            *wanted == method
                && known.strip_suffix('*').map_or_else(
                    || plain.eq_ignore_ascii_case(known),
                    |start| {
                        path.get(..start.len())
                            .is_some_and(|head| head.eq_ignore_ascii_case(start))
                    },
                )
        })
    }
}

/// The group of every call that the broker's table does not name.
pub const OTHER: &str = "other";

/// The number of the group of a call; calls that the table does not name come after the last.
pub fn group_of(groups: &[LimitGroup], method: Method, path: &str) -> usize {
    let plain = plain_path(path);
    groups
        .iter()
        .position(|group| group.holds(method, path, &plain))
        .unwrap_or(groups.len())
}

/// The name of a group by its number.
pub fn group_name(groups: &[LimitGroup], number: usize) -> &'static str {
    groups.get(number).map_or(OTHER, |group| group.name)
}

/// The most that a limit may allow: each call is remembered until its window has passed.
const MOST: u32 = 100_000;

/// A user's own limits, by group: they take the place of the broker's.
///
/// ```
/// use preopen_core::limits::RateLimits;
/// let limits = RateLimits::new().per_second("orders", 5).per_hour("orders", 200).unlimited("other");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RateLimits(BTreeMap<String, Own>);

/// What a user says of one group: absent is the broker's own, null is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(clippy::struct_field_names, reason = "the names that users write")]
struct Own {
    per_second: Said,
    per_minute: Said,
    per_hour: Said,
}

/// What a user says of one limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "Option<u32>")]
enum Said {
    /// Nothing: the broker's own holds.
    #[default]
    Nothing,
    NoLimit,
    AtMost(u32),
}

impl From<Option<u32>> for Said {
    fn from(calls: Option<u32>) -> Self {
        calls.map_or(Self::NoLimit, Self::AtMost)
    }
}

impl Said {
    /// Instead of the broker's.
    fn or(self, broker: Option<u32>) -> Option<u32> {
        match self {
            Self::Nothing => broker,
            Self::NoLimit => None,
            Self::AtMost(calls) => Some(calls),
        }
    }
}

impl RateLimits {
    /// None: the broker's own hold.
    pub fn new() -> Self {
        Self::default()
    }

    /// At most so many calls of the group in any second.
    pub fn per_second(self, group: &str, calls: u32) -> Self {
        self.edit(group, |own| own.per_second = Said::AtMost(calls))
    }

    /// At most so many calls of the group in any minute.
    pub fn per_minute(self, group: &str, calls: u32) -> Self {
        self.edit(group, |own| own.per_minute = Said::AtMost(calls))
    }

    /// At most so many calls of the group in any hour.
    pub fn per_hour(self, group: &str, calls: u32) -> Self {
        self.edit(group, |own| own.per_hour = Said::AtMost(calls))
    }

    /// No limit for the group, not even the broker's. It still pauses when the broker says that there were too many.
    pub fn unlimited(self, group: &str) -> Self {
        let none = Said::NoLimit;
        self.edit(group, |own| {
            *own = Own {
                per_second: none,
                per_minute: none,
                per_hour: none,
            };
        })
    }

    fn edit(mut self, group: &str, edit: impl FnOnce(&mut Own)) -> Self {
        edit(self.0.entry(group.to_owned()).or_default());
        self
    }

    /// Reads JSON such as `{"orders": {"per_second": 5, "per_hour": null}}`: a limit that is not named stays the broker's,
    /// and null is none. Errors: `InvalidInput` (`rate_limits`).
    pub fn from_json(text: &str) -> Result<Self> {
        serde_json::from_str(text).map(Self).map_err(|error| {
            let problem = error.to_string();
            let problem = problem.split(" at line ").next().unwrap_or_default();
            refused(&format!(
                "must name groups of calls, each with per_second, per_minute or per_hour as whole numbers: {problem}"
            ))
        })
    }

    /// The limits of every group of this broker, the group [`OTHER`] last. Errors: `InvalidInput` (`rate_limits`).
    pub fn on(&self, policy: &Policy) -> Result<Vec<Rates>> {
        let known = || policy.limits.iter().map(|group| group.name).chain([OTHER]);
        let mut rates: Vec<Rates> = policy.limits.iter().map(|group| group.rates).collect();
        rates.push(Rates::NONE);
        for (name, own) in &self.0 {
            let Some(at) = known().position(|group| group == name) else {
                let names: Vec<_> = known().collect();
                return Err(refused(&format!(
                    "names a group that {} does not have: it has {}",
                    policy.broker,
                    names.join(", ")
                )));
            };
            let all = [own.per_second, own.per_minute, own.per_hour];
            let bad = |said: &Said| matches!(said, Said::AtMost(calls) if *calls == 0 || *calls > MOST);
            if all.iter().any(bad) {
                return Err(refused(&format!(
                    "must be from 1 to {MOST} calls; null is no limit"
                )));
            }
            let rate = &mut rates[at];
            rate.per_second = own.per_second.or(rate.per_second);
            rate.per_minute = own.per_minute.or(rate.per_minute);
            rate.per_hour = own.per_hour.or(rate.per_hour);
        }
        Ok(rates)
    }
}

fn refused(problem: &str) -> Error {
    Error::invalid_input("rate_limits", problem)
}

/// An answer that is likely another one a moment later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Transient {
    /// A gateway's HTTP status.
    Status(u16),
    /// The broker's own code.
    Code(&'static str),
}

/// A gateway that could not reach the broker's service, or not in time.
pub const GATEWAY: &[Transient] = &[
    Transient::Status(502),
    Transient::Status(503),
    Transient::Status(504),
];

/// How often a read is repeated after answers that the table lists.
pub const REPEATS: u32 = 2;

/// The wait before a read is repeated for the `repeat`th time (from 0): what the answer asked for, else 200 ms, twice as
/// long each time, of which `seed` takes up to a half away. `None` when the table does not list the answer, or the read
/// was repeated enough.
pub fn repeats_after(table: &[Transient], error: &Error, repeat: u32, seed: u64) -> Option<Duration> {
    let context = error.context();
    let listed = table.iter().any(|one| match *one {
        Transient::Status(status) => context.http_status == Some(status),
        Transient::Code(code) => context
            .broker_code
            .as_deref()
            .is_some_and(|said| said.eq_ignore_ascii_case(code)),
    });
    if error.kind() != ErrorKind::BrokerUnavailable || !listed || repeat >= REPEATS {
        return None;
    }
    let wait = Duration::from_millis(200) * 2_u32.pow(repeat);
    Some(
        context
            .retry_after
            .unwrap_or_else(|| wait.saturating_sub(share_of(wait / 2, seed, repeat))),
    )
}

#[cfg(test)]
mod tests {
    use super::{GATEWAY, OTHER, REPEATS, RateLimits, Rates, Transient, group_name, group_of, repeats_after};
    use crate::broker::{Adapter as _, Policy};
    use crate::brokers::{AngelOne, Samco};
    use crate::error::{Error, ErrorKind};
    use crate::wire::Method;
    use std::time::Duration;

    fn smartapi() -> &'static Policy {
        AngelOne::new("k", "C", "0000", "JBSWY3DPEHPK3PXPJBSWY3DPEH").policy()
    }

    fn rates(limits: &RateLimits, policy: &Policy, group: &str) -> Rates {
        let groups = policy.limits;
        let at = (0..=groups.len()).find(|&at| group_name(groups, at) == group);
        limits.on(policy).unwrap()[at.unwrap()]
    }

    #[test]
    fn placing_modifying_and_cancelling_are_counted_together() {
        let groups = smartapi().limits;
        let group = |method, path: &str| group_name(groups, group_of(groups, method, path));
        let order = |name: &str| format!("/rest/secure/angelbroking/order/v1/{name}");
        for name in [
            "placeOrder",
            "modifyOrder",
            "cancelOrder",
            "PLACEORDER",
            "placeOrder/",
        ] {
            assert_eq!(group(Method::Post, &order(name)), "orders", "{name}");
        }
        assert_eq!(group(Method::Get, &order("details/1-2-3")), "order_details");
        assert_eq!(group(Method::Get, &order("placeOrder")), OTHER);
        assert_eq!(group(Method::Get, "/x"), OTHER);
        assert_eq!(
            rates(&RateLimits::new(), smartapi(), "orders"),
            Rates::each(9, 500, 1000)
        );
    }

    #[test]
    fn no_call_is_in_two_groups() {
        for policy in [smartapi(), Samco::new("k", "s").policy()] {
            let mut calls: Vec<_> = policy.limits.iter().flat_map(|group| group.calls).collect();
            let all = calls.len();
            calls.sort_by_key(|(method, path)| (method.as_str(), *path));
            calls.dedup();
            assert_eq!(calls.len(), all, "{}", policy.broker);
        }
    }

    #[test]
    fn own_limits_take_the_place_of_the_broker_s() {
        let samco = Samco::new("k", "s").policy();
        assert!(
            RateLimits::new()
                .on(samco)
                .unwrap()
                .iter()
                .all(|rates| rates.is_none())
        );
        let own = RateLimits::new().per_second("orders", 5);
        assert_eq!(rates(&own, samco, "orders"), Rates::per_second(5));
        assert_eq!(rates(&own, smartapi(), "orders"), Rates::each(5, 500, 1000));
        let own =
            RateLimits::from_json(r#"{"orders": {"per_minute": null}, "other": {"per_hour": 3}}"#).unwrap();
        assert_eq!(
            rates(&own, smartapi(), "orders"),
            Rates::per_second(9).and_per_hour(1000)
        );
        assert_eq!(rates(&own, smartapi(), OTHER), Rates::NONE.and_per_hour(3));
        assert_eq!(
            rates(&RateLimits::new().unlimited("orders"), smartapi(), "orders"),
            Rates::NONE
        );
    }

    #[test]
    fn bad_limits_are_refused_by_name() {
        for bad in [
            "[]",
            "{\"orders\": 3}",
            "{\"orders\": {\"per_day\": 3}}",
            "{\"orders\": {\"per_second\": 1.5}}",
            "{\"orders\": {\"per_second\": -1}}",
            "{\"orders\": {\"per_second\": 0}}",
            "{\"orders\": {\"per_second\": 100001}}",
            "{\"no such group\": {\"per_second\": 1}}",
        ] {
            let error = RateLimits::from_json(bad)
                .and_then(|own| own.on(smartapi()))
                .unwrap_err();
            assert_eq!(error.field(), Some("rate_limits"), "{bad}: {error}");
        }
    }

    #[test]
    fn the_documents_name_every_limit() {
        let page = include_str!("../../../../docs/calls.md");
        let cell = |calls: Option<u32>| calls.map_or_else(|| "-".to_owned(), |calls| calls.to_string());
        let rates = smartapi().limits.iter().map(|group| (group.name, group.rates));
        for (name, rates) in rates.chain([(OTHER, Rates::NONE)]) {
            let line = page
                .lines()
                .find(|line| line.starts_with(&format!("| `{name}` |")));
            let ending = [rates.per_second, rates.per_minute, rates.per_hour]
                .map(cell)
                .join(" | ");
            assert!(
                line.is_some_and(|line| line.ends_with(&format!("| {ending} |"))),
                "{name}: {ending}"
            );
        }
    }

    #[test]
    fn rates_read_well() {
        assert_eq!(
            Rates::each(9, 500, 1000).to_string(),
            "9 a second, 500 a minute, 1000 an hour"
        );
        assert_eq!(Rates::NONE.to_string(), "no limit");
    }

    #[test]
    fn only_listed_answers_are_worth_another_try_and_only_a_few() {
        let error = |kind, status, code: Option<&str>| {
            Error::new(kind, "x").with(|context| {
                context.http_status = Some(status);
                context.broker_code = code.map(str::to_owned);
            })
        };
        let table = [GATEWAY, &[Transient::Code("AB2001")]].concat();
        let after = |error: &Error, repeat| repeats_after(&table, error, repeat, 7);
        let gateway = error(ErrorKind::BrokerUnavailable, 502, None);
        for repeat in 0..REPEATS {
            let wait = after(&gateway, repeat).unwrap();
            let most = Duration::from_millis(200 << repeat);
            assert!(wait <= most && wait >= most / 2, "{wait:?}");
        }
        assert_eq!(after(&gateway, REPEATS), None);
        assert!(after(&error(ErrorKind::BrokerUnavailable, 200, Some("ab2001")), 0).is_some());
        assert_eq!(after(&error(ErrorKind::BrokerUnavailable, 500, None), 0), None);
        assert_eq!(after(&error(ErrorKind::BrokerUnavailable, 200, None), 0), None);
        assert_eq!(after(&error(ErrorKind::OutcomeUnknown, 502, None), 0), None);
        assert_eq!(after(&error(ErrorKind::RateLimited, 503, None), 0), None);
        let asked = gateway.with(|context| context.retry_after = Some(Duration::from_secs(4)));
        assert_eq!(after(&asked, 0), Some(Duration::from_secs(4)));
    }
}
