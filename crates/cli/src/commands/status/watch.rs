//! `preopen status --watch`: looks again and again. A terminal shows the whole in place, with the time left; a pipe gets a
//! line for each change.

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use serde_json::json;
use tokio::time::MissedTickBehavior;

use super::{Accounts, Found, Look};
use crate::output::{DIM, Failure, Output, line};

/// Shows what the store holds until a signal ends it.
pub(super) async fn run(
    accounts: &Accounts,
    interval: Duration,
    output: Output,
) -> Result<ExitCode, Failure> {
    let mut view = View::choose(output);
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut ended = std::pin::pin!(signal());
    let watched = loop {
        tokio::select! {
            biased;
            ended = &mut ended => break ended,
            _ = ticks.tick() => if let Err(closed) = view.show(&accounts.look().await) {
                // Whoever read it has gone, which is how a pipe ends a watch.
                break if closed.kind() == std::io::ErrorKind::BrokenPipe { Ok(()) } else { Err(closed) };
            },
        }
    };
    view.end();
    watched.map_err(|error| Failure::Other(error.to_string()))?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(unix)]
async fn signal() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminated = signal(SignalKind::terminate())?;
    let mut hung_up = signal(SignalKind::hangup())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        _ = terminated.recv() => Ok(()),
        _ = hung_up.recv() => Ok(()),
    }
}

#[cfg(not(unix))]
async fn signal() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}

/// How what is seen is shown.
enum View {
    /// On a screen of its own, so that what was on the terminal comes back; the last look is left on it.
    Screen { last: Vec<String> },
    /// A line for each change of an account: its broker, what it was last, and whether it is JSON.
    Changes { last: Vec<Option<String>>, json: bool },
}

const ENTER: &str = "\x1b[?1049h\x1b[?25l";
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";
const HOME: &str = "\x1b[H";
const REST_OF_LINE: &str = "\x1b[K";
const REST_OF_SCREEN: &str = "\x1b[J";

impl View {
    fn choose(output: Output) -> Self {
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        if output.is_json() || dumb || !std::io::stdout().is_terminal() {
            return Self::Changes {
                last: Vec::new(),
                json: output.is_json(),
            };
        }
        raw(ENTER);
        Self::Screen { last: Vec::new() }
    }

    fn show(&mut self, look: &Look) -> std::io::Result<()> {
        match self {
            Self::Screen { last } => {
                *last = look.lines();
                raw(HOME);
                for text in last.iter() {
                    let mut stdout = anstream::stdout().lock();
                    write!(stdout, "{text}")?;
                    drop(stdout);
                    raw(REST_OF_LINE);
                    raw("\n");
                }
                let at = look.found.first().map(|found| found.at.to_ist());
                line(&format!(
                    "\n{DIM}{}; Ctrl-C ends this{DIM:#}",
                    at.unwrap_or_default()
                ));
                raw(REST_OF_SCREEN);
                Ok(())
            }
            Self::Changes { last, json } => {
                if nobody_reads() {
                    return Err(std::io::ErrorKind::BrokenPipe.into());
                }
                last.resize(look.found.len(), None);
                for (found, last) in look.found.iter().zip(last) {
                    let now = found.to_json().to_string();
                    if last.as_ref() != Some(&now) {
                        tell(found, *json)?;
                        *last = Some(now);
                    }
                }
                Ok(())
            }
        }
    }

    /// Gives the terminal back.
    fn end(&mut self) {
        if let Self::Screen { last } = self {
            raw(LEAVE);
            for text in last.iter() {
                line(text);
            }
        }
    }
}

/// One change of an account.
fn tell(found: &Found, for_a_script: bool) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    if for_a_script {
        let mut told = found.to_json();
        told["at"] = json!(found.at.to_rfc3339());
        writeln!(stdout, "{told}")?;
    } else {
        writeln!(
            stdout,
            "{} {} {}",
            found.at.to_ist(),
            found.broker.as_str(),
            found.summary()
        )?;
    }
    stdout.flush()
}

/// Whether the pipe's other end is closed, which is otherwise found out with the next change only.
#[cfg(unix)]
fn nobody_reads() -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let stdout = std::io::stdout();
    let mut looked = [PollFd::new(&stdout, PollFlags::empty())];
    let polled = poll(
        &mut looked,
        Some(&Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        }),
    );
    polled.is_ok() && looked[0].revents().intersects(PollFlags::ERR | PollFlags::HUP)
}

#[cfg(not(unix))]
fn nobody_reads() -> bool {
    false
}

/// What moves the cursor is not a colour: it goes out whatever --color says.
fn raw(text: &str) {
    let mut stdout = std::io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes());
    let _ = stdout.flush();
}
