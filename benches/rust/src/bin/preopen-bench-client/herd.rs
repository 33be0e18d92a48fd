//! A herd: so many callers ask a session without a token at once. One of them logs in; when is the last one served?

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, ensure};
use futures_util::future::try_join_all;
use serde_json::{Value, json};

use crate::settings::Settings;
use crate::watch::Watch;

/// Each caller is a task of its own. Times are of this machine's clock, which the broker's log has, too.
pub(crate) async fn token(settings: &Settings) -> Result<Value> {
    let session = settings.session()?;
    let watch = Watch::start();
    let callers = (0..settings.calls).map(|_| {
        let session = session.clone();
        tokio::spawn(async move {
            let asked = now()?;
            let token = session.token().await?;
            anyhow::Ok((token.generation(), asked, now()?))
        })
    });
    let served: Vec<(u64, f64, f64)> = try_join_all(callers).await?.into_iter().collect::<Result<_>>()?;
    let mut line = watch.report(1, 1);
    ensure!(
        served.iter().all(|(generation, ..)| *generation == 1),
        "more than one login"
    );
    let asked = served.iter().map(|(_, at, _)| *at);
    line["asked_at"] = json!(asked.reduce(f64::max).context("nobody asked")?);
    let times = || served.iter().map(|(.., at)| *at);
    line["first_at"] = json!(times().reduce(f64::min).context("nobody asked")?);
    line["last_at"] = json!(times().reduce(f64::max).context("nobody asked")?);
    Ok(line)
}

/// Seconds on the clock on the wall.
fn now() -> Result<f64> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64())
}
