//! Asks the system which file system a folder is on.

use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::{Mode, OFlags};

/// The name of the file system that a path is, or would be, on, if it is a network's or alike.
pub(in super::super) fn file_system_of(path: &Path) -> Option<&'static str> {
    let there = path.ancestors().find(|path| path.exists())?;
    let handle = rustix::fs::open(there, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    file_system(&handle)
}

#[cfg(target_os = "linux")]
pub(super) fn file_system(folder: impl AsFd) -> Option<&'static str> {
    let stat = rustix::fs::fstatfs(folder).ok()?;
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::unnecessary_cast,
        reason = "the number has 32 bits; the field's type is another one on each platform"
    )]
    super::super::file_systems::by_number(stat.f_type as u32)
}

#[cfg(target_vendor = "apple")]
pub(super) fn file_system(folder: impl AsFd) -> Option<&'static str> {
    let stat = rustix::fs::fstatfs(folder).ok()?;
    let name = stat.f_fstypename.iter().take_while(|byte| **byte != 0);
    let name: String = name.map(|byte| char::from(byte.to_ne_bytes()[0])).collect();
    super::super::file_systems::by_name(&name)
}

#[cfg(not(any(target_os = "linux", target_vendor = "apple")))]
pub(super) fn file_system(_: impl AsFd) -> Option<&'static str> {
    None
}
