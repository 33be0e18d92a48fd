//! cargo-fuzz on the reply readers: each target for some minutes, under libFuzzer's memory limits.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::{Outcome, Soak, nightly};
use crate::process;
use crate::tools::programs;

const VERSION: &str = "0.13.2";

const TARGETS: [&str; 4] = ["envelope_samco", "envelope_angelone", "login", "whoami"];

/// Of fuzzing, for each target.
const SECONDS: u64 = 180;

/// What libFuzzer stops at: all memory of the process, and one allocation. The readers refuse nothing by size; the transport
/// caps a body before it comes to them.
const LIMITS: [&str; 4] = [
    "-rss_limit_mb=512",
    "-malloc_limit_mb=64",
    "-max_len=4096",
    "-timeout=10",
];

const BUILD: Duration = Duration::from_hours(1);

pub(super) fn run(soak: &Soak<'_>) -> Result<Outcome> {
    if let Some(reason) = nightly::missing(soak) {
        return Ok(Outcome::not_available(reason));
    }
    let program = match programs::provide(soak.workspace, "cargo-fuzz", VERSION, &["--version"]) {
        Ok(program) => program,
        Err(error) => return Ok(Outcome::not_available(format!("{error:#}"))),
    };
    let program = program.to_string_lossy().into_owned();
    let folder = soak.folder("fuzz");
    let cargo_fuzz = |verb: &str, target: &str| {
        let mut command = nightly::command(soak, &program);
        // Called by cargo, it would get its own name first.
        command.args([verb, "--fuzz-dir", "fuzz", "--target-dir"]);
        command.arg(&folder).arg(target).env_remove("CARGO_TARGET_DIR");
        command
    };
    let seconds = if soak.args.quick { 5 } else { SECONDS };
    let mut counts = Vec::new();
    let mut findings = Vec::new();
    let mut passed = true;
    for target in TARGETS {
        // What it finds beside the committed corpus is for a person to look at, minimise and commit.
        let found = soak.folder("corpus").join(target);
        fs::create_dir_all(&found)?;
        let built = process::tee_both_within(BUILD, &mut cargo_fuzz("build", target), |_| {})?;
        ensure!(built.success(), "{target} does not build ({built})");
        let mut command = cargo_fuzz("run", target);
        let corpus = soak.workspace.root.join("fuzz/corpus").join(target);
        command.arg(&found).arg(corpus).arg("--").args(LIMITS);
        command.arg(format!("-max_total_time={seconds}"));
        let mut tally = Tally::default();
        let limit = Duration::from_secs(seconds + 600);
        let status = process::tee_both_within(limit, &mut command, |line| tally.see(line))?;
        passed &= status.success();
        counts.push(tally.shown(target));
        if !status.success() {
            findings.push(format!("{target} ended with {status}: {}", tally.reason));
        }
        for artifact in artifacts(&soak.workspace.root.join("fuzz/artifacts").join(target)) {
            findings.push(format!("{target}: fuzz/artifacts/{target}/{artifact}"));
        }
    }
    let ran = format!(
        "cargo +nightly fuzz run <target> -- {} -max_total_time={seconds}",
        LIMITS.join(" ")
    );
    let mut outcome = Outcome::new(passed, ran, counts.join("; "));
    outcome.findings = findings;
    Ok(outcome)
}

fn artifacts(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

/// What libFuzzer tells of one run.
#[derive(Default)]
struct Tally {
    runs: u64,
    seconds: u64,
    coverage: u64,
    reason: String,
}

impl Tally {
    fn see(&mut self, line: &str) {
        if let Some((runs, seconds)) = done(line) {
            (self.runs, self.seconds) = (runs, seconds);
        }
        if let Some(coverage) = after(line, "cov: ") {
            self.coverage = coverage;
        }
        if self.reason.is_empty() && (line.contains("panicked at") || line.contains("ERROR: libFuzzer")) {
            line.trim().clone_into(&mut self.reason);
        }
    }

    fn shown(&self, target: &str) -> String {
        format!(
            "{target}: {} runs in {} s, {} edges",
            self.runs, self.seconds, self.coverage
        )
    }
}

/// `Done 123 runs in 4 second(s)`.
fn done(line: &str) -> Option<(u64, u64)> {
    let (runs, rest) = line.strip_prefix("Done ")?.split_once(" runs in ")?;
    Some((runs.parse().ok()?, rest.split(' ').next()?.parse().ok()?))
}

/// The number that follows a word.
fn after(line: &str, word: &str) -> Option<u64> {
    line.split_once(word)?.1.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::Tally;

    #[test]
    fn a_run_is_counted() {
        let mut tally = Tally::default();
        for line in [
            "#2\tINITED cov: 1204 ft: 1300 corp: 1/1b exec/s: 0 rss: 43Mb",
            "#524288\tpulse  cov: 2047 ft: 9000 corp: 700/40Kb lim: 400 exec/s: 9000 rss: 99Mb",
            "Done 540000 runs in 61 second(s)",
        ] {
            tally.see(line);
        }
        assert_eq!(tally.shown("x"), "x: 540000 runs in 61 s, 2047 edges");
        tally.see("thread '<unnamed>' panicked at fuzz_targets/x.rs:1:2:");
        assert!(tally.reason.contains("panicked"));
    }
}
