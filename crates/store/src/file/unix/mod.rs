//! The folder on Unix: opened once for each piece of work, and every file in it through that handle, so that nothing
//! can be put in its place halfway.

mod file_system;
mod lock;
mod safe;
mod slots;

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use preopen_core::Result;
use rustix::fs::{AtFlags, CWD, Mode, OFlags, Stat};
use rustix::io::Errno;

use file_system::file_system;
pub(super) use file_system::file_system_of;
pub(super) use lock::Lock;

use super::LIMIT;
use super::failpoint::reached;
use super::notes::Notes;
use super::problem::{failed, refused};

/// How every file is opened: no link is followed, and nothing that is not a file is waited for.
const SAFELY: OFlags = OFlags::NOFOLLOW
    .union(OFlags::CLOEXEC)
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY);
const FOLDER: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);
const FILE_MODE: Mode = Mode::RUSR.union(Mode::WUSR);
const FOLDER_MODE: Mode = Mode::RWXU;

/// Which file it is, anywhere on this machine.
type Identity = (u64, u64);

/// What tells one state of a file from another without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    file: Identity,
    size: i64,
    modified: (i64, i64),
}

/// The store's folder.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    handle: OwnedFd,
    identity: Identity,
    notes: Arc<Notes>,
}

impl Folder {
    /// The folder, if it is there and safe to use.
    pub(super) fn open(path: &Path, notes: &Arc<Notes>) -> Result<Option<Self>> {
        let handle = match rustix::fs::open(path, FOLDER, Mode::empty()) {
            Ok(handle) => handle,
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => {
                safe::is_a_folder(path)?;
                return Err(failed("open the folder", path, &error.into()));
            }
        };
        let stat = rustix::fs::fstat(&handle).map_err(|error| failed("look at", path, &error.into()))?;
        safe::folder(&handle, path, &stat)?;
        notes.learn_file_system(|| file_system(&handle));
        Ok(Some(Self {
            path: path.to_owned(),
            handle,
            identity: identity(&stat),
            notes: Arc::clone(notes),
        }))
    }

    /// The folder, made if need be together with those above it, and from the start for its owner alone.
    pub(super) fn create(path: &Path, notes: &Arc<Notes>) -> Result<Self> {
        if let Some(folder) = Self::open(path, notes)? {
            return Ok(folder);
        }
        make(path).map_err(|error| failed("make the folder", path, &error))?;
        Self::open(path, notes)?
            .ok_or_else(|| failed("open the folder", path, &io::ErrorKind::NotFound.into()))
    }

    fn at(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Whether the folder's path still leads here.
    fn is_in_place(&self) -> io::Result<bool> {
        match rustix::fs::lstat(&self.path) {
            Ok(stat) => Ok(identity(&stat) == self.identity),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Opens a file that is safe to use; `None` when there is none.
    fn file(&self, name: &str, how: OFlags) -> Result<Option<(File, Stat)>> {
        let path = self.at(name);
        let handle = match rustix::fs::openat(&self.handle, name, how | SAFELY, FILE_MODE) {
            Ok(handle) => handle,
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => {
                self.is_a_file(name)?;
                return Err(failed("open", &path, &error.into()));
            }
        };
        let stat = rustix::fs::fstat(&handle).map_err(|error| failed("look at", &path, &error.into()))?;
        safe::file(&handle, &path, &stat, || self.notes.learn_open_to_others(name))?;
        Ok(Some((File::from(handle), stat)))
    }

    fn is_a_file(&self, name: &str) -> Result<()> {
        match rustix::fs::statat(&self.handle, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => safe::is_a_file(&self.at(name), &stat),
            Err(_) => Ok(()),
        }
    }

    /// What the file holds, and its stamp as of then.
    pub(super) fn read(&self, name: &str) -> Result<Option<(Vec<u8>, Stamp)>> {
        let Some((file, stat)) = self.file(name, OFlags::RDONLY)? else {
            return Ok(None);
        };
        // Room for all of it from the start: a vector that grows leaves copies behind.
        let size = usize::try_from(stat.st_size).unwrap_or(LIMIT).min(LIMIT);
        let mut held = Vec::with_capacity(size + 64);
        file.take(LIMIT as u64 + 1)
            .read_to_end(&mut held)
            .map_err(|error| failed("read", &self.at(name), &error))?;
        if held.len() > LIMIT {
            return Err(refused(
                &self.at(name),
                "it is larger than anything that Preopen writes; move it away",
            ));
        }
        Ok(Some((held, stamp(&stat))))
    }

    /// The file's stamp.
    pub(super) fn stamp(&self, name: &str) -> Result<Option<Stamp>> {
        match rustix::fs::statat(&self.handle, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stamp(&stat))),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(failed("look at", &self.at(name), &error.into())),
        }
    }

    /// Replaces what the file holds in one step, durably. Only the holder of the lock may call it.
    pub(super) fn write(&self, name: &str, temp: &str, part: &str, text: &[u8]) -> Result<()> {
        let written = self.replace(name, temp, part, text);
        if written.is_err() {
            // The remainder is swept by the next holder otherwise.
            let _ = self.unlink(temp);
        }
        written.map_err(|error| failed("write", &self.at(name), &error))
    }

    fn replace(&self, name: &str, temp: &str, part: &str, text: &[u8]) -> io::Result<()> {
        reached(part, "begun")?;
        self.unlink(temp)?;
        let how = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | SAFELY;
        let mut file = File::from(rustix::fs::openat(&self.handle, temp, how, FILE_MODE)?);
        reached(part, "created")?;
        let stat = rustix::fs::fstat(&file)?;
        if safe::permissions(&stat) != FILE_MODE {
            rustix::fs::fchmod(&file, FILE_MODE)?;
        }
        let (first, second) = text.split_at(text.len() / 2);
        if cfg!(feature = "failpoints") {
            file.write_all(first)?;
            reached(part, "half_written")?;
            file.write_all(second)?;
        } else {
            file.write_all(text)?;
        }
        reached(part, "written")?;
        file.sync_all()?;
        reached(part, "synced")?;
        // Whoever lost the lock without knowing must not put another's unfinished file in place.
        let found = rustix::fs::statat(&self.handle, temp, AtFlags::SYMLINK_NOFOLLOW)?;
        if identity(&found) != identity(&stat) {
            return Err(io::Error::other("another program writes it at the same time"));
        }
        rustix::fs::renameat(&self.handle, temp, &self.handle, name)?;
        reached(part, "renamed")?;
        self.sync()?;
        reached(part, "folder_synced")
    }

    /// Removes the file, durably.
    pub(super) fn remove(&self, name: &str, part: &str) -> Result<()> {
        let removed = || {
            self.unlink(name)?;
            reached(part, "removed")?;
            self.sync()?;
            reached(part, "removal_synced")
        };
        removed().map_err(|error: io::Error| failed("remove", &self.at(name), &error))
    }

    /// Removes what a process that died left half-written. Only the holder of the lock may call it.
    pub(super) fn sweep(&self, temp: &str) -> Result<()> {
        self.unlink(temp)
            .map_err(|error| failed("remove", &self.at(temp), &error))
    }

    fn unlink(&self, name: &str) -> io::Result<()> {
        match rustix::fs::unlinkat(&self.handle, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Makes the folder's entries durable.
    fn sync(&self) -> io::Result<()> {
        match rustix::fs::fsync(&self.handle) {
            // Some file systems have nothing to write for a folder.
            Ok(()) | Err(Errno::INVAL | Errno::NOTSUP) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

fn make(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    let above = path.parent();
    if let Some(above) = above {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true).mode(0o700).create(above)?;
    }
    match rustix::fs::mkdir(path, FOLDER_MODE) {
        Ok(()) => {}
        Err(Errno::EXIST) => return Ok(()),
        Err(error) => return Err(error.into()),
    }
    let stat = rustix::fs::lstat(path)?;
    if safe::permissions(&stat) != FOLDER_MODE {
        // A umask that takes the owner's rights away.
        rustix::fs::chmodat(CWD, path, FOLDER_MODE, AtFlags::empty())?;
    }
    if let Some(above) = above {
        // A folder that a power cut takes away costs one login.
        let _ = File::open(above).and_then(|above| above.sync_all());
    }
    Ok(())
}

#[allow(
    clippy::unnecessary_cast,
    clippy::cast_sign_loss,
    clippy::cast_lossless,
    reason = "the fields' types are others on each platform"
)]
fn identity(stat: &Stat) -> Identity {
    (stat.st_dev as u64, stat.st_ino as u64)
}

#[allow(
    clippy::unnecessary_cast,
    clippy::cast_possible_wrap,
    clippy::cast_lossless,
    reason = "the fields' types are others on each platform"
)]
fn stamp(stat: &Stat) -> Stamp {
    Stamp {
        file: identity(stat),
        size: stat.st_size as i64,
        modified: (stat.st_mtime as i64, stat.st_mtime_nsec as i64),
    }
}
