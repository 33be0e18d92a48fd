//! An audit file: lines are only ever appended, each with one write, so that those of several programs do not mix. A file
//! that cannot be written keeps nobody from logging in.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use tracing::warn;

pub(crate) struct AuditFile {
    path: PathBuf,
    /// The last line could not be written, and that was told.
    failed: AtomicBool,
    /// That others can change the file was told.
    exposed: AtomicBool,
}

impl AuditFile {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self {
            path,
            failed: AtomicBool::new(false),
            exposed: AtomicBool::new(false),
        }
    }

    /// Appends a line. What goes wrong is told once, until a line can be written again.
    pub(crate) fn append(&self, line: &str) {
        let path = self.path.display();
        match append(&self.path, line) {
            Ok(exposed) => {
                self.failed.store(false, Ordering::Relaxed);
                if exposed && !self.exposed.swap(true, Ordering::Relaxed) {
                    warn!(
                        target: "preopen.audit",
                        "the audit file {path} can be changed by other users: make it this user's own, with mode 0600"
                    );
                }
            }
            Err(error) => {
                if !self.failed.swap(true, Ordering::Relaxed) {
                    warn!(target: "preopen.audit", "the audit file {path} cannot be written: {error}");
                }
            }
        }
    }
}

/// The file is opened for each line: it may have been moved away, and there are a few lines a day. Gives whether others can
/// change it.
fn append(path: &Path, line: &str) -> io::Result<bool> {
    let mut file = open(path)?;
    let there = file.metadata()?;
    if !there.is_file() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is no regular file",
        ));
    }
    let mut text = String::with_capacity(line.len() + 2);
    // A disk that was full may have cut the line before.
    if ends_within_a_line(&mut file) {
        text.push('\n');
    }
    text.push_str(line);
    text.push('\n');
    match file.write(text.as_bytes())? {
        written if written == text.len() => Ok(is_exposed(&there)),
        _ => Err(io::Error::new(
            io::ErrorKind::StorageFull,
            "a part of a line was written",
        )),
    }
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        use std::os::unix::fs::OpenOptionsExt as _;
        // In a folder that others may write to, a link would choose where the lines go, and a pipe would keep a login waiting
        // for somebody to read it.
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
        options.mode(0o600).custom_flags(flags.bits().cast_signed());
    }
    // Reading is for the end of the line before; a log that may only be written is written all the same.
    let opened = match options.clone().read(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => options.open(path),
        opened => opened,
    };
    opened.map_err(|error| match path.symlink_metadata() {
        Ok(there) if cfg!(unix) && there.is_symlink() => {
            io::Error::new(io::ErrorKind::InvalidInput, "it is a symbolic link")
        }
        _ => error,
    })
}

/// Best effort: what cannot be read is taken for whole.
fn ends_within_a_line(file: &mut File) -> bool {
    let mut last = [0];
    let read = file
        .seek(SeekFrom::End(-1))
        .and_then(|_| file.read_exact(&mut last));
    read.is_ok() && last != *b"\n"
}

#[cfg(unix)]
fn is_exposed(there: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    there.uid() != rustix::process::geteuid().as_raw() || there.mode() & 0o022 != 0
}

#[cfg(not(unix))]
fn is_exposed(_: &Metadata) -> bool {
    false
}
