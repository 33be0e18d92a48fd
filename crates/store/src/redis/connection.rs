//! One connection to one server: opening it in bounded time, sending on it, and the slot in which it is shared.

use std::error::Error as _;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use preopen_core::error::Cause;
use preopen_core::{Error, ErrorKind, Result};
use redis::aio::{MultiplexedConnection, PubSub};
use redis::{AsyncConnectionConfig, RedisConnectionInfo, RedisError, RedisResult};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::task::AbortHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use super::url::{Login, Node};

/// The longest that opening a connection may take, with its greeting.
pub(super) const CONNECT: Duration = Duration::from_secs(2);

/// The longest that an answer may take.
pub(super) const ANSWER: Duration = Duration::from_secs(2);

const KEEPALIVE: TcpKeepalive = TcpKeepalive::new()
    .with_time(Duration::from_secs(30))
    .with_interval(Duration::from_secs(10));

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// An open connection. Clones share it; when the last one is dropped it is closed, whatever it was waiting for.
#[derive(Clone)]
pub(super) struct Link {
    pub(super) connection: MultiplexedConnection,
    pub(super) opened: Instant,
    driver: Arc<Driver>,
}

struct Driver(AbortHandle);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Opens a connection for commands. Call it on the runtime that is to drive the connection.
pub(super) async fn open(
    node: &Node,
    tls: Option<&TlsConnector>,
    login: &Login,
    db: u32,
) -> RedisResult<Link> {
    in_time(async {
        let stream = stream(node, tls).await?;
        let config = AsyncConnectionConfig::new().set_response_timeout(Some(ANSWER));
        let info = greeting(login, db);
        let (connection, driver) = MultiplexedConnection::new_with_config(&info, stream, config).await?;
        let driver = Arc::new(Driver(tokio::spawn(driver).abort_handle()));
        Ok(Link {
            connection,
            opened: Instant::now(),
            driver,
        })
    })
    .await
}

/// Opens a connection for notifications.
pub(super) async fn listen(
    node: &Node,
    tls: Option<&TlsConnector>,
    login: &Login,
    db: u32,
) -> RedisResult<PubSub> {
    in_time(async { PubSub::new(&greeting(login, db), stream(node, tls).await?).await }).await
}

async fn in_time<T>(opening: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
    match tokio::time::timeout(CONNECT, opening).await {
        Ok(opened) => opened,
        Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "no connection within 2 s").into()),
    }
}

fn greeting(login: &Login, db: u32) -> RedisConnectionInfo {
    let mut info = RedisConnectionInfo::default()
        .set_db(db.into())
        .set_lib_name("preopen", env!("CARGO_PKG_VERSION"));
    if let Some(user) = &login.user {
        info = info.set_username(user.expose());
    }
    if let Some(password) = &login.password {
        info = info.set_password(password.expose());
    }
    info
}

async fn stream(node: &Node, tls: Option<&TlsConnector>) -> io::Result<Box<dyn Stream>> {
    let stream = TcpStream::connect((node.host.as_str(), node.port)).await?;
    stream.set_nodelay(true)?;
    // A firewall on the way forgets a connection that is silent for long.
    SockRef::from(&stream).set_tcp_keepalive(&KEEPALIVE)?;
    let Some(tls) = tls else {
        return Ok(Box::new(stream));
    };
    let name = ServerName::try_from(node.host.clone()).map_err(io::Error::other)?;
    Ok(Box::new(tls.connect(name, stream).await?))
}

/// A connection that is opened when it is first needed and again after it was given up.
#[derive(Default)]
pub(super) struct Slot(Mutex<Held>);

#[derive(Default)]
struct Held {
    link: Option<Link>,
    failed: Option<(Instant, Error)>,
}

impl Slot {
    /// The connection. Whoever asked before an attempt failed shares its failure: a hundred who wait for a server that
    /// does not answer wait for as long as one. Errors: those of `open`.
    pub(super) async fn get(&self, asked: Instant, open: impl Future<Output = Result<Link>>) -> Result<Link> {
        let mut held = self.0.lock().await;
        if let Some(link) = &held.link {
            return Ok(link.clone());
        }
        if let Some((_, error)) = held.failed.as_ref().filter(|(at, _)| *at >= asked) {
            return Err(error.clone());
        }
        match open.await {
            Ok(link) => {
                held.failed = None;
                held.link = Some(link.clone());
                Ok(link)
            }
            Err(error) => {
                held.failed = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    /// Gives this connection up, unless another one has taken its place.
    pub(super) async fn discard(&self, link: &Link) {
        let mut held = self.0.lock().await;
        let same = |other: &mut Link| Arc::ptr_eq(&other.driver, &link.driver);
        drop(held.link.take_if(same));
    }
}

/// What came of an error of the `redis` crate, as text.
pub(super) fn unavailable(store: &str, error: &RedisError) -> Error {
    let what = if error.is_timeout() {
        "it does not answer in time".to_owned()
    } else {
        error.to_string()
    };
    let unavailable = Error::new(
        ErrorKind::StoreUnavailable,
        format!("the session store {store} cannot be used: {what}"),
    );
    match error.source() {
        Some(below) => unavailable.with_source(Cause::from_chain(below)),
        None => unavailable,
    }
}
