//! A listener whose waits can be given up: an event that has come is kept until it is taken, so that a wait that is
//! cancelled at the last moment loses none.

use std::collections::VecDeque;
use std::fmt;
use std::pin::pin;
use std::sync::{Mutex as StdMutex, MutexGuard, PoisonError};

use futures_util::future::select;
use preopen::{Events, SessionEvent};
use tokio::sync::{Mutex, watch};

/// The events of one session, for languages whose waits come and go.
pub struct Listener {
    process: u32,
    stream: Mutex<Option<Events>>,
    kept: StdMutex<VecDeque<SessionEvent>>,
    over: watch::Sender<bool>,
}

impl Listener {
    /// Listens to `events`.
    pub fn new(events: Events) -> Self {
        Self {
            process: std::process::id(),
            stream: Mutex::new(Some(events)),
            kept: StdMutex::default(),
            over: watch::Sender::new(false),
        }
    }

    /// The next event that has come already.
    pub fn take(&self) -> Option<SessionEvent> {
        if self.is_a_parents() {
            return None;
        }
        self.kept().pop_front()
    }

    /// Whether no event will come any more: the session is closed or gone, or this listener is closed. A forked child
    /// hears nothing from a listener of its parent.
    pub fn is_over(&self) -> bool {
        self.is_a_parents() || (*self.over.borrow() && self.kept().is_empty())
    }

    /// Waits until there is an event to take, or none will come.
    pub async fn ready(&self) {
        if self.is_a_parents() {
            return;
        }
        let mut over = self.over.subscribe();
        {
            let next = pin!(self.keep_next());
            let ended = pin!(over.wait_for(|over| *over));
            select(next, ended).await;
        }
        self.release();
    }

    /// Ends the stream, now and for whoever waits; events that were not taken are forgotten.
    pub fn close(&self) {
        if self.is_a_parents() {
            return;
        }
        self.over.send_replace(true);
        self.kept().clear();
        self.release();
    }

    async fn keep_next(&self) {
        let mut stream = self.stream.lock().await;
        if !self.kept().is_empty() {
            return;
        }
        let event = match stream.as_mut() {
            Some(events) => events.next().await,
            None => None,
        };
        let Some(event) = event else {
            self.over.send_replace(true);
            return;
        };
        // Under the lock, so that nothing is kept after `close`.
        let mut kept = self.kept();
        if !*self.over.borrow() {
            kept.push_back(event);
        }
    }

    /// Frees the stream once it is over; whoever waits for it at this moment does so instead.
    fn release(&self) {
        if *self.over.borrow()
            && let Ok(mut stream) = self.stream.try_lock()
        {
            *stream = None;
        }
    }

    fn kept(&self) -> MutexGuard<'_, VecDeque<SessionEvent>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_a_parents(&self) -> bool {
        self.process != std::process::id()
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Listener")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use futures_util::FutureExt as _;
    use preopen::{EventName, Samco, Session};

    use super::Listener;

    fn session() -> Session {
        let builder = Session::builder(Samco::new("key", "secret")).base_url("http://127.0.0.1:9");
        builder.build().unwrap()
    }

    /// Logging out while a login is wanted is an event that needs no broker.
    fn happens(session: &Session) {
        drop(session.token().now_or_never());
        session.logout().now_or_never().unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_wait_that_is_given_up_loses_no_event() {
        let session = session();
        let listener = Listener::new(session.events());
        assert!(listener.ready().now_or_never().is_none());
        happens(&session);
        // The event came, and whoever waited for it is gone.
        assert!(listener.ready().now_or_never().is_some());
        assert!(listener.ready().now_or_never().is_some());
        assert_eq!(listener.take().unwrap().name, EventName::SignedOut);
        assert!(listener.take().is_none() && !listener.is_over());
    }

    #[tokio::test]
    async fn closing_ends_a_wait_and_frees_the_stream() {
        let session = session();
        let listener = Arc::new(Listener::new(session.events()));
        let waiting = Arc::clone(&listener);
        let waiting = tokio::spawn(async move { waiting.ready().await });
        tokio::task::yield_now().await;
        listener.close();
        tokio::time::timeout(Duration::from_secs(5), waiting)
            .await
            .unwrap()
            .unwrap();
        assert!(listener.is_over() && listener.stream.lock().await.is_none());
    }

    #[tokio::test]
    async fn the_end_of_the_session_is_the_end_of_the_stream_after_its_last_event() {
        for close in [true, false] {
            let session = session();
            let listener = Listener::new(session.events());
            happens(&session);
            if close {
                session.close();
            }
            drop(session);
            listener.ready().await;
            assert!(!listener.is_over());
            assert_eq!(listener.take().unwrap().name, EventName::SignedOut);
            listener.ready().await;
            assert!(listener.is_over() && listener.stream.lock().await.is_none());
        }
    }
}
