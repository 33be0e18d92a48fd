//! The HTTP server: one loopback port, HTTP/1.1, optional TLS. What a request means is decided in `service`
//! and below.

mod connection;
mod elsewhere;
mod exchange;
mod payload;
mod refusal;
mod room;
mod service;
mod target;
mod tls;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};

use crate::error::{StartError, said};
use crate::state::State;
pub(crate) use tls::Tls;

/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How many connections may wait to be accepted: a crowd of clients may start at the same moment.
const BACKLOG: u32 = 4096;

/// The running server. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Server {
    stop: Option<oneshot::Sender<()>>,
    task: Option<JoinHandle<()>>,
}

/// Takes the port. Separate from serving, so that the port is known before the first request.
pub(crate) async fn bind(port: u16) -> Result<(TcpListener, SocketAddr), StartError> {
    let refused = |error: io::Error| StartError::Bind {
        port,
        reason: said(&error),
    };
    let socket = TcpSocket::new_v4().map_err(refused)?;
    // As listeners do by default: a port whose last connections are still ending can be taken again. On Windows
    // the option means something else.
    #[cfg(unix)]
    socket.set_reuseaddr(true).map_err(refused)?;
    socket.bind((Ipv4Addr::LOCALHOST, port).into()).map_err(refused)?;
    let listener = socket.listen(BACKLOG).map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    Ok((listener, address))
}

impl Server {
    pub(crate) fn start(listener: TcpListener, state: Arc<State>, tls: Option<&Tls>) -> Self {
        let acceptor = tls.map(Tls::acceptor);
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            let accept = accept(&listener, &state, acceptor, &mut connections);
            tokio::select! {
                () = accept => {}
                _ = stopped => {}
            }
            drop(listener);
            connections.shutdown().await;
        });
        Self {
            stop: Some(stop),
            task: Some(task),
        }
    }

    /// Drops all connections and frees the port.
    pub(crate) async fn stop(mut self) {
        drop(self.stop.take());
        if let Some(task) = self.task.take() {
            // The task ends by itself and is never cancelled before this; there is nothing to report.
            let _ = task.await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
        }
    }
}

async fn accept(
    listener: &TcpListener,
    state: &Arc<State>,
    acceptor: Option<tokio_rustls::TlsAcceptor>,
    connections: &mut JoinSet<()>,
) {
    let mut turned_away = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        let Ok((stream, peer)) = accepted else {
            // Out of file descriptors, most likely: let some connections end.
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        while connections.try_join_next().is_some() {}
        if connections.len() >= state.options.connections {
            room::turn_away(stream, state, acceptor.is_none(), &mut turned_away);
            continue;
        }
        // Without it small replies may wait for acknowledgements; failing to set it is harmless.
        let _ = stream.set_nodelay(true);
        let (state, acceptor) = (state.clone(), acceptor.clone());
        let (stream, signals) = connection::Connection::new(stream);
        connections.spawn(async move {
            match acceptor {
                None => service::serve(stream, signals, peer.ip(), state).await,
                Some(acceptor) => {
                    if let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await {
                        service::serve(stream, signals, peer.ip(), state).await;
                    }
                }
            }
        });
    }
}
