//! Waiting for another program's login: a look at the files now and then. No notification works on every file system,
//! and a look costs a few microseconds.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use preopen_core::Result;
use tokio::time::{Instant, sleep};

use super::blocking;
use super::claim::{self, Stamps};
use super::names::Names;
use super::notes::Notes;
use super::os::Folder;
use crate::store::Value;

const SHORTEST: Duration = Duration::from_millis(2);
const LONGEST: Duration = Duration::from_millis(25);

/// What is waited for.
#[derive(Clone)]
pub(super) struct Wait {
    pub(super) path: PathBuf,
    pub(super) notes: Arc<Notes>,
    pub(super) names: Names,
    pub(super) seen: Option<Value>,
}

impl Wait {
    /// Returns when the value is another one, or the lock is free, or cannot be looked at; at the latest after `at_most`.
    pub(super) async fn run(self, at_most: Duration) {
        let began = Instant::now();
        let mut pause = SHORTEST;
        let mut before = None;
        loop {
            let wait = self.clone();
            let look = blocking(move || wait.look(before)).await;
            let left = at_most.saturating_sub(began.elapsed());
            match look {
                Ok(Some(stamps)) if !left.is_zero() => before = Some(stamps),
                Ok(_) => return,
                // The caller meets the error itself; it must not do so a thousand times a second.
                Err(_) => return sleep(LONGEST.min(left)).await,
            }
            sleep(pause.min(left)).await;
            pause = LONGEST.min(pause * 3 / 2);
        }
    }

    /// `None` when there is no more to wait for, else the stamps of what is there.
    fn look(&self, before: Option<Stamps>) -> Result<Option<Stamps>> {
        let Some(folder) = Folder::open(&self.path, &self.notes)? else {
            return Ok(None);
        };
        let stamps = claim::stamps(&folder, &self.names)?;
        let same = match before {
            Some(before) => before == stamps,
            None => claim::read(&folder, &self.names)? == self.seen,
        };
        let waits = same && folder.is_locked(&self.names.lock())?;
        Ok(waits.then_some(stamps))
    }
}
