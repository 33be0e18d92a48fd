//! The virtual clock that sessions of an embedded broker follow.

use std::sync::Arc;

use preopen_ffi::preopen::{Clock as _, Timestamp, VirtualClock as RustClock};
use pyo3::prelude::*;

/// A clock that is set from outside.
#[pyclass(frozen, module = "preopen._native")]
pub(crate) struct VirtualClock(pub(crate) Arc<RustClock>);

#[pymethods]
impl VirtualClock {
    #[new]
    fn new(now_ms: i64, rate: f64) -> Self {
        Self(Arc::new(RustClock::new(Timestamp::from_millis(now_ms), rate)))
    }

    /// Sets the time, in milliseconds since the Unix epoch, and the speed.
    fn set(&self, now_ms: i64, rate: f64) {
        self.0.set_rate(rate);
        self.0.set(Timestamp::from_millis(now_ms));
    }

    /// The time, in milliseconds since the Unix epoch.
    fn now_ms(&self) -> i64 {
        self.0.now().wall.as_millis()
    }
}
