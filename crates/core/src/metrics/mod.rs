//! Metrics: their names, their closed sets of labels, and the counters themselves. Whose they are and when something is
//! counted is decided in `preopen`; how they are written for Prometheus is in `text`.

mod histogram;
mod text;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

pub use histogram::BOUNDS;
use histogram::Histogram;
pub use text::to_text;

use crate::audit::{Action, Entry, Outcome, Why};
use crate::error::text_enum;

text_enum! {
    /// What kind of number a metric is.
    Kind {
        /// It only grows, until the process ends.
        Counter = "counter",
        /// It goes up and down.
        Gauge = "gauge",
        /// How often something took how long.
        Histogram = "histogram",
    }
}

/// What is measured.
#[derive(Debug, PartialEq, Eq)]
pub struct Family {
    /// The name, the same everywhere.
    pub name: &'static str,
    /// What kind of number it is.
    pub kind: Kind,
    /// The unit: `s` for seconds, or a word for what is counted.
    pub unit: &'static str,
    /// One line for a person.
    pub help: &'static str,
}

const fn counter(name: &'static str, unit: &'static str, help: &'static str) -> Family {
    Family {
        name,
        kind: Kind::Counter,
        unit,
        help,
    }
}

const fn gauge(name: &'static str, unit: &'static str, help: &'static str) -> Family {
    Family {
        name,
        kind: Kind::Gauge,
        unit,
        help,
    }
}

/// Logins by broker, reason and outcome.
pub static LOGINS: Family = counter(
    "preopen_logins_total",
    "{login}",
    "Logins that were sent to the broker, or that the session store kept from being sent.",
);
/// Uses of a refresh token by broker and outcome.
pub static RENEWALS: Family = counter(
    "preopen_renewals_total",
    "{renewal}",
    "Sessions that were renewed with a refresh token, or were to be.",
);
/// Refusals by broker and kind.
pub static REFUSALS: Family = counter(
    "preopen_refusals_total",
    "{refusal}",
    "Logins and calls that the broker refused for good: credentials, account, address.",
);
/// Logouts by broker and outcome.
pub static LOGOUTS: Family = counter(
    "preopen_logouts_total",
    "{logout}",
    "Sessions that were ended at the broker.",
);
/// Calls by broker and outcome.
pub static CALLS: Family = counter(
    "preopen_calls_total",
    "{call}",
    "Calls to the broker's API, each counted once however often it was repeated.",
);
/// How long callers waited for a token.
pub static LOGIN_WAIT: Family = Family {
    name: "preopen_login_wait_seconds",
    kind: Kind::Histogram,
    unit: "s",
    help: "How long callers waited for a login, those who found a live token not counted.",
};
/// The age of the oldest live token.
pub static TOKEN_AGE: Family = gauge("preopen_token_age_seconds", "s", "Age of the oldest live token.");
/// How many sessions are live.
pub static LIVE_SESSIONS: Family = gauge(
    "preopen_live_sessions",
    "{session}",
    "Session objects with a live token.",
);

/// Every metric of a process, in the order of the documentation.
pub static ALL: [&Family; 8] = [
    &LOGINS,
    &RENEWALS,
    &REFUSALS,
    &LOGOUTS,
    &CALLS,
    &LOGIN_WAIT,
    &TOKEN_AGE,
    &LIVE_SESSIONS,
];

/// One number, or one histogram, with its labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// What it is a sample of.
    pub family: &'static Family,
    /// Labels and their values: the broker, and words of closed sets.
    pub labels: Vec<(&'static str, &'static str)>,
    /// The number.
    pub value: Value,
}

/// What a sample says.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A counter's count.
    Count(u64),
    /// A gauge's number.
    Level(f64),
    /// A histogram.
    Histogram {
        /// How many were observed.
        count: u64,
        /// Their sum.
        sum: f64,
        /// How many were at most each of [`BOUNDS`].
        buckets: Vec<u64>,
    },
}

impl Sample {
    /// A gauge of a broker.
    pub fn level(family: &'static Family, broker: &'static str, value: f64) -> Self {
        Self {
            family,
            labels: vec![("broker", broker)],
            value: Value::Level(value),
        }
    }

    /// A counter with its labels.
    pub fn count(family: &'static Family, labels: Vec<(&'static str, &'static str)>, count: u64) -> Self {
        Self {
            family,
            labels,
            value: Value::Count(count),
        }
    }
}

type ByOutcome = [AtomicU64; Outcome::COUNT];

/// The counters of one broker. Counting takes no lock.
#[derive(Debug)]
pub struct Counters {
    broker: &'static str,
    logins: [ByOutcome; Why::ALL.len()],
    renewals: ByOutcome,
    refusals: ByOutcome,
    logouts: ByOutcome,
    calls: ByOutcome,
    waits: Histogram,
}

const fn none() -> ByOutcome {
    [const { AtomicU64::new(0) }; Outcome::COUNT]
}

impl Counters {
    /// The counters of a broker, all of them zero.
    pub const fn new(broker: &'static str) -> Self {
        Self {
            broker,
            logins: [const { none() }; Why::ALL.len()],
            renewals: none(),
            refusals: none(),
            logouts: none(),
            calls: none(),
            waits: Histogram::new(),
        }
    }

    /// The broker that they are of.
    pub fn broker(&self) -> &'static str {
        self.broker
    }

    /// Counts what an audit entry tells, in this program or in the one that wrote it.
    pub fn record(&self, entry: &Entry) {
        let outcome = entry.outcome.index();
        let login = match entry.action {
            Action::Login => true,
            Action::Logout => {
                add(&self.logouts[outcome]);
                false
            }
            Action::Refusal => {
                add(&self.refusals[outcome]);
                // A refused login is a login too; a refused call is none.
                entry.why != Why::Call
            }
        };
        if login {
            add(&self.logins[entry.why as usize][outcome]);
        }
    }

    /// Counts a call.
    pub fn called(&self, outcome: Outcome) {
        add(&self.calls[outcome.index()]);
    }

    /// Counts a use of a refresh token.
    pub fn renewed(&self, outcome: Outcome) {
        add(&self.renewals[outcome.index()]);
    }

    /// Counts a caller who waited for a login.
    pub fn waited(&self, time: Duration) {
        self.waits.observe(time);
    }

    /// What was counted so far. What never happened is left out.
    pub fn samples(&self) -> Vec<Sample> {
        let mut samples = Vec::new();
        for (why, counts) in Why::ALL.iter().zip(&self.logins) {
            self.by_outcome(&mut samples, &LOGINS, Some(*why), "outcome", counts);
        }
        self.by_outcome(&mut samples, &RENEWALS, None, "outcome", &self.renewals);
        self.by_outcome(&mut samples, &REFUSALS, None, "kind", &self.refusals);
        self.by_outcome(&mut samples, &LOGOUTS, None, "outcome", &self.logouts);
        self.by_outcome(&mut samples, &CALLS, None, "outcome", &self.calls);
        samples.extend(self.waits.value().map(|value| Sample {
            family: &LOGIN_WAIT,
            labels: vec![("broker", self.broker)],
            value,
        }));
        samples
    }

    fn by_outcome(
        &self,
        samples: &mut Vec<Sample>,
        family: &'static Family,
        why: Option<Why>,
        label: &'static str,
        counts: &ByOutcome,
    ) {
        for (outcome, count) in Outcome::all().zip(counts) {
            let count = count.load(Ordering::Relaxed);
            if count > 0 {
                let mut labels = vec![("broker", self.broker)];
                labels.extend(why.map(|why| ("why", why.as_str())));
                labels.push((label, outcome.as_str()));
                samples.push(Sample::count(family, labels, count));
            }
        }
    }
}

/// The samples of all of them, each metric's together, in the order of [`ALL`].
pub fn sorted(mut samples: Vec<Sample>) -> Vec<Sample> {
    let place = |sample: &Sample| ALL.iter().position(|family| *family == sample.family);
    samples.sort_by_key(|sample| place(sample).unwrap_or(ALL.len()));
    samples
}

fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{ALL, CALLS, Counters, Kind, LOGIN_WAIT, LOGINS, REFUSALS, Sample, Value};
    use crate::audit::{Action, Entry, Outcome, Why};
    use crate::clock::Timestamp;
    use crate::error::ErrorKind;

    fn entry(action: Action, why: Why, outcome: Outcome) -> Entry {
        Entry {
            at: Timestamp::from_seconds(0),
            broker: "samco".to_owned(),
            account: String::new(),
            host: String::new(),
            action,
            why,
            outcome,
            duration: Duration::ZERO,
        }
    }

    fn count(samples: &[Sample], name: &str) -> u64 {
        let of = |sample: &&Sample| sample.family.name == name;
        let counts = samples.iter().filter(of).map(|sample| match sample.value {
            Value::Count(count) => count,
            _ => 0,
        });
        counts.sum()
    }

    #[test]
    fn a_refused_login_is_a_login_and_a_refusal_and_a_refused_call_only_that() {
        let counters = Counters::new("samco");
        let rejected = Outcome::Failed(ErrorKind::CredentialsRejected);
        counters.record(&entry(Action::Login, Why::FirstUse, Outcome::Ok));
        counters.record(&entry(Action::Refusal, Why::Expired, rejected));
        let address = Outcome::Failed(ErrorKind::StaticIpMismatch);
        counters.record(&entry(Action::Refusal, Why::Call, address));
        counters.record(&entry(Action::Logout, Why::Asked, Outcome::Ok));
        let samples = counters.samples();
        let counts = ["logins", "refusals", "logouts", "calls", "renewals"]
            .map(|name| count(&samples, &format!("preopen_{name}_total")));
        assert_eq!(counts, [2, 2, 1, 0, 0]);
        assert!(samples.contains(&Sample::count(
            &LOGINS,
            vec![
                ("broker", "samco"),
                ("why", "expired"),
                ("outcome", "credentials_rejected")
            ],
            1
        )));
        assert!(samples.contains(&Sample::count(
            &REFUSALS,
            vec![("broker", "samco"), ("kind", "static_ip_mismatch")],
            1
        )));
    }

    #[test]
    fn waits_are_counted_in_the_buckets_that_they_fit_in() {
        let counters = Counters::new("angelone");
        assert_eq!(counters.samples(), []);
        for millis in [0, 1, 2, 700, 90_000] {
            counters.waited(Duration::from_millis(millis));
        }
        counters.called(Outcome::Ok);
        let samples = counters.samples();
        assert_eq!(samples[0].family, &CALLS);
        assert_eq!(samples[1].family, &LOGIN_WAIT);
        let Value::Histogram { count, sum, buckets } = &samples[1].value else {
            panic!("{samples:?}");
        };
        assert_eq!(*count, 5);
        assert!((sum - 90.703).abs() < 1e-9);
        let of = |bound: f64| {
            buckets[super::BOUNDS
                .iter()
                .position(|b| (b - bound).abs() < 1e-9)
                .unwrap()]
        };
        assert_eq!(
            [of(0.001), of(0.005), of(0.5), of(1.0), of(60.0)],
            [2, 3, 3, 4, 4]
        );
        assert!(buckets.is_sorted());
    }

    #[test]
    fn names_follow_the_customs_of_prometheus() {
        for family in ALL {
            let suffix = match family.kind {
                Kind::Counter => "_total",
                Kind::Histogram => "_seconds",
                Kind::Gauge => "s",
            };
            assert!(family.name.starts_with("preopen_") && family.name.ends_with(suffix));
            assert!(family.help.ends_with('.') && !family.help.contains('\n'));
        }
    }
}
