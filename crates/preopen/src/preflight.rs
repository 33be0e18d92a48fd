//! `Session::preflight`: can this host place orders now? It looks at everything that can be known without an order, and
//! makes a finding of what fails, with what to do.

use std::sync::atomic::{AtomicI64, Ordering};

use preopen_core::broker::ProfileSource;
use preopen_core::clock::{Now, Timestamp};
use preopen_core::expiry::DailyBoundary;
use preopen_core::skew::Skew;
use preopen_core::static_ip::{Addresses, Family, NetworkPath, Verdict, WhoAmI};
use preopen_core::{Error, ErrorKind};

use crate::session::Session;
use crate::shared::{is_unclaimed, look};

/// When trading in equities ends at NSE and BSE; commodities go on into the evening, and holidays are not known here.
const MARKET_CLOSE: DailyBoundary = DailyBoundary::at(15, 30);

/// What came of one check.
///
/// ```
/// use preopen::CheckStatus;
///
/// let texts: Vec<&str> = CheckStatus::ALL.iter().map(|status| status.as_str()).collect();
/// assert_eq!(texts, ["pass", "warn", "fail", "unknown"]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CheckStatus {
    /// All is well.
    Pass,
    /// Orders can be placed, but something should be looked at.
    Warn,
    /// Orders cannot be placed.
    Fail,
    /// It cannot be told from here.
    Unknown,
}

impl CheckStatus {
    /// Every status, in the order of the documentation.
    pub const ALL: &'static [Self] = &[Self::Pass, Self::Warn, Self::Fail, Self::Unknown];

    /// `pass`, `warn`, `fail` or `unknown`, the same in every language.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::Unknown => "unknown",
        }
    }
}

/// One finding. It holds no secret.
///
/// ```
/// use preopen::{Check, CheckStatus};
///
/// let check = Check::new("network", CheckStatus::Warn, "leaves through a proxy").with_fix("name the proxy");
/// assert_eq!((check.name, check.fix.as_deref()), ("network", Some("name the proxy")));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Check {
    /// What was looked at: `session`, `broker`, `static_ip`, `clock`, `session_end`, `network` or `store`.
    pub name: &'static str,
    /// What came of it.
    pub status: CheckStatus,
    /// One line for a person.
    pub message: String,
    /// What to do about it.
    pub fix: Option<String>,
    /// The error behind it.
    pub error: Option<Error>,
}

impl Check {
    /// A finding without an error.
    pub fn new(name: &'static str, status: CheckStatus, message: impl Into<String>) -> Self {
        Self {
            name,
            status,
            message: message.into(),
            fix: None,
            error: None,
        }
    }

    /// The same, with what to do about it.
    #[must_use]
    pub fn with_fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }

    fn of_error(name: &'static str, status: CheckStatus, error: &Error) -> Self {
        Self {
            fix: fix_of(error),
            error: Some(error.clone()),
            ..Self::new(name, status, error.message())
        }
    }

    fn unchecked(name: &'static str) -> Self {
        Self::new(
            name,
            CheckStatus::Unknown,
            "not checked, since an earlier check failed",
        )
    }
}

/// Whether this host can place orders now.
///
/// ```no_run
/// # async fn example(session: preopen::Session) -> preopen::Result<()> {
/// let found = session.preflight().await.strict();   // what nobody knows counts as an obstacle
/// if let Some(obstacle) = found.obstacle() {
///     eprintln!("{}: {} {:?}", obstacle.name, obstacle.message, obstacle.fix);
/// }
/// println!("{:?}", found.check("static_ip").map(|check| check.status));
/// if let Some(path) = session.network_path() {
///     println!("{path:?}");
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Preflight {
    /// The broker's name.
    pub broker: &'static str,
    /// When it was looked at, by the session's clock.
    pub at: Timestamp,
    /// Whether no check failed; after [`Preflight::strict`], whether every check passed.
    pub ready: bool,
    /// What was found, in the order in which things are needed.
    pub checks: Vec<Check>,
    /// The addresses, where the broker tells them.
    pub addresses: Option<Addresses>,
}

impl Preflight {
    /// The same, ready only if every check passed. SmartAPI never is: it has no call that tells which address it sees.
    #[must_use]
    pub fn strict(mut self) -> Self {
        self.ready = self.checks.iter().all(|check| check.status == CheckStatus::Pass);
        self
    }

    /// The first finding that stands in the way; `None` when ready.
    pub fn obstacle(&self) -> Option<&Check> {
        if self.ready {
            return None;
        }
        let first = |failed: bool| {
            self.checks.iter().find(|check| {
                (check.status == CheckStatus::Fail) == failed && check.status != CheckStatus::Pass
            })
        };
        first(true).or_else(|| first(false))
    }

    /// The finding of this name.
    pub fn check(&self, name: &str) -> Option<&Check> {
        self.checks.iter().find(|check| check.name == name)
    }
}

impl Session {
    /// Whether this host can place orders now, before 09:15 IST rather than at the first order. It makes sure of a session
    /// (and logs in if there is none), asks the broker which address it sees where it can tell, and looks at the clock,
    /// the session's end, the network path and the store. No order is sent, and nothing is an error: what fails is a
    /// finding with the error in it.
    ///
    /// SmartAPI has no call that tells which address it sees (documented): that check is `Unknown`, and the answer is ready
    /// all the same unless [`Preflight::strict`] is asked for.
    ///
    /// ```no_run
    /// # async fn example(session: preopen::Session) {
    /// let preflight = session.preflight().await;
    /// for check in &preflight.checks {
    ///     println!("{} {} {}", check.status.as_str(), check.name, check.message);
    /// }
    /// # }
    /// ```
    pub async fn preflight(&self) -> Preflight {
        let mut checks = Vec::with_capacity(7);
        let session = match self.record().await {
            Ok(record) => {
                let ends = record.expiry.at();
                let message = format!("live until {} (login {})", ends.to_ist(), record.generation);
                checks.push(Check::new("session", CheckStatus::Pass, message));
                Some(ends)
            }
            Err(error) => {
                checks.push(Check::of_error("session", CheckStatus::Fail, &error));
                None
            }
        };
        let who = if session.is_some() {
            self.ask_broker(&mut checks).await
        } else {
            checks.extend(["broker", "static_ip"].map(Check::unchecked));
            None
        };
        checks.push(clock_check(self.inner.clock_seen.get()));
        // A refused token may have been renewed meanwhile.
        let ends = session.map(|ends| self.state().expiry.map_or(ends, |expiry| expiry.at()));
        let at = self.inner.clock.now().wall;
        checks.push(ends.map_or_else(|| Check::unchecked("session_end"), |ends| end_check(ends, at)));
        checks.push(network_check(
            self.inner.path(),
            who.as_ref().map(|who| who.verdict),
        ));
        checks.push(self.store_check().await);
        Preflight {
            broker: self.broker(),
            at,
            ready: checks.iter().all(|check| check.status != CheckStatus::Fail),
            checks,
            addresses: who.map(|who| who.addresses),
        }
    }

    /// How requests leave this host by the session's settings. Nothing is sent.
    ///
    /// ```no_run
    /// # async fn example(session: preopen::Session) -> preopen::Result<()> {
    /// println!("{:?}", session.network_path());
    /// # Ok(()) }
    /// ```
    pub fn network_path(&self) -> Option<NetworkPath> {
        self.inner.path()
    }

    /// Whether the lock of the store can be had; `None` without a store. For `preopen doctor`.
    #[doc(hidden)]
    pub async fn lock_check(&self) -> Option<Check> {
        let name = "lock";
        Some(match is_unclaimed(&self.inner).await? {
            Ok(true) => Check::new(
                name,
                CheckStatus::Pass,
                "the store's lock works, and no program is logging in",
            ),
            Ok(false) => Check::new(
                name,
                CheckStatus::Warn,
                "another program is logging in, or holds the store's lock",
            )
            .with_fix("look again in a few seconds; a lock that stays belongs to a program that hangs"),
            Err(error) => Check::of_error(name, CheckStatus::Warn, &error),
        })
    }

    /// Whether the broker takes the token, and which address it sees.
    async fn ask_broker(&self, checks: &mut Vec<Check>) -> Option<WhoAmI> {
        let adapter = self.adapter();
        let answered = |by: &str| Check::new("broker", CheckStatus::Pass, format!("{by} was answered"));
        if adapter.whoami().is_none() {
            checks.push(match adapter.profile() {
                ProfileSource::Call(_) => match self.profile().await {
                    Ok(_) => answered("the profile"),
                    Err(error) => Check::of_error("broker", CheckStatus::Fail, &error),
                },
                ProfileSource::Login => Check::new(
                    "broker",
                    CheckStatus::Unknown,
                    "there is no call that asks without a change",
                ),
            });
            let message = self
                .whoami()
                .await
                .map_or_else(|error| error.message().to_owned(), |who| who.message);
            checks.push(Check::new("static_ip", CheckStatus::Unknown, message));
            return None;
        }
        let who = match self.whoami().await {
            Ok(who) => who,
            Err(error) => {
                // A limit says nothing against an order.
                let limited = error.kind() == ErrorKind::RateLimited;
                let status = if limited {
                    CheckStatus::Unknown
                } else {
                    CheckStatus::Fail
                };
                checks.push(Check::of_error("broker", status, &error));
                checks.push(Check::unchecked("static_ip"));
                return None;
            }
        };
        checks.push(answered("whoami"));
        let (status, what) = match who.verdict {
            Verdict::Match(_) => (CheckStatus::Pass, "orders from here are accepted"),
            Verdict::Mismatch | Verdict::Unregistered => {
                (CheckStatus::Fail, "orders from here will be refused")
            }
            _ => (
                CheckStatus::Unknown,
                "whether orders from here are accepted is not told",
            ),
        };
        let mut check = Check::new("static_ip", status, format!("{}: {what}", who.addresses));
        check.fix = who.addresses.fix();
        if status == CheckStatus::Fail {
            check.error = Some(preopen_core::lifecycle::mismatch(&who.addresses));
        }
        checks.push(check);
        Some(who)
    }

    /// Whether the store can be used. A live session is served without it, so that this alone stops no order.
    async fn store_check(&self) -> Check {
        match (self.store(), look(&self.inner).await) {
            (Some(store), Some(Ok(_))) => Check::new("store", CheckStatus::Pass, store),
            (_, Some(Err(error))) => Check::of_error("store", CheckStatus::Warn, &error),
            _ => Check::new(
                "store",
                CheckStatus::Pass,
                "none: the session belongs to this program alone",
            ),
        }
    }
}

fn clock_check(seen: Option<Skew>) -> Check {
    match seen {
        None => Check::new(
            "clock",
            CheckStatus::Unknown,
            "no reply of the broker told its time",
        ),
        Some(skew) if skew.is_suspect() => Check::new(
            "clock",
            CheckStatus::Warn,
            format!("this machine's clock is {skew}"),
        )
        .with_fix(
            "set the clock by NTP (chrony, systemd-timesyncd): one-time codes and the daily end depend on it",
        ),
        Some(skew) if skew == Skew::default() => Check::new(
            "clock",
            CheckStatus::Pass,
            "this machine's clock agrees with the broker's",
        ),
        Some(skew) => Check::new(
            "clock",
            CheckStatus::Pass,
            format!("this machine's clock is {skew}"),
        ),
    }
}

fn end_check(ends: Timestamp, now: Timestamp) -> Check {
    let told = format!("the session ends at {}", ends.to_ist());
    let close = MARKET_CLOSE.next_after(now);
    let pass = |what: &str| Check::new("session_end", CheckStatus::Pass, format!("{told}, {what}"));
    if close.format_ist("%F") != now.format_ist("%F") {
        return pass("and the equity market has closed for today");
    }
    if ends >= close {
        return pass(&format!("after the equity market's close at {MARKET_CLOSE}"));
    }
    let message = format!("{told}, before the equity market's close at {MARKET_CLOSE}");
    Check::new("session_end", CheckStatus::Warn, message)
        .with_fix("look again after that end: the next call logs in anew, with keep_warm without being asked")
}

/// A proxy whose address the broker accepts is no reason to warn.
fn network_check(path: Option<NetworkPath>, verdict: Option<Verdict>) -> Check {
    let Some(path) = path else {
        return Check::new(
            "network",
            CheckStatus::Unknown,
            "the transport does not tell how requests leave",
        );
    };
    if let Some(proxy) = &path.proxy {
        let whose = if proxy.from_system {
            "the system's settings"
        } else {
            "the session's settings"
        };
        let through = format!("requests go through the proxy {} of {whose}", proxy.authority);
        if matches!(verdict, Some(Verdict::Match(_))) {
            let message = format!("{through}, and the broker accepts the address that it sees");
            return Check::new("network", CheckStatus::Pass, message);
        }
        let fix = if proxy.from_system {
            "except the broker's host with NO_PROXY, or register the proxy's address"
        } else {
            "leave the proxy out, or register its address"
        };
        let message = format!("{through}: the broker sees its address, not this host's");
        return Check::new("network", CheckStatus::Warn, message).with_fix(fix);
    }
    let from = path.source_ip.map_or_else(
        || "the address that the system chooses".to_owned(),
        |address| address.to_string(),
    );
    match path.family {
        Family::V4 => Check::new(
            "network",
            CheckStatus::Pass,
            format!("requests leave by IPv4, from {from}"),
        ),
        family => {
            let by = if family == Family::V6 {
                "IPv6"
            } else {
                "IPv4 or IPv6, as the system likes"
            };
            Check::new(
                "network",
                CheckStatus::Warn,
                format!("requests leave by {by}, from {from}"),
            )
            .with_fix("keep ip_version at 4: brokers register IPv4 addresses")
        }
    }
}

/// What to do about an error.
fn fix_of(error: &Error) -> Option<String> {
    Some(match error.kind() {
        ErrorKind::InvalidInput => match error.field() {
            Some("session") => "make a new session: this one is closed".to_owned(),
            Some(field) => format!("correct {field}"),
            None => return None,
        },
        ErrorKind::CredentialsRejected => {
            let which = error
                .context()
                .credential
                .map_or("unknown", preopen_core::error::Credential::as_str);
            let which = if which == "unknown" { "credentials" } else { which };
            format!("correct the {which}; no login is sent until they change, or reset() is called")
        }
        ErrorKind::AccountActionRequired => "do at the broker what it asks for, then call reset()".to_owned(),
        ErrorKind::LoginRequired | ErrorKind::SessionExpired => {
            "log in again, where a person can answer".to_owned()
        }
        ErrorKind::StaticIpMismatch => {
            "register this host's address with the broker, or use a host that is registered".to_owned()
        }
        ErrorKind::RateLimited => "wait, then look again".to_owned(),
        ErrorKind::Timeout | ErrorKind::Network => {
            "see whether this host reaches the broker: name service, firewall, proxy".to_owned()
        }
        ErrorKind::BrokerUnavailable | ErrorKind::MalformedResponse | ErrorKind::BrokerRejected => {
            "look again in a minute; if it stays, ask the broker with the message above".to_owned()
        }
        ErrorKind::StoreUnavailable => "see to the store: its address, its rights, its server".to_owned(),
        _ => return None,
    })
}

/// The difference between this machine's clock and the broker's, as the last reply with a `Date` told.
#[derive(Debug)]
pub(crate) struct ClockSeen(AtomicI64);

impl Default for ClockSeen {
    fn default() -> Self {
        Self(AtomicI64::new(Self::NEVER))
    }
}

impl ClockSeen {
    const NEVER: i64 = i64::MIN;

    pub(crate) fn note(&self, date: Option<Timestamp>, sent: Now, received: Now) {
        if let Some(skew) = date.and_then(|date| Skew::estimate(date, sent, received)) {
            self.0.store(skew.as_millis(), Ordering::Relaxed);
        }
    }

    fn get(&self) -> Option<Skew> {
        let millis = self.0.load(Ordering::Relaxed);
        (millis != Self::NEVER).then(|| Skew::from_millis(millis))
    }
}

#[cfg(test)]
mod tests {
    use super::{CheckStatus, end_check, network_check};
    use preopen_core::clock::Timestamp;
    use preopen_core::static_ip::{Family, NetworkPath, Proxy, Slot, Verdict};

    #[test]
    fn the_end_is_compared_with_today_s_close() {
        let at = |text: &str| Timestamp::parse_rfc3339(text).unwrap();
        let status = |now, ends| end_check(at(ends), at(now)).status;
        let eight = "2026-11-24T08:00:00+05:30";
        assert_eq!(status("2026-11-23T08:05:00+05:30", eight), CheckStatus::Pass);
        assert_eq!(status("2026-11-24T07:00:00+05:30", eight), CheckStatus::Warn);
        assert_eq!(
            status("2026-11-23T15:29:59+05:30", "2026-11-23T15:30:00+05:30"),
            CheckStatus::Pass
        );
        assert_eq!(
            status("2026-11-23T15:29:59+05:30", "2026-11-23T15:29:59.999+05:30"),
            CheckStatus::Warn
        );
        assert_eq!(
            status("2026-11-23T15:30:00+05:30", "2026-11-23T16:00:00+05:30"),
            CheckStatus::Pass
        );
        assert_eq!(
            status("2026-11-23T23:50:00+05:30", "2026-11-24T00:00:00+05:30"),
            CheckStatus::Pass
        );
    }

    #[test]
    fn a_path_that_changes_the_address_is_told() {
        let status = |path: &NetworkPath, verdict| network_check(Some(path.clone()), verdict).status;
        let mut path = NetworkPath::new(Family::V4);
        assert_eq!(status(&path, None), CheckStatus::Pass);
        path.proxy = Some(Proxy::new(true, "10.0.0.1:3128"));
        assert_eq!(status(&path, None), CheckStatus::Warn);
        assert_eq!(status(&path, Some(Verdict::Mismatch)), CheckStatus::Warn);
        assert_eq!(
            status(&path, Some(Verdict::Match(Slot::Primary))),
            CheckStatus::Pass
        );
        let told = network_check(Some(path), None);
        assert!(
            told.message.contains("10.0.0.1:3128 of the system's settings"),
            "{told:?}"
        );
        assert!(told.fix.unwrap().contains("NO_PROXY"));
        for family in [Family::V6, Family::Any] {
            assert_eq!(
                status(&NetworkPath::new(family), Some(Verdict::Match(Slot::Primary))),
                CheckStatus::Warn
            );
        }
        assert_eq!(network_check(None, None).status, CheckStatus::Unknown);
    }
}
