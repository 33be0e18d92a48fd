//! The Rust tests: units, integration tests and documentation examples of every crate but the bindings.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::console;
use crate::counts::{self, Counts};
use crate::process;
use crate::report::Report;
use crate::workspace::{BINDINGS, Workspace};

use super::provision::Provision;

/// So many programs run at once: cargo runs one after another, and most of them wait more than they work.
pub(super) const AT_ONCE: usize = 3;

/// These take longest: they begin first.
const LONG: [&str; 4] = ["hosts", "processes", "scripted", "cli"];

/// A program that cargo built of tests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Program {
    name: String,
    /// The folder of its package, in which cargo runs it.
    package: PathBuf,
    path: PathBuf,
}

impl Program {
    /// Reads one line of what cargo tells of a build; none of other things than programs of tests.
    fn parse(line: &str) -> Option<Self> {
        let message: Value = serde_json::from_str(line).ok()?;
        let is_test = message["profile"]["test"].as_bool()?;
        let program = message["executable"].as_str().filter(|_| is_test)?;
        Some(Self {
            name: message["target"]["name"].as_str()?.to_owned(),
            package: Path::new(message["manifest_path"].as_str()?).parent()?.to_owned(),
            path: program.into(),
        })
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        command
            .current_dir(&self.package)
            .env("CARGO_MANIFEST_DIR", &self.package);
        command
    }

    /// The file's name without what cargo adds to it, the package and the target: no two programs share it.
    fn title(&self) -> String {
        let package = self.package.file_name().unwrap_or_default();
        format!("{} ({})", self.name, package.to_string_lossy())
    }
}

fn cargo_test(workspace: &Workspace) -> Command {
    let mut cargo = workspace.cargo();
    cargo.args(["test", "--workspace"]);
    for name in BINDINGS {
        if workspace.require_package(name).is_ok() {
            cargo.args(["--exclude", name]);
        }
    }
    cargo
}

/// Builds the tests of every crate; the long ones are first in the list.
pub(super) fn build(workspace: &Workspace) -> Result<Vec<Program>> {
    let mut cargo = cargo_test(workspace);
    cargo.args(["--no-run", "--message-format=json-render-diagnostics"]);
    let mut programs = Vec::new();
    let status = process::lines(&mut cargo, |line| programs.extend(Program::parse(line)))?;
    ensure!(status.success(), "the tests do not build ({status})");
    programs.sort_by_key(|program| {
        LONG.iter()
            .position(|name| *name == program.name)
            .unwrap_or(LONG.len())
    });
    Ok(programs)
}

pub(super) fn run(provision: &Provision<'_>, report: &mut Report) {
    match provision.rust_tests(report) {
        Some(programs) => report.suite("rust", || run_all(provision.workspace, &programs)),
        None => report.missing("rust", "its programs"),
    }
}

/// The examples of the documentation, which cargo builds and runs in one go.
pub(super) fn examples(provision: &Provision<'_>, report: &mut Report) {
    report.suite("rust: examples", || {
        let mut cargo = cargo_test(provision.workspace);
        let mut counts = Counts::default();
        let status = process::tee(cargo.args(["--doc", "--no-fail-fast"]), |line| {
            counts.add(counts::libtest(line).unwrap_or_default());
        })?;
        Ok(judged(status, counts))
    });
}

/// Runs the programs, some at once.
fn run_all(workspace: &Workspace, programs: &[Program]) -> Result<Counts> {
    let queue: VecDeque<(String, Command)> = programs
        .iter()
        .map(|program| (program.title(), program.command()))
        .collect();
    let (queue, folder) = (Mutex::new(queue), workspace.target.join("test-reports/rust"));
    let (sender, ends) = mpsc::channel();
    let mut counts = Counts::default();
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            let (queue, folder, sender) = (&queue, &folder, sender.clone());
            scope.spawn(move || {
                let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                while let Some((title, mut command)) = next() {
                    let log = folder.join(format!("{title}.log"));
                    let end = process::status_into(&log, &mut command);
                    if sender.send((title, end)).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        for (title, end) in ends {
            console::say(format_args!("\n     Running {title}"));
            let (status, text) = end.with_context(|| format!("{title} did not run"))?;
            console::say(text.trim());
            counts.add(counted(status, &text));
        }
        Ok(counts)
    })
}

/// What a program of tests says.
fn counted(status: ExitStatus, text: &str) -> Counts {
    let mut counts = Counts::default();
    for line in text.lines() {
        counts.add(counts::libtest(line).unwrap_or_default());
    }
    judged(status, counts)
}

/// Not every failure is a failed test: code may not compile, or a program may crash.
fn judged(status: ExitStatus, mut counts: Counts) -> Counts {
    if !status.success() && counts.failed == 0 {
        console::say(format_args!(
            "it failed ({status}) without a failed test; it counts as one"
        ));
        counts.failed = 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::{Program, counted, run_all};
    use crate::counts::Counts;
    use crate::workspace::Workspace;
    use std::process::Command;

    #[test]
    fn programs_of_tests_are_told_from_what_else_cargo_builds() {
        let line = |test: bool, program: &str| {
            format!(
                r#"{{"reason": "compiler-artifact", "manifest_path": "/repo/crates/core/Cargo.toml", "target": {{"name": "warm"}},
                "profile": {{"test": {test}}}, "executable": {program}}}"#
            )
        };
        let found = Program::parse(&line(true, r#""/repo/target/debug/deps/warm-1""#)).unwrap();
        assert_eq!(found.title(), "warm (core)");
        assert_eq!(
            Program::parse(&line(false, r#""/repo/target/debug/preopen""#)),
            None
        );
        assert_eq!(Program::parse(&line(true, "null")), None);
        assert_eq!(
            Program::parse(r#"{"reason": "build-finished", "success": true}"#),
            None
        );
        assert_eq!(Program::parse("   Compiling xtask"), None);
    }

    #[cfg(unix)]
    #[test]
    fn programs_run_in_their_package_and_all_of_them_count() {
        use std::os::unix::fs::PermissionsExt;

        let workspace = Workspace::for_test("programs");
        let program = |name: &str, text: &str| {
            let package = workspace.root.join(name);
            std::fs::create_dir_all(&package).unwrap();
            let path = package.join("program");
            std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
            Program {
                name: name.to_owned(),
                package,
                path,
            }
        };
        let good =
            r#"[ "$PWD" = "$CARGO_MANIFEST_DIR" ] && echo "test result: ok. 2 passed; 0 failed; 0 ignored""#;
        let bad = r#"echo "test result: FAILED. 1 passed; 1 failed; 0 ignored"; exit 101"#;
        let programs = [
            program("good", good),
            program("bad", bad),
            program("crashes", "kill -9 $$"),
            program("silent", "true"),
            program("again", good),
        ];
        let counts = run_all(&workspace, &programs);
        std::fs::remove_dir_all(&workspace.root).unwrap();
        assert_eq!(counts.unwrap(), Counts { passed: 5, failed: 2 });
    }

    #[test]
    fn a_program_that_crashes_counts_as_a_failed_test() {
        let cargo = |argument: &str| Command::new("cargo").arg(argument).output().unwrap().status;
        let text = "test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out";
        let (good, bad) = (cargo("--version"), cargo("--no-such-option"));
        assert_eq!(counted(good, text), Counts { passed: 2, failed: 0 });
        assert_eq!(counted(bad, text), Counts { passed: 2, failed: 1 });
    }
}
