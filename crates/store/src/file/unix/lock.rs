//! The kernel's lock on Unix: a POSIX record lock, which belongs to the process. A forked child does not hold it (as it
//! would with `flock`), and it ends with its process however that ends. The lock file is never removed.

use std::fs::File;
use std::io;
use std::os::fd::IntoRawFd;
use std::time::Duration;

use preopen_core::Result;
use rustix::fs::{AtFlags, FlockOperation, OFlags};
use rustix::io::Errno;
use rustix::process::{Flock, FlockType};

use super::super::failpoint::reached;
use super::super::problem::{failed, refused};
use super::slots::{Slot, Use};
use super::{Folder, Identity, identity};

/// How often a lock file may be found replaced before that is no accident.
const REPLACED: usize = 8;
/// How often, and how long each time, a thread that only looks is waited for.
const LOOKS: u32 = 1000;
const LOOK: Duration = Duration::from_micros(500);

/// The lock is held until this is dropped.
#[derive(Debug)]
pub(in super::super) struct Lock {
    file: Option<File>,
    identity: Identity,
    name: String,
    // After the file: whoever has the slot next must not have the lock taken away by this one's end.
    slot: Slot,
}

impl Folder {
    /// Takes the lock, or says at once that another has it (`None`).
    pub(in super::super) fn try_lock(&self, name: &str) -> Result<Option<Lock>> {
        let Some(slot) = self.slot(name) else {
            return Ok(None);
        };
        let path = self.at(name);
        let error = |error: io::Error| failed("lock", &path, &error);
        for _ in 0..REPLACED {
            let Some((file, stat)) = self.file(name, OFlags::RDWR | OFlags::CREATE)? else {
                continue;
            };
            reached("lock", "opened").map_err(error)?;
            match lock(&file) {
                Ok(()) => reached("lock", "taken").map_err(error)?,
                Err(Errno::AGAIN | Errno::ACCESS) => return Ok(None),
                Err(errno) => return Err(error(errno.into())),
            }
            if !self.is_in_place().map_err(error)? {
                return Err(error(io::Error::other(
                    "its folder was replaced just now; try again",
                )));
            }
            // Of two files of this name, the one that everybody else finds is the one that counts.
            let identity = identity(&stat);
            if self.leads_to(name, identity).map_err(error)? {
                return Ok(Some(Lock {
                    file: Some(file),
                    identity,
                    name: name.to_owned(),
                    slot,
                }));
            }
        }
        let why = "it is replaced again and again; no other program may touch it";
        Err(refused(&path, why))
    }

    /// The right to open a lock file; `None` when this process holds the lock.
    fn slot(&self, name: &str) -> Option<Slot> {
        for _ in 0..LOOKS {
            match Slot::take(self.identity, name, Use::Lock) {
                Ok(slot) => return Some(slot),
                Err(Use::Lock) => return None,
                Err(Use::Look) => std::thread::sleep(LOOK),
            }
        }
        None
    }

    /// Whether somebody, here or in another process, holds the lock. Changes nothing.
    pub(in super::super) fn is_locked(&self, name: &str) -> Result<bool> {
        let Ok(_slot) = Slot::take(self.identity, name, Use::Look) else {
            return Ok(true);
        };
        let Some((file, _)) = self.file(name, OFlags::RDONLY)? else {
            return Ok(false);
        };
        let held = rustix::process::fcntl_getlk(&file, &Flock::from(FlockType::WriteLock));
        held.map(|held| held.is_some())
            .map_err(|error| failed("look at the lock", &self.at(name), &error.into()))
    }

    fn leads_to(&self, name: &str, file: Identity) -> io::Result<bool> {
        match rustix::fs::statat(&self.handle, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) => Ok(identity(&found) == file),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

fn lock(file: &File) -> Result<(), Errno> {
    rustix::io::retry_on_intr(|| rustix::fs::fcntl_lock(file, FlockOperation::NonBlockingLockExclusive))
}

impl Lock {
    /// Whether the lock still keeps others out: not in a forked child, not when the file was replaced, and not when
    /// other code in this process opened and closed it and another process was quicker than this check, which takes
    /// the lock again.
    pub(in super::super) fn holds(&self, folder: &Folder) -> Result<bool> {
        let Some(file) = self.file.as_ref().filter(|_| self.slot.is_ours()) else {
            return Ok(false);
        };
        let error = |error: io::Error| failed("look at the lock", &folder.at(&self.name), &error);
        let in_place = folder.is_in_place().map_err(error)?
            && folder.leads_to(&self.name, self.identity).map_err(error)?;
        if !in_place {
            return Ok(false);
        }
        match lock(file) {
            Ok(()) => Ok(true),
            Err(Errno::AGAIN | Errno::ACCESS) => Ok(false),
            Err(errno) => Err(error(errno.into())),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if !self.slot.is_ours() {
            // A forked child that closed this handle would give away a lock on the same file that it has taken itself
            // by now. One handle stays open in it.
            let _ = self.file.take().map(IntoRawFd::into_raw_fd);
        }
    }
}
