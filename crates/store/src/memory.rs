//! A store in this process's memory: for several sessions of one program, and for tests of everything above a store.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use preopen_core::Result;
use preopen_core::seal::SealKey;
use preopen_core::wire::BoxFuture;
use tokio::sync::Notify;

use crate::keys::KeySource;
use crate::store::{Claim, Claimed, Store, Value};

/// Keeps values as long as the process lives. Clones share them. It belongs to one process: a forked child must make
/// its own.
///
/// ```
/// use preopen_store::{MemoryStore, Store};
///
/// let store = MemoryStore::new()?;                   // for sessions of one process, and tests
/// println!("{}", store.describe());
/// # Ok::<(), preopen_core::Error>(())
/// ```
#[derive(Clone)]
pub struct MemoryStore(Arc<Inner>);

struct Inner {
    key: SealKey,
    kept: Mutex<Kept>,
    changed: Notify,
}

#[derive(Default)]
struct Kept {
    values: HashMap<String, Value>,
    claimed: HashSet<String>,
}

impl MemoryStore {
    /// An empty store. Errors: `Internal` when the system gives no randomness.
    pub fn new() -> Result<Self> {
        Ok(Self(Arc::new(Inner {
            key: SealKey::generate()?,
            kept: Mutex::default(),
            changed: Notify::new(),
        })))
    }
}

impl Inner {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemoryStore({} accounts)", self.0.kept().values.len())
    }
}

impl Store for MemoryStore {
    fn describe(&self) -> String {
        "this program's memory".to_owned()
    }

    fn validate(&self) -> Result<()> {
        Ok(())
    }

    fn key(&self, source: Option<KeySource>) -> BoxFuture<'_, Result<(KeySource, SealKey)>> {
        Box::pin(async move {
            match source {
                None | Some(KeySource::Program) => Ok((KeySource::Program, self.0.key.clone())),
                Some(other) => Err(other.is_not_to_be_had()),
            }
        })
    }

    fn read<'a>(&'a self, account: &'a str) -> BoxFuture<'a, Result<Option<Value>>> {
        Box::pin(async move { Ok(self.0.kept().values.get(account).cloned()) })
    }

    fn claim<'a>(&'a self, account: &'a str) -> BoxFuture<'a, Result<Option<Claimed>>> {
        Box::pin(async move {
            let mut kept = self.0.kept();
            if !kept.claimed.insert(account.to_owned()) {
                return Ok(None);
            }
            let value = kept.values.get(account).cloned();
            let (store, account) = (Arc::clone(&self.0), account.to_owned());
            Ok(Some(Claimed::new(MemoryClaim { store, account }, value)))
        })
    }

    fn changed<'a>(
        &'a self,
        account: &'a str,
        seen: Option<&'a Value>,
        at_most: Duration,
    ) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let told = self.0.changed.notified();
            tokio::pin!(told);
            told.as_mut().enable();
            let same = {
                let kept = self.0.kept();
                kept.values.get(account) == seen && kept.claimed.contains(account)
            };
            if same {
                drop(tokio::time::timeout(at_most, told).await);
            }
        })
    }
}

/// Freed when it is dropped.
struct MemoryClaim {
    store: Arc<Inner>,
    account: String,
}

impl fmt::Debug for MemoryClaim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemoryClaim({})", self.account)
    }
}

impl Drop for MemoryClaim {
    fn drop(&mut self) {
        self.store.kept().claimed.remove(&self.account);
        self.store.changed.notify_waiters();
    }
}

impl Claim for MemoryClaim {
    fn good_for(&self) -> Duration {
        Duration::MAX
    }

    fn write<'a>(&'a mut self, value: &'a Value) -> BoxFuture<'a, Result<bool>> {
        Box::pin(async move {
            let account = self.account.clone();
            self.store.kept().values.insert(account, value.clone());
            self.store.changed.notify_waiters();
            Ok(true)
        })
    }

    fn release(self: Box<Self>) -> BoxFuture<'static, ()> {
        Box::pin(async move { drop(self) })
    }
}
