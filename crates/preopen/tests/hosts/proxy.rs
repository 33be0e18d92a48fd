//! The way from one host to the server, which can be cut, blocked and slowed.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;

/// What the way is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Open,
    /// Connections are closed and refused.
    Cut,
    /// Nothing passes, and nobody is told; what was sent arrives when the way is open again.
    Blocked,
    /// What the server says is lost until the way is open again; what it is told arrives.
    Deaf,
    Slow(Duration),
}

/// Ends with this value.
#[derive(Debug)]
pub(crate) struct Proxy {
    port: u16,
    way: watch::Sender<Way>,
    task: AbortHandle,
}

impl Proxy {
    pub(crate) async fn before(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (way, ways) = watch::channel(Way::Open);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass(client, server, ways.clone()));
            }
        });
        Self {
            port,
            way,
            task: task.abort_handle(),
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    pub(crate) fn set(&self, way: Way) {
        self.way.send_replace(way);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass(client: TcpStream, server: u16, ways: watch::Receiver<Way>) {
    if *ways.borrow() == Way::Cut {
        return;
    }
    let Ok(server) = TcpStream::connect(("127.0.0.1", server)).await else {
        return;
    };
    drop((client.set_nodelay(true), server.set_nodelay(true)));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let mut cut = ways.clone();
    tokio::select! {
        () = one_way(from_client, to_server, ways.clone(), false) => {}
        () = one_way(from_server, to_client, ways, true) => {}
        _ = cut.wait_for(|way| *way == Way::Cut) => {}
    }
}

async fn one_way(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut ways: watch::Receiver<Way>,
    answers: bool,
) {
    let mut bytes = vec![0; 16_384];
    while let Ok(length @ 1..) = from.read(&mut bytes).await {
        let passes = |way: &Way| match way {
            Way::Blocked => false,
            Way::Deaf => !answers,
            _ => true,
        };
        let Ok(way) = ways.wait_for(passes).await.map(|way| *way) else {
            return;
        };
        if let Way::Slow(time) = way {
            tokio::time::sleep(time).await;
        }
        if to.write_all(&bytes[..length]).await.is_err() {
            return;
        }
    }
}
