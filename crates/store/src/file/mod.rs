//! A store in a folder of this machine: sealed files, the kernel's lock, and a key that only this user can read. For
//! every program of one user on one host.

mod claim;
mod failpoint;
mod file_systems;
mod key_file;
#[cfg(feature = "keyring")]
mod keyring;
mod names;
mod notes;
mod problem;
#[cfg(unix)]
mod unix;
mod wait;
#[cfg(windows)]
mod windows;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use preopen_core::error::Cause;
use preopen_core::seal::SealKey;
use preopen_core::wire::BoxFuture;
use preopen_core::{Error, ErrorKind, Result};

#[cfg(feature = "failpoints")]
pub use failpoint::{POINTS, VARIABLE};
#[cfg(unix)]
use unix as os;
#[cfg(windows)]
use windows as os;

use crate::keys::{KeySource, environment_has_key, environment_key, given_key};
use crate::store::{Claimed, Store, Value};
use names::Names;
use notes::Notes;
use os::Folder;

/// The largest file that is read.
const LIMIT: usize = 1024 * 1024;
/// The longest path that a description holds.
const DESCRIBED: usize = 150;

/// Keeps values in files of one folder, for all programs of one user on one machine.
///
/// Each account has a sealed session and a sealed guard, which are replaced in one step and durably, and a lock file,
/// which is never removed. The claim is the kernel's lock on it: it ends with its process, however that ends, and a
/// forked child does not have it. The folder and its files are this user's alone; links, files of somebody else's and
/// things that are no files are refused, and rights of others are taken away.
///
/// New values are sealed with the key that [`FileStore::with_key`] gave, else with `PREOPEN_KEY` when it is set, else with
/// a key in the folder, which is made when it is first needed. An existing value names its own source, and that one is
/// used for it, so that a program with `PREOPEN_KEY` and one without agree.
///
/// Limits: on a network file system locks between hosts may not hold ([`FileStore::warnings`]); two copies of this
/// library in one process do not exclude each other; on Windows it is untested.
///
/// ```
/// use preopen_store::{FileStore, Store};
/// # fn main() -> preopen_core::Result<()> {
/// let store = FileStore::new()?; // nothing is opened or made yet
/// assert!(store.describe().starts_with("file "));
/// assert_eq!(FileStore::at("relative/path").unwrap_err().field(), Some("store"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct FileStore {
    path: PathBuf,
    notes: Arc<Notes>,
    from: Option<KeySource>,
    key: Option<SealKey>,
    #[cfg(feature = "keyring")]
    keyring: keyring::Keyring,
}

impl FileStore {
    /// The store in the user's folder for state: `$XDG_STATE_HOME/preopen` or `~/.local/state/preopen`, on macOS
    /// `~/Library/Application Support/Preopen`, on Windows `%LOCALAPPDATA%\Preopen`. No I/O. Errors: `InvalidInput`
    /// (`store`) when the user has no such folder.
    pub fn new() -> Result<Self> {
        Self::at(names::default_folder()?)
    }

    /// The store in a folder of its own, which is made when it is first written to. No I/O. Errors: `InvalidInput`
    /// (`store`) for a path that is not absolute: programs with different current folders would not meet.
    pub fn at(path: impl Into<PathBuf>) -> Result<Self> {
        // Without a slash at the end, behind which a symbolic link would be followed.
        let path: PathBuf = path.into().components().collect();
        if !path.is_absolute() {
            return Err(Error::invalid_input("store", "must be an absolute path"));
        }
        Ok(Self {
            path,
            notes: Arc::default(),
            from: None,
            key: None,
            #[cfg(feature = "keyring")]
            keyring: keyring::Keyring::of_the_system(),
        })
    }

    /// Where the key of new values comes from. The keyring needs the crate's feature `keyring`.
    pub fn key_from(mut self, source: KeySource) -> Self {
        self.from = Some(source);
        self
    }

    /// Seals new values with this key.
    pub fn with_key(mut self, key: SealKey) -> Self {
        self.key = Some(key);
        self.key_from(KeySource::Program)
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What a person should know about this folder, a sentence each; usually nothing. Looks at the folder, and makes
    /// nothing.
    pub async fn warnings(&self) -> Vec<String> {
        let (path, notes) = (self.path.clone(), Arc::clone(&self.notes));
        let looked = blocking(move || {
            // An error is met and told by whoever uses the store.
            if let Ok(Some(folder)) = Folder::open(&path, &notes) {
                drop(folder.read(names::KEY));
            }
            notes.learn_file_system(|| os::file_system_of(&path));
            Ok(())
        });
        drop(looked.await);
        self.notes.warnings()
    }

    fn preferred(&self) -> KeySource {
        match self.from {
            Some(source) => source,
            None if environment_has_key() => KeySource::Environment,
            None => KeySource::File,
        }
    }

    async fn key_file(&self, make: bool) -> Result<SealKey> {
        let (path, notes) = (self.path.clone(), Arc::clone(&self.notes));
        blocking(move || {
            if make {
                key_file::existing_or_new(&path, &notes)
            } else {
                key_file::existing(&path, &notes)
            }
        })
        .await
    }

    #[cfg(feature = "keyring")]
    async fn keyring_key(&self, make: bool) -> Result<SealKey> {
        self.keyring.key(&self.path, &self.notes, make).await
    }

    #[cfg(not(feature = "keyring"))]
    async fn keyring_key(&self, _make: bool) -> Result<SealKey> {
        std::future::ready(Err(KeySource::Keyring.is_not_to_be_had())).await
    }
}

impl Store for FileStore {
    fn describe(&self) -> String {
        let path = self.path.display().to_string().replace(char::is_control, "?");
        let cut = path.chars().count().saturating_sub(DESCRIBED);
        let end: String = path.chars().skip(cut).collect();
        let dots = if cut > 0 { "..." } else { "" };
        let on = self.notes.file_system().map(|name| format!(" (on {name})"));
        format!("file {dots}{end}{}", on.unwrap_or_default())
    }

    fn validate(&self) -> Result<()> {
        match self.preferred() {
            KeySource::Environment => environment_key().map(drop),
            KeySource::Program if self.key.is_none() => Err(KeySource::Program.is_not_to_be_had()),
            KeySource::Keyring if !cfg!(feature = "keyring") => Err(KeySource::Keyring.is_not_to_be_had()),
            _ => Ok(()),
        }
    }

    fn key(&self, source: Option<KeySource>) -> BoxFuture<'_, Result<(KeySource, SealKey)>> {
        Box::pin(async move {
            // Only what was not stored yet can have a new key.
            let make = source.is_none();
            let source = source.unwrap_or_else(|| self.preferred());
            let key = match source {
                KeySource::File => self.key_file(make).await?,
                KeySource::Keyring => self.keyring_key(make).await?,
                other => given_key(Some(other), self.key.as_ref())?.1,
            };
            Ok((source, key))
        })
    }

    fn read<'a>(&'a self, account: &'a str) -> BoxFuture<'a, Result<Option<Value>>> {
        Box::pin(async move {
            let names = Names::of(account)?;
            let (path, notes) = (self.path.clone(), Arc::clone(&self.notes));
            blocking(move || match Folder::open(&path, &notes)? {
                Some(folder) => claim::read(&folder, &names),
                None => Ok(None),
            })
            .await
        })
    }

    fn claim<'a>(&'a self, account: &'a str) -> BoxFuture<'a, Result<Option<Claimed>>> {
        Box::pin(async move {
            let names = Names::of(account)?;
            let (path, notes) = (self.path.clone(), Arc::clone(&self.notes));
            let claimed = blocking(move || claim::claim(Folder::create(&path, &notes)?, names)).await?;
            Ok(claimed.map(|(claim, value)| Claimed::new(claim, value)))
        })
    }

    fn changed<'a>(
        &'a self,
        account: &'a str,
        seen: Option<&'a Value>,
        at_most: Duration,
    ) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let Ok(names) = Names::of(account) else {
                return;
            };
            let wait = wait::Wait {
                path: self.path.clone(),
                notes: Arc::clone(&self.notes),
                names,
                seen: seen.cloned(),
            };
            wait.run(at_most).await;
        })
    }
}

/// Runs work that waits for the disk where that holds nobody up.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        Err(
            Error::new(ErrorKind::Internal, "the file store's work was broken off")
                .with_source(Cause::from_chain(&error)),
        )
    })
}
