//! The key in the operating system's keyring: the Secret Service, the macOS keychain, the Windows credential manager.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use keyring_core::{CredentialStore, Entry};
use preopen_core::error::Cause;
use preopen_core::seal::SealKey;
use preopen_core::{Error, ErrorKind, Result};

use super::key_file::alone;
use super::notes::Notes;
use super::os::Folder;

/// How long the keyring may take. It may ask a person to unlock it.
const PATIENCE: Duration = Duration::from_secs(30);
const SERVICE: &str = "preopen";

/// Opens a keyring.
type Open = fn() -> keyring_core::Result<Arc<CredentialStore>>;

/// A keyring, and the key that it gave: it is asked once, and never by a forked child of a process that asked.
#[derive(Clone, Debug)]
pub(super) struct Keyring {
    open: Open,
    given: Arc<ArcSwapOption<SealKey>>,
}

impl Keyring {
    /// That of the user's operating system.
    pub(super) fn of_the_system() -> Self {
        Self::opened_by(open)
    }

    fn opened_by(open: Open) -> Self {
        Self {
            open,
            given: Arc::default(),
        }
    }

    /// The key for this folder; one is made if that is wanted and there is none.
    pub(super) async fn key(&self, path: &Path, notes: &Arc<Notes>, make: bool) -> Result<SealKey> {
        if let Some(key) = self.given.load_full() {
            return Ok(SealKey::clone(&key));
        }
        let (path, notes, open) = (path.to_owned(), Arc::clone(notes), self.open);
        let key = within(PATIENCE, move || key(open, &path, &notes, make)).await?;
        self.given.store(Some(Arc::new(key.clone())));
        Ok(key)
    }
}

#[cfg(all(unix, not(target_vendor = "apple")))]
fn open() -> keyring_core::Result<Arc<CredentialStore>> {
    Ok(dbus_secret_service_keyring_store::Store::new()?)
}

#[cfg(target_vendor = "apple")]
fn open() -> keyring_core::Result<Arc<CredentialStore>> {
    Ok(apple_native_keyring_store::keychain::Store::new()?)
}

#[cfg(windows)]
fn open() -> keyring_core::Result<Arc<CredentialStore>> {
    Ok(windows_native_keyring_store::Store::new()?)
}

fn key(open: Open, path: &Path, notes: &Arc<Notes>, make: bool) -> Result<SealKey> {
    let entry = open()
        .and_then(|keyring| keyring.build(SERVICE, &path.display().to_string(), None))
        .map_err(|error| unavailable(&error))?;
    if let Some(key) = read(&entry)? {
        return Ok(key);
    }
    if !make {
        return Err(Error::invalid_input(
            "key",
            "is gone from the system's keyring, so what was stored with it cannot be opened: delete the file store's \
             files, or put the key back",
        ));
    }
    // The folder's lock has two programs agree on one key.
    alone(&Folder::create(path, notes)?, path, || {
        if let Some(key) = read(&entry)? {
            return Ok(key);
        }
        let key = SealKey::generate()?;
        let text = key.to_text();
        entry
            .set_password(text.expose())
            .map_err(|error| unavailable(&error))?;
        Ok(key)
    })
}

fn read(entry: &Entry) -> Result<Option<SealKey>> {
    match entry.get_password() {
        Ok(text) => SealKey::from_text(text).map(Some),
        Err(keyring_core::Error::NoEntry) => Ok(None),
        Err(error) => Err(unavailable(&error)),
    }
}

/// Runs work that waits for the keyring on a thread of its own, which is left alone when it takes too long: a pool of
/// threads would wait for it when it ends.
async fn within<T: Send + 'static>(
    patience: Duration,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let (tell, told) = tokio::sync::oneshot::channel();
    let started = std::thread::Builder::new()
        .name("preopen-keyring".to_owned())
        .spawn(move || drop(tell.send(work())));
    if let Err(error) = started {
        return Err(broken("no thread could be started", Cause::from_chain(&error)));
    }
    match tokio::time::timeout(patience, told).await {
        Ok(Ok(done)) => done,
        Ok(Err(error)) => Err(broken("it broke off", Cause::from_chain(&error))),
        Err(error) => Err(broken(
            &format!("it did not answer within {} s", patience.as_secs()),
            Cause::from_chain(&error),
        )),
    }
}

fn unavailable(error: &keyring_core::Error) -> Error {
    // The library's own text may hold what is stored.
    let (why, cause) = match error {
        keyring_core::Error::NoStorageAccess(cause) | keyring_core::Error::PlatformFailure(cause) => (
            "the system gives no access to it",
            Some(Cause::from_chain(cause.as_ref())),
        ),
        keyring_core::Error::Ambiguous(_) => ("it has several keys for this folder", None),
        keyring_core::Error::TooLong(..) => ("it keeps no name as long as this folder's", None),
        _ => ("it keeps something else under this folder's name", None),
    };
    broken(why, cause.unwrap_or_else(|| Cause::new("the keyring refused")))
}

fn broken(why: &str, cause: Cause) -> Error {
    let message = format!(
        "the system's keyring cannot be used for the file store's key: {why} (a machine without a desktop session \
         often has none); set PREOPEN_KEY, or use the key file"
    );
    Error::new(ErrorKind::StoreUnavailable, message).with_source(cause)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, LazyLock, mpsc};
    use std::time::Duration;

    use keyring_core::{CredentialStore, mock};
    use preopen_core::ErrorKind;
    use preopen_core::seal::SealKey;

    use super::{Keyring, unavailable, within};
    use crate::{FileStore, KeySource, Store};

    static MOCK: LazyLock<Arc<CredentialStore>> = LazyLock::new(|| mock::Store::new().unwrap());

    fn store(folder: &std::path::Path, keyring: &Keyring) -> FileStore {
        let mut store = FileStore::at(folder).unwrap().key_from(KeySource::Keyring);
        store.keyring = keyring.clone();
        store
    }

    #[tokio::test]
    async fn all_programs_agree_on_the_key_in_the_keyring() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store");
        let mock = || Keyring::opened_by(|| Ok(Arc::clone(&MOCK)));
        let first = store(&path, &mock());
        let error = first.key(Some(KeySource::Keyring)).await.unwrap_err();
        assert_eq!(
            error.field(),
            Some("key"),
            "nothing was stored with a key that does not exist"
        );
        let programs: Vec<_> = (0..8)
            .map(|_| {
                let store = store(&path, &mock());
                tokio::spawn(async move { store.key(None).await.unwrap() })
            })
            .collect();
        let (source, key) = first.key(None).await.unwrap();
        assert_eq!(source, KeySource::Keyring);
        for program in programs {
            let (_, other) = program.await.unwrap();
            assert!(other.to_text() == key.to_text());
        }
        let (_, again) = store(&path, &mock()).key(Some(KeySource::Keyring)).await.unwrap();
        assert!(again.to_text() == key.to_text());
        let (_, other) = store(&folder.path().join("other"), &mock())
            .key(None)
            .await
            .unwrap();
        assert!(other.to_text() != key.to_text(), "each folder has its own");
        assert!(!path.join("key").exists());
        // A forked child and a keyring that is gone by now: the key is known.
        let known = mock();
        store(&path, &known).key(None).await.unwrap();
        let known = Keyring {
            open: || Err(keyring_core::Error::NoDefaultStore),
            ..known
        };
        assert!(store(&path, &known).key(None).await.is_ok());
    }

    #[tokio::test]
    async fn a_machine_without_a_keyring_is_told_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let none = Keyring::opened_by(|| {
            let cause = std::io::Error::other("no bus");
            Err(keyring_core::Error::NoStorageAccess(cause.into()))
        });
        let error = store(folder.path(), &none).key(None).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StoreUnavailable);
        assert!(
            error.message().contains("set PREOPEN_KEY, or use the key file"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn a_keyring_that_does_not_answer_is_given_up() {
        let (end, wait) = mpsc::channel::<()>();
        let stuck = move || {
            let _ = wait.recv();
            SealKey::generate()
        };
        let error = within(Duration::from_millis(20), stuck).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StoreUnavailable);
        assert!(error.message().contains("did not answer"), "{error}");
        drop(end);
    }

    #[test]
    fn no_error_tells_what_a_keyring_holds() {
        let held = b"CANARY".to_vec();
        let error = unavailable(&keyring_core::Error::BadEncoding(held));
        assert!(!format!("{error:?}").contains("CANARY"));
        assert_eq!(error.kind(), ErrorKind::StoreUnavailable);
    }
}
