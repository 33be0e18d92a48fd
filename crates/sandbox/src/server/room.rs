//! The refusal of connections for which there is no room.

use std::sync::Arc;

use http::StatusCode;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::{connection::Connection, refusal};
use crate::state::State;

/// How many connections are told at once that there is no room; further ones are only closed.
const TOLD: usize = 64;
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
