//! Providing the tools that a machine may lack: Python environments, Node, programs of cargo. Nothing is installed system-wide.

pub(crate) mod chromium;
pub(crate) mod node;
pub(crate) mod programs;
pub(crate) mod python;

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Does `work` unless the stamp says that exactly `wanted` was done before.
fn once(stamp: &Path, wanted: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
    if fs::read_to_string(stamp).is_ok_and(|done| done == wanted) {
        return Ok(());
    }
    // A half-finished installation must not look complete.
    let _ = fs::remove_file(stamp);
    work()?;
    if let Some(folder) = stamp.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(stamp, wanted).with_context(|| format!("cannot write {}", stamp.display()))
}

/// The first of the programs that is in a folder of a search path.
pub(crate) fn on_path(path: &OsStr, names: &[&str]) -> Option<PathBuf> {
    let folders: Vec<PathBuf> = std::env::split_paths(path).collect();
    let there = |name: &&str| {
        let name = format!("{name}{}", std::env::consts::EXE_SUFFIX);
        folders
            .iter()
            .map(|folder| folder.join(&name))
            .find(|program| program.is_file())
    };
    names.iter().find_map(there)
}

#[cfg(test)]
mod tests {
    use super::once;

    #[test]
    fn work_is_repeated_only_when_what_is_wanted_changes_or_it_failed() {
        let folder = std::env::temp_dir().join(format!("xtask-once-{}", std::process::id()));
        let stamp = folder.join("stamp");
        let mut runs = 0;
        for wanted in ["a", "a", "b"] {
            once(&stamp, wanted, || {
                runs += 1;
                Ok(())
            })
            .unwrap();
        }
        assert_eq!(runs, 2);
        assert!(once(&stamp, "c", || anyhow::bail!("no network")).is_err());
        assert!(!stamp.exists());
        std::fs::remove_dir_all(folder).unwrap();
    }
}
