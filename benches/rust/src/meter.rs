//! What is counted: live bytes of the heap, as asked for, and CPU time of the process.

use std::alloc::System;
use std::time::{Duration, Instant};

use cpu_time::ProcessTime;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn live() -> usize {
    let stats = HEAP.stats();
    stats.bytes_allocated.saturating_sub(stats.bytes_deallocated)
}

/// The live bytes of the heap, once they have not changed for a moment: tasks on the background thread end
/// shortly after their results are known.
pub(crate) async fn settled() -> usize {
    const LOOKS: u32 = 10;
    let (mut last, mut same) = (live(), 0);
    for _ in 0..1000 {
        tokio::time::sleep(Duration::from_millis(10)).await;
        let now = live();
        same = if now == last { same + 1 } else { 0 };
        last = now;
        if same == LOOKS {
            break;
        }
    }
    last
}

/// CPU (user and system, all threads) and wall time since a moment.
pub(crate) struct Watch(ProcessTime, Instant);

impl Watch {
    pub(crate) fn start() -> Self {
        Self(ProcessTime::now(), Instant::now())
    }

    /// CPU, then wall.
    pub(crate) fn stop(&self) -> (Duration, Duration) {
        (self.0.elapsed(), self.1.elapsed())
    }
}
