//! Hearing of changes: one connection that listens for all accounts of a pool while somebody waits for one, and closes
//! a while later. Where it is refused or lost, those who wait look more often.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use redis::aio::PubSubSink;
use redis::{ErrorKind, Msg, RedisResult, ServerErrorKind};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;

use super::connection::ANSWER;
use super::pool::Pool;

/// How long the connection stays when nobody waits any more.
const IDLE: Duration = Duration::from_secs(30);

/// How often it is looked whether the connection is alive and still needed.
const LOOK: Duration = Duration::from_secs(10);

/// How long a lost connection is let be before the next one.
const AGAIN: Duration = Duration::from_secs(1);

/// Who listens to what.
#[derive(Default)]
pub(super) struct Listener(Mutex<State>);

#[derive(Default)]
struct State {
    channels: HashMap<String, Arc<Channel>>,
    /// Tells the running task of a new channel.
    task: Option<UnboundedSender<String>>,
    /// When somebody was last seen waiting.
    needed: Option<Instant>,
}

struct Channel {
    told: watch::Sender<u64>,
    heard: AtomicBool,
}

impl Channel {
    fn set(&self, heard: bool) {
        self.heard.store(heard, Ordering::Release);
        self.tell();
    }

    fn tell(&self) {
        self.told.send_modify(|times| *times = times.wrapping_add(1));
    }
}

/// Somebody who waits for one channel.
pub(super) struct Waiting {
    channel: Arc<Channel>,
    told: watch::Receiver<u64>,
}

impl Waiting {
    /// Returns when something was told since this wait began, or its channel began or ceased to be heard.
    pub(super) async fn told(&mut self) {
        if self.told.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Whether the channel is listened to.
    pub(super) fn heard(&self) -> bool {
        self.channel.heard.load(Ordering::Acquire)
    }
}

impl Listener {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to wait for `channel`. Call it on the runtime that is to listen.
    pub(super) fn wait(pool: &Arc<Pool>, channel: &str) -> Waiting {
        let mut state = pool.listener.state();
        state.needed = Some(Instant::now());
        let known = state.channels.get(channel).cloned();
        let found = known.clone().unwrap_or_else(|| {
            let new = Arc::new(Channel {
                told: watch::Sender::new(0),
                heard: AtomicBool::new(false),
            });
            state.channels.insert(channel.to_owned(), Arc::clone(&new));
            new
        });
        if let Some(task) = &state.task {
            if known.is_none() {
                drop(task.send(channel.to_owned()));
            }
        } else {
            let (sender, receiver) = unbounded_channel();
            state.task = Some(sender);
            tokio::spawn(listen(Arc::clone(pool), receiver));
        }
        let told = found.told.subscribe();
        Waiting { channel: found, told }
    }

    fn channels(&self) -> Vec<(String, Arc<Channel>)> {
        let state = self.state();
        let all = state.channels.iter();
        all.map(|(name, channel)| (name.clone(), Arc::clone(channel)))
            .collect()
    }

    fn channel(&self, name: &str) -> Option<Arc<Channel>> {
        self.state().channels.get(name).cloned()
    }

    /// Ends the listening if nobody waits and nobody did for a while.
    fn ends(&self) -> bool {
        let mut state = self.state();
        if state
            .channels
            .values()
            .any(|channel| channel.told.receiver_count() > 0)
        {
            state.needed = Some(Instant::now());
        }
        let ends = state.needed.is_none_or(|needed| needed.elapsed() >= IDLE);
        if ends {
            *state = State::default();
        }
        ends
    }
}

async fn listen(pool: Arc<Pool>, mut added: UnboundedReceiver<String>) {
    for nth in 0.. {
        let over = session(&pool, &mut added, nth).await;
        if over {
            return;
        }
        for (_, channel) in pool.listener.channels() {
            if channel.heard.load(Ordering::Acquire) {
                channel.set(false);
            }
        }
        if pool.listener.ends() {
            return;
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// Listens on one connection for as long as it lasts; `true` when nobody needs it any more.
async fn session(pool: &Arc<Pool>, added: &mut UnboundedReceiver<String>, nth: usize) -> bool {
    let Ok(connection) = pool.listen(nth).await else {
        return false;
    };
    let (mut sink, mut messages) = connection.split();
    for (name, channel) in pool.listener.channels() {
        if !subscribe(&mut sink, &name, &channel).await {
            return false;
        }
    }
    let mut look = tokio::time::interval_at(tokio::time::Instant::now() + LOOK, LOOK);
    loop {
        tokio::select! {
            message = messages.next() => {
                let Some(message) = message else {
                    return false;
                };
                tell(pool, &message);
            }
            name = added.recv() => {
                let channel = name.as_ref().and_then(|name| pool.listener.channel(name));
                let (Some(name), Some(channel)) = (name, channel) else {
                    return true;
                };
                if !subscribe(&mut sink, &name, &channel).await {
                    return false;
                }
            }
            _ = look.tick() => {
                if pool.listener.ends() {
                    return true;
                }
                if !goes_on(tokio::time::timeout(ANSWER, sink.ping::<redis::Value>()).await) {
                    return false;
                }
            }
        }
    }
}

fn tell(pool: &Pool, message: &Msg) {
    if let Some(channel) = pool.listener.channel(message.get_channel_name()) {
        channel.tell();
    }
}

/// Listens to one more channel. Whether the connection is still good: a refusal is an answer too.
async fn subscribe(sink: &mut PubSubSink, name: &str, channel: &Channel) -> bool {
    let answer = tokio::time::timeout(ANSWER, sink.subscribe(name)).await;
    if matches!(answer, Ok(Ok(()))) {
        channel.set(true);
    }
    goes_on(answer)
}

/// Whether a connection that gave this answer in time is good. What is not allowed stays so for its length.
fn goes_on<T>(answer: Result<RedisResult<T>, tokio::time::error::Elapsed>) -> bool {
    match answer {
        Ok(Ok(_)) => true,
        Ok(Err(error)) => error.kind() == ErrorKind::Server(ServerErrorKind::NoPerm),
        Err(_) => false,
    }
}
