//! How often something took how long, in fixed steps.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::Value;

/// The upper bounds of a histogram's buckets, in seconds. What is longer is in the count alone.
pub const BOUNDS: [f64; 13] = [
    0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
];

#[derive(Debug)]
pub(super) struct Histogram {
    /// How many were in each bucket alone, those above the last bound at the end.
    buckets: [AtomicU64; BOUNDS.len() + 1],
    micros: AtomicU64,
}

impl Histogram {
    pub(super) const fn new() -> Self {
        Self {
            buckets: [const { AtomicU64::new(0) }; BOUNDS.len() + 1],
            micros: AtomicU64::new(0),
        }
    }

    pub(super) fn observe(&self, time: Duration) {
        let seconds = time.as_secs_f64();
        let bucket = BOUNDS
            .iter()
            .position(|bound| seconds <= *bound)
            .unwrap_or(BOUNDS.len());
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// What was observed, if anything was.
    pub(super) fn value(&self) -> Option<Value> {
        let mut count = 0;
        let mut buckets: Vec<u64> = Vec::with_capacity(BOUNDS.len());
        for bucket in &self.buckets {
            count += bucket.load(Ordering::Relaxed);
            buckets.push(count);
        }
        // The last one is the count.
        buckets.pop();
        let sum = Duration::from_micros(self.micros.load(Ordering::Relaxed)).as_secs_f64();
        (count > 0).then_some(Value::Histogram { count, sum, buckets })
    }
}
