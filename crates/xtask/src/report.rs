//! What ran, how long it took and how it ended: the table and the last line of `cargo xtask test`.

use std::io::Write;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::console;
use crate::counts::Counts;

enum Outcome {
    /// Something was provided or built.
    Ready,
    /// Tests ran.
    Counted(Counts),
    /// This machine is none that it is for; the reason.
    NotApplicable(String),
    /// The stage itself failed; it counts as one failure.
    Broken(String),
}

struct Row {
    name: String,
    outcome: Outcome,
    elapsed: Duration,
}

/// What the parts of one run that go on side by side share: each shows what it printed when it ends.
pub(crate) struct Screen {
    /// Where a part's output is while it goes on.
    folder: PathBuf,
    running: Mutex<Vec<(String, Instant)>>,
}

impl Screen {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            running: Mutex::default(),
        }
    }

    /// What goes on now, and for how long.
    pub(crate) fn running(&self) -> String {
        let running = self.parts();
        let parts = running
            .iter()
            .map(|(name, since)| format!("{name} ({} s)", since.elapsed().as_secs()));
        parts.collect::<Vec<_>>().join(", ")
    }

    fn parts(&self) -> MutexGuard<'_, Vec<(String, Instant)>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stage<T>(&self, name: &str, work: impl FnOnce() -> T) -> Result<T> {
        let letters = name.chars().map(|letter| {
            if letter.is_alphanumeric() || letter == '.' {
                letter
            } else {
                '-'
            }
        });
        let path = self.folder.join(format!("{}.log", letters.collect::<String>()));
        self.parts().push((name.to_owned(), Instant::now()));
        let kept = console::keep(&path, work);
        self.parts().retain(|(other, _)| other != name);
        let (value, text) = kept?;
        // One write: another part may end at the same time.
        let block = format!("\n== {name}\n{text}");
        _ = std::io::stdout().lock().write_all(block.as_bytes());
        Ok(value)
    }
}

/// Collects the rows of one run.
#[derive(Default)]
pub(crate) struct Report {
    rows: Vec<Row>,
    /// Without one everything is shown as it is printed.
    screen: Option<Arc<Screen>>,
}

impl Report {
    /// The rows of something that goes on beside others.
    pub(crate) fn beside_others(screen: &Arc<Screen>) -> Self {
        Self {
            rows: Vec::new(),
            screen: Some(Arc::clone(screen)),
        }
    }

    /// Takes over the rows of another report.
    pub(crate) fn append(&mut self, other: Self) {
        self.rows.extend(other.rows);
    }

    /// Runs a stage that provides something; later stages go on without it when it fails.
    pub(crate) fn setup<T>(&mut self, name: &str, work: impl FnOnce() -> Result<T>) -> Option<T> {
        match self.stage(name, work) {
            Ok((value, elapsed)) => {
                self.push(name, Outcome::Ready, elapsed);
                Some(value)
            }
            Err((why, elapsed)) => {
                self.push(name, Outcome::Broken(why), elapsed);
                None
            }
        }
    }

    /// Runs a stage that counts tests. No test at all is a failure: a suite that vanished must not look green.
    pub(crate) fn suite(&mut self, name: &str, work: impl FnOnce() -> Result<Counts>) {
        let counted = self.stage(name, || {
            let counts = work()?;
            ensure!(counts.total() > 0, "ran no tests");
            Ok(counts)
        });
        match counted {
            Ok((counts, elapsed)) => self.push(name, Outcome::Counted(counts), elapsed),
            Err((why, elapsed)) => self.push(name, Outcome::Broken(why), elapsed),
        }
    }

    /// Runs the work of a stage with its output where it belongs.
    fn stage<T>(
        &self,
        name: &str,
        work: impl FnOnce() -> Result<T>,
    ) -> Result<(T, Duration), (String, Duration)> {
        let started = Instant::now();
        let told = || {
            work().map_err(|error| {
                let why = format!("{error:#}");
                console::say(format_args!("FAILED: {why}"));
                why
            })
        };
        let outcome = if let Some(screen) = &self.screen {
            let kept = screen.stage(name, told);
            kept.unwrap_or_else(|error| Err(format!("{error:#}")))
        } else {
            println!("\n== {name}");
            told()
        };
        match outcome {
            Ok(value) => Ok((value, started.elapsed())),
            Err(why) => Err((why, started.elapsed())),
        }
    }

    /// Notes something that fell over in a way that no stage could tell.
    pub(crate) fn crashed(&mut self, name: &str, why: &str) {
        println!("\n== {name}: crashed: {why}");
        self.push(name, Outcome::Broken(format!("crashed: {why}")), Duration::ZERO);
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

    /// Notes a suite that says nothing about this machine.
    pub(crate) fn not_applicable(&mut self, name: &str, why: &str) {
        println!("\n== {name}: not applicable here: {why}");
        self.push(name, Outcome::NotApplicable(why.to_owned()), Duration::ZERO);
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
                Outcome::Ready | Outcome::NotApplicable(_) => {}
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
            Self::NotApplicable(why) => format!("not applicable here: {why}"),
            Self::Broken(why) => format!("FAILED: {}", why.lines().next().unwrap_or_default()),
        }
    }
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
    fn what_is_not_for_this_machine_fails_nothing_and_is_no_success_alone() {
        let mut report = Report::default();
        report.not_applicable("instructions", "another processor");
        assert_eq!(report.totals(), Counts::default());
        assert!(!report.finish());
        report.suite("rust", || Ok(Counts { passed: 5, failed: 0 }));
        assert!(report.finish());
    }

    #[test]
    fn nothing_run_is_not_a_success() {
        assert!(!Report::default().finish());
    }
}
