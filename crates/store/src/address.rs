//! Stores by their address, as settings and the command line name them: `memory`, `file`, `file:/a/folder`,
//! `redis://...`.

use std::sync::Arc;

use preopen_core::seal::SealKey;
use preopen_core::{Error, Result};

#[cfg(any(unix, windows))]
use crate::file::FileStore;
#[cfg(any(unix, windows))]
use crate::keys::KeySource;
#[cfg(feature = "redis")]
use crate::redis::RedisStore;
use crate::store::Store;

/// The store of this address, or none for `memory`. No I/O. `key` is where new values get their sealing key from:
/// nothing for the store's own choice, `keyring`, or a key as `preopen key` makes it.
///
/// Errors: `InvalidInput` (`store`, `store_key`).
///
/// ```
/// assert!(preopen_store::open("memory", None)?.is_none());
/// assert_eq!(preopen_store::open("attic", None).unwrap_err().field(), Some("store"));
/// # Ok::<(), preopen_core::Error>(())
/// ```
pub fn open(address: &str, key: Option<&str>) -> Result<Option<Arc<dyn Store>>> {
    let key = Key::read(key)?;
    let address = address.trim();
    if address == "memory" {
        return Ok(None);
    }
    #[cfg(any(unix, windows))]
    if let Some(store) = file(address)? {
        return Ok(Some(Arc::new(match key {
            Key::OfTheStore => store,
            Key::Keyring => store.key_from(KeySource::Keyring),
            Key::Given(key) => store.with_key(key),
        })));
    }
    #[cfg(feature = "redis")]
    if address.starts_with("redis") {
        let store = RedisStore::new(address)?;
        return Ok(Some(Arc::new(match key {
            Key::OfTheStore => store,
            Key::Given(key) => store.with_key(key),
            Key::Keyring => {
                return Err(Error::invalid_input(
                    "store_key",
                    "cannot be keyring for Redis: all hosts need the same key, in PREOPEN_KEY or given",
                ));
            }
        })));
    }
    Err(Error::invalid_input(
        "store",
        "must be memory, file, file:/a/folder, or the URL of a Redis server",
    ))
}

/// What a person should know about the store of this address, a sentence each; usually nothing. Looks, and changes
/// nothing. Errors: `InvalidInput` (`store`).
///
/// ```no_run
/// # async fn example() -> preopen_core::Result<()> {
/// for warning in preopen_store::warnings("redis://127.0.0.1").await? {
///     eprintln!("{warning}");
/// }
/// # Ok(()) }
/// ```
pub async fn warnings(address: &str) -> Result<Vec<String>> {
    #[cfg(any(unix, windows))]
    if let Some(store) = file(address.trim())? {
        return Ok(store.warnings().await);
    }
    let _ = address;
    Ok(Vec::new())
}

/// The file store of this address, if it is one's.
#[cfg(any(unix, windows))]
fn file(address: &str) -> Result<Option<FileStore>> {
    match address.strip_prefix("file") {
        Some("") => FileStore::new().map(Some),
        Some(rest) => rest.strip_prefix(':').map(FileStore::at).transpose(),
        None => Ok(None),
    }
}

enum Key {
    OfTheStore,
    Keyring,
    Given(SealKey),
}

impl Key {
    fn read(text: Option<&str>) -> Result<Self> {
        match text.map(str::trim) {
            None => Ok(Self::OfTheStore),
            Some("keyring") => Ok(Self::Keyring),
            Some(text) => SealKey::from_text(text).map(Self::Given).map_err(|_| {
                Error::invalid_input(
                    "store_key",
                    "is neither keyring nor a key: `preopen key` makes one",
                )
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use preopen_core::ErrorKind;

    use super::{open, warnings};

    #[tokio::test]
    async fn an_address_names_its_store_before_any_io() {
        assert!(open(" memory ", None).unwrap().is_none());
        let folder = if cfg!(windows) {
            "C:\\a\\folder"
        } else {
            "/a/folder"
        };
        let address = format!("file:{folder}");
        let store = open(&address, None).unwrap().unwrap();
        assert_eq!(store.describe(), format!("file {folder}"));
        assert!(warnings("memory").await.unwrap().is_empty());
        for bad in ["", "files", "file:relative", "disk", "ftp://somewhere"] {
            let error = open(bad, None).unwrap_err();
            assert_eq!(
                (error.kind(), error.field()),
                (ErrorKind::InvalidInput, Some("store"))
            );
        }
        let error = open(&address, Some("CANARY")).unwrap_err();
        assert_eq!(error.field(), Some("store_key"));
        assert!(!format!("{error:?}").contains("CANARY"));
    }
}
