//! What the sessions are asked to do: log in, or make a call, so many at the same time. Every result is checked.

use std::time::Duration;

use anyhow::{Result, ensure};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use preopen::Session;

use crate::meter::Watch;

/// What all sessions did together.
#[derive(Default)]
pub(crate) struct Total {
    pub(crate) done: usize,
    pub(crate) token_bytes: usize,
    pub(crate) credential_bytes: usize,
    pub(crate) cpu: Duration,
    pub(crate) wall: Duration,
}

/// Asks every session for its token; each must come from this generation, so that a session which did not log in
/// again is noticed.
pub(crate) async fn log_in(sessions: &[Session], workers: usize, generation: u64) -> Result<Total> {
    let watch = Watch::start();
    let tokens: Vec<usize> = stream::iter(sessions)
        .map(|session| async move {
            let token = session.token().await?;
            ensure!(
                token.generation() == generation,
                "a token of generation {}",
                token.generation()
            );
            Ok(token.expose().len())
        })
        .buffer_unordered(workers)
        .try_collect()
        .await?;
    let (cpu, wall) = watch.stop();
    Ok(Total {
        done: tokens.len(),
        token_bytes: tokens.iter().sum(),
        cpu,
        wall,
        ..Total::default()
    })
}

/// Makes one authenticated GET with every session and checks that the reply has a payload.
pub(crate) async fn call(
    sessions: &[Session],
    workers: usize,
    path: &str,
    query: &[(String, String)],
) -> Result<Total> {
    let watch = Watch::start();
    let done: Vec<()> = stream::iter(sessions)
        .map(|session| async move {
            let call = query.iter().fold(session.get(path), |call, (name, value)| {
                call.query(name.as_str(), value)
            });
            let reply = call.send().await?;
            ensure!(
                reply.data().as_object().is_some_and(|data| !data.is_empty()),
                "no payload"
            );
            Ok(())
        })
        .buffer_unordered(workers)
        .try_collect()
        .await?;
    let (cpu, wall) = watch.stop();
    Ok(Total {
        done: done.len(),
        cpu,
        wall,
        ..Total::default()
    })
}
