//! The cost of calls: CPU of this process (user and system, all threads), and wall time.

use std::time::Instant;

use anyhow::Result;
use cpu_time::ProcessTime;
use futures_util::future::try_join_all;
use serde_json::{Value, json};

use crate::settings::Settings;

/// What has passed since a moment.
pub(crate) struct Watch(ProcessTime, Instant);

impl Watch {
    pub(crate) fn start() -> Self {
        Self(ProcessTime::now(), Instant::now())
    }

    /// The cost of each of `calls`, in microseconds; `sent` is how many requests the broker saw from this process.
    pub(crate) fn report(&self, calls: u32, sent: u32) -> Value {
        let (cpu, wall) = (self.0.elapsed(), self.1.elapsed());
        let per_call = 1e6 / f64::from(calls);
        json!({
            "cpu_us": cpu.as_secs_f64() * per_call, "wall_us": wall.as_secs_f64() * per_call,
            "calls": calls, "sent": sent, "rate": f64::from(calls) / wall.as_secs_f64(),
        })
    }
}

/// What a call costs that so many workers make side by side, each with a state of its own (a connection, or nothing).
pub(crate) async fn measure<S>(
    settings: &Settings,
    workers: &mut [S],
    call: impl AsyncFn(&mut S) -> Result<()>,
) -> Result<Value> {
    run(settings.warm_up, workers, &call).await?;
    let watch = run(settings.calls, workers, &call).await?;
    Ok(watch.report(settings.calls, settings.warm_up + settings.calls))
}

async fn run<S>(calls: u32, workers: &mut [S], call: &impl AsyncFn(&mut S) -> Result<()>) -> Result<Watch> {
    let share = calls / u32::try_from(workers.len())?;
    let watch = Watch::start();
    try_join_all(workers.iter_mut().map(async |worker| {
        for _ in 0..share {
            call(worker).await?;
        }
        anyhow::Ok(())
    }))
    .await?;
    Ok(watch)
}
