//! Log records for another language: taken from a bounded queue, or given to a callback. Nothing is collected before somebody
//! asks for it, no thread is made, and a forked child never touches what its parent opened.

mod subscriber;

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use preopen::{Clock as _, Error, Result, SystemClock};
use serde::Serialize;
use serde_json::{Map, Value};
use tracing::Level;

/// How many records are kept for a reader that is slow.
pub const KEPT: usize = 1024;

/// One log record. It holds no secret.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LogRecord {
    /// When, in seconds since the Unix epoch.
    pub at: f64,
    /// `error`, `warn`, `info`, `debug` or `trace`.
    pub level: &'static str,
    /// `preopen`, or `preopen.audit`.
    pub target: String,
    /// One line for a person.
    pub message: String,
    /// Everything else, by name: texts and numbers.
    pub fields: Map<String, Value>,
}

impl LogRecord {
    fn new(level: Level, target: &str, message: String) -> Self {
        #[allow(clippy::cast_precision_loss, reason = "milliseconds of this age fit")]
        let at = SystemClock.now().wall.as_millis() as f64 / 1000.0;
        Self {
            at,
            level: name(level),
            target: target.to_owned(),
            message,
            fields: Map::new(),
        }
    }

    /// Told in place of records that nobody took in time.
    fn of_dropped(dropped: u64) -> Self {
        let message = format!("{dropped} log records were dropped: they were not taken fast enough");
        let mut record = Self::new(Level::WARN, "preopen", message);
        record.fields.insert("dropped".to_owned(), dropped.into());
        record
    }
}

fn name(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    }
}

/// Takes a record; `false` when there is no room for it.
type Take = Box<dyn Fn(LogRecord) -> bool + Send + Sync>;

/// Where the records of one reader go.
struct Reader {
    process: u32,
    level: Level,
    waiting: Mutex<Waiting>,
    arrived: Condvar,
    /// Where they are not kept, but given away.
    take: Option<Take>,
}

#[derive(Default)]
struct Waiting {
    records: VecDeque<LogRecord>,
    dropped: u64,
    closed: bool,
}

impl Reader {
    fn is_a_parents(&self) -> bool {
        self.process != std::process::id()
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn give(&self, record: LogRecord) {
        let mut waiting = self.waiting();
        if waiting.closed {
            return;
        }
        if let Some(take) = &self.take {
            let told = waiting.dropped == 0 || take(LogRecord::of_dropped(waiting.dropped));
            if told {
                waiting.dropped = 0;
            }
            if !(told && take(record)) {
                waiting.dropped += 1;
            }
            return;
        }
        if waiting.records.len() >= KEPT {
            waiting.dropped += 1;
            return;
        }
        if let Some(dropped) = waiting.take_dropped() {
            waiting.records.push_back(dropped);
        }
        waiting.records.push_back(record);
        drop(waiting);
        self.arrived.notify_one();
    }
}

impl Waiting {
    fn take_dropped(&mut self) -> Option<LogRecord> {
        match std::mem::take(&mut self.dropped) {
            0 => None,
            dropped => Some(LogRecord::of_dropped(dropped)),
        }
    }

    fn next(&mut self) -> Option<LogRecord> {
        self.records.pop_front().or_else(|| self.take_dropped())
    }
}

/// The log records of this process from the moment that this was made on, until it is closed or dropped.
pub struct Logs(Arc<Reader>);

impl Logs {
    /// Records of `level` (`error`, `warn`, `info`, `debug` or `trace`) and above, to be taken with [`Logs::next`]. Errors:
    /// `InvalidInput` (`level`); `Internal` when this program collects what is told to `tracing` itself.
    pub fn open(level: &str) -> Result<Self> {
        Self::make(level, None)
    }

    /// The same, given to `take` on the thread that logs. It must not block, and says whether there was room.
    pub fn give_to(level: &str, take: impl Fn(LogRecord) -> bool + Send + Sync + 'static) -> Result<Self> {
        Self::make(level, Some(Box::new(take)))
    }

    fn make(level: &str, take: Option<Take>) -> Result<Self> {
        let reader = Arc::new(Reader {
            process: std::process::id(),
            level: level_of(level)?,
            waiting: Mutex::default(),
            arrived: Condvar::new(),
            take,
        });
        subscriber::add(&reader)?;
        Ok(Self(reader))
    }

    /// The next record. Waits at most `timeout`, without one until there is a record or the end. `None` when the time is over,
    /// at the end, and in a forked child of whoever opened it.
    pub fn next(&self, timeout: Option<Duration>) -> Option<LogRecord> {
        if self.0.is_a_parents() {
            return None;
        }
        // A time that no clock can tell is none.
        let until = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut waiting = self.0.waiting();
        loop {
            if let Some(record) = waiting.next() {
                return Some(record);
            }
            if waiting.closed {
                return None;
            }
            waiting = match until.map(|until| until.saturating_duration_since(Instant::now())) {
                Some(rest) if rest.is_zero() => return None,
                Some(rest) => {
                    let woken = self.0.arrived.wait_timeout(waiting, rest);
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
                None => self
                    .0
                    .arrived
                    .wait(waiting)
                    .unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    /// Whether no record will come any more, but for those that are waiting.
    pub fn is_closed(&self) -> bool {
        self.0.is_a_parents() || self.0.waiting().closed
    }

    /// Collects no more. Whoever waits is woken; what is waiting can still be taken.
    pub fn close(&self) {
        if self.0.is_a_parents() {
            return;
        }
        self.0.waiting().closed = true;
        self.0.arrived.notify_all();
        subscriber::remove(&self.0);
    }
}

impl Drop for Logs {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for Logs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Logs({})", name(self.0.level))
    }
}

/// `warning` is what Python calls it.
fn level_of(text: &str) -> Result<Level> {
    match text.to_ascii_lowercase().as_str() {
        "error" => Ok(Level::ERROR),
        "warn" | "warning" => Ok(Level::WARN),
        "info" => Ok(Level::INFO),
        "debug" => Ok(Level::DEBUG),
        "trace" => Ok(Level::TRACE),
        _ => Err(Error::invalid_input(
            "level",
            "must be error, warn, info, debug or trace",
        )),
    }
}

#[cfg(test)]
mod tests;
