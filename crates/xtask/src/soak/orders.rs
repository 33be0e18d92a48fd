//! Every order in which callers, logins and logouts can meet, and threads the session's state, further than an ordinary
//! run goes.

use std::time::Duration;

use anyhow::Result;

use super::{Outcome, Soak};

const LIMIT: Duration = Duration::from_hours(4);

pub(super) fn run(soak: &Soak<'_>) -> Result<Outcome> {
    let (depth, preemptions) = if soak.args.quick { ("6", "2") } else { ("9", "4") };
    let mut tests = soak.workspace.cargo();
    tests
        .args(["test", "--release", "--package", "preopen"])
        .args(["--test", "loom", "--test", "schedules", "--", "--nocapture"])
        .env("PREOPEN_SCHEDULE_DEPTH", depth)
        .env("LOOM_MAX_PREEMPTIONS", preemptions)
        .env("CARGO_PROFILE_RELEASE_OVERFLOW_CHECKS", "true")
        .env("CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS", "true")
        // Optimising over all crates takes longer than it saves here.
        .env("CARGO_PROFILE_RELEASE_LTO", "off")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
        .env("CARGO_TARGET_DIR", soak.folder("orders"));
    let mut schedules = 0;
    let mut outcome = Soak::tests_seen(LIMIT, &mut tests, |line| {
        schedules += schedules_in(line).unwrap_or_default();
    })?;
    outcome.ran = format!(
        "PREOPEN_SCHEDULE_DEPTH={depth} LOOM_MAX_PREEMPTIONS={preemptions} cargo test --release -p preopen --test loom \
         --test schedules"
    );
    outcome.counts = format!("{schedules} schedules; {}", outcome.counts);
    Ok(outcome)
}

/// The number in the line that a set of schedules ends with.
fn schedules_in(line: &str) -> Option<u64> {
    let (_, rest) = line.split_once(": all ")?;
    let (number, _) = rest.split_once(" schedules of ")?;
    number.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::schedules_in;

    #[test]
    fn schedules_are_counted_where_they_are_told() {
        let line = ".two callers: all 19732 schedules of 8 actions (157856 actions)";
        assert_eq!(schedules_in(line), Some(19_732));
        assert_eq!(schedules_in("test result: ok. 12 passed"), None);
    }
}
