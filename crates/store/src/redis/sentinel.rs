//! Asking Sentinels where the master is. They are asked anew for every connection, since it may have moved.

use std::io;

use futures_util::future::select_ok;
use redis::{RedisResult, Value};
use tokio_rustls::TlsConnector;

use super::connection::{self, Link};
use super::url::{Login, Node};

/// Where the master called `name` is, as the first Sentinel that knows it says.
pub(super) async fn master(
    sentinels: &[Node],
    name: &str,
    login: &Login,
    tls: Option<&TlsConnector>,
) -> RedisResult<Node> {
    let asked = sentinels.iter().map(|node| {
        Box::pin(async move {
            let mut link = connection::open(node, tls, login, 0).await?;
            let mut question = redis::cmd("SENTINEL");
            question.arg("GET-MASTER-ADDR-BY-NAME").arg(name);
            let found: Option<(String, u16)> = question.query_async(&mut link.connection).await?;
            let (host, port) = found.ok_or_else(|| {
                io::Error::new(
                    io::ErrorKind::NotFound,
                    "the Sentinels know no master of this name",
                )
            })?;
            Ok(Node { host, port })
        })
    });
    select_ok(asked).await.map(|(node, _)| node)
}

/// Whether this server takes itself for a master. One that may not be asked counts as one: a write will tell.
pub(super) async fn is_master(link: &Link) -> bool {
    let mut connection = link.connection.clone();
    let role: RedisResult<Vec<Value>> = redis::cmd("ROLE").query_async(&mut connection).await;
    let Ok(role) = role else {
        return true;
    };
    !matches!(role.first(), Some(Value::BulkString(role)) if role != b"master")
}
