//! A store in Redis: one session for many hosts. What is here is [`RedisStore`] itself; how servers are reached, and
//! what is asked of them, is below.

mod claim;
mod connection;
mod hub;
mod listener;
mod pool;
mod scripts;
mod sentinel;
mod tls;
mod url;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use preopen_core::error::Cause;
use preopen_core::seal::SealKey;
use preopen_core::wire::BoxFuture;
use preopen_core::{Error, ErrorKind, Result, Secret};

use self::claim::{RedisClaim, Terms};
use self::hub::Hub;
use self::listener::Listener;
use self::pool::{Address, Pool};
use self::scripts::{CLAIM, Call, Keys, LOOK};
use self::url::Target;
use crate::keys::{KeySource, given_key};
use crate::store::{Claimed, Store, Value};

/// How often those who wait look for themselves while nobody tells them.
const POLL: Duration = Duration::from_millis(200);

/// How often they look all the same while somebody does: a message may be lost.
const POLL_WHILE_TOLD: Duration = Duration::from_secs(2);

/// How long a claim is renewed at most: no login takes that long, so its program must have hung.
const RENEWED_FOR: Duration = Duration::from_mins(10);

/// What a server gives for a look: how long the claim holds (ms; -2: it is free), session, guard.
type Looked = (i64, Option<String>, Option<String>);

/// Keeps sessions in Redis, sealed, for all hosts that reach it. One of them at a time holds the claim on an account; it
/// is a lease, so that a host that dies holds up the others for no longer than that.
///
/// | URL | servers |
/// | --- | --- |
/// | `redis://user:password@host:6379/0` | one |
/// | `redis+sentinel://user:password@host1:26379,host2:26379/mymaster/0` | the master that Sentinels name |
/// | `redis+cluster://user:password@host1:6379,host2:6379` | a cluster |
///
/// With `rediss` instead of `redis` the connections are TLS, and certificates are always verified. The Sentinels' own
/// login is `?sentinel_username=...&sentinel_password=...`. Special characters of a user name or password are
/// percent-encoded. Over plain `redis://` the *password* crosses the network as it is, and whoever reads it can remove or
/// replace what is stored; the tokens themselves are sealed before they get here. Keep plain Redis to the loopback or a
/// private network.
///
/// The key comes from `PREOPEN_KEY` or [`RedisStore::with_key`], and must be the same on every host. A user of Redis' ACL needs
/// `~preopen:* &preopen:* +eval +evalsha +hget +hmget +hset +hdel +hincrby +get +set +del +pexpire +pttl +publish
/// +subscribe +ping`, `+select` for a database other than 0, `+role` behind Sentinels, and `+asking` on a cluster; without the channels and `publish` or `subscribe`, those who wait for a
/// login poll. Redis keeps what is written as durably as its own settings say.
///
/// The connection is made when it is first needed, shared by everything in this process that uses the same URL, and made
/// again when it breaks. Every call ends within a few seconds.
///
/// ```
/// use preopen_store::RedisStore;
/// let store = RedisStore::new("rediss://preopen:secret@cache.example:6380/0")?;
/// assert_eq!(format!("{store:?}"), "RedisStore(rediss://cache.example:6380/0)");
/// # Ok::<(), preopen_core::Error>(())
/// ```
#[derive(Clone)]
pub struct RedisStore {
    address: Arc<Address>,
    key: Option<SealKey>,
    prefix: String,
    lease: Duration,
    ttl: Duration,
}

impl RedisStore {
    /// A store at `url`. No I/O. Errors: `InvalidInput` (`store`).
    pub fn new(url: impl Into<Secret>) -> Result<Self> {
        let target = Target::parse(&url.into())?;
        Ok(Self {
            address: Arc::new(Address {
                target,
                ca_file: None,
            }),
            key: None,
            prefix: "preopen".to_owned(),
            lease: Duration::from_secs(30),
            ttl: Duration::from_hours(14 * 24),
        })
    }

    /// Seals with this key instead of the one in `PREOPEN_KEY`.
    pub fn with_key(mut self, key: SealKey) -> Self {
        self.key = Some(key);
        self
    }

    /// Trusts the authority in this PEM file too, beside the public ones.
    pub fn ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.address = Arc::new(Address {
            target: self.address.target.clone(),
            ca_file: Some(path.into()),
        });
        self
    }

    /// What the names of all keys and channels begin with; `preopen` by default.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// How long a claim holds without being renewed: 30 seconds by default. A login is only sent while what is left of it
    /// is longer than the login may take, so shorter ones leave room for shorter logins only.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// How long a record is kept after it was last written: 14 days by default. It must outlive every credential in it by
    /// days, since it also says which credentials were refused; it is not the session's expiry.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl;
        self
    }

    /// The hub, this store's connections, and the keys of an account. Errors: as [`Store::validate`].
    fn begin(&self, account: &str) -> Result<(Arc<Hub>, Arc<Pool>, Keys)> {
        self.validate()?;
        let hub = Hub::current()?;
        let pool = hub.pool(&self.address);
        Ok((hub, pool, Keys::new(&self.prefix, account)))
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisStore({})", self.address.target)
    }
}

impl Store for RedisStore {
    fn describe(&self) -> String {
        self.address.target.to_string()
    }

    fn validate(&self) -> Result<()> {
        let named = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
        let (second, minute, hour) = (1, 60, 3600);
        let within = |what: Duration, least, most| {
            what >= Duration::from_secs(least) && what <= Duration::from_secs(most)
        };
        if self.prefix.is_empty() || !self.prefix.chars().all(named) {
            let problem = "must be letters, digits and - _ . : only";
            return Err(Error::invalid_input("prefix", problem));
        }
        if !within(self.lease, second, 5 * minute) {
            let problem = "must be between 1 second and 5 minutes";
            return Err(Error::invalid_input("lease", problem));
        }
        if !within(self.ttl, hour, 366 * 24 * hour) {
            let problem = "must be between 1 hour and 366 days";
            return Err(Error::invalid_input("ttl", problem));
        }
        if self.address.ca_file.is_some() && !self.address.target.tls {
            let problem = "is given, but the URL of the store is not one with TLS: write rediss";
            return Err(Error::invalid_input("ca_file", problem));
        }
        given_key(None, self.key.as_ref()).map(drop)
    }

    fn key(&self, source: Option<KeySource>) -> BoxFuture<'_, Result<(KeySource, SealKey)>> {
        Box::pin(async move { given_key(source, self.key.as_ref()) })
    }

    fn read<'a>(&'a self, account: &'a str) -> BoxFuture<'a, Result<Option<Value>>> {
        Box::pin(async move {
            let (hub, pool, keys) = self.begin(account)?;
            let reading = hub.run(async move { pool.ask(&Call::read(&keys)).await });
            let (session, guard) = reading.while_awaited().await??;
            Ok(value(session, guard))
        })
    }

    fn claim<'a>(&'a self, account: &'a str) -> BoxFuture<'a, Result<Option<Claimed>>> {
        Box::pin(async move {
            let (hub, pool, keys) = self.begin(account)?;
            let (lease, ttl) = (self.lease, self.ttl);
            let owner = token()?;
            let ms = |time: Duration| time.as_millis().to_string();
            let call = Call::new(&keys, CLAIM, [&owner, &ms(lease), &ms(ttl)]);
            let terms = Terms {
                pool,
                keys,
                owner,
                lease,
                ttl,
                renewed_for: RENEWED_FOR,
            };
            // A caller that stops waiting drops the claim with the answer, and it is given back.
            let claiming = hub.run(RedisClaim::ask(Arc::clone(&hub), terms, call));
            let claimed: Option<Claimed> = claiming.await??;
            // An answer that took the whole lease to come is no claim.
            Ok(claimed.filter(|claimed| !claimed.claim.good_for().is_zero()))
        })
    }

    fn changed<'a>(
        &'a self,
        account: &'a str,
        seen: Option<&'a Value>,
        at_most: Duration,
    ) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let Ok((hub, pool, keys)) = self.begin(account) else {
                return tokio::time::sleep(at_most.min(POLL)).await;
            };
            let seen = seen.cloned();
            let waiting = async move {
                drop(tokio::time::timeout(at_most, changed(pool, keys, seen)).await);
            };
            drop(hub.run(waiting).while_awaited().await);
        })
    }
}

/// Returns when the value is another one, the claim is free, something was told, or it is time to look again.
async fn changed(pool: Arc<Pool>, keys: Keys, seen: Option<Value>) {
    let mut waiting = Listener::wait(&pool, &keys.channel);
    let looked = pool.ask::<Looked>(&Call::new(&keys, LOOK, [])).await;
    let until = match looked {
        Ok((held, session, guard)) => match u64::try_from(held) {
            // A holder that dies tells nobody.
            Ok(held) if value(session, guard) == seen => Duration::from_millis(held + 1),
            _ => return,
        },
        Err(_) => POLL,
    };
    let look = if waiting.heard() { POLL_WHILE_TOLD } else { POLL };
    drop(tokio::time::timeout(until.min(look), waiting.told()).await);
}

fn value(session: Option<String>, guard: Option<String>) -> Option<Value> {
    (session.is_some() || guard.is_some()).then(|| Value::new(session, guard))
}

/// A random name for the owner of a claim. Errors: `Internal` when the system gives no randomness.
fn token() -> Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| {
        Error::new(ErrorKind::Internal, "the system gives no randomness")
            .with_source(Cause::from_chain(&error))
    })?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}
