//! The programs that run now, so that none outlives a run that is interrupted.

use std::process::Child;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Result, ensure};

static RUNNING: Mutex<Vec<u32>> = Mutex::new(Vec::new());
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Forgets its program when it goes.
pub(crate) struct Registered(u32);

/// Remembers a program until it is reaped.
pub(crate) fn register(child: &Child) -> Registered {
    lock().push(child.id());
    Registered(child.id())
}

impl Drop for Registered {
    fn drop(&mut self) {
        lock().retain(|id| *id != self.0);
    }
}

fn lock() -> std::sync::MutexGuard<'static, Vec<u32>> {
    RUNNING.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Fails once the run was interrupted: nothing new is started then.
pub(crate) fn may_start() -> Result<()> {
    ensure!(!INTERRUPTED.load(Ordering::SeqCst), "interrupted");
    Ok(())
}

/// From here on Ctrl-C, a closed terminal or a request to end also ends every program that runs.
#[cfg(unix)]
pub(crate) fn end_with_us() -> Result<()> {
    use std::time::{Duration, Instant};

    use rustix::process::{Pid, Signal, kill_process};
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;

    // What Ctrl-C reached by itself may end by itself: a second signal would cut its own cleaning short.
    const GRACE: Duration = Duration::from_secs(3);

    fn tell(signal: Signal) {
        for id in lock().iter() {
            let id = i32::try_from(*id).ok().and_then(Pid::from_raw);
            _ = id.map(|id| kill_process(id, signal));
        }
    }
    fn wait() {
        let end = Instant::now() + GRACE;
        while !lock().is_empty() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM])?;
    std::thread::spawn(move || {
        let Some(signal) = signals.forever().next() else {
            return;
        };
        INTERRUPTED.store(true, Ordering::SeqCst);
        if signal == SIGINT {
            wait();
        }
        tell(Signal::TERM);
        wait();
        tell(Signal::KILL);
        eprintln!("\ninterrupted");
        std::process::exit(128 + signal);
    });
    Ok(())
}

/// Windows ends every program of a console with it.
#[cfg(not(unix))]
pub(crate) fn end_with_us() -> Result<()> {
    Ok(())
}

/// From here on what this thread starts yields to everything else. Only Linux has priorities by thread.
pub(crate) fn yield_to_others() {
    #[cfg(target_os = "linux")]
    {
        _ = rustix::process::nice(10);
    }
}
