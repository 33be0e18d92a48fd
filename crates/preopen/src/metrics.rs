//! The metrics of this process: its counters by broker, and the sessions that are live. Counting takes no lock, and nothing is
//! counted where a live token is handed out.
//!
//! ```
//! use preopen::metrics::{ALL, BOUNDS, CALLS, Family, Kind, LIVE_SESSIONS, LOGIN_WAIT, LOGINS, LOGOUTS, REFUSALS, RENEWALS};
//! use preopen::metrics::{Sample, TOKEN_AGE, Value, snapshot, to_text};
//!
//! fn number(sample: &Sample) -> Option<u64> {
//!     match &sample.value {
//!         Value::Count(count) => Some(*count),
//!         _ => None,
//!     }
//! }
//!
//! let counters: [&Family; 5] = [&LOGINS, &RENEWALS, &REFUSALS, &LOGOUTS, &CALLS];
//! assert!(counters.iter().all(|family| family.kind == Kind::Counter));
//! assert!([&TOKEN_AGE, &LIVE_SESSIONS].iter().all(|family| family.kind == Kind::Gauge));
//! assert_eq!((LOGIN_WAIT.kind, LOGIN_WAIT.unit), (Kind::Histogram, "s"));
//! assert!(BOUNDS.is_sorted() && ALL.len() == 8);
//! let samples = snapshot();
//! println!("{} calls\n{}", samples.iter().filter_map(number).sum::<u64>(), to_text(&samples));
//! ```

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use arc_swap::{ArcSwap, ArcSwapOption, Guard};

pub use preopen_core::metrics::{
    ALL, BOUNDS, CALLS, Family, Kind, LIVE_SESSIONS, LOGIN_WAIT, LOGINS, LOGOUTS, REFUSALS, RENEWALS, Sample,
    TOKEN_AGE, Value, to_text,
};
use preopen_core::metrics::{Counters, sorted};

use crate::session::Inner;

/// What belongs to one process: a forked child begins at zero.
struct Registry {
    process: u32,
    brokers: ArcSwap<Vec<Arc<Counters>>>,
    sessions: Mutex<Watched>,
}

/// The sessions that have had a token, and how many of them there were when those that are gone were last removed.
#[derive(Default)]
struct Watched {
    sessions: Vec<Weak<Inner>>,
    swept: usize,
}

static REGISTRY: ArcSwapOption<Registry> = ArcSwapOption::const_empty();

fn registry() -> Arc<Registry> {
    let process = std::process::id();
    let seen = REGISTRY.load();
    if let Some(registry) = seen.as_ref().filter(|registry| registry.process == process) {
        return Arc::clone(registry);
    }
    let mine = Arc::new(Registry {
        process,
        brokers: ArcSwap::default(),
        sessions: Mutex::default(),
    });
    let before = REGISTRY.compare_and_swap(&*seen, Some(Arc::clone(&mine)));
    if let Some(winner) = before.as_ref().filter(|winner| winner.process == process) {
        return Arc::clone(winner);
    }
    // A parent's lock may be held by a thread that does not exist here.
    std::mem::forget(Guard::into_inner(before));
    mine
}

impl Registry {
    fn of(&self, broker: &'static str) -> Arc<Counters> {
        let find = |counters: &[Arc<Counters>]| counters.iter().find(|c| c.broker() == broker).cloned();
        if let Some(found) = find(&self.brokers.load()) {
            return found;
        }
        let new = Arc::new(Counters::new(broker));
        self.brokers.rcu(|known| {
            let mut all = Vec::clone(known);
            if find(&all).is_none() {
                all.push(Arc::clone(&new));
            }
            all
        });
        find(&self.brokers.load()).unwrap_or(new)
    }

    fn sessions(&self) -> MutexGuard<'_, Watched> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The counters of a broker in this process.
pub(crate) fn of(broker: &'static str) -> Arc<Counters> {
    registry().of(broker)
}

/// The age of this session's token is told from now on.
pub(crate) fn watch(session: Weak<Inner>) {
    let registry = registry();
    let mut watched = registry.sessions();
    if watched.sessions.len() >= (watched.swept * 2).max(16) {
        watched.sessions.retain(|session| session.strong_count() > 0);
        watched.swept = watched.sessions.len();
    }
    watched.sessions.push(session);
}

/// Every metric of this process, as it is now: what was counted so far, and what is live. A metric that has nothing to tell is
/// left out.
///
/// ```
/// let samples = preopen::metrics::snapshot();
/// println!("{}", preopen::metrics::to_text(&samples));
/// ```
pub fn snapshot() -> Vec<Sample> {
    let registry = registry();
    let brokers = registry.brokers.load_full();
    let mut samples: Vec<Sample> = brokers.iter().flat_map(|counters| counters.samples()).collect();
    // The sessions are looked at after the lock is given back.
    let sessions: Vec<Arc<Inner>> = registry
        .sessions()
        .sessions
        .iter()
        .filter_map(Weak::upgrade)
        .collect();
    let mut live: Vec<(&'static str, u32, f64)> = Vec::new();
    for session in &sessions {
        let Some(record) = session.live() else { continue };
        let age = session.clock.now().wall.since(record.issued_at).as_secs_f64();
        let broker = session.adapter.policy().broker;
        match live.iter_mut().find(|(of, ..)| *of == broker) {
            Some((_, count, oldest)) => {
                *count += 1;
                *oldest = oldest.max(age);
            }
            None => live.push((broker, 1, age)),
        }
    }
    for (broker, count, oldest) in live {
        samples.push(Sample::level(&TOKEN_AGE, broker, oldest));
        samples.push(Sample::level(&LIVE_SESSIONS, broker, f64::from(count)));
    }
    sorted(samples)
}
