//! Times as UniFFI's languages have them, and the virtual clock that sessions of an embedded broker follow.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use preopen_ffi::preopen::{Clock as _, Timestamp, VirtualClock as RustClock};

/// A time of Rust's as one of the language's.
pub(crate) fn system_time(at: Timestamp) -> SystemTime {
    from_millis(at.as_millis())
}

/// The same, from milliseconds since the Unix epoch.
pub(crate) fn from_millis(millis: i64) -> SystemTime {
    let distance = Duration::from_millis(millis.unsigned_abs());
    if millis < 0 {
        UNIX_EPOCH - distance
    } else {
        UNIX_EPOCH + distance
    }
}

fn timestamp(at: SystemTime) -> Timestamp {
    let (distance, sign) = match at.duration_since(UNIX_EPOCH) {
        Ok(after) => (after, 1),
        Err(before) => (before.duration(), -1),
    };
    let millis = i64::try_from(distance.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_millis(millis.saturating_mul(sign))
}

/// A clock that is set from outside, for tests.
#[derive(Debug, uniffi::Object)]
pub struct VirtualClock {
    pub(crate) inner: Arc<RustClock>,
}

#[uniffi::export]
impl VirtualClock {
    /// A clock at `now` that runs `rate` times as fast as real time.
    #[uniffi::constructor]
    pub fn new(now: SystemTime, rate: f64) -> Self {
        let inner = Arc::new(RustClock::new(timestamp(now), rate));
        Self { inner }
    }

    /// Sets time and rate.
    pub fn set(&self, now: SystemTime, rate: f64) {
        self.inner.set_rate(rate);
        self.inner.set(timestamp(now));
    }

    /// Its time.
    pub fn now(&self) -> SystemTime {
        system_time(self.inner.now().wall)
    }
}
