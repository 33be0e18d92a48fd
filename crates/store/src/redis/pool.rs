//! The connections to one address: a single server, the master that Sentinels name, or the nodes of a cluster; and how
//! a call finds the right one, in bounded time.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use preopen_core::error::{Cause, Redactor};
use preopen_core::{Error, ErrorKind, Result};
use redis::{ErrorKind as Kind, FromRedisValue, RedisError, RedisResult, ServerErrorKind, Value};
use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;

use super::connection::{self, Link, Slot};
use super::listener::Listener;
use super::scripts::Call;
use super::url::{Arrangement, Login, Node, Target};
use super::{sentinel, tls};

/// The longest that anything may take, whatever has to be found and opened for it.
const OPERATION: Duration = Duration::from_secs(6);

/// How often a call is sent at most: to a node that has moved, or to a server that has just come back.
const SENDINGS: usize = 5;

/// How long a server that says "not now" is left alone.
const PAUSE: Duration = Duration::from_millis(200);

/// What connections are shared by.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) target: Target,
    pub(super) ca_file: Option<PathBuf>,
}

/// The connections to one address.
pub(super) struct Pool {
    pub(super) address: Arc<Address>,
    pub(super) listener: Listener,
    tls: OnceCell<TlsConnector>,
    /// One for each node; behind Sentinels, the master's stands under `None`, wherever it is.
    slots: Mutex<HashMap<Option<Node>, Arc<Slot>>>,
    /// The node of a cluster that an account was found on.
    homes: Mutex<HashMap<String, Node>>,
}

impl Pool {
    pub(super) fn new(address: Arc<Address>) -> Self {
        Self {
            address,
            listener: Listener::default(),
            tls: OnceCell::new(),
            slots: Mutex::default(),
            homes: Mutex::default(),
        }
    }

    /// Asks the server and reads its answer. Errors: `StoreUnavailable`, `InvalidInput` (`ca_file`), `Internal`.
    pub(super) async fn ask<T: FromRedisValue>(&self, call: &Call) -> Result<T> {
        self.ask_again(call).await.map(|(answer, _)| answer)
    }

    /// The same, and whether the call may have arrived before the one that was answered. Errors: as [`Pool::ask`].
    pub(super) async fn ask_again<T: FromRedisValue>(&self, call: &Call) -> Result<(T, bool)> {
        let (answer, twice) = tokio::time::timeout(OPERATION, self.send(call))
            .await
            .unwrap_or_else(|_| Err(self.failed("it does not answer in time")))?;
        let answer = T::from_redis_value(answer);
        let answer = answer.map_err(|_| self.failed("it gave an answer of another kind"))?;
        Ok((answer, twice))
    }

    async fn send(&self, call: &Call) -> Result<(Value, bool)> {
        let asked = Instant::now();
        let mut twice = false;
        let mut last = None;
        for nth in 0..SENDINGS {
            let node = self.node_for(&call.keys.account, nth);
            let slot = self.slot(node.as_ref());
            let link = match slot.get(asked, self.open(node.as_ref())).await {
                Ok(link) => link,
                // Another node may know where the account has gone.
                Err(error) if self.forget(&call.keys.account, nth) => {
                    last = Some(error);
                    continue;
                }
                Err(error) => return Err(error),
            };
            let error = match send_on(&link, call, false).await {
                Ok(answer) => return Ok((answer, twice)),
                Err(error) => error,
            };
            let problem = self.unavailable(&error);
            match error.kind() {
                Kind::Server(ServerErrorKind::Moved) => self.learn(&call.keys.account, &error, node.as_ref()),
                Kind::Server(ServerErrorKind::Ask) => {
                    if let Some(answer) = self.send_asking(call, &error, node.as_ref(), asked).await {
                        return Ok((answer, twice));
                    }
                    twice = true;
                    tokio::time::sleep(PAUSE).await;
                }
                // The master has become a replica.
                Kind::Server(ServerErrorKind::ReadOnly) => {
                    slot.discard(&link).await;
                    self.forget(&call.keys.account, nth);
                    tokio::time::sleep(PAUSE).await;
                }
                Kind::Server(
                    ServerErrorKind::TryAgain
                    | ServerErrorKind::ClusterDown
                    | ServerErrorKind::MasterDown
                    | ServerErrorKind::BusyLoading,
                ) => tokio::time::sleep(PAUSE).await,
                // A connection on which nothing comes back may be dead in a way that TCP notices in minutes only; a new
                // one on which nothing comes back says that the server is.
                Kind::Io => {
                    twice = true;
                    slot.discard(&link).await;
                    if error.is_timeout() && link.opened >= asked {
                        self.forget(&call.keys.account, nth);
                        return Err(problem);
                    }
                }
                _ => return Err(problem),
            }
            last = Some(problem);
        }
        Err(last.unwrap_or_else(|| self.failed("it cannot be reached")))
    }

    /// A call to the node that a slot of the cluster is just being moved to.
    async fn send_asking(
        &self,
        call: &Call,
        error: &RedisError,
        from: Option<&Node>,
        asked: Instant,
    ) -> Option<Value> {
        let node = redirected(error, from)?;
        let link = self
            .slot(Some(&node))
            .get(asked, self.open(Some(&node)))
            .await
            .ok()?;
        send_on(&link, call, true).await.ok()
    }

    fn slot(&self, node: Option<&Node>) -> Arc<Slot> {
        Arc::clone(lock(&self.slots).entry(node.cloned()).or_default())
    }

    /// The node to send to; `None` for the master that Sentinels name.
    fn node_for(&self, account: &str, nth: usize) -> Option<Node> {
        let nodes = &self.address.target.nodes;
        match &self.address.target.arrangement {
            Arrangement::Sentinel { .. } => None,
            Arrangement::Single => nodes.first().cloned(),
            Arrangement::Cluster => {
                let home = lock(&self.homes).get(account).cloned();
                home.or_else(|| nodes.iter().cycle().nth(nth).cloned())
            }
        }
    }

    /// Forgets where an account of a cluster is. Whether there is another node to ask.
    fn forget(&self, account: &str, nth: usize) -> bool {
        let known = lock(&self.homes).remove(account).is_some();
        let cluster = self.address.target.arrangement == Arrangement::Cluster;
        cluster && (known || nth + 1 < self.address.target.nodes.len())
    }

    fn learn(&self, account: &str, error: &RedisError, from: Option<&Node>) {
        if let Some(node) = redirected(error, from) {
            lock(&self.homes).insert(account.to_owned(), node);
        }
    }

    /// Opens a connection to `node`, or to the master. Errors: as [`Pool::ask`].
    async fn open(&self, node: Option<&Node>) -> Result<Link> {
        let tls = self.tls().await?;
        let Target { login, db, .. } = &self.address.target;
        let master = self.find(node).await?;
        let link = connection::open(&master, tls, login, *db).await;
        let link = link.map_err(|error| self.unavailable(&error))?;
        if node.is_some() || sentinel::is_master(&link).await {
            Ok(link)
        } else {
            Err(self.failed(&format!("{master} is not the master any more")))
        }
    }

    /// Where notifications are listened to: any node of a cluster tells those of all. Errors: as [`Pool::ask`].
    pub(super) async fn listen(&self, nth: usize) -> Result<redis::aio::PubSub> {
        let node = self.find(self.node_for("", nth).as_ref()).await?;
        let Target { login, db, .. } = &self.address.target;
        let opened = connection::listen(&node, self.tls().await?, login, *db).await;
        opened.map_err(|error| self.unavailable(&error))
    }

    /// `node`, or the master that the Sentinels name.
    async fn find(&self, node: Option<&Node>) -> Result<Node> {
        match (node, &self.address.target.arrangement) {
            (None, Arrangement::Sentinel { master, login }) => self.master(master, login).await,
            (Some(node), _) => Ok(node.clone()),
            (None, _) => Err(self.failed("it has no address")),
        }
    }

    async fn master(&self, name: &str, login: &Login) -> Result<Node> {
        let found = sentinel::master(&self.address.target.nodes, name, login, self.tls().await?).await;
        found.map_err(|error| self.unavailable(&error))
    }

    async fn tls(&self) -> Result<Option<&TlsConnector>> {
        if !self.address.target.tls {
            return Ok(None);
        }
        let make = || async {
            let ca_file = self.address.ca_file.clone();
            let made = tokio::task::spawn_blocking(move || tls::connector(ca_file.as_deref())).await;
            made.map_err(|error| {
                Error::new(ErrorKind::Internal, "TLS set-up failed").with_source(Cause::from_chain(&error))
            })?
        };
        self.tls.get_or_try_init(make).await.map(Some)
    }

    pub(super) fn failed(&self, what: &str) -> Error {
        let store = &self.address.target;
        Error::new(
            ErrorKind::StoreUnavailable,
            format!("the session store {store} cannot be used: {what}"),
        )
    }

    fn unavailable(&self, error: &RedisError) -> Error {
        let target = &self.address.target;
        connection::unavailable(&target.to_string(), error).redacted(&Redactor::new(target.secrets()))
    }
}

/// Sends a call by its digest, or whole to a server that does not know it yet.
async fn send_on(link: &Link, call: &Call, asking: bool) -> RedisResult<Value> {
    let mut connection = link.connection.clone();
    if asking {
        let mut pipeline = redis::pipe();
        pipeline.cmd("ASKING").ignore().add_command(call.in_full());
        let mut answers: Vec<Value> = pipeline.query_async(&mut connection).await?;
        return Ok(answers.pop().unwrap_or(Value::Nil));
    }
    match call.by_digest().query_async(&mut connection).await {
        Err(error) if error.kind() == Kind::Server(ServerErrorKind::NoScript) => {
            call.in_full().query_async(&mut connection).await
        }
        answered => answered,
    }
}

/// The node that an answer names; without a host, it is the one that answered.
fn redirected(error: &RedisError, from: Option<&Node>) -> Option<Node> {
    let (host, port) = error.redirect_node()?.0.rsplit_once(':')?;
    let host = match host.trim_matches(['[', ']']) {
        "" | "?" => from?.host.clone(),
        host => host.to_owned(),
    };
    let port = port.parse().ok()?;
    Some(Node { host, port })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use preopen_core::Secret;

    #[test]
    fn what_a_server_repeats_of_a_login_is_not_told() {
        let url = "redis+sentinel://CANARY-user:CANARY-pass@h/m?sentinel_password=CANARY-other";
        let target = Target::parse(&Secret::new(url)).unwrap();
        let ca_file = None;
        let pool = Pool::new(Arc::new(Address { target, ca_file }));
        let repeats = "no rights for CANARY-user with CANARY-pass or CANARY-other".to_owned();
        let error = RedisError::from((Kind::AuthenticationFailed, "refused", repeats));
        let error = pool.unavailable(&error);
        let told = format!("{error} {error:?} {:?}", error.causes());
        assert!(told.contains("no rights for **redacted** with"), "{told}");
        assert!(!told.contains("CANARY"), "{told}");
    }
}
