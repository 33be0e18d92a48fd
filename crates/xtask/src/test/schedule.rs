//! Which part of the tests runs when: cargo builds without a pause, and tests run side by side meanwhile.
//!
//! A build keeps every processor busy, a test mostly waits for brokers, browsers and clocks. One thread builds, with
//! less priority than the tests; each test takes places of the machine, so that those with time limits keep air to
//! breathe. A part shows its output when it ends.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use crate::children;
use crate::report::{Report, Screen};

use super::Suite;
use super::provision::{Need, Provision};

/// How often a run without news says that it goes on.
const HEARTBEAT: Duration = Duration::from_mins(1);
/// Places of each processor.
const PLACES: usize = 2;

type Run = fn(&Provision<'_>, &mut Report);

/// How a job spends its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    /// Cargo compiles: one such job at a time, after what suites need.
    Building,
    /// Tests run: about so many processors would be busy if there were nothing else, at most.
    Testing { places: usize },
}

/// A part of the tests.
pub(super) struct Job {
    pub(super) suite: Suite,
    name: &'static str,
    needs: &'static [Need],
    work: Work,
    run: Run,
}

impl Job {
    pub(super) const fn new(
        suite: Suite,
        name: &'static str,
        needs: &'static [Need],
        work: Work,
        run: Run,
    ) -> Self {
        Self {
            suite,
            name,
            needs,
            work,
            run,
        }
    }

    /// Runs it; a panic of the job becomes a row of the report.
    fn report(&self, provision: &Provision<'_>, screen: &Arc<Screen>) -> Report {
        let mut report = Report::beside_others(screen);
        if catch_unwind(AssertUnwindSafe(|| (self.run)(provision, &mut report))).is_err() {
            report.crashed(self.name, "its thread panicked");
        }
        report
    }
}

enum News {
    /// It is built, or it failed and suites that need it will tell.
    Built(Need),
    /// The job of this index ended.
    Ended(usize, Report),
}

/// Runs the jobs; the rows are in the order of the jobs, after those of what they need.
pub(super) fn run(jobs: &[&Job], provision: &Provision<'_>) -> Report {
    let screen = Arc::new(Screen::new(provision.workspace.target.join("test-reports/parts")));
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let mut queue = Queue::new(jobs, processors * PLACES);
    let mut needs = Report::beside_others(&screen);
    let mut reports: Vec<Option<Report>> = jobs.iter().map(|_| None).collect();
    let begun = Instant::now();
    thread::scope(|scope| {
        let (sender, news) = mpsc::channel();
        let builder = scope.spawn({
            let (sender, screen) = (sender.clone(), Arc::clone(&screen));
            move || build(jobs, provision, &screen, &sender)
        });
        while !queue.is_done() {
            while let Some(index) = queue.next() {
                let (sender, screen) = (sender.clone(), Arc::clone(&screen));
                scope.spawn(move || sender.send(News::Ended(index, jobs[index].report(provision, &screen))));
            }
            match news.recv_timeout(HEARTBEAT) {
                Ok(News::Built(need)) => queue.built(need),
                Ok(News::Ended(index, report)) => {
                    queue.ended(index);
                    reports[index] = Some(report);
                }
                Err(RecvTimeoutError::Timeout) => {
                    let minutes = begun.elapsed().as_secs() / 60;
                    println!("\n-- {minutes} min: {}", screen.running());
                }
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        match builder.join() {
            Ok(report) => needs.append(report),
            Err(_) => needs.crashed("builds", "their thread panicked"),
        }
    });
    for report in reports.into_iter().flatten() {
        needs.append(report);
    }
    needs
}

/// Builds what the jobs need, then does the jobs that build themselves.
fn build(
    jobs: &[&Job],
    provision: &Provision<'_>,
    screen: &Arc<Screen>,
    sender: &mpsc::Sender<News>,
) -> Report {
    children::yield_to_others();
    let mut report = Report::beside_others(screen);
    for need in Need::ALL {
        if jobs.iter().any(|job| job.needs.contains(&need)) {
            if catch_unwind(AssertUnwindSafe(|| provision.build(need, &mut report))).is_err() {
                report.crashed(&format!("{need:?}"), "its thread panicked");
            }
            _ = sender.send(News::Built(need));
        }
    }
    for (index, job) in jobs.iter().enumerate() {
        if job.work == Work::Building {
            _ = sender.send(News::Ended(index, job.report(provision, screen)));
        }
    }
    report
}

/// What waits, what runs, and the places that are free.
struct Queue<'a> {
    jobs: &'a [&'a Job],
    waiting: Vec<usize>,
    left: usize,
    built: Vec<Need>,
    places: usize,
    free: usize,
}

impl<'a> Queue<'a> {
    fn new(jobs: &'a [&'a Job], places: usize) -> Self {
        let tests = |index: &usize| jobs[*index].work != Work::Building;
        Self {
            jobs,
            waiting: (0..jobs.len()).filter(tests).collect(),
            left: jobs.len(),
            built: Vec::new(),
            places,
            free: places,
        }
    }

    /// The places that a job takes here: on a small machine the largest one has it for itself.
    fn places(&self, index: usize) -> usize {
        match self.jobs[index].work {
            Work::Building => 0,
            Work::Testing { places } => places.min(self.places),
        }
    }

    /// The first job that can begin now.
    fn next(&mut self) -> Option<usize> {
        let can = |index: &usize| {
            let needs = self.jobs[*index].needs;
            needs.iter().all(|need| self.built.contains(need)) && self.places(*index) <= self.free
        };
        let at = self.waiting.iter().position(can)?;
        let index = self.waiting.remove(at);
        self.free -= self.places(index);
        Some(index)
    }

    fn built(&mut self, need: Need) {
        self.built.push(need);
    }

    fn ended(&mut self, index: usize) {
        self.free += self.places(index);
        self.left -= 1;
    }

    fn is_done(&self) -> bool {
        self.left == 0
    }
}

#[cfg(test)]
mod tests {
    use super::{Job, Queue, Work, run};
    use crate::counts::Counts;
    use crate::test::Suite;
    use crate::test::provision::Need::{Natives, Wheel};
    use crate::test::provision::Provision;
    use crate::workspace::Workspace;

    #[test]
    fn all_jobs_end_and_one_that_panics_fails() {
        let job = |work, run| Job::new(Suite::Rust, "a job", &[], work, run);
        let tests = Work::Testing { places: 1 };
        let jobs = [
            job(tests, |_, report| {
                report.suite("tests", || Ok(Counts { passed: 3, failed: 1 }));
            }),
            job(tests, |_, _| panic!("on purpose")),
            job(Work::Building, |_, report| {
                report.suite("builds", || Ok(Counts { passed: 2, failed: 0 }));
            }),
            job(Work::Building, |_, report| {
                report.suite("is empty", || Ok(Counts::default()));
            }),
        ];
        let jobs: Vec<&Job> = jobs.iter().collect();
        let workspace = Workspace::for_test("schedule");
        let report = run(&jobs, &Provision::new(&workspace));
        std::fs::remove_dir_all(&workspace.root).unwrap();
        assert_eq!(report.totals(), Counts { passed: 5, failed: 3 });
    }

    const fn job(needs: &'static [super::Need], work: Work) -> Job {
        Job::new(Suite::Rust, "a job", needs, work, |_, _| ())
    }

    #[test]
    fn tests_begin_in_their_order_when_what_they_need_is_built_and_there_is_room() {
        let jobs = [
            job(&[Natives, Wheel], Work::Testing { places: 2 }),
            job(&[], Work::Building),
            job(&[Natives], Work::Testing { places: 9 }),
            job(&[Natives], Work::Testing { places: 1 }),
        ];
        let jobs: Vec<&Job> = jobs.iter().collect();
        let mut queue = Queue::new(&jobs, 2);
        assert_eq!(queue.next(), None);
        queue.built(Natives);
        // More places than the machine has: it takes all of them.
        assert_eq!((queue.next(), queue.next()), (Some(2), None));
        queue.built(Wheel);
        assert_eq!(queue.next(), None);
        queue.ended(2);
        assert_eq!((queue.next(), queue.next()), (Some(0), None));
        queue.ended(0);
        assert_eq!((queue.next(), queue.next()), (Some(3), None));
        queue.ended(1);
        assert!(!queue.is_done());
        queue.ended(3);
        assert!(queue.is_done());
    }
}
