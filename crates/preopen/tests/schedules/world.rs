//! Everything that a session meets, in the hands of one thread: futures that are polled when the test says so, a wire
//! whose replies the test gives, callbacks that the test answers.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use preopen::core::target::Target;
use preopen::core::wire::{BoxFuture, RawReply, Request, Transport, TransportFailure};
use preopen::runtime::Spawn;
use preopen::{Answer, Ask, Error, ErrorKind, Result, Secret};
use tokio::sync::oneshot;

/// A future that is polled by hand, and whether it asked to be.
pub(crate) struct Polled<T> {
    future: Option<BoxFuture<'static, T>>,
    woken: Arc<Woken>,
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl<T> Polled<T> {
    pub(crate) fn new(future: impl Future<Output = T> + Send + 'static) -> Self {
        Self {
            future: Some(Box::pin(future)),
            woken: Arc::new(Woken(AtomicBool::new(true))),
        }
    }

    pub(crate) fn is_running(&self) -> bool {
        self.future.is_some()
    }

    /// Whether an executor would poll it now.
    pub(crate) fn is_woken(&self) -> bool {
        self.is_running() && self.woken.0.load(Ordering::Relaxed)
    }

    pub(crate) fn poll(&mut self) -> Option<T> {
        self.woken.0.store(false, Ordering::Relaxed);
        let waker = Waker::from(Arc::clone(&self.woken));
        match self
            .future
            .as_mut()?
            .as_mut()
            .poll(&mut Context::from_waker(&waker))
        {
            Poll::Pending => None,
            Poll::Ready(value) => {
                self.future = None;
                Some(value)
            }
        }
    }
}

/// What the broker or a callback says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Say {
    Yes,
    Down,
    Refused,
    Nothing,
    Panic,
}

/// One request on the wire.
#[derive(Debug)]
pub(crate) struct Sent {
    /// The token that it ends; `None` for a login.
    pub(crate) ends: Option<String>,
    /// What was said; `None` while nothing was.
    pub(crate) said: Option<Say>,
    /// The task that sent it, and whether that is a login which the user logged out of.
    pub(crate) task: Option<usize>,
    pub(crate) abandoned: bool,
    /// Whether it was sent before 08:00.
    pub(crate) early: bool,
    reply: Option<oneshot::Sender<Say>>,
}

impl Sent {
    /// Whether it still waits for its reply.
    pub(crate) fn is_open(&self) -> bool {
        self.reply.as_ref().is_some_and(|reply| !reply.is_closed())
    }

    pub(crate) fn answer(&mut self, say: Say) {
        self.said = Some(say);
        let _ = self.reply.take().unwrap().send(say);
    }
}

/// The token that the login with this place on the wire gives.
pub(crate) fn token_of(place: usize) -> String {
    format!("token-{place}")
}

/// Keeps every request until the test answers it.
#[derive(Default)]
pub(crate) struct Wire(Mutex<Vec<Sent>>);

impl Wire {
    pub(crate) fn sent(&self) -> MutexGuard<'_, Vec<Sent>> {
        self.0.lock().unwrap()
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wire")
    }
}

impl Transport for Wire {
    fn send<'a>(
        &'a self,
        _: &'a Target,
        request: &'a Request,
        _: Duration,
    ) -> BoxFuture<'a, Result<RawReply, TransportFailure>> {
        Box::pin(async move {
            let token = |(name, value): &(String, Secret)| {
                (name == "x-session-token").then(|| value.expose().to_owned())
            };
            let ends = request.headers.iter().find_map(token);
            let (reply, said) = oneshot::channel();
            let place = {
                let mut sent = self.sent();
                sent.push(Sent {
                    ends,
                    said: None,
                    task: None,
                    abandoned: false,
                    early: false,
                    reply: Some(reply),
                });
                sent.len() - 1
            };
            let (status, body) = match said.await.unwrap() {
                Say::Yes => (
                    200,
                    format!(r#"{{"status":"Success","sessionToken":"{}"}}"#, token_of(place)),
                ),
                Say::Refused => (
                    401,
                    r#"{"status":"Failure","statusMessage":"no","errorCode":"EOAUTH008"}"#.to_owned(),
                ),
                Say::Panic => panic!("{PLANNED}"),
                Say::Down | Say::Nothing => (503, String::new()),
            };
            Ok(RawReply::new(status, body))
        })
    }
}

/// The tasks that run apart from their callers.
#[derive(Default)]
pub(crate) struct Tasks(Mutex<Vec<Polled<()>>>);

impl Tasks {
    pub(crate) fn all(&self) -> MutexGuard<'_, Vec<Polled<()>>> {
        self.0.lock().unwrap()
    }

    /// Polls one, which may start others. Tells whether it ended.
    pub(crate) fn poll(&self, task: usize) -> bool {
        let idle = Polled {
            future: None,
            woken: Arc::clone(&self.all()[task].woken),
        };
        let mut polled = std::mem::replace(&mut self.all()[task], idle);
        let ended = polled.poll().is_some();
        self.all()[task] = polled;
        ended
    }
}

impl fmt::Debug for Tasks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tasks")
    }
}

impl Spawn for Tasks {
    fn spawn(&self, task: BoxFuture<'static, ()>) -> Result<BoxFuture<'static, ()>> {
        self.all().push(Polled::new(task));
        Ok(Box::pin(std::future::pending()))
    }
}

/// A callback whose answers the test gives.
#[derive(Clone, Default)]
pub(crate) struct Person(Arc<Mutex<Vec<oneshot::Sender<Say>>>>);

impl Person {
    pub(crate) fn callback(&self) -> Ask {
        let asked = Arc::clone(&self.0);
        Ask::new(move || {
            let (answer, said) = oneshot::channel();
            asked.lock().unwrap().push(answer);
            async move { answered(said.await.unwrap()) }
        })
    }

    /// Whether somebody waits for an answer.
    pub(crate) fn is_asked(&self) -> bool {
        let mut asked = self.0.lock().unwrap();
        asked.retain(|answer| !answer.is_closed());
        !asked.is_empty()
    }

    pub(crate) fn answer(&self, say: Say) {
        let _ = self.0.lock().unwrap().remove(0).send(say);
    }
}

fn answered(say: Say) -> Answer {
    match say {
        Say::Yes => Ok(Some(Secret::new("a secret that is right"))),
        Say::Nothing => Ok(None),
        Say::Panic => panic!("{PLANNED}"),
        Say::Down | Say::Refused => Err(Error::new(ErrorKind::Timeout, "nobody came")),
    }
}

const PLANNED: &str = "a panic that the test planned";

/// Keeps planned panics off the terminal: there are thousands.
pub(crate) fn hush() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let text = info.payload().downcast_ref::<&str>().copied();
            let owned = info.payload().downcast_ref::<String>().map(String::as_str);
            if text.or(owned) != Some(PLANNED) {
                before(info);
            }
        }));
    });
}
