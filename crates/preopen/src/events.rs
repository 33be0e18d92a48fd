//! The stream of a session's events, and how far behind a listener may fall. What is told, and when, is the machine's
//! business.

use std::fmt;
use std::sync::Arc;

use preopen_core::clock::Clock;
use preopen_core::lifecycle::SessionEvent;
use tokio::sync::broadcast::{self, Receiver, Sender, error::RecvError};

/// How many events a listener may fall behind before the oldest are dropped.
pub(crate) const KEPT: usize = 64;

/// What happens to a session, from the moment of [`Session::events`](crate::Session::events) on.
///
/// It ends when the session is closed or its last handle is dropped; it does not keep the session alive. A listener
/// that falls more than 64 events behind gets one `lagged` event that tells how many it missed, and goes on with the
/// oldest one that is kept.
///
/// ```no_run
/// # async fn example(session: preopen::Session) -> preopen::Result<()> {
/// use preopen::EventName;
///
/// let mut events = session.events();
/// while let Some(event) = events.next().await {
///     match event.name {
///         EventName::LoginNeeded => eprintln!("somebody must log in: {}", event.reason),
///         EventName::IpMismatch => eprintln!("{:?}", event.error),
///         name => println!("{}, generation {}", name.as_str(), event.generation),
///     }
/// }
/// # Ok(()) }
/// ```
pub struct Events {
    receiver: Option<Receiver<SessionEvent>>,
    clock: Arc<dyn Clock>,
    process: u32,
}

impl Events {
    /// A listener; without `receiver` the stream is at its end.
    pub(crate) fn new(receiver: Option<Receiver<SessionEvent>>, clock: Arc<dyn Clock>) -> Self {
        Self {
            receiver,
            clock,
            process: std::process::id(),
        }
    }

    /// The next event; `None` when the session is closed or gone, and in a forked child, where a stream of the
    /// parent's is never touched.
    pub async fn next(&mut self) -> Option<SessionEvent> {
        if self.process != std::process::id() {
            std::mem::forget(self.receiver.take());
        }
        match self.receiver.as_mut()?.recv().await {
            Ok(event) => Some(event),
            Err(RecvError::Lagged(missed)) => Some(SessionEvent::lagged(missed, self.clock.now().wall)),
            Err(RecvError::Closed) => {
                self.receiver = None;
                None
            }
        }
    }
}

impl Drop for Events {
    /// A forked child must not touch its parent's channel: a thread that does not exist there may hold its lock.
    fn drop(&mut self) {
        if self.process != std::process::id() {
            std::mem::forget(self.receiver.take());
        }
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Events")
    }
}

/// Where events are sent: nobody listens at first.
#[derive(Default)]
pub(crate) struct Listeners(Option<Sender<SessionEvent>>);

impl Listeners {
    /// A new listener's end.
    pub(crate) fn subscribe(&mut self) -> Receiver<SessionEvent> {
        self.0
            .get_or_insert_with(|| broadcast::channel(KEPT).0)
            .subscribe()
    }

    /// Tells everybody who listens.
    pub(crate) fn tell(&mut self, event: SessionEvent) {
        if let Some(sender) = &self.0
            && sender.send(event).is_err()
        {
            self.0 = None;
        }
    }

    /// Whether anybody listens.
    pub(crate) fn any(&self) -> bool {
        self.0.as_ref().is_some_and(|sender| sender.receiver_count() > 0)
    }

    /// Ends every stream.
    pub(crate) fn end(&mut self) {
        self.0 = None;
    }
}
