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
            let token = session.token().await?;
            let served = SystemTime::now().duration_since(UNIX_EPOCH)?;
            anyhow::Ok((token.generation(), served.as_secs_f64()))
        })
    });
    let served: Vec<(u64, f64)> = try_join_all(callers).await?.into_iter().collect::<Result<_>>()?;
    let mut line = watch.report(1, 1);
    ensure!(
        served.iter().all(|(generation, _)| *generation == 1),
        "more than one login"
    );
    let times = || served.iter().map(|(_, at)| *at);
    line["first_at"] = json!(times().reduce(f64::min).context("nobody asked")?);
    line["last_at"] = json!(times().reduce(f64::max).context("nobody asked")?);
    Ok(line)
}
