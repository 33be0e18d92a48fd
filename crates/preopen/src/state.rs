//! The session's state: the machine, the record that readers see, who waits for which login, and who listens. One short
//! lock orders the events; everything that is only read is read without it.
//!
//! A process may be forked while another of its threads holds that lock. The lock belongs to one process: a
//! child makes its own and goes on with the parent's last machine, without the parent's logins.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, PoisonError};

use preopen_core::broker::Login;
use preopen_core::clock::{Clock, Now, Timestamp};
use preopen_core::expiry::ExpiryPolicy;
use preopen_core::lifecycle::{Effect, Event, FlightId, Machine, Record, SessionEvent, StateName};
use preopen_core::{Error, Result};

use crate::events::{Events, Listeners};
use crate::flight;
use crate::sync::{ArcSwap, ArcSwapOption, Guard, Mutex, MutexGuard, process, watch};

/// What a caller who waited for a login gets.
pub(crate) type Outcome = Result<Arc<Record>>;

/// What a caller who needs a session does next.
pub(crate) enum Next {
    Use(Outcome),
    Wait(watch::Receiver<Option<Outcome>>),
    Start(FlightId, watch::Receiver<Option<Outcome>>),
}

/// What is left to do after an event, outside the lock.
#[derive(Default)]
#[must_use = "drop it where there is nothing that the event could leave to do"]
pub(crate) struct Todo {
    /// A login that nobody wants any more, to be ended at the broker.
    pub(crate) discard: Option<Box<Login>>,
    /// A session that the user logged out of, to be ended at the broker.
    pub(crate) sign_out: Option<(FlightId, Arc<Record>)>,
    /// A login to start.
    pub(crate) start: Option<FlightId>,
    /// The event is refused.
    pub(crate) refused: Option<Error>,
}

#[derive(Default)]
pub(crate) struct State {
    machine: ArcSwap<Machine>,
    published: ArcSwapOption<Record>,
    keep_warm: bool,
    gate: ArcSwapOption<Gate>,
}

/// Orders the events of one process.
struct Gate {
    process: u32,
    inside: Mutex<Inside>,
}

impl Gate {
    fn new(process: u32) -> Self {
        let inside = Mutex::default();
        Self { process, inside }
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What belongs to one process.
#[derive(Default)]
struct Inside {
    waiting: Option<Waiting>,
    listeners: Listeners,
    /// What was announced and not logged yet.
    unsaid: Vec<SessionEvent>,
    /// When the alarm is set to.
    alarm: Option<Timestamp>,
}

struct Waiting {
    flight: FlightId,
    result: watch::Sender<Option<Outcome>>,
}

impl State {
    /// The state of an account before its first login; `seed` spreads the waits of different accounts.
    pub(crate) fn new(seed: u64, keep_warm: bool, needs_consent: bool) -> Self {
        let machine = Machine::new(seed)
            .keeping_warm(keep_warm)
            .needing_consent(needs_consent);
        Self {
            machine: ArcSwap::from_pointee(machine),
            keep_warm,
            ..Self::default()
        }
    }

    /// A new listener.
    pub(crate) fn listen(&self, clock: &Arc<dyn Clock>, policy: &ExpiryPolicy) -> Events {
        let now = clock.now();
        let gate = self.gate(now, policy);
        let mut inside = gate.lock();
        let open = self.machine().state(now).name != StateName::Closed;
        let receiver = open.then(|| inside.listeners.subscribe());
        Events::new(receiver, Arc::clone(clock))
    }

    /// When the session wants to be woken, if no alarm is set to then or earlier: nobody is woken for a session that is
    /// neither kept warm nor listened to.
    pub(crate) fn new_alarm(&self, now: Now, policy: &ExpiryPolicy) -> Option<Timestamp> {
        let gate = self.gate(now, policy);
        let mut inside = gate.lock();
        if !self.keep_warm && !inside.listeners.any() {
            return None;
        }
        let wanted = self.machine().wakes_at(now)?;
        // One that goes off too early does no harm, and the next is set then: what is wanted moves by a millisecond with
        // every look while failed logins are waited for, and each look would set another one.
        if inside.alarm.is_some_and(|set| set <= wanted) {
            return None;
        }
        inside.alarm = Some(wanted);
        inside.alarm
    }

    /// The alarm that was set to `at` has gone off.
    pub(crate) fn alarm_went_off(&self, at: Timestamp, now: Now, policy: &ExpiryPolicy) {
        self.gate(now, policy).lock().alarm.take_if(|set| *set == at);
    }

    /// The machine as it is now.
    pub(crate) fn machine(&self) -> Guard<Arc<Machine>> {
        self.machine.load()
    }

    /// The record that readers see, live or not.
    pub(crate) fn published(&self) -> Option<Arc<Record>> {
        self.published.load_full()
    }

    /// What `look` makes of the record that readers see, which is not kept.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&Arc<Record>) -> Option<T>) -> Option<T> {
        self.published.load().as_ref().and_then(look)
    }

    pub(crate) fn need(&self, now: Now, policy: &ExpiryPolicy) -> Next {
        self.next(Event::Needed, now, policy)
    }

    /// A login that a person has consented to must run: it starts, or waits for the flight before it.
    pub(crate) fn grant(&self, now: Now, policy: &ExpiryPolicy) -> Next {
        self.next(Event::Granted, now, policy)
    }

    fn next(&self, event: Event, now: Now, policy: &ExpiryPolicy) -> Next {
        let gate = self.gate(now, policy);
        let mut inside = gate.lock();
        for effect in self.step(&mut inside, event, now, policy) {
            match effect {
                Effect::Serve(record) => return Next::Use(Ok(record)),
                Effect::Refuse(error) => return Next::Use(Err(error)),
                Effect::Start(flight) => return Next::Start(flight, subscribe(&mut inside.waiting, flight)),
                Effect::Join(flight) => return Next::Wait(subscribe(&mut inside.waiting, flight)),
                _ => {}
            }
        }
        Next::Use(Err(flight::lost()))
    }

    pub(crate) fn apply(&self, event: Event, now: Now, policy: &ExpiryPolicy) -> Todo {
        let gate = self.gate(now, policy);
        let mut inside = gate.lock();
        let mut todo = Todo::default();
        for effect in self.step(&mut inside, event, now, policy) {
            match effect {
                Effect::Discard(login) => todo.discard = Some(login),
                Effect::SignOut(logout, record) => todo.sign_out = Some((logout, record)),
                Effect::Start(flight) => todo.start = Some(flight),
                Effect::Refuse(error) => todo.refused = Some(error),
                _ => {}
            }
        }
        todo
    }

    /// What was announced since this was asked last, to be logged outside the lock.
    pub(crate) fn unsaid(&self, now: Now, policy: &ExpiryPolicy) -> Vec<SessionEvent> {
        std::mem::take(&mut self.gate(now, policy).lock().unsaid)
    }

    /// This process's gate. The first one of a forked child begins without its parent's logins.
    fn gate(&self, now: Now, policy: &ExpiryPolicy) -> Arc<Gate> {
        let process = process();
        let seen = self.gate.load();
        if let Some(gate) = seen.as_ref().filter(|gate| gate.process == process) {
            return Arc::clone(gate);
        }
        let mine = Arc::new(Gate::new(process));
        // Nobody gets through the new gate before the machine knows of the fork: he would wait for a login of the parent.
        let mut inside = mine.lock();
        let before = self.gate.compare_and_swap(&*seen, Some(Arc::clone(&mine)));
        if let Some(winner) = before.as_ref().filter(|gate| gate.process == process) {
            return Arc::clone(winner);
        }
        if seen.is_some() {
            self.step(&mut inside, Event::Forked, now, policy);
            // Dropping the parent's gate would take the locks of its waiters, which may be held by threads that do not
            // exist here.
            std::mem::forget(Guard::into_inner(before));
        }
        drop(inside);
        mine
    }

    /// One step of the machine, with every effect that needs no waiting carried out under the same lock, so
    /// that what readers see changes in the order of the events.
    fn step(&self, inside: &mut Inside, event: Event, now: Now, policy: &ExpiryPolicy) -> Vec<Effect> {
        let closes = matches!(event, Event::Closed);
        let (machine, effects) = Machine::clone(&self.machine.load()).step(event, now, policy);
        self.machine.store(Arc::new(machine));
        let mut rest = Vec::new();
        for effect in effects {
            match effect {
                Effect::Publish(record) => self.published.store(Some(record)),
                Effect::Withdraw => self.published.store(None),
                Effect::Settle(flight, outcome) => {
                    let waiting = &mut inside.waiting;
                    if let Some(waiting) = waiting.take_if(|waiting| waiting.flight == flight) {
                        waiting.result.send_replace(Some(outcome));
                    }
                }
                Effect::Announce(event) => {
                    inside.unsaid.push(SessionEvent::clone(&event));
                    inside.listeners.tell(*event);
                }
                other => rest.push(other),
            }
        }
        if closes {
            inside.listeners.end();
        }
        rest
    }
}

/// The seed of the account with this fingerprint.
pub(crate) fn seed_of(fingerprint: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    fingerprint.hash(&mut hasher);
    hasher.finish()
}

fn subscribe(waiting: &mut Option<Waiting>, flight: FlightId) -> watch::Receiver<Option<Outcome>> {
    match waiting {
        Some(waiting) if waiting.flight == flight => waiting.result.subscribe(),
        _ => {
            let (result, receiver) = watch::channel(None);
            *waiting = Some(Waiting { flight, result });
            receiver
        }
    }
}
