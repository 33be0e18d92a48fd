//! What the tests of the lifecycle share: times, logins, and a machine with the bookkeeping that a session does
//! around it.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::sync::Arc;
use std::time::Duration;

use preopen_core::broker::{Adapter as _, Login, Tokens};
use preopen_core::brokers::{AngelOne, Samco};
use preopen_core::error::{Error, ErrorKind};
use preopen_core::expiry::{Evidence, EvidenceSource, ExpiryPolicy};
use preopen_core::lifecycle::{Effect, Event, FlightId, Machine, Record, SessionEvent, StateName};
use preopen_core::{Now, Timestamp};
use proptest::test_runner::{Config, FileFailurePersistence, RngAlgorithm};

/// As many cases as `PROPTEST_CASES` says, else `usual`. What failed once is kept beside the test and tried first.
pub(crate) fn cases(usual: u32) -> Config {
    let persistence = FileFailurePersistence::WithSource("proptest-regressions");
    let mut config = Config {
        failure_persistence: Some(Box::new(persistence)),
        // Without optimisation the default generator takes most of the time of a test.
        rng_algorithm: RngAlgorithm::XorShift,
        ..Config::default()
    };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = usual;
    }
    config
}

pub(crate) fn samco() -> &'static ExpiryPolicy {
    &Samco::new("key", "secret").policy().expiry
}

pub(crate) fn angel_one() -> &'static ExpiryPolicy {
    &AngelOne::new("key", "code", "0000", "JBSWY3DPEHPK3PXPJBSWY3DPEH")
        .policy()
        .expiry
}

/// A moment by Indian time, for example `2026-11-22 08:00:00`.
pub(crate) fn ist(text: &str) -> Timestamp {
    Timestamp::parse_ist("%Y-%m-%d %H:%M:%S", text).unwrap()
}

pub(crate) fn noon() -> Now {
    Now {
        wall: ist("2026-11-22 12:00:00"),
        monotonic: Duration::from_secs(100),
    }
}

/// Time passes as it should.
pub(crate) fn later(now: Now, by: Duration) -> Now {
    Now {
        wall: now.wall.plus(by),
        monotonic: now.monotonic + by,
    }
}

/// Time passes until the wall clock shows `wall`.
pub(crate) fn until(now: Now, wall: Timestamp) -> Now {
    later(now, wall.since(now.wall))
}

/// The wall clock alone is moved: somebody set it, or the machine slept.
pub(crate) fn stepped(now: Now, millis: i64) -> Now {
    Now {
        wall: now.wall.plus_millis(millis),
        ..now
    }
}

pub(crate) fn login(token: &str) -> Login {
    Login::new(Tokens::new(token))
}

/// A login whose reply told that it ends at `at`.
pub(crate) fn login_until(token: &str, at: Timestamp) -> Login {
    let mut login = login(token);
    let source = EvidenceSource::ExpiresIn;
    login.evidence.push(Evidence { source, at });
    login
}

pub(crate) fn down() -> Error {
    Error::new(ErrorKind::BrokerUnavailable, "down")
}

pub(crate) fn refused() -> Error {
    Error::new(ErrorKind::CredentialsRejected, "no")
}

/// A machine with the bookkeeping that a session does around it.
pub(crate) struct Run {
    pub(crate) machine: Machine,
    pub(crate) policy: &'static ExpiryPolicy,
    pub(crate) published: Option<Arc<Record>>,
    pub(crate) told: Vec<SessionEvent>,
}

impl Default for Run {
    fn default() -> Self {
        Self::of(Machine::default(), samco())
    }
}

impl Run {
    pub(crate) fn of(machine: Machine, policy: &'static ExpiryPolicy) -> Self {
        Self {
            machine,
            policy,
            published: None,
            told: Vec::new(),
        }
    }

    /// A machine that keeps its session warm.
    pub(crate) fn warm(seed: u64) -> Self {
        Self::of(Machine::new(seed).keeping_warm(true), samco())
    }

    /// The effects of one step but for announcements, which are kept in `told`.
    pub(crate) fn step(&mut self, event: Event, now: Now) -> Vec<Effect> {
        let (machine, mut effects) = std::mem::take(&mut self.machine).step(event, now, self.policy);
        self.machine = machine;
        for effect in &effects {
            match effect {
                Effect::Publish(record) => self.published = Some(Arc::clone(record)),
                Effect::Withdraw => self.published = None,
                Effect::Announce(event) => self.told.push(SessionEvent::clone(event)),
                _ => {}
            }
        }
        effects.retain(|effect| !matches!(effect, Effect::Announce(_)));
        effects
    }

    pub(crate) fn start(&mut self, now: Now) -> FlightId {
        match self.step(Event::Needed, now).as_slice() {
            [Effect::Start(flight)] => *flight,
            other => panic!("expected a login to start, got {other:?}"),
        }
    }

    pub(crate) fn finish(&mut self, flight: FlightId, login: Login, sent: Now, now: Now) -> Vec<Effect> {
        let login = Box::new(login);
        self.step(Event::Opened { flight, login, sent }, now)
    }

    pub(crate) fn fail(&mut self, flight: FlightId, error: Error, now: Now) -> Vec<Effect> {
        self.step(Event::Failed { flight, error }, now)
    }

    pub(crate) fn import(&mut self, login: Login, issued_at: Timestamp, now: Now) -> Vec<Effect> {
        let login = Box::new(login);
        self.step(Event::Imported { login, issued_at }, now)
    }

    pub(crate) fn open_with(&mut self, login: Login, now: Now) -> Arc<Record> {
        let flight = self.start(now);
        self.finish(flight, login, now, now);
        self.published.clone().expect("a published record")
    }

    pub(crate) fn open(&mut self, now: Now) -> Arc<Record> {
        self.open_with(login("token"), now)
    }

    pub(crate) fn name(&self, now: Now) -> StateName {
        self.machine.state(now).name
    }

    /// The login that a tick starts, if one does.
    pub(crate) fn tick(&mut self, now: Now) -> Option<FlightId> {
        let started = self
            .step(Event::Tick, now)
            .into_iter()
            .find_map(|effect| match effect {
                Effect::Start(flight) => Some(flight),
                _ => None,
            });
        let next = self.machine.wakes_at(now);
        assert!(
            next.is_none_or(|at| at > now.wall),
            "a tick left work behind: {next:?} at {now:?}"
        );
        started
    }

    /// What was told since the last look: names and generations.
    pub(crate) fn news(&mut self) -> Vec<(&'static str, u64)> {
        let told = std::mem::take(&mut self.told);
        told.iter()
            .map(|event| (event.name.as_str(), event.generation))
            .collect()
    }
}
