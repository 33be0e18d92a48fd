//! What is kept in a file: whatever was answered is there after a restart, however the sandbox ended. Collections remember
//! what changed in them (`table`); before a reply is sent, that is written in one transaction.

mod clock;
mod file;
mod pass;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use preopen_core::VirtualClock;
use tokio::task::JoinHandle;

use crate::error::StartError;
use crate::state::State;
use crate::table::Changes;
use clock::ClockNote;
use file::DataFile;
use pass::{Change, Records};
pub(crate) use pass::{Damage, Pass};

/// How often that is written which no request changed: the time of a clock with a speed of its own, and counts.
const EVERY: Duration = Duration::from_secs(1);
/// Where the clock's note is.
const CLOCK: &str = "clock";

/// The data file of a sandbox, and how far it has been written.
#[derive(Debug)]
pub(crate) struct Data {
    path: PathBuf,
    /// How many changes there have been to what is kept, and how many of them are in the file.
    changes: Changes,
    written: AtomicU64,
    /// The clock as the file has it.
    noted: Mutex<Option<ClockNote>>,
    writer: Mutex<Writer>,
    /// Requests wait here for the file, one of them with a thread; what the others changed is written with its changes.
    turn: tokio::sync::Mutex<()>,
}

/// Whoever holds it writes, so that what was taken out of the collections earlier is in the file earlier.
#[derive(Debug)]
struct Writer {
    /// Nothing when the sandbox has stopped.
    file: Option<DataFile>,
    /// What could not be written yet, by room and key.
    left: BTreeMap<(&'static str, String), Change>,
}

/// Why a request is not answered as it should be: what it changed could not be written.
#[derive(Clone, Debug)]
pub(crate) struct Unwritten(pub(crate) String);

impl Data {
    /// Opens or creates the file at `path`; gives what is in it, too.
    pub(crate) fn open(path: &Path) -> Result<(Self, Records), StartError> {
        let refused = |reason| refused(path, reason);
        let (file, mut records) = file::open(path).map_err(refused)?;
        let note = records.remove(CLOCK).and_then(|mut notes| notes.remove(""));
        let note = note.map(|note| serde_json::from_str(&note)).transpose();
        let data = Self {
            path: path.to_owned(),
            changes: Changes::default(),
            written: AtomicU64::default(),
            noted: Mutex::new(note.map_err(|_| refused(file::damaged("the clock is unreadable")))?),
            writer: Mutex::new(Writer {
                file: Some(file),
                left: BTreeMap::new(),
            }),
            turn: tokio::sync::Mutex::default(),
        };
        Ok((data, records))
    }

    /// The clock that goes on; none in a new file.
    pub(crate) fn clock(&self) -> Option<VirtualClock> {
        let noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        noted.map(ClockNote::resume)
    }

    /// Puts what was in the file into `state`, whose changes are remembered from here on.
    pub(crate) fn load(&self, state: &State, mut records: Records) -> Result<(), StartError> {
        let outcome = state.keep(&mut Pass::Load(&mut records, &self.changes));
        let unknown = records.keys().next();
        let unknown = unknown.map(|room| Damage::new(room, "", "nothing of that kind is known"));
        match outcome.err().or(unknown) {
            None => Ok(()),
            Some(damage) => Err(refused(&self.path, file::damaged(&damage.to_string()))),
        }
    }

    /// Whether something changed that is not in the file.
    fn is_behind(&self, clock: &VirtualClock) -> bool {
        let noted = || *self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        self.written.load(Ordering::Acquire) < self.changes.count()
            || noted().is_none_or(|note| note.is_old(clock))
    }

    /// Writes what changed; the last time, the clock as it is.
    fn write(&self, state: &State, is_last: bool) -> Result<(), Unwritten> {
        let failed = |reason: String| Unwritten(format!("cannot write {}: {reason}", self.path.display()));
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        // What changes from here on may be written with it and counts as not written.
        let up_to = self.changes.count();
        let is_behind = self.is_behind(&state.clock);
        let mut list = Vec::new();
        let taken = state.keep(&mut Pass::Save(&mut list));
        for change in list {
            writer.left.insert((change.room, change.key.clone()), change);
        }
        taken.map_err(|damage| failed(damage.to_string()))?;
        if !(is_behind || is_last) && writer.left.is_empty() {
            return Ok(());
        }
        let note = if is_last {
            ClockNote::stopped(&state.clock)
        } else {
            ClockNote::running(&state.clock)
        };
        let body = serde_json::to_string(&note).map_err(|error| failed(error.to_string()))?;
        let change = Change {
            room: CLOCK,
            key: String::new(),
            body: Some(body),
        };
        writer.left.insert((CLOCK, String::new()), change);
        let Writer { file, left } = &mut *writer;
        let Some(file) = file else {
            return Err(failed("the sandbox has stopped".to_owned()));
        };
        file.write(left.values())
            .map_err(|error| failed(format!("{error}; it is tried again with the next request")))?;
        left.clear();
        *self.noted.lock().unwrap_or_else(PoisonError::into_inner) = Some(note);
        self.written.store(up_to, Ordering::Release);
        Ok(())
    }
}

impl State {
    /// Has everything written that changed, before a reply tells of it. It takes a thread only when something did.
    pub(crate) async fn save(self: &Arc<Self>) -> Result<(), Unwritten> {
        let Some(data) = &self.data else { return Ok(()) };
        if !data.is_behind(&self.clock) {
            return Ok(());
        }
        let _turn = data.turn.lock().await;
        if !data.is_behind(&self.clock) {
            return Ok(());
        }
        let state = self.clone();
        tokio::task::spawn_blocking(move || state.save_now())
            .await
            .unwrap_or_else(|_| {
                Err(Unwritten(
                    "cannot write the data file: the runtime ends".to_owned(),
                ))
            })
    }

    /// The same for callers that are no request.
    pub(crate) fn save_now(&self) -> Result<(), Unwritten> {
        self.data.as_ref().map_or(Ok(()), |data| data.write(self, false))
    }
}

/// Keeps the file of a sandbox up to date between requests, and closes it when it is dropped.
#[derive(Debug)]
pub(crate) struct Keeper {
    state: Arc<State>,
    ticking: Option<JoinHandle<()>>,
}

impl Keeper {
    pub(crate) fn start(state: &Arc<State>) -> Self {
        let ticking = state
            .data
            .is_some()
            .then(|| tokio::spawn(tick(Arc::downgrade(state))));
        Self {
            state: state.clone(),
            ticking,
        }
    }
}

async fn tick(state: Weak<State>) {
    loop {
        tokio::time::sleep(EVERY).await;
        let Some(state) = state.upgrade() else { return };
        // A failure is told to the next request, which tries again.
        let _ = tokio::task::spawn_blocking(move || {
            state.requests.note();
            state.save_now()
        })
        .await;
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        if let Some(ticking) = self.ticking.take() {
            ticking.abort();
        }
        if let Some(data) = &self.state.data {
            self.state.requests.note();
            // Nobody is left to be told of a failure; what was answered is in the file already.
            let _ = data.write(&self.state, true);
            let mut writer = data.writer.lock().unwrap_or_else(PoisonError::into_inner);
            writer.file = None;
        }
    }
}

fn refused(path: &Path, reason: String) -> StartError {
    StartError::Data {
        path: path.to_owned(),
        reason,
    }
}
