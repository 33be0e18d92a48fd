//! What ran, how long it took and how it ended: the table and the last line of `cargo xtask test`.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::counts::Counts;

enum Outcome {
    /// Something was provided or built.
    Ready,
    /// Tests ran.
    Counted(Counts),
    /// The stage itself failed; it counts as one failure.
    Broken(String),
}

struct Row {
    name: String,
    outcome: Outcome,
    elapsed: Duration,
}

/// Collects the rows of one run.
#[derive(Default)]
pub(crate) struct Report {
    rows: Vec<Row>,
}

impl Report {
    /// Runs a stage that provides something; later stages go on without it when it fails.
    pub(crate) fn setup<T>(&mut self, name: &str, work: impl FnOnce() -> Result<T>) -> Option<T> {
        let started = begin(name);
        let (outcome, value) = match work() {
            Ok(value) => (Outcome::Ready, Some(value)),
            Err(error) => (broken(&error), None),
        };
        self.push(name, outcome, started.elapsed());
        value
    }

    /// Runs a stage that counts tests. No test at all is a failure: a suite that vanished must not look green.
    pub(crate) fn suite(&mut self, name: &str, work: impl FnOnce() -> Result<Counts>) {
        let started = begin(name);
        let counted = work().and_then(|counts| {
            ensure!(counts.total() > 0, "ran no tests");
            Ok(counts)
        });
        let outcome = match counted {
            Ok(counts) => Outcome::Counted(counts),
            Err(error) => broken(&error),
        };
        self.push(name, outcome, started.elapsed());
    }

    /// Notes a stage that could not start because an earlier one failed.
    pub(crate) fn missing(&mut self, name: &str, needs: &str) {
        println!("\n== {name}: not run, it needs {needs}");
        self.push(
            name,
            Outcome::Broken(format!("not run, it needs {needs}")),
            Duration::ZERO,
        );
    }

    fn push(&mut self, name: &str, outcome: Outcome, elapsed: Duration) {
        self.rows.push(Row {
            name: name.to_owned(),
            outcome,
            elapsed,
        });
    }

    pub(crate) fn totals(&self) -> Counts {
        let mut totals = Counts::default();
        for row in &self.rows {
            match &row.outcome {
                Outcome::Ready => {}
                Outcome::Counted(counts) => totals.add(*counts),
                Outcome::Broken(_) => totals.add(Counts::one(false)),
            }
        }
        totals
    }

    /// Prints the table, then the one plain line that sums it up; true when nothing failed.
    pub(crate) fn finish(&self) -> bool {
        let width = self.rows.iter().map(|row| row.name.len()).max().unwrap_or(0);
        println!("\n== summary");
        for row in &self.rows {
            let seconds = row.elapsed.as_secs_f64();
            println!("{:width$}  {seconds:>7.1} s  {}", row.name, row.outcome.shown());
        }
        let totals = self.totals();
        println!("\n{} passed, {} failed", totals.passed, totals.failed);
        totals.failed == 0 && totals.passed > 0
    }
}

impl Outcome {
    fn shown(&self) -> String {
        match self {
            Self::Ready => "ready".to_owned(),
            Self::Counted(counts) => format!("{} passed, {} failed", counts.passed, counts.failed),
            Self::Broken(why) => format!("FAILED: {}", why.lines().next().unwrap_or_default()),
        }
    }
}

fn begin(name: &str) -> Instant {
    println!("\n== {name}");
    Instant::now()
}

fn broken(error: &anyhow::Error) -> Outcome {
    let why = format!("{error:#}");
    println!("FAILED: {why}");
    Outcome::Broken(why)
}

#[cfg(test)]
mod tests {
    use super::Report;
    use crate::counts::Counts;
    use anyhow::bail;

    #[test]
    fn a_green_run_is_the_sum_of_its_suites() {
        let mut report = Report::default();
        assert_eq!(report.setup("wheel", || Ok(7)), Some(7));
        report.suite("rust", || Ok(Counts { passed: 5, failed: 0 }));
        report.suite("python", || Ok(Counts { passed: 2, failed: 0 }));
        assert_eq!(report.totals(), Counts { passed: 7, failed: 0 });
        assert!(report.finish());
    }

    #[test]
    fn a_stage_that_fails_counts_and_so_does_each_suite_it_stops() {
        let mut report = Report::default();
        assert_eq!(report.setup::<()>("wheel", || bail!("does not build")), None);
        report.missing("python", "the wheel");
        report.suite("rust", || Ok(Counts { passed: 5, failed: 0 }));
        assert_eq!(report.totals(), Counts { passed: 5, failed: 2 });
        assert!(!report.finish());
    }

    #[test]
    fn a_suite_without_tests_is_a_failure() {
        let mut report = Report::default();
        report.suite("node", || Ok(Counts::default()));
        assert_eq!(report.totals(), Counts { passed: 0, failed: 1 });
    }

    #[test]
    fn nothing_run_is_not_a_success() {
        assert!(!Report::default().finish());
    }
}
