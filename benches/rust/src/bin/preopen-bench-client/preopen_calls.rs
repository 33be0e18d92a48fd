//! Preopen's own row: an authenticated GET, and a login.

use anyhow::Result;
use serde_json::Value;

use crate::settings::{PATH, QUERY, Settings, check};
use crate::watch::measure;

pub(crate) async fn get(settings: &Settings) -> Result<Value> {
    let session = settings.session()?;
    session.token().await?;
    let mut workers = vec![(); settings.workers];
    measure(settings, &mut workers, async |()| {
        let call = session.get(PATH);
        let call = QUERY
            .iter()
            .fold(call, |call, (name, value)| call.query(*name, value));
        check(call.send().await?.data())
    })
    .await
}

/// One login after the other, each on the connection of the one before.
pub(crate) async fn login(settings: &Settings) -> Result<Value> {
    let session = settings.session()?;
    measure(settings, &mut [()], async |()| {
        let token = session.token().await?;
        anyhow::ensure!(!token.expose().is_empty(), "no token");
        session.invalidate(token.generation());
        Ok(())
    })
    .await
}
