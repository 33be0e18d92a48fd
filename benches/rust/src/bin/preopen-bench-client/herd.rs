//! A herd: so many callers ask a session without a token at once. One of them logs in; when is the last one served?

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, ensure};
use futures_util::future::try_join_all;
use serde_json::{Value, json};

use crate::settings::Settings;
use crate::watch::Watch;

/// Each caller is a task of its own. Times are of the machine's clock, which the broker's log has, too.
pub(crate) async fn token(settings: &Settings) -> Result<Value> {
    let session = settings.session()?;
    let watch = Watch::start();
    let callers = (0..settings.workers).map(|_| {
        let session = session.clone();
        tokio::spawn(async move {
            let token = session.token().await?;
            let served = SystemTime::now().duration_since(UNIX_EPOCH)?;
            anyhow::Ok((token.generation(), served))
        })
    });
    let served: Vec<_> = try_join_all(callers).await?;
    let served: Vec<(u64, Duration)> = served.into_iter().collect::<Result<_>>()?;
    let cost = watch.report(u32::try_from(settings.workers)?, 1);
    ensure!(
        served.iter().all(|(generation, _)| *generation == 1),
        "more than one login"
    );
    let times = || served.iter().map(|(_, at)| at.as_secs_f64() * 1e3);
    let first = times().reduce(f64::min).context("nobody asked")?;
    let last = times().reduce(f64::max).context("nobody asked")?;
    let mut line = cost;
    for (name, at) in [("first_ms", first), ("last_ms", last), ("spread_ms", last - first)] {
        line[name] = json!(at);
    }
    Ok(line)
}
