//! Many more random runs of hosts that share a session through Redis, from seeds that are new each time.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};

use super::{Outcome, Soak};

const RUNS: &str = "200";
const QUICK: &str = "24";
const LIMIT: Duration = Duration::from_hours(2);

/// How much of a failure is recorded; all of it is in the output.
const LONGEST: usize = 300;

pub(super) fn run(soak: &Soak<'_>) -> Result<Outcome> {
    let runs = if soak.args.quick { QUICK } else { RUNS };
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let first = now.as_secs().to_string();
    let mut tests = soak.workspace.cargo();
    tests
        .args([
            "test",
            "--package",
            "preopen",
            "--test",
            "hosts",
            "--",
            "--nocapture",
        ])
        // The other tests take turns with this one.
        .args(["--test-threads", "2"])
        .env("PREOPEN_HOSTS_RUNS", runs)
        .env("PREOPEN_HOSTS_FIRST", &first);
    let (mut counted, mut failures) = (None, Vec::new());
    let mut outcome = Soak::tests_seen(LIMIT, &mut tests, |line| {
        if let Some(counts) = line.split("random runs: ").nth(1) {
            counted = Some(counts.to_owned());
        }
        failures.extend(failure(line));
    })?;
    let counted = counted.context("the random runs did not tell how many they were")?;
    outcome.ran =
        format!("PREOPEN_HOSTS_RUNS={runs} PREOPEN_HOSTS_FIRST={first} cargo test -p preopen --test hosts");
    outcome.counts = format!("{counted}; {}", outcome.counts);
    outcome.findings.extend(failures);
    Ok(outcome)
}

/// The line that names the seed of a run that failed.
fn failure(line: &str) -> Option<String> {
    line.starts_with("PREOPEN_HOSTS_SEED=")
        .then(|| line.chars().take(LONGEST).collect())
}

#[cfg(test)]
mod tests {
    use super::{LONGEST, failure};

    #[test]
    fn a_failed_run_is_recorded_with_its_seed() {
        let line = format!("PREOPEN_HOSTS_SEED=7: no agreement: {}", "x".repeat(1_000));
        let recorded = failure(&line).unwrap();
        assert!(recorded.starts_with("PREOPEN_HOSTS_SEED=7: no agreement"));
        assert_eq!(recorded.len(), LONGEST);
        assert_eq!(failure("test random::h7 ... ok"), None);
    }
}
