//! `cargo xtask soak`: what is too long for every change, in parts, and the page `docs/soak.md` that records it.
//!
//! A new part is a function in a file of its own and a row in [`PARTS`].

mod asan;
mod fuzz;
mod herd;
mod hosts;
mod kill;
mod miri;
mod model;
mod mutants;
mod nightly;
mod orders;
mod package;
mod page;
mod runtimes;

use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::builder::PossibleValuesParser;

use crate::counts::{self, Counts};
use crate::process;
use crate::workspace::Workspace;

/// Everything that can be run, in the order in which it runs and stands on the page.
const PARTS: &[Part] = &[
    Part {
        name: "model",
        about: "Every property test of the core, in a release build with overflow checks and debug assertions.",
        run: model::run,
    },
    Part {
        name: "orders",
        about: "Every order in which callers, logins and logouts can meet, and threads the session's state, up to a depth.",
        run: orders::run,
    },
    Part {
        name: "mutants",
        about: "Small bugs put into the core one at a time: its own tests must notice each of them.",
        run: mutants::run,
    },
    Part {
        name: "herd",
        about: "64 Python, Node and command-line programs, all cold, on one file store: one login, the same token, a bounded wait.",
        run: herd::run,
    },
    Part {
        name: "kill",
        about: "Programs that share a session in files, killed with SIGKILL at random instants of their logins: the files are \
                whole, the lock is free, the next program has a token soon, at most one login more for each kill.",
        run: kill::run,
    },
    Part {
        name: "hosts",
        about: "Hosts that share a session through Redis, in random runs of logins, failures, stopped hosts, lost ways and \
                restarts: what their stores did is linearizable for each account, and everybody agrees at the end.",
        run: hosts::run,
    },
    Part {
        name: "miri",
        about: "The core's unit tests in Miri, which finds undefined behaviour, the dependencies' included.",
        run: miri::run,
    },
    Part {
        name: "asan",
        about: "The core's unit tests under AddressSanitizer.",
        run: asan::run,
    },
    Part {
        name: "fuzz",
        about: "libFuzzer on the readers of replies, from the committed corpus: any bytes as the reply to any call of the catalogues never \
                panic, stay within the memory limit, and send a person to the broker only if they parse to a listed row.",
        run: fuzz::run,
    },
    Part {
        name: "package",
        about: "Every package for this platform, built as a release builds it: no symbol newer than glibc 2.28, within its size, \
                complete, without a dependency, installed into clean places and used.",
        run: package::run,
    },
    Part {
        name: "runtimes",
        about: "The main job of the Node package on Bun and Deno, from a login to its end, on the embedded broker.",
        run: runtimes::run,
    },
];

/// Where the runs are recorded.
const PAGE: &str = "docs/soak.md";

/// Which parts to run, and how much of them.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Run only these parts.
    #[arg(
        long,
        value_name = "PART",
        value_delimiter = ',',
        value_parser = PossibleValuesParser::new(PARTS.iter().map(|part| part.name))
    )]
    only: Vec<String>,
    /// Run a small share of each part, to try the parts themselves. Such a run is recorded below the target
    /// folder, not in docs/soak.md.
    #[arg(long)]
    quick: bool,
    /// Put bugs only into these files instead of all that the part `mutants` names.
    #[arg(long, value_name = "FILE", value_delimiter = ',')]
    file: Vec<String>,
}

struct Part {
    name: &'static str,
    /// One line for the page: what is proven.
    about: &'static str,
    run: fn(&Soak<'_>) -> Result<Outcome>,
}

/// What a part gets.
struct Soak<'a> {
    workspace: &'a Workspace,
    args: &'a Args,
}

/// What a part gives back. An error instead counts as a failure.
struct Outcome {
    verdict: Verdict,
    /// The command or commands, as a person would type them.
    ran: String,
    /// How much was run, in one line.
    counts: String,
    /// What a reader must know of the result; each is one item of a list.
    findings: Vec<String>,
}

enum Verdict {
    Passed,
    Failed,
    /// This machine lacks what the part needs; the reason.
    NotAvailable(String),
}

impl Outcome {
    fn new(passed: bool, ran: impl Into<String>, counts: impl Into<String>) -> Self {
        Self {
            verdict: if passed { Verdict::Passed } else { Verdict::Failed },
            ran: ran.into(),
            counts: counts.into(),
            findings: Vec::new(),
        }
    }

    fn not_available(reason: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::NotAvailable(reason.into()),
            ran: String::new(),
            counts: String::new(),
            findings: Vec::new(),
        }
    }

    fn broken(error: &anyhow::Error) -> Self {
        let mut outcome = Self::new(false, "", "");
        outcome
            .findings
            .push(format!("could not be run to its end: {error:#}"));
        outcome
    }
}

impl Verdict {
    fn shown(&self) -> String {
        match self {
            Self::Passed => "passed".to_owned(),
            Self::Failed => "FAILED".to_owned(),
            Self::NotAvailable(reason) => format!("not available: {reason}"),
        }
    }
}

impl Soak<'_> {
    /// The folder for builds that would push others out of the target folder, and for what tools leave.
    fn folder(&self, name: &str) -> PathBuf {
        self.workspace.target.join("soak").join(name)
    }

    /// Runs a command that runs tests, and counts them.
    fn tests(limit: Duration, command: &mut Command) -> Result<Outcome> {
        Self::tests_seen(limit, command, |_| {})
    }

    /// The same, with a look at every line.
    fn tests_seen(limit: Duration, command: &mut Command, mut see: impl FnMut(&str)) -> Result<Outcome> {
        let mut sum = Counts::default();
        let mut failed = Vec::new();
        let status = process::tee_within(limit, command, |line| {
            see(line);
            sum.add(counts::libtest(line).unwrap_or_default());
            failed.extend(failed_test(line).map(|name| format!("failed: `{name}`")));
        })?;
        // A sanitizer ends the test program where it stands.
        anyhow::ensure!(
            sum.total() > 0,
            "no test told a result ({status}); the output says why"
        );
        let counts = format!("{} tests passed, {} failed", sum.passed, sum.failed);
        let mut outcome = Outcome::new(status.success() && sum.failed == 0, "", counts);
        if !status.success() && sum.failed == 0 {
            failed.push(format!("ended with {status} without a failed test"));
        }
        outcome.findings = failed;
        Ok(outcome)
    }
}

/// The name in libtest's line for one failed test.
fn failed_test(line: &str) -> Option<&str> {
    line.strip_prefix("test ")?.strip_suffix(" ... FAILED")
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let workspace = Workspace::load()?;
    let soak = Soak {
        workspace: &workspace,
        args,
    };
    let chosen = |part: &&Part| args.only.is_empty() || args.only.iter().any(|name| name == part.name);
    let commit = commit(&workspace)?;
    let page = if args.quick {
        soak.folder("quick.md")
    } else {
        workspace.root.join(PAGE)
    };
    let mut failed = false;
    for part in PARTS.iter().filter(chosen) {
        println!("\n== {}: {}", part.name, part.about);
        let started = Instant::now();
        let outcome = (part.run)(&soak).unwrap_or_else(|error| Outcome::broken(&error));
        failed |= matches!(outcome.verdict, Verdict::Failed);
        let entry = page::Entry {
            name: part.name,
            about: part.about,
            seconds: started.elapsed().as_secs(),
            date: jiff::Timestamp::now().strftime("%Y-%m-%d").to_string(),
            commit: &commit,
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            outcome: &outcome,
        };
        println!("\n{}: {}", part.name, outcome.verdict.shown());
        if !outcome.counts.is_empty() {
            println!("{}, {} s", outcome.counts, entry.seconds);
        }
        for finding in &outcome.findings {
            println!("- {finding}");
        }
        // After each part: a long run that is stopped must not lose what ended before.
        page::record(&page, &entry, &workspace)?;
    }
    println!("\nrecorded in {}", page.display());
    Ok(if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// The commit that is run, and whether anything but the page differs from it.
fn commit(workspace: &Workspace) -> Result<String> {
    let git = |args: &[&str]| process::capture(Command::new("git").current_dir(&workspace.root).args(args));
    let head = git(&["rev-parse", "--short", "HEAD"]).context("cannot name the commit")?;
    let exclude = format!(":(exclude){PAGE}");
    let changes = git(&["status", "--porcelain", "--", ".", &exclude])?;
    let suffix = if changes.is_empty() { "" } else { " with changes" };
    Ok(format!("{}{suffix}", head.trim()))
}

#[cfg(test)]
mod tests {
    use super::{PARTS, failed_test};

    #[test]
    fn parts_have_names_of_their_own() {
        let mut names: Vec<&str> = PARTS.iter().map(|part| part.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), PARTS.len());
    }

    #[test]
    fn a_failed_test_is_named() {
        assert_eq!(
            failed_test("test expiry::tests::t1 ... FAILED"),
            Some("expiry::tests::t1")
        );
        assert_eq!(failed_test("test expiry::tests::t1 ... ok"), None);
        assert_eq!(failed_test("test result: FAILED. 1 passed; 2 failed"), None);
    }
}
