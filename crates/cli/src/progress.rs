//! One line on the terminal for whoever waits longer than a second: what is waited for, and since when. It is on standard
//! error, goes away when the wait ends, and is not there for a script.

use std::future::Future;
use std::io::IsTerminal as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How long a wait is before it is told.
const PATIENCE: Duration = Duration::from_secs(1);
const EVERY: Duration = Duration::from_millis(100);

/// What the command waits for.
struct Wait {
    what: String,
    since: Instant,
    /// Drawn when there is something to draw.
    bar: Option<ProgressBar>,
    /// How many have the terminal to themselves.
    aside: usize,
}

static WAIT: Mutex<Option<Wait>> = Mutex::new(None);

fn wait() -> MutexGuard<'static, Option<Wait>> {
    WAIT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Does the work, and shows the wait to a person. The work is told to be `what` until [`now`] says otherwise.
pub(crate) async fn during<T>(what: &str, for_a_script: bool, work: impl Future<Output = T>) -> T {
    if for_a_script || !can_be_seen() {
        return work.await;
    }
    *wait() = Some(Wait {
        what: what.to_owned(),
        since: Instant::now(),
        bar: None,
        aside: 0,
    });
    let shown = Shown;
    let mut work = std::pin::pin!(work);
    let mut ticks = tokio::time::interval(EVERY);
    let done = loop {
        tokio::select! {
            biased;
            done = &mut work => break done,
            _ = ticks.tick() => draw(),
        }
    };
    drop(shown);
    done
}

/// Whether standard error is a terminal that can erase a line.
fn can_be_seen() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// What is waited for from here on.
pub(crate) fn now(what: &str) {
    if let Some(wait) = wait().as_mut() {
        what.clone_into(&mut wait.what);
        wait.since = Instant::now();
        erase(wait);
    }
}

/// Leaves the terminal to `work`, for a question or a line of its own.
pub(crate) fn aside<T>(work: impl FnOnce() -> T) -> T {
    let away = Away::from_the_terminal();
    let done = work();
    drop(away);
    done
}

/// Nothing is drawn while this lives.
struct Away;

impl Away {
    fn from_the_terminal() -> Self {
        if let Some(wait) = wait().as_mut() {
            wait.aside += 1;
            erase(wait);
        }
        Self
    }
}

impl Drop for Away {
    fn drop(&mut self) {
        if let Some(wait) = wait().as_mut() {
            wait.aside = wait.aside.saturating_sub(1);
            wait.since = Instant::now();
        }
    }
}

/// The line goes away whatever ends the work.
struct Shown;

impl Drop for Shown {
    fn drop(&mut self) {
        if let Some(mut wait) = wait().take() {
            erase(&mut wait);
        }
    }
}

fn draw() {
    let mut held = wait();
    let Some(wait) = held.as_mut() else { return };
    let waited = wait.since.elapsed();
    if wait.aside > 0 || waited < PATIENCE {
        return;
    }
    let text = format!("{}, {} s; Ctrl-C stops", wait.what, waited.as_secs());
    let bar = wait.bar.get_or_insert_with(|| {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        bar.set_style(ProgressStyle::default_spinner());
        bar
    });
    bar.set_message(text);
    bar.tick();
}

fn erase(wait: &mut Wait) {
    if let Some(bar) = wait.bar.take() {
        bar.finish_and_clear();
    }
}
