//! What the folder and the files of the file store are called.

use std::path::PathBuf;

use preopen_core::{Error, Result};

/// The key of the folder's sealed values.
pub(super) const KEY: &str = "key";
/// Held by whoever makes the key. An account's name cannot begin with a dot.
pub(super) const KEY_LOCK: &str = ".key.lock";
/// A key that is being written.
pub(super) const KEY_TEMP: &str = ".key.tmp";

/// One of the two parts of a value, as file names and fail-points call it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Session,
    Guard,
}

impl Part {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Guard => "guard",
        }
    }
}

/// The file names of one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Names(String);

impl Names {
    /// Checks that the account's name is one, and not a path.
    pub(super) fn of(account: &str) -> Result<Self> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if account.is_empty() || account.len() > 128 || !account.chars().all(plain) {
            return Err(Error::invalid_input(
                "account",
                "is not the name of one: it must be at most 128 lower-case letters, digits and hyphens",
            ));
        }
        Ok(Self(account.to_owned()))
    }

    pub(super) fn account(&self) -> &str {
        &self.0
    }

    pub(super) fn lock(&self) -> String {
        format!("{}.lock", self.0)
    }

    pub(super) fn part(&self, part: Part) -> String {
        format!("{}.{}", self.0, part.as_str())
    }

    /// A part that is being written. Only the holder of the claim writes one, so the name needs no number, and what the
    /// next holder finds under it is the remainder of a process that died.
    pub(super) fn temp(&self, part: Part) -> String {
        format!(".{}.{}.tmp", self.0, part.as_str())
    }
}

/// Whether a file of this name may be the file store's.
#[cfg_attr(windows, allow(dead_code, reason = "folders are tightened on Unix only"))]
pub(super) fn is_ours(name: &str) -> bool {
    let suffixes: &[&str] = if name.starts_with('.') {
        &[".lock", ".tmp"]
    } else {
        &[".session", ".guard", ".lock"]
    };
    name == KEY || suffixes.iter().any(|suffix| name.ends_with(suffix))
}

/// The user's folder for state: `$XDG_STATE_HOME/preopen` or `~/.local/state/preopen`, on macOS
/// `~/Library/Application Support/Preopen`, on Windows `%LOCALAPPDATA%\Preopen`.
pub(super) fn default_folder() -> Result<PathBuf> {
    let folder = if cfg!(windows) {
        absolute(std::env::var_os("LOCALAPPDATA")).map(|folder| folder.join("Preopen"))
    } else if cfg!(target_os = "macos") {
        home().map(|home| home.join("Library/Application Support/Preopen"))
    } else {
        let local = || home().map(|home| home.join(".local/state"));
        absolute(std::env::var_os("XDG_STATE_HOME"))
            .or_else(local)
            .map(|folder| folder.join("preopen"))
    };
    folder.ok_or_else(|| {
        Error::invalid_input(
            "store",
            "has no place: this user has no home folder, so name a folder for the file store",
        )
    })
}

fn home() -> Option<PathBuf> {
    absolute(std::env::home_dir())
}

/// The XDG specification has a path that is not absolute ignored.
fn absolute(path: Option<impl Into<PathBuf>>) -> Option<PathBuf> {
    path.map(Into::into).filter(|path: &PathBuf| path.is_absolute())
}

#[cfg(test)]
mod tests {
    use super::{Names, Part, absolute, is_ours};

    #[test]
    fn an_account_is_never_a_path() {
        for bad in [
            "",
            ".",
            "..",
            "a/b",
            "a\\b",
            "A",
            "a b",
            "key.lock",
            "a\0",
            "é",
            &"a".repeat(129),
        ] {
            let error = Names::of(bad).unwrap_err();
            assert_eq!(error.field(), Some("account"), "{bad:?}");
        }
        let names = Names::of("samco-live-1f").unwrap();
        assert_eq!(names.lock(), "samco-live-1f.lock");
        assert_eq!(names.part(Part::Session), "samco-live-1f.session");
        assert_eq!(names.temp(Part::Guard), ".samco-live-1f.guard.tmp");
    }

    #[test]
    fn own_files_are_told_from_others() {
        let names = Names::of("a-1").unwrap();
        let own = [names.lock(), names.part(Part::Session), names.temp(Part::Guard)];
        for own in own
            .iter()
            .map(String::as_str)
            .chain(["key", ".key.lock", ".key.tmp"])
        {
            assert!(is_ours(own), "{own}");
        }
        for other in [
            "",
            "notes.txt",
            ".bashrc",
            "keys",
            "session",
            "a.tmp",
            ".a.session",
        ] {
            assert!(!is_ours(other), "{other}");
        }
    }

    #[test]
    fn a_relative_folder_for_state_is_ignored() {
        assert_eq!(absolute(Some("state")), None);
        assert_eq!(absolute(Some("")), None);
        let root = if cfg!(windows) { "C:\\state" } else { "/state" };
        assert_eq!(absolute(Some(root)), Some(root.into()));
    }
}
