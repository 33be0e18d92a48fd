//! The session's state: the machine, the record that readers see, and who waits for which login. One short
//! lock orders the events; everything that is only read is read without it.
//!
//! A process may be forked while another of its threads holds that lock. The lock belongs to one process: a
//! child makes its own and goes on with the parent's last machine, without the parent's logins.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::{ArcSwap, ArcSwapOption};
use tokio::sync::watch;

use preopen_core::broker::Login;
use preopen_core::clock::Now;
use preopen_core::expiry::ExpiryPolicy;
use preopen_core::lifecycle::{Effect, Event, FlightId, Machine, Record};
use preopen_core::{Error, Result};

use crate::flight;

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
    pub(crate) sign_out: Option<Arc<Record>>,
    /// A login to start.
    pub(crate) start: Option<FlightId>,
    /// The event is refused.
    pub(crate) refused: Option<Error>,
}

#[derive(Default)]
pub(crate) struct State {
    machine: ArcSwap<Machine>,
    published: ArcSwapOption<Record>,
    gate: ArcSwapOption<Gate>,
}

/// Orders the events of one process.
struct Gate {
    process: u32,
    waiting: Mutex<Option<Waiting>>,
}

struct Waiting {
    flight: FlightId,
    result: watch::Sender<Option<Outcome>>,
}

impl State {
    /// The state of an account before its first login; `fingerprint` spreads the waits of different accounts.
    pub(crate) fn new(fingerprint: &str) -> Self {
        let mut hasher = DefaultHasher::new();
        fingerprint.hash(&mut hasher);
        Self {
            machine: ArcSwap::from_pointee(Machine::new(hasher.finish())),
            ..Self::default()
        }
    }

    /// The machine as it is now.
    pub(crate) fn machine(&self) -> arc_swap::Guard<Arc<Machine>> {
        self.machine.load()
    }

    /// The record that readers see, live or not.
    pub(crate) fn published(&self) -> Option<Arc<Record>> {
        self.published.load_full()
    }

    pub(crate) fn need(&self, now: Now, policy: &ExpiryPolicy) -> Next {
        let gate = self.gate(now, policy);
        let mut waiting = gate.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        for effect in self.step(&mut waiting, Event::Needed, now, policy) {
            match effect {
                Effect::Serve(record) => return Next::Use(Ok(record)),
                Effect::Refuse(error) => return Next::Use(Err(error)),
                Effect::Start(flight) => return Next::Start(flight, subscribe(&mut waiting, flight)),
                Effect::Join(flight) => return Next::Wait(subscribe(&mut waiting, flight)),
                _ => {}
            }
        }
        Next::Use(Err(flight::lost()))
    }

    pub(crate) fn apply(&self, event: Event, now: Now, policy: &ExpiryPolicy) -> Todo {
        let gate = self.gate(now, policy);
        let mut waiting = gate.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let mut todo = Todo::default();
        for effect in self.step(&mut waiting, event, now, policy) {
            match effect {
                Effect::Discard(login) => todo.discard = Some(login),
                Effect::SignOut(record) => todo.sign_out = Some(record),
                Effect::Start(flight) => todo.start = Some(flight),
                Effect::Refuse(error) => todo.refused = Some(error),
                _ => {}
            }
        }
        todo
    }

    /// This process's gate. The first one of a forked child begins without its parent's logins.
    fn gate(&self, now: Now, policy: &ExpiryPolicy) -> Arc<Gate> {
        let process = std::process::id();
        let seen = self.gate.load();
        if let Some(gate) = seen.as_ref().filter(|gate| gate.process == process) {
            return Arc::clone(gate);
        }
        let mine = Arc::new(Gate {
            process,
            waiting: Mutex::new(None),
        });
        let before = self.gate.compare_and_swap(&*seen, Some(Arc::clone(&mine)));
        let winner = before
            .as_ref()
            .filter(|gate| gate.process == process)
            .map(Arc::clone);
        if winner.is_none() && seen.is_some() {
            let mut waiting = mine.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            self.step(&mut waiting, Event::Forked, now, policy);
        }
        winner.unwrap_or(mine)
    }

    /// One step of the machine, with every effect that needs no waiting carried out under the same lock, so
    /// that what readers see changes in the order of the events.
    fn step(
        &self,
        waiting: &mut Option<Waiting>,
        event: Event,
        now: Now,
        policy: &ExpiryPolicy,
    ) -> Vec<Effect> {
        let (machine, effects) = Machine::clone(&self.machine.load()).step(event, now, policy);
        self.machine.store(Arc::new(machine));
        let mut rest = Vec::new();
        for effect in effects {
            match effect {
                Effect::Publish(record) => self.published.store(Some(record)),
                Effect::Withdraw => self.published.store(None),
                Effect::Settle(flight, outcome) => {
                    if let Some(waiting) = waiting.take_if(|waiting| waiting.flight == flight) {
                        waiting.result.send_replace(Some(outcome));
                    }
                }
                other => rest.push(other),
            }
        }
        rest
    }
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
