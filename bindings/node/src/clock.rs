//! The clock that sessions of one sandbox follow.

use std::sync::Arc;

use napi_derive::napi;
use preopen_ffi::preopen::{Timestamp, VirtualClock};

/// A virtual clock, shared by all sessions that were made with it.
#[napi]
#[derive(Debug)]
pub struct NativeClock {
    pub(crate) inner: Arc<VirtualClock>,
}

#[napi]
impl NativeClock {
    /// A clock at `millis` since the Unix epoch that runs `rate` times as fast as real time.
    #[napi(constructor)]
    pub fn new(millis: i64, rate: f64) -> Self {
        Self {
            inner: Arc::new(VirtualClock::new(Timestamp::from_millis(millis), rate)),
        }
    }

    /// Sets time and rate.
    #[napi]
    pub fn set(&self, millis: i64, rate: f64) {
        self.inner.set_rate(rate);
        self.inner.set(Timestamp::from_millis(millis));
    }
}
