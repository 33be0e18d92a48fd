//! What is said of sessions: audit entries, in log records and in files, and metrics.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

#[path = "../common/mod.rs"]
mod common;

mod entries;
mod files;
mod numbers;
mod opentelemetry;
mod records;

/// So many callers who want a token, all of whom get one.
async fn ask_at_once(session: &preopen::Session, callers: usize) {
    let ask = |_| {
        let session = session.clone();
        tokio::spawn(async move { session.token().await.unwrap() })
    };
    let callers: Vec<_> = (0..callers).map(ask).collect();
    for caller in callers {
        caller.await.unwrap();
    }
}
