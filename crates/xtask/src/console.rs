//! Where what a program prints goes: to the terminal, or to a file while several parts of the tests run side by side.

use std::cell::RefCell;
use std::fmt::Display;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use anyhow::{Context, Result};

thread_local! {
    /// The file that this thread and the programs it runs write to; without one they write to the terminal.
    static LOG: RefCell<Option<Arc<File>>> = const { RefCell::new(None) };
}

/// Prints a line.
pub(crate) fn say(line: impl Display) {
    let log = LOG.with_borrow(Clone::clone);
    match log {
        // A full disk must not hide how the tests ended.
        Some(log) => _ = writeln!(&*log, "{line}"),
        None => println!("{line}"),
    }
}

/// Lets a program write to where this thread writes.
pub(crate) fn connect(command: &mut Command) -> Result<()> {
    if let Some(log) = LOG.with_borrow(Clone::clone) {
        command
            .stdout(Stdio::from(log.try_clone()?))
            .stderr(Stdio::from(log.try_clone()?));
    }
    Ok(())
}

/// Runs `work` with everything that it prints going to a new file, and returns the text with what came of it.
pub(crate) fn keep<T>(path: &Path, work: impl FnOnce() -> T) -> Result<(T, String)> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let _ = fs::remove_file(path);
    // To append: this thread and the programs that it runs all write at the end.
    let log = File::options().create_new(true).append(true).open(path);
    let log = log.with_context(|| format!("cannot write {}", path.display()))?;
    let _back = Back(LOG.replace(Some(Arc::new(log))));
    let value = work();
    Ok((value, text(path)))
}

/// Gives the thread its place back, also when the work panics.
struct Back(Option<Arc<File>>);

impl Drop for Back {
    fn drop(&mut self) {
        LOG.set(self.0.take());
    }
}

/// What a file holds; bytes that are no UTF-8 are shown as such.
pub(crate) fn text(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::{connect, keep, say};
    use std::process::Command;

    #[test]
    fn a_kept_part_holds_its_lines_and_those_of_its_programs_in_order() {
        let path = std::env::temp_dir().join(format!("xtask-console-{}", std::process::id()));
        let ((), text) = keep(&path, || {
            say("before");
            let mut cargo = Command::new("cargo");
            cargo.arg("--version");
            connect(&mut cargo).unwrap();
            assert!(cargo.status().unwrap().success());
            say("after");
        })
        .unwrap();
        std::fs::remove_file(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!((lines[0], lines[2], lines.len()), ("before", "after", 3));
        assert!(lines[1].starts_with("cargo "));
    }
}
