//! A session's events: looked at without waiting, with a call when there is something to look at.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use napi::Either;
use napi::bindgen_prelude::{Function, Null};
use napi::threadsafe_function::{ThreadsafeFunctionCallMode, UnknownReturnValue};
use napi_derive::napi;
use preopen_ffi::EventInfo;
use preopen_ffi::preopen::{Events, SessionEvent};
use preopen_ffi::runtime::{self, Task};

use crate::outcome::json;

/// A listener of a session. It does not keep the session alive.
#[napi]
pub struct NativeEvents {
    stream: Arc<Mutex<Stream>>,
    waiting: Option<Task>,
}

#[napi]
impl NativeEvents {
    pub(crate) fn new(events: Events) -> Self {
        Self {
            stream: Arc::new(Mutex::new(Stream::new(events))),
            waiting: None,
        }
    }

    /// The next event as JSON text, `false` when there is none yet, `null` at the end.
    #[napi]
    pub fn look(&self) -> Either<String, Either<bool, Null>> {
        match lock(&self.stream).look() {
            Poll::Ready(Some(event)) => Either::A(json(&EventInfo::from(event))),
            Poll::Pending => Either::B(Either::A(false)),
            Poll::Ready(None) => Either::B(Either::B(Null)),
        }
    }

    /// Calls `ready` once, when there is something to look at. A call that waits keeps no process alive, and ends the
    /// one before.
    #[napi]
    pub fn wait(&mut self, ready: Function<'_, (), UnknownReturnValue>) -> napi::Result<()> {
        self.rest();
        let ready = ready
            .build_threadsafe_function::<()>()
            .weak::<true>()
            .build_callback(|_| Ok(()))?;
        let stream = Arc::clone(&self.stream);
        let arrived = async move {
            std::future::poll_fn(|context| lock(&stream).wait(context)).await;
            Ok(())
        };
        let call = move |_| {
            ready.call((), ThreadsafeFunctionCallMode::NonBlocking);
        };
        self.waiting = runtime::spawn(arrived, call).ok();
        Ok(())
    }

    /// Does not wait any more.
    #[napi]
    pub fn rest(&mut self) {
        if let Some(task) = self.waiting.take() {
            task.abort();
        }
    }

    /// Ends the listening.
    #[napi]
    pub fn close(&mut self) {
        self.rest();
        *lock(&self.stream) = Stream::default();
    }
}

impl Drop for NativeEvents {
    fn drop(&mut self) {
        self.rest();
    }
}

type Next = Pin<Box<dyn Future<Output = (Option<SessionEvent>, Events)> + Send>>;

/// The events, which both the task that waits and the thread that looks may ask. Nothing that was taken out of them is
/// lost when waiting ends.
#[derive(Default)]
struct Stream {
    /// The next event; `None` at the end.
    next: Option<Next>,
    /// What the waiting task found and nobody has looked at yet.
    found: Option<SessionEvent>,
    /// How to wake the waiting task.
    waiting: Option<Waker>,
}

impl Stream {
    fn new(events: Events) -> Self {
        Self {
            next: Some(next(events)),
            ..Self::default()
        }
    }

    /// Ready when there is something to look at, the end included.
    fn wait(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.waiting = Some(context.waker().clone());
        if self.found.is_some() {
            return Poll::Ready(());
        }
        self.poll(context).map(|event| self.found = event)
    }

    fn look(&mut self) -> Poll<Option<SessionEvent>> {
        if let Some(event) = self.found.take() {
            return Poll::Ready(Some(event));
        }
        // The waker of the task that waits stays the one that is woken.
        let waker = self.waiting.clone();
        self.poll(&mut Context::from_waker(waker.as_ref().unwrap_or(Waker::noop())))
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<SessionEvent>> {
        let Some(future) = &mut self.next else {
            return Poll::Ready(None);
        };
        let Poll::Ready((event, events)) = future.as_mut().poll(context) else {
            return Poll::Pending;
        };
        self.next = event.is_some().then(|| next(events));
        Poll::Ready(event)
    }
}

fn next(mut events: Events) -> Next {
    Box::pin(async move {
        let event = events.next().await;
        (event, events)
    })
}

fn lock(stream: &Mutex<Stream>) -> MutexGuard<'_, Stream> {
    stream.lock().unwrap_or_else(PoisonError::into_inner)
}
