//! An audit file: lines are only ever appended, each with one write, so that those of several programs do not mix. A file
//! that cannot be written keeps nobody from logging in.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use tracing::warn;

pub(crate) struct AuditFile {
    path: PathBuf,
    /// The last line could not be written, and that was told.
    failed: AtomicBool,
}

impl AuditFile {
    pub(crate) fn new(path: PathBuf) -> Self {
        let failed = AtomicBool::new(false);
        Self { path, failed }
    }

    /// Appends a line. What goes wrong is told once, until a line can be written again.
    pub(crate) fn append(&self, line: &str) {
        match append(&self.path, line) {
            Ok(()) => self.failed.store(false, Ordering::Relaxed),
            Err(error) => {
                if !self.failed.swap(true, Ordering::Relaxed) {
                    let path = self.path.display();
                    warn!(target: "preopen.audit", "the audit file {path} cannot be written: {error}");
                }
            }
        }
    }
}

/// The file is opened for each line: it may have been moved away, and there are a few lines a day.
fn append(path: &Path, line: &str) -> io::Result<()> {
    // Opening a pipe that nobody reads would wait for ever.
    if let Ok(there) = std::fs::metadata(path)
        && is_pipe(&there)
    {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is a pipe"));
    }
    let mut file = open(path)?;
    let mut text = String::with_capacity(line.len() + 2);
    // A disk that was full may have cut the line before.
    if ends_within_a_line(&mut file) {
        text.push('\n');
    }
    text.push_str(line);
    text.push('\n');
    match file.write(text.as_bytes())? {
        written if written == text.len() => Ok(()),
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
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    // Reading is for the end of the line before; a terminal or a log that may only be written is written all the same.
    match options.clone().read(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => options.open(path),
        opened => opened,
    }
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
fn is_pipe(there: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::FileTypeExt as _;
    there.file_type().is_fifo()
}

#[cfg(not(unix))]
fn is_pipe(_: &std::fs::Metadata) -> bool {
    false
}
