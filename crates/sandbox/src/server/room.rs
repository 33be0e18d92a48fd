//! How many connections there is room for, and the refusal of those beyond.

use std::sync::Arc;

use http::StatusCode;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::{connection::Connection, refusal};
use crate::state::State;

/// How many file descriptors are left to everything else: databases, certificates, the rest of the process.
const RESERVE: usize = 256;
/// How many connections are told at once that there is no room; further ones are only closed.
const TOLD: usize = 64;
/// What is assumed where the system tells no limit.
const UNLIMITED: usize = 100_000;

/// The most connections, by how many files this process may open.
pub(super) fn most() -> usize {
    let limit = limit();
    limit.saturating_sub(RESERVE).max(limit / 2)
}

#[cfg(unix)]
fn limit() -> usize {
    rustix::process::getrlimit(rustix::process::Resource::Nofile)
        .current
        .map_or(UNLIMITED, |limit| usize::try_from(limit).unwrap_or(UNLIMITED))
}

#[cfg(not(unix))]
fn limit() -> usize {
    UNLIMITED
}

/// Tells a client that there is no room, if there is room for that.
pub(super) fn turn_away(stream: TcpStream, state: &Arc<State>, plain: bool, turned_away: &mut JoinSet<()>) {
    while turned_away.try_join_next().is_some() {}
    if !plain || turned_away.len() >= TOLD {
        return;
    }
    let text = "the sandbox has as many connections as it may; some end within seconds\n";
    let date = state.now().to_http_date();
    let last = refusal::reply(StatusCode::SERVICE_UNAVAILABLE, &date, text);
    let (stream, _) = Connection::new(stream);
    turned_away.spawn(refusal::part(stream, Some(last), true));
}
