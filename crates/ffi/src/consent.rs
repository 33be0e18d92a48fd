//! A login at the broker's page that is under way in the background: what to show comes first, what became of it later.
//! Giving it up frees the listener's port before that returns.

use std::fmt;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use preopen::runtime::Asking;
use preopen::{Error, ErrorKind, LoginOptions, LoginStart, Result, Session};
use tokio::sync::watch;

use crate::config::seconds_to_duration;
use crate::runtime::{Task, spawn};

/// How long the background thread may take to end what was given up. It waits for nobody, so that this is never reached
/// but on a machine that stands still.
const ENDS_WITHIN: Duration = Duration::from_secs(5);

/// How to log in, as every language passes it; `None` means the default of Rust.
#[derive(Clone, Copy, Debug, Default)]
pub struct LoginSettings {
    /// See `LoginOptions::open_browser`.
    pub open_browser: Option<bool>,
    /// Seconds; see `LoginOptions::timeout`.
    pub timeout: Option<f64>,
    /// Whether somebody shows the page.
    pub shows: bool,
}

/// What is known of a login.
#[derive(Clone)]
struct Known {
    start: Option<LoginStart>,
    outcome: Option<Result<()>>,
}

/// A login that is under way. Dropping it gives it up.
pub struct LoginUnderWay {
    known: watch::Receiver<Known>,
    task: Mutex<Option<Running>>,
    /// The process that began it: the login of a forked child's parent is none of the child's business.
    process: u32,
}

struct Running {
    task: Task,
    /// Has an end when nothing of the login is left.
    gone: Receiver<()>,
}

impl LoginUnderWay {
    /// Begins it; `asking` is the login that waits for whoever asks for this one. Errors: `InvalidInput` (`timeout`),
    /// `Internal`.
    pub fn start(session: &Session, settings: LoginSettings, asking: Asking) -> Result<Self> {
        let mut options = LoginOptions::new();
        if let Some(open) = settings.open_browser {
            options = options.open_browser(open);
        }
        if let Some(seconds) = settings.timeout {
            options = options.timeout(seconds_to_duration(seconds)?);
        }
        let (tell, known) = watch::channel(Known {
            start: None,
            outcome: None,
        });
        let tell = Arc::new(tell);
        if settings.shows {
            let tell = Arc::clone(&tell);
            options = options.show(move |start| tell.send_modify(|known| known.start = Some(start.clone())));
        }
        let (end, gone) = channel::<()>();
        let session = session.clone();
        let login = async move {
            // Declared first, and so dropped after the login and its listener.
            let _end = end;
            session.login(options).await
        };
        let task = spawn(asking.carry(login), move |outcome| {
            tell.send_modify(|known| known.outcome = Some(outcome));
        })?;
        Ok(Self {
            known,
            task: Mutex::new(Some(Running { task, gone })),
            process: std::process::id(),
        })
    }

    /// What to show, once the listener is ready; `None` when the login ended before.
    pub async fn started(&self) -> Result<Option<LoginStart>> {
        self.ours()?;
        let mut known = self.known.clone();
        let seen = known.wait_for(|known| known.start.is_some() || known.outcome.is_some());
        seen.await
            .map(|known| known.start.clone())
            .map_err(|_| given_up())
    }

    /// What became of it. Errors: its own; `Cancelled` once it was given up, and in a child that was forked meanwhile.
    pub async fn outcome(&self) -> Result<()> {
        self.ours()?;
        let mut known = self.known.clone();
        let seen = known.wait_for(|known| known.outcome.is_some()).await;
        let known = seen.map_err(|_| given_up())?;
        known.outcome.clone().unwrap_or_else(|| Err(given_up()))
    }

    /// A forked child has no thread that would ever tell it what became of its parent's login.
    fn ours(&self) -> Result<()> {
        if self.process == std::process::id() {
            Ok(())
        } else {
            Err(given_up())
        }
    }

    /// Gives it up, if it is not over. When this returns the port is free. What was sent to the broker goes on. A forked
    /// child gives nothing up: its parent's login goes on.
    pub fn close(&self) {
        if self.ours().is_err() {
            return;
        }
        let running = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Running { task, gone }) = running {
            task.abort();
            // Always an error: nothing is ever sent.
            let _ = gone.recv_timeout(ENDS_WITHIN);
        }
    }
}

impl Drop for LoginUnderWay {
    fn drop(&mut self) {
        let running = self.task.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        match running {
            Some(running) if self.process == std::process::id() => running.task.abort(),
            // Not even dropped in a child: the task's wakers and sockets are also its parent's.
            running => std::mem::forget(running),
        }
    }
}

fn given_up() -> Error {
    Error::new(ErrorKind::Cancelled, "the login was given up")
}

impl fmt::Debug for LoginUnderWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoginUnderWay").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::{LoginSettings, LoginUnderWay};
    use crate::runtime::{NEVER, block_on};
    use preopen::runtime::Asking;
    use preopen::{ErrorKind, SamcoOAuth, Session};
    use std::net::{Ipv4Addr, TcpListener};
    use std::sync::Arc;

    fn free_port() -> u16 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.local_addr().unwrap().port()
    }

    fn begin(port: u16, settings: LoginSettings) -> preopen::Result<Arc<LoginUnderWay>> {
        let app = SamcoOAuth::new("k", format!("http://127.0.0.1:{port}/callback"));
        let session = Session::builder(app).base_url("http://127.0.0.1:9").build()?;
        LoginUnderWay::start(&session, settings, Asking::default()).map(Arc::new)
    }

    const SHOWN: LoginSettings = LoginSettings {
        open_browser: Some(false),
        timeout: None,
        shows: true,
    };

    #[test]
    fn a_login_that_is_given_up_frees_its_port_before_that_returns() {
        let port = free_port();
        let login = begin(port, SHOWN).unwrap();
        let waits = Arc::clone(&login);
        let start = block_on(async move { waits.started().await }, || NEVER).unwrap();
        assert!(start.unwrap().unwrap().url().contains("state="));
        assert!(TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_err());
        login.close();
        drop(TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap());
        let error = block_on(async move { login.outcome().await }, || NEVER).unwrap();
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Cancelled);
    }

    #[test]
    fn what_ends_before_there_is_anything_to_show_is_told_in_both_places() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let login = begin(taken.local_addr().unwrap().port(), SHOWN).unwrap();
        let waits = Arc::clone(&login);
        let start = block_on(async move { waits.started().await }, || NEVER).unwrap();
        assert!(start.unwrap().is_none());
        let error = block_on(async move { login.outcome().await }, || NEVER).unwrap();
        assert_eq!(error.unwrap_err().field(), Some("redirect_url"));
        let wrong = LoginSettings {
            timeout: Some(0.0),
            ..SHOWN
        };
        assert_eq!(begin(free_port(), wrong).unwrap_err().field(), Some("timeout"));
    }
}
