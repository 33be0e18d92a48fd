//! Asks a person on the terminal, without showing what is typed, even when standard input and output are pipes. However
//! the command ends meanwhile, the terminal is left as it was.

use std::io::{BufRead as _, Error, ErrorKind, Read as _};

use preopen::Secret;

use crate::progress;

/// The longest line of standard input that is read: an address of 16 KiB and its end. What is longer is cut, and so still
/// too long for whoever reads it.
const LONGEST_LINE: usize = 16 * 1024 + 1;

/// Whether there is a terminal to ask on.
pub(crate) fn is_there() -> bool {
    let device = if cfg!(windows) { "CONIN$" } else { "/dev/tty" };
    std::fs::File::open(device).is_ok()
}

/// What the person typed; `None` for an empty line or the end of input. Ends the command on Ctrl-C.
pub(crate) fn ask(prompt: &str) -> Result<Option<Secret>, Error> {
    let kept = saved::Terminal::keep()?;
    let answer = progress::aside(|| rpassword::prompt_password(prompt));
    drop(kept);
    match answer {
        Ok(answer) => {
            let answer = Secret::new(answer);
            Ok((!answer.expose().trim().is_empty()).then_some(answer))
        }
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => {
            if error.kind() == ErrorKind::Interrupted {
                // The signal that ends this process is on its way.
                std::thread::sleep(std::time::Duration::from_secs(2));
            }
            Err(error)
        }
    }
}

/// Whether [`answer`] asks a person, and does not read standard input.
pub(crate) fn asks(may_ask: bool) -> bool {
    may_ask && is_there()
}

/// The same where nobody may be asked, or there is no terminal: then it is a line of standard input.
pub(crate) fn answer(prompt: &str, may_ask: bool) -> Result<Option<Secret>, Error> {
    if asks(may_ask) {
        return ask(prompt);
    }
    // Of its final size at once: a text that grows leaves copies behind.
    let mut line = String::with_capacity(LONGEST_LINE);
    std::io::stdin()
        .lock()
        .take(LONGEST_LINE as u64)
        .read_line(&mut line)?;
    let answer = Secret::new(line).trimmed();
    Ok((!answer.is_empty()).then_some(answer))
}

/// Puts the terminal back when the command ends while somebody is asked.
pub(crate) fn restore() {
    saved::restore();
}

/// From now on signals are another part's business.
pub(crate) fn leave_signals() {
    saved::leave_signals();
}

#[cfg(unix)]
mod saved {
    use std::fs::{File, OpenOptions};
    use std::io::Error;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{Mutex, Once, PoisonError};

    use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;
    use signal_hook::low_level::emulate_default_handler;

    static KEPT: Mutex<Option<(File, Termios)>> = Mutex::new(None);
    static LEFT: AtomicBool = AtomicBool::new(false);
    static WATCH: Once = Once::new();

    /// The terminal's settings are kept until this is dropped.
    pub(super) struct Terminal;

    impl Terminal {
        pub(super) fn keep() -> Result<Self, Error> {
            let terminal = OpenOptions::new().read(true).write(true).open("/dev/tty")?;
            let settings = tcgetattr(&terminal)?;
            *KEPT.lock().unwrap_or_else(PoisonError::into_inner) = Some((terminal, settings));
            WATCH.call_once(watch);
            Ok(Self)
        }
    }

    impl Drop for Terminal {
        fn drop(&mut self) {
            restore();
        }
    }

    pub(super) fn restore() {
        let kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((terminal, settings)) = kept {
            // There is nobody left to tell.
            let _ = tcsetattr(&terminal, OptionalActions::Now, &settings);
        }
    }

    pub(super) fn leave_signals() {
        LEFT.store(true, Ordering::Relaxed);
    }

    /// Ends the process on a signal as it would have ended, after the terminal was put back.
    fn watch() {
        let Ok(mut signals) = Signals::new([SIGHUP, SIGINT, SIGTERM]) else {
            return;
        };
        let watching = move || {
            for signal in signals.forever() {
                if !LEFT.load(Ordering::Relaxed) {
                    restore();
                    let _ = emulate_default_handler(signal);
                }
            }
        };
        let named = std::thread::Builder::new().name("preopen-terminal".to_owned());
        drop(named.spawn(watching));
    }
}

#[cfg(not(unix))]
mod saved {
    /// The library puts the console back by itself.
    pub(super) struct Terminal;

    impl Terminal {
        #[allow(clippy::unnecessary_wraps, reason = "the same as elsewhere")]
        pub(super) fn keep() -> Result<Self, std::io::Error> {
            Ok(Self)
        }
    }

    pub(super) fn restore() {}

    pub(super) fn leave_signals() {}
}
