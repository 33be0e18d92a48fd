//! Programs that share a session in files, killed at random instants of their logins, many times.

use std::time::Duration;

use anyhow::Result;

use super::{Outcome, Soak};

const LIMIT: Duration = Duration::from_hours(2);
const KILLS: &str = "1000";
const QUICK: &str = "100";

pub(super) fn run(soak: &Soak<'_>) -> Result<Outcome> {
    let kills = if soak.args.quick { QUICK } else { KILLS };
    let mut tests = soak.workspace.cargo();
    tests
        .args(["test", "--package", "preopen", "--test", "processes"])
        .args(["--", "killed", "--nocapture"])
        .env("PREOPEN_KILLS", kills);
    let mut told = Vec::new();
    let mut outcome = Soak::tests_seen(LIMIT, &mut tests, |line| {
        told.extend(kills_in(line).map(str::to_owned));
    })?;
    outcome.ran = format!("PREOPEN_KILLS={kills} cargo test -p preopen --test processes -- killed");
    told.sort();
    outcome.counts = format!("{}; {}", told.join("; "), outcome.counts);
    Ok(outcome)
}

/// What a test tells of its kills at its end.
fn kills_in(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once(" kills, ")?;
    rest.contains("longest wait")
        .then(|| line.trim_start_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::kills_in;

    #[test]
    fn kills_are_found_where_they_are_told() {
        let line = "Samco: 500 kills, 604 logins, 104 of them extra, longest wait 407 ms";
        assert_eq!(kills_in(line), Some(line));
        assert_eq!(kills_in("Samco: PREOPEN_KILLS_SEED=3"), None);
        assert_eq!(kills_in("test result: ok. 2 passed"), None);
    }
}
