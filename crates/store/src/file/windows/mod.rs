//! The folder on Windows. Compiled by cross-check only: no machine has run it yet.
//!
//! The access list of the folder, which its files inherit, keeps others out. There are no handles relative to a folder
//! in the standard library, so a folder that is swapped halfway is not noticed, as it is on Unix.

mod access;

use std::fs::{File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::windows::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf, Prefix};
use std::sync::Arc;
use std::time::Duration;

use preopen_core::Result;

use super::LIMIT;
use super::failpoint::reached;
use super::notes::Notes;
use super::problem::{failed, refused};

/// Opens a link itself instead of what it leads to (`FILE_FLAG_OPEN_REPARSE_POINT`).
const NO_FOLLOW: u32 = 0x0020_0000;
/// The attribute of links, junctions and mount points (`FILE_ATTRIBUTE_REPARSE_POINT`).
const REPARSE_POINT: u32 = 0x0400;
/// Others may read and write, but not remove or rename (`FILE_SHARE_READ | FILE_SHARE_WRITE`).
const SHARE_WITHOUT_DELETE: u32 = 0x0000_0003;
/// How often, and how long each time, a file is tried again that a reader or a virus scanner has open.
const TRIES: usize = 50;
const TRY: Duration = Duration::from_millis(2);

/// What tells one state of a file from another without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    size: u64,
    created: u64,
    modified: u64,
}

/// The store's folder.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
}

/// The lock is held until this is dropped: its handle lets nobody remove the file.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// The lock is that of the handle; nothing takes it away.
    #[expect(
        clippy::unused_self,
        clippy::unnecessary_wraps,
        reason = "it can be lost on Unix"
    )]
    pub(super) fn holds(&self, _: &Folder) -> Result<bool> {
        Ok(true)
    }
}

impl Folder {
    /// The folder, if it is there and safe to use.
    pub(super) fn open(path: &Path, notes: &Arc<Notes>) -> Result<Option<Self>> {
        let metadata = match path.symlink_metadata() {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed("open the folder", path, &error)),
        };
        if metadata.file_attributes() & REPARSE_POINT != 0 {
            return Err(refused(path, "it is a link; name the folder that it leads to"));
        }
        if !metadata.is_dir() {
            return Err(refused(
                path,
                "it is not a folder; move it away, or name another folder",
            ));
        }
        access::check(path)?;
        notes.learn_file_system(|| file_system_of(path));
        Ok(Some(Self {
            path: path.to_owned(),
        }))
    }

    /// The folder, made if need be, and closed to others before anything is in it.
    pub(super) fn create(path: &Path, notes: &Arc<Notes>) -> Result<Self> {
        if path.symlink_metadata().is_err() {
            let made = path.parent().map_or(Ok(()), std::fs::create_dir_all);
            match made.and_then(|()| std::fs::create_dir(path)) {
                Ok(()) => access::close(path)?,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(failed("make the folder", path, &error)),
            }
        }
        Self::open(path, notes)?
            .ok_or_else(|| failed("open the folder", path, &io::ErrorKind::NotFound.into()))
    }

    fn at(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// What the file holds, and its stamp as of then.
    pub(super) fn read(&self, name: &str) -> Result<Option<(Vec<u8>, Stamp)>> {
        let path = self.at(name);
        let open = || OpenOptions::new().read(true).custom_flags(NO_FOLLOW).open(&path);
        let file = match again(open) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed("open", &path, &error)),
        };
        let metadata = is_a_file(&path, &file)?;
        let size = usize::try_from(metadata.len()).unwrap_or(LIMIT).min(LIMIT);
        let mut held = Vec::with_capacity(size + 64);
        file.take(LIMIT as u64 + 1)
            .read_to_end(&mut held)
            .map_err(|error| failed("read", &path, &error))?;
        if held.len() > LIMIT {
            return Err(refused(
                &path,
                "it is larger than anything that Preopen writes; move it away",
            ));
        }
        Ok(Some((held, stamp(&metadata))))
    }

    /// The file's stamp.
    pub(super) fn stamp(&self, name: &str) -> Result<Option<Stamp>> {
        let path = self.at(name);
        match again(|| path.symlink_metadata()) {
            Ok(metadata) => Ok(Some(stamp(&metadata))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed("look at", &path, &error)),
        }
    }

    /// Replaces what the file holds in one step, durably. Only the holder of the lock may call it.
    pub(super) fn write(&self, name: &str, temp: &str, part: &str, text: &[u8]) -> Result<()> {
        let written = self.replace(name, temp, part, text);
        if written.is_err() {
            let _ = self.unlink(temp);
        }
        written.map_err(|error| failed("write", &self.at(name), &error))
    }

    fn replace(&self, name: &str, temp: &str, part: &str, text: &[u8]) -> io::Result<()> {
        reached(part, "begun")?;
        self.unlink(temp)?;
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(self.at(temp))?;
        reached(part, "created")?;
        file.write_all(text)?;
        reached(part, "written")?;
        file.sync_all()?;
        reached(part, "synced")?;
        drop(file);
        again(|| std::fs::rename(self.at(temp), self.at(name)))?;
        reached(part, "renamed")
    }

    /// Removes the file.
    pub(super) fn remove(&self, name: &str, part: &str) -> Result<()> {
        self.unlink(name)
            .and_then(|()| reached(part, "removed"))
            .map_err(|error| failed("remove", &self.at(name), &error))
    }

    /// Removes what a process that died left half-written. Only the holder of the lock may call it.
    pub(super) fn sweep(&self, temp: &str) -> Result<()> {
        self.unlink(temp)
            .map_err(|error| failed("remove", &self.at(temp), &error))
    }

    fn unlink(&self, name: &str) -> io::Result<()> {
        match again(|| std::fs::remove_file(self.at(name))) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Takes the lock (`LockFileEx`), or says at once that another has it (`None`).
    pub(super) fn try_lock(&self, name: &str) -> Result<Option<Lock>> {
        let path = self.at(name);
        let error = |error: io::Error| failed("lock", &path, &error);
        let file = lock_file(&path, true).map_err(error)?;
        is_a_file(&path, &file)?;
        reached("lock", "opened").map_err(error)?;
        match file.try_lock() {
            Ok(()) => reached("lock", "taken").map_err(error)?,
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(failure)) => return Err(error(failure)),
        }
        Ok(Some(Lock { _file: file }))
    }

    /// Whether somebody, here or in another process, holds the lock.
    pub(super) fn is_locked(&self, name: &str) -> Result<bool> {
        let path = self.at(name);
        let error = |error: io::Error| failed("look at the lock", &path, &error);
        let file = match lock_file(&path, false) {
            Ok(file) => file,
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(failure) => return Err(error(failure)),
        };
        match file.try_lock() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(failure)) => Err(error(failure)),
        }
    }
}

fn lock_file(path: &Path, make: bool) -> io::Result<File> {
    again(|| {
        OpenOptions::new()
            .read(true)
            .write(true)
            .create(make)
            .truncate(false)
            .share_mode(SHARE_WITHOUT_DELETE)
            .custom_flags(NO_FOLLOW)
            .open(path)
    })
}

fn is_a_file(path: &Path, file: &File) -> Result<Metadata> {
    let metadata = file.metadata().map_err(|error| failed("look at", path, &error))?;
    if metadata.file_attributes() & REPARSE_POINT != 0 || !metadata.is_file() {
        return Err(refused(
            path,
            "it is a link or a folder and not a file; move it away",
        ));
    }
    Ok(metadata)
}

/// Tries again for a moment while somebody has the file open who does not share it.
fn again<T>(mut attempt: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    for _ in 0..TRIES {
        match attempt() {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => std::thread::sleep(TRY),
            done => return done,
        }
    }
    attempt()
}

/// A network's share by its path; a drive letter of one is not told from a disk.
pub(super) fn file_system_of(path: &Path) -> Option<&'static str> {
    match path.components().next() {
        Some(Component::Prefix(prefix)) => match prefix.kind() {
            Prefix::UNC(..) | Prefix::VerbatimUNC(..) => Some("SMB"),
            _ => None,
        },
        _ => None,
    }
}

fn stamp(metadata: &Metadata) -> Stamp {
    Stamp {
        size: metadata.file_size(),
        created: metadata.creation_time(),
        modified: metadata.last_write_time(),
    }
}
