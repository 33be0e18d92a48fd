//! Lets the steps of a script happen when the virtual clock has come to them: exactly in order, each once, and
//! before any request that arrives later is looked at.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use preopen_core::{Clock as _, Timestamp};
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

use super::Script;
use super::schedule::{Edge, Event, Schedule};
use crate::state::State;

/// How many steps are kept to be shown.
const SHOWN: usize = 1000;

/// A step of a script, done or to come.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScriptStep {
    /// When it happens by the virtual clock.
    pub at: Timestamp,
    /// The day of the script, from 1.
    pub day: u32,
    /// The name that the script gives it.
    pub name: Option<String>,
    /// What it does, for a person.
    pub what: String,
    /// Why it could not be done.
    pub problem: Option<String>,
}

impl ScriptStep {
    /// As the control API shows it.
    pub fn to_json(&self) -> Value {
        json!({
            "at": self.at.to_rfc3339(), "ist": self.at.to_ist(), "day": self.day, "name": self.name,
            "what": self.what, "problem": self.problem,
        })
    }
}

/// How far a script has come.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ScriptReport {
    /// Its name, or that of its file.
    pub script: String,
    /// What it says of itself.
    pub about: String,
    /// On how many days it happens.
    pub days: u32,
    /// How many steps are done.
    pub done_count: u64,
    /// The latest of them, oldest first.
    pub done: Vec<ScriptStep>,
    /// The next one.
    pub next: Option<ScriptStep>,
    /// When it is over.
    pub ends_at: Timestamp,
    /// Whether it is over.
    pub ended: bool,
}

impl ScriptReport {
    /// As the control API shows it.
    pub fn to_json(&self) -> Value {
        let done: Vec<_> = self.done.iter().map(ScriptStep::to_json).collect();
        json!({
            "script": self.script, "about": self.about, "days": self.days, "done_count": self.done_count, "done": done,
            "next": self.next.as_ref().map(ScriptStep::to_json), "ends_at": self.ends_at.to_rfc3339(),
            "ended": self.ended,
        })
    }
}

/// The steps of a script as they happen, those that were done before included.
#[derive(Debug)]
pub struct ScriptSteps(UnboundedReceiver<ScriptStep>);

impl ScriptSteps {
    /// The next step that was done; `None` when the script is over.
    pub async fn next(&mut self) -> Option<ScriptStep> {
        self.0.recv().await
    }
}

/// A script on a clock.
#[derive(Debug)]
pub(crate) struct Runner {
    script: Script,
    schedule: Schedule,
    /// The milliseconds of the next step, so that requests before it take no lock.
    next_at: AtomicI64,
    progress: Mutex<Progress>,
}

#[derive(Debug)]
struct Progress {
    /// All until then has happened; it never goes back, though the clock may.
    until: Timestamp,
    count: u64,
    done: VecDeque<ScriptStep>,
    /// The faults that last, by day and step.
    lasting: HashMap<(u32, usize), u64>,
    listeners: Vec<UnboundedSender<ScriptStep>>,
    ended: bool,
}

impl Runner {
    pub(crate) fn new(script: Script, origin: Timestamp) -> Self {
        let schedule = Schedule::new(script.plan(), origin);
        let progress = Progress {
            until: origin.plus_millis(-1),
            count: 0,
            done: VecDeque::new(),
            lasting: HashMap::new(),
            listeners: Vec::new(),
            ended: false,
        };
        Self {
            script,
            schedule,
            // The first look finds out.
            next_at: AtomicI64::new(i64::MIN),
            progress: Mutex::new(progress),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When something will happen next.
    pub(crate) fn next_at(&self) -> Timestamp {
        Timestamp::from_millis(self.next_at.load(Ordering::Acquire))
    }

    /// Does all that is due at `now`. When it returns, it has been done, by whomever.
    pub(crate) fn catch_up(&self, state: &State, now: Timestamp) {
        if now < self.next_at() {
            return;
        }
        let plan = self.script.plan();
        let mut progress = self.lock();
        loop {
            let events = self.schedule.next(plan, progress.until, now);
            let Some(last) = events.last() else { break };
            let last = last.at;
            for event in &events {
                self.happen(state, &mut progress, event);
            }
            progress.until = last;
        }
        progress.until = progress.until.max(now);
        let ends_at = self.schedule.ends_at();
        let next = match self.schedule.next(plan, progress.until, ends_at).first() {
            Some(event) => event.at.as_millis(),
            None if progress.until >= ends_at => {
                progress.ended = true;
                // Whoever listens is told by the end of the channel.
                progress.listeners.clear();
                i64::MAX
            }
            None => ends_at.as_millis(),
        };
        self.next_at.store(next, Ordering::Release);
    }

    fn happen(&self, state: &State, progress: &mut Progress, event: &Event) {
        let key = (event.day, event.step);
        let action = &self.script.plan().steps[event.step].action;
        let problem = match event.edge {
            Edge::Ends => {
                if let Some(fault) = progress.lasting.remove(&key) {
                    state.faults.remove(fault);
                }
                None
            }
            edge => {
                let span = match edge {
                    Edge::Begins(until) => Some((event.at, until)),
                    _ => None,
                };
                match action.apply(state, span) {
                    Ok(fault) => {
                        if let (Some(fault), Some(_)) = (fault, span) {
                            progress.lasting.insert(key, fault);
                        }
                        None
                    }
                    Err(error) => Some(error.message().to_owned()),
                }
            }
        };
        let step = self.show(event, problem);
        progress
            .listeners
            .retain(|listener| listener.send(step.clone()).is_ok());
        progress.count += 1;
        progress.done.push_back(step);
        if progress.done.len() > SHOWN {
            progress.done.pop_front();
        }
    }

    fn show(&self, event: &Event, problem: Option<String>) -> ScriptStep {
        let step = &self.script.plan().steps[event.step];
        let words = step.action.words();
        let what = match event.edge {
            Edge::Happens => words,
            Edge::Begins(until) => format!("{words}, until {}", until.format_ist("%H:%M:%S IST")),
            Edge::Ends => format!("over: {words}"),
        };
        ScriptStep {
            at: event.at,
            day: event.day,
            name: step.name.clone(),
            what,
            problem,
        }
    }

    pub(crate) fn report(&self) -> ScriptReport {
        let progress = self.lock();
        let ends_at = self.schedule.ends_at();
        let coming = self.schedule.next(self.script.plan(), progress.until, ends_at);
        ScriptReport {
            script: self.script.name().to_owned(),
            about: self.script.about().to_owned(),
            days: self.script.plan().days,
            done_count: progress.count,
            done: progress.done.iter().cloned().collect(),
            next: coming.first().map(|event| self.show(event, None)),
            ends_at,
            ended: progress.ended,
        }
    }

    pub(crate) fn steps(&self) -> ScriptSteps {
        let (sender, receiver) = unbounded_channel();
        let mut progress = self.lock();
        for step in &progress.done {
            // The receiver is here.
            let _ = sender.send(step.clone());
        }
        if !progress.ended {
            progress.listeners.push(sender);
        }
        ScriptSteps(receiver)
    }
}

/// Looks after the script between requests, until it is dropped.
#[derive(Debug)]
pub(crate) struct Following(Option<JoinHandle<()>>);

impl Following {
    pub(crate) fn start(state: &Arc<State>) -> Self {
        let state = Arc::downgrade(state);
        Self(
            state
                .upgrade()
                .filter(|state| state.script.is_some())
                .map(|_| tokio::spawn(follow(state))),
        )
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}

async fn follow(state: Weak<State>) {
    loop {
        let nap = {
            let Some(state) = state.upgrade() else { return };
            state.follow_script();
            let Some(script) = &state.script else { return };
            let next = script.next_at();
            if next == Timestamp::from_millis(i64::MAX) {
                return;
            }
            state.clock.nap(next)
        };
        tokio::time::sleep(nap).await;
    }
}
