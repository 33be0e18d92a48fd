//! A claim of the file store: the lock of one account, and fenced, durable writes while it holds.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use preopen_core::wire::BoxFuture;
use preopen_core::{Error, Result};

use super::failpoint::reached;
use super::names::{Names, Part};
use super::os::{Folder, Lock, Stamp};
use super::problem::failed;
use super::{LIMIT, blocking};
use crate::store::{Claim, Value};

/// One part of a value as it was last seen in its file.
#[derive(Debug)]
struct Seen {
    text: Known,
    stamp: Option<Stamp>,
}

#[derive(Debug, PartialEq, Eq)]
enum Known {
    Text(Option<String>),
    /// A write failed halfway.
    Nothing,
}

impl Known {
    fn text(&self) -> Option<String> {
        match self {
            Self::Text(text) => text.clone(),
            Self::Nothing => None,
        }
    }
}

/// Reads one part.
fn part(folder: &Folder, names: &Names, part: Part) -> Result<Seen> {
    let found = folder.read(&names.part(part))?;
    let (text, stamp) = found.map(|(held, stamp)| (text(held), stamp)).unzip();
    let text = Known::Text(text);
    Ok(Seen { text, stamp })
}

/// A sealed text is ASCII of one line; what is not can be read, and then not opened.
fn text(held: Vec<u8>) -> String {
    let mut text = String::from_utf8(held)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
    text.truncate(text.trim_end().len());
    text
}

/// The stamps of both parts.
pub(super) type Stamps = [Option<Stamp>; 2];

pub(super) fn stamps(folder: &Folder, names: &Names) -> Result<Stamps> {
    let stamp = |part| folder.stamp(&names.part(part));
    Ok([stamp(Part::Guard)?, stamp(Part::Session)?])
}

/// Reads a value without the lock. The writer puts the session before its guard, so the guard is read first: a session
/// is never older than the guard that it is read with.
pub(super) fn read(folder: &Folder, names: &Names) -> Result<Option<Value>> {
    let mut tries = 3;
    loop {
        let before = stamps(folder, names)?;
        let guard = part(folder, names, Part::Guard)?;
        let session = part(folder, names, Part::Session)?;
        tries -= 1;
        if tries == 0 || stamps(folder, names)? == before {
            return Ok(value(&guard, &session));
        }
    }
}

fn value(guard: &Seen, session: &Seen) -> Option<Value> {
    let value = Value::new(session.text.text(), guard.text.text());
    (value != Value::default()).then_some(value)
}

/// Takes the claim, if it is free, and tells what is stored.
pub(super) fn claim(folder: Folder, names: Names) -> Result<Option<(FileClaim, Option<Value>)>> {
    let name = names.lock();
    let Some(lock) = folder.try_lock(&name)? else {
        return Ok(None);
    };
    for part in [Part::Session, Part::Guard] {
        folder.sweep(&names.temp(part))?;
    }
    reached("lock", "swept").map_err(|error| failed("use the lock", name.as_ref(), &error))?;
    let guard = part(&folder, &names, Part::Guard)?;
    let session = part(&folder, &names, Part::Session)?;
    let value = value(&guard, &session);
    let parts = Mutex::new((session, guard));
    let held = Arc::new(Held {
        parts,
        lock,
        folder,
        names,
    });
    Ok(Some((FileClaim(held), value)))
}

/// The lock is given back when the claim is dropped, or, later, when the last write that was begun has ended.
pub(super) struct FileClaim(Arc<Held>);

struct Held {
    // Only taken in the process that made it, so a fork never finds it locked.
    parts: Mutex<(Seen, Seen)>,
    lock: Lock,
    folder: Folder,
    names: Names,
}

impl Held {
    fn write(&self, value: &Value) -> Result<bool> {
        if !self.lock.holds(&self.folder)? {
            return Ok(false);
        }
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        let (session, guard) = &mut *parts;
        // The fence: a file that changed under the lock was written by somebody who held it meanwhile.
        if stamps(&self.folder, &self.names)? != [guard.stamp, session.stamp] {
            return Ok(false);
        }
        // A process that ends between the two leaves a session that is newer than its guard. The other way round would
        // look as if somebody had put an old session back.
        self.put(Part::Session, session, value.session.as_ref())?;
        self.put(Part::Guard, guard, value.guard.as_ref())?;
        Ok(true)
    }

    fn put(&self, part: Part, seen: &mut Seen, text: Option<&String>) -> Result<()> {
        let wanted = Known::Text(text.cloned());
        if seen.text == wanted {
            return Ok(());
        }
        let name = self.names.part(part);
        let written = match text {
            Some(text) => {
                let temp = self.names.temp(part);
                let line = format!("{text}\n");
                self.folder.write(&name, &temp, part.as_str(), line.as_bytes())
            }
            None => self.folder.remove(&name, part.as_str()),
        };
        // After an error nobody knows what the file holds; but whatever it is now was not put there by another.
        seen.text = if written.is_ok() { wanted } else { Known::Nothing };
        if let Ok(stamp) = self.folder.stamp(&name) {
            seen.stamp = stamp;
        }
        written
    }
}

impl fmt::Debug for FileClaim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FileClaim({})", self.0.names.account())
    }
}

impl Claim for FileClaim {
    fn good_for(&self) -> Duration {
        Duration::MAX
    }

    fn write<'a>(&'a mut self, value: &'a Value) -> BoxFuture<'a, Result<bool>> {
        Box::pin(async move {
            let parts = [&value.session, &value.guard];
            if parts.into_iter().flatten().any(|part| part.len() >= LIMIT) {
                return Err(Error::invalid_input("value", "is longer than a file store keeps"));
            }
            let (held, value) = (Arc::clone(&self.0), value.clone());
            blocking(move || held.write(&value)).await
        })
    }

    fn release(self: Box<Self>) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            let freed = blocking(move || {
                drop(self);
                Ok(())
            });
            drop(freed.await);
        })
    }
}
