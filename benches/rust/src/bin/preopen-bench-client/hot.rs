//! What a call costs that needs no request: `token()` and `headers()` of a live session, beside the clock reads that they cannot
//! do without.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use anyhow::Result;
use serde_json::Value;

use crate::settings::Settings;
use crate::watch::Watch;

/// The wall clock, the monotonic one, and a clone of a shared record.
pub(crate) fn floor(settings: &Settings) -> Value {
    let record = Arc::new([0_u8; 64]);
    let watch = Watch::start();
    for _ in 0..settings.calls {
        black_box((SystemTime::now(), Instant::now(), Arc::clone(black_box(&record))));
    }
    watch.report(settings.calls, 0)
}

pub(crate) async fn token(settings: &Settings) -> Result<Value> {
    let session = settings.session()?;
    session.token().await?;
    let watch = Watch::start();
    for _ in 0..settings.calls {
        black_box(session.token().await?);
    }
    // The login.
    Ok(watch.report(settings.calls, 1))
}

pub(crate) async fn headers(settings: &Settings) -> Result<Value> {
    let session = settings.session()?;
    session.headers().await?;
    let watch = Watch::start();
    for _ in 0..settings.calls {
        black_box(session.headers().await?);
    }
    // The login.
    Ok(watch.report(settings.calls, 1))
}
