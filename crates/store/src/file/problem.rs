//! The errors of the file store: what failed, where, why, and what to do about it.

use std::io;
use std::path::Path;

use preopen_core::error::{Advice, Cause};
use preopen_core::{Error, ErrorKind};

/// The operating system refused. `doing` completes "the file store cannot".
pub(super) fn failed(doing: &str, path: &Path, error: &io::Error) -> Error {
    let path = path.display();
    Error::new(
        ErrorKind::StoreUnavailable,
        format!("the file store cannot {doing} {path}: {}", why(error)),
    )
    .with_source(Cause::from_chain(error))
}

/// What is found there is not to be trusted, and waiting does not change that.
pub(super) fn refused(path: &Path, why: &str) -> Error {
    let path = path.display();
    Error::new(
        ErrorKind::StoreUnavailable,
        format!("the file store does not use {path}: {why}"),
    )
    .with_advice(Advice::Never)
}

fn why(error: &io::Error) -> String {
    let known = match error.kind() {
        io::ErrorKind::StorageFull => "the disk is full; free some space on it",
        io::ErrorKind::QuotaExceeded => "the disk quota is used up; free some space",
        io::ErrorKind::PermissionDenied => {
            "permission denied; the folder must be one that this program's user owns and may write to"
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            "the file system is read-only; choose a folder for the store on another one"
        }
        io::ErrorKind::NotADirectory => "a part of the path is not a folder; choose another folder",
        io::ErrorKind::IsADirectory => "it is a folder; move it away",
        io::ErrorKind::Unsupported => {
            "the file system cannot do it; choose a folder for the store on a local disk"
        }
        _ if no_locks(error) => {
            "the file system has no locks left or none at all; choose a folder for the store on a local disk"
        }
        _ if too_many(error) => {
            "too many files are open; raise the limit (`ulimit -n`) or open fewer sessions"
        }
        _ => return error.to_string(),
    };
    known.to_owned()
}

#[cfg(unix)]
fn no_locks(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::NOLCK.raw_os_error())
}

#[cfg(unix)]
fn too_many(error: &io::Error) -> bool {
    let many = [rustix::io::Errno::MFILE, rustix::io::Errno::NFILE];
    many.iter()
        .any(|many| error.raw_os_error() == Some(many.raw_os_error()))
}

#[cfg(not(unix))]
fn no_locks(_: &io::Error) -> bool {
    false
}

#[cfg(not(unix))]
fn too_many(_: &io::Error) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::path::Path;

    use preopen_core::ErrorKind;
    use preopen_core::error::Advice;

    use super::{failed, refused};

    #[test]
    fn errors_say_what_where_why_and_the_fix() {
        let path = Path::new("/state/preopen");
        for (kind, words) in [
            (io::ErrorKind::StorageFull, "free some space"),
            (io::ErrorKind::QuotaExceeded, "free some space"),
            (io::ErrorKind::PermissionDenied, "this program's user"),
            (io::ErrorKind::ReadOnlyFilesystem, "read-only; choose"),
            (io::ErrorKind::NotADirectory, "not a folder; choose"),
        ] {
            let error = failed("write", path, &kind.into());
            assert_eq!(error.kind(), ErrorKind::StoreUnavailable);
            let start = "the file store cannot write /state/preopen: ";
            assert!(error.message().starts_with(start), "{error}");
            assert!(error.message().contains(words), "{error}");
            assert_ne!(error.advice(), Advice::Never, "{error}");
        }
        let error = refused(path, "it is a symbolic link");
        assert_eq!(
            (error.kind(), error.advice()),
            (ErrorKind::StoreUnavailable, Advice::Never)
        );
    }

    #[cfg(unix)]
    #[test]
    fn limits_of_the_system_are_named() {
        use rustix::io::Errno;
        for (errno, words) in [(Errno::NOLCK, "no locks"), (Errno::MFILE, "ulimit -n")] {
            let error = failed("lock", Path::new("/x"), &errno.into());
            assert!(error.message().contains(words), "{error}");
        }
    }
}
