//! Wakes sessions when time alone changes something: an event is due, or a session that is kept warm is to be renewed.
//! One task for all sessions of a clock; it ends when nothing is left to wait for. What happens then is the machine's
//! business.

use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use preopen_core::clock::{Clock, Now, Timestamp};
use preopen_core::wire::BoxFuture;
use tokio::runtime::Handle;
use tokio::sync::Notify;

use crate::session::Inner;

/// The most renewals that run at once without anybody having asked: a process with thousands of accounts must not open
/// thousands of connections at the boundary. A caller never waits for these: he starts a login of his own.
const WARM_AT_ONCE: usize = 64;

/// How long it is slept when there is nothing to wait for but the end of a renewal.
const IDLE: Duration = Duration::from_secs(1);

/// Above this many entries, those of dropped sessions are only looked for now and then.
const MANY: usize = 1024;
const SWEEP_EVERY: Duration = Duration::from_secs(30);

/// The alarms of one process, by clock.
#[derive(Default)]
pub(crate) struct Alarms {
    rings: Mutex<Vec<Arc<Ring>>>,
}

impl Alarms {
    /// Ticks `session` when its clock says `at`, or when that clock is stepped.
    pub(crate) fn set(self: &Arc<Self>, worker: &Handle, session: &Arc<Inner>, at: Timestamp) {
        let entry = Reverse(Entry {
            at,
            session: Arc::downgrade(session),
        });
        let mut rings = locked(&self.rings);
        let known = rings.iter().find(|ring| Arc::ptr_eq(&ring.clock, &session.clock));
        if let Some(ring) = known {
            locked(&ring.entries).push(entry);
            ring.added.notify_one();
            return;
        }
        let ring = Arc::new(Ring {
            clock: Arc::clone(&session.clock),
            entries: Mutex::new(BinaryHeap::from([entry])),
            added: Notify::new(),
        });
        rings.push(Arc::clone(&ring));
        drop(rings);
        worker.spawn(run(Arc::downgrade(self), ring));
    }

    /// Forgets a ring without entries. An entry can only be added under the lock that is held here.
    fn retire(&self, ring: &Arc<Ring>) -> bool {
        let mut rings = locked(&self.rings);
        let empty = locked(&ring.entries).is_empty();
        if empty {
            rings.retain(|known| !Arc::ptr_eq(known, ring));
        }
        empty
    }
}

/// The sessions of one clock, the next one first.
struct Ring {
    clock: Arc<dyn Clock>,
    entries: Mutex<BinaryHeap<Reverse<Entry>>>,
    added: Notify,
}

struct Entry {
    at: Timestamp,
    session: Weak<Inner>,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        self.at.cmp(&other.at)
    }
}

impl Ring {
    /// The entries whose time has come; all of them when the clock was stepped, since what they wait for may have
    /// moved.
    fn due(&self, now: Now, stepped: bool) -> Vec<Entry> {
        let mut entries = locked(&self.entries);
        let mut due = Vec::new();
        while entries
            .peek()
            .is_some_and(|Reverse(entry)| stepped || entry.at <= now.wall)
        {
            due.extend(entries.pop().map(|Reverse(entry)| entry));
        }
        due
    }

    fn next(&self) -> Option<Timestamp> {
        locked(&self.entries).peek().map(|Reverse(entry)| entry.at)
    }

    /// Removes the entries of dropped sessions.
    fn sweep(&self, swept: &mut Instant) {
        let mut entries = locked(&self.entries);
        if entries.len() < MANY || swept.elapsed() >= SWEEP_EVERY {
            entries.retain(|Reverse(entry)| entry.session.strong_count() > 0);
            *swept = Instant::now();
        }
    }
}

async fn run(alarms: Weak<Alarms>, ring: Arc<Ring>) {
    let mut warming: FuturesUnordered<BoxFuture<'static, ()>> = FuturesUnordered::new();
    // Renewals that wait for their turn. Others wait behind none of them: what their sessions tell is told at its time.
    let mut queued: VecDeque<Entry> = VecDeque::new();
    let mut swept = Instant::now();
    let mut last = ring.clock.now();
    loop {
        let now = ring.clock.now();
        let due = ring.due(now, now.is_stepped_since(last));
        last = now;
        let turns = WARM_AT_ONCE.saturating_sub(warming.len()).min(queued.len());
        let first: Vec<Entry> = queued.drain(..turns).collect();
        for entry in first.into_iter().chain(due) {
            let Some(session) = entry.session.upgrade() else {
                continue;
            };
            if warming.len() >= WARM_AT_ONCE && session.renews_by_itself() {
                queued.push_back(entry);
            } else {
                warming.extend(session.tick(entry.at));
            }
        }
        ring.sweep(&mut swept);
        let next = ring.next();
        if next.is_none() && queued.is_empty() {
            if alarms.upgrade().is_none_or(|alarms| alarms.retire(&ring)) {
                return;
            }
            continue;
        }
        let nap = next.map_or(IDLE, |next| ring.clock.nap(next));
        tokio::select! {
            () = tokio::time::sleep(nap) => {}
            () = ring.added.notified() => {}
            Some(()) = warming.next() => {}
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use preopen_core::broker::{Adapter as _, Login, Tokens};
    use preopen_core::brokers::Samco;
    use preopen_core::clock::{Now, Timestamp};
    use preopen_core::lifecycle::Event;
    use preopen_core::{Error, ErrorKind};

    use crate::state::{Next, State};

    fn at(micros: u64) -> Now {
        Now {
            wall: Timestamp::from_millis(1_795_400_000_000 + i64::try_from(micros / 1000).unwrap()),
            // The clocks turn their milliseconds at different moments.
            monotonic: Duration::from_micros(1_000_000_400 + micros),
        }
    }

    #[test]
    fn callers_who_are_held_back_set_no_alarm_each() {
        let samco = Samco::new("key", "secret");
        let policy = &samco.policy().expiry;
        let state = State::new(7, true, false);
        let login = |now| match state.need(now, policy) {
            Next::Start(flight, _) => flight,
            _ => panic!("no login"),
        };
        let flight = login(at(0));
        let opened = Box::new(Login::new(Tokens::new("token")));
        drop(state.apply(
            Event::Opened {
                flight,
                login: opened,
                sent: at(0),
            },
            at(0),
            policy,
        ));
        let end = state.published().unwrap().expiry.at();
        assert_eq!(
            state.new_alarm(at(0), policy),
            Some(end.plus_millis(-15 * 60_000))
        );
        let over = u64::try_from(end.as_millis() - at(0).wall.as_millis()).unwrap() * 1000 + 300_000_000;
        state.alarm_went_off(end.plus_millis(-15 * 60_000), at(over), policy);
        for _ in 0..2 {
            let (flight, error) = (login(at(over)), Error::new(ErrorKind::BrokerUnavailable, "down"));
            drop(state.apply(Event::Failed { flight, error }, at(over), policy));
        }
        let mut alarms = Vec::new();
        for look in 0..20_000 {
            let now = at(over + look * 7);
            assert!(matches!(state.need(now, policy), Next::Use(Err(_))));
            alarms.extend(state.new_alarm(now, policy));
        }
        // The wanted moment, and the same a millisecond earlier.
        assert!((1..=2).contains(&alarms.len()), "{} alarms", alarms.len());
        let latest = *alarms.last().unwrap();
        state.alarm_went_off(latest, at(over + 500_000), policy);
        assert!(
            state.new_alarm(at(over + 500_000), policy) >= Some(latest),
            "the next one"
        );
    }
}
