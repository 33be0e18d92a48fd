//! Whether a folder or a file is one that may be trusted: this user's own, of the right type, closed to others.

use std::os::fd::AsFd;
use std::path::Path;

use preopen_core::Result;
use rustix::fs::{Dir, FileType, Mode, Stat};

use super::super::names::is_ours;
use super::super::problem::{failed, refused};
use super::{FILE_MODE, FOLDER_MODE};

/// Rights of the group and of everybody.
const OTHERS: Mode = Mode::RWXG.union(Mode::RWXO);

pub(super) fn permissions(stat: &Stat) -> Mode {
    Mode::from_raw_mode(stat.st_mode).intersection(FOLDER_MODE.union(OTHERS))
}

fn owner(path: &Path, stat: &Stat) -> Result<()> {
    let us = rustix::process::geteuid().as_raw();
    if stat.st_uid == us {
        return Ok(());
    }
    let why = format!(
        "it belongs to user {} and this program runs as user {us}; use a folder of this user's own",
        stat.st_uid
    );
    Err(refused(path, &why))
}

/// Says what is in the folder's place when it cannot be opened as one.
pub(super) fn is_a_folder(path: &Path) -> Result<()> {
    match rustix::fs::lstat(path).map(|stat| FileType::from_raw_mode(stat.st_mode)) {
        Ok(FileType::Symlink) => Err(refused(
            path,
            "it is a symbolic link; name the folder that it leads to",
        )),
        Ok(FileType::Directory) | Err(_) => Ok(()),
        Ok(_) => Err(refused(
            path,
            "it is not a folder; move it away, or name another folder",
        )),
    }
}

/// Refuses a folder of somebody else's, and closes an own one to others.
pub(super) fn folder(handle: impl AsFd + Copy, path: &Path, stat: &Stat) -> Result<()> {
    owner(path, stat)?;
    if !permissions(stat).intersects(OTHERS) {
        return Ok(());
    }
    // A folder that holds other things is open to others because they need it.
    let sticky = Mode::from_raw_mode(stat.st_mode).contains(Mode::SVTX);
    if sticky || holds_other_things(handle, path)? {
        return Err(refused(
            path,
            "other users may enter it and it holds other things; name a folder for Preopen alone, or `chmod 700` it",
        ));
    }
    close(handle, path, FOLDER_MODE)
}

/// Takes the rights of others away. Some file systems refuse that, and some only say that they did it.
fn close(handle: impl AsFd + Copy, path: &Path, mode: Mode) -> Result<()> {
    let done = rustix::fs::fchmod(handle, mode).and_then(|()| rustix::fs::fstat(handle));
    if done.is_ok_and(|stat| permissions(&stat) == mode) {
        return Ok(());
    }
    Err(refused(
        path,
        "other users may use it, and the file system does not let that be changed; choose a folder on another one",
    ))
}

fn holds_other_things(handle: impl AsFd, path: &Path) -> Result<bool> {
    let failed = |error: rustix::io::Errno| failed("list the folder", path, &error.into());
    for entry in Dir::read_from(handle).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_string_lossy();
        if name != "." && name != ".." && !is_ours(&name) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Refuses what is not a plain file.
pub(super) fn is_a_file(path: &Path, stat: &Stat) -> Result<()> {
    let found = match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => return Ok(()),
        FileType::Symlink => "a symbolic link",
        FileType::Directory => "a folder",
        FileType::Fifo => "a pipe",
        FileType::Socket => "a socket",
        _ => "a device",
    };
    Err(refused(
        path,
        &format!("it is {found} and not a file; move it away"),
    ))
}

/// Refuses what is not a plain file of this user's own, and closes it to others; `was_open` hears of that.
pub(super) fn file(
    handle: impl AsFd + Copy,
    path: &Path,
    stat: &Stat,
    was_open: impl FnOnce(),
) -> Result<()> {
    is_a_file(path, stat)?;
    owner(path, stat)?;
    let found = permissions(stat);
    // A umask may have taken rights of the owner, too.
    if found != FILE_MODE {
        close(handle, path, FILE_MODE)?;
    }
    if found.intersects(OTHERS) {
        was_open();
    }
    Ok(())
}
