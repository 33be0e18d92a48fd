//! The file store in one process: it does what every store must do, keeps to its folder, and finds its keys.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use preopen_core::ErrorKind;
use preopen_core::seal::SealKey;
use preopen_store::{FileStore, KeySource, Store, Value, conformance};

fn value(session: &str, guard: &str) -> Value {
    Value::new(Some(session.to_owned()), Some(guard.to_owned()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_file_store_conforms() {
    let folder = tempfile::tempdir().unwrap();
    let store = FileStore::at(folder.path().join("store")).unwrap();
    let violations = conformance::check(Arc::new(store)).await;
    assert!(violations.is_empty(), "{violations:#?}");
}

#[tokio::test]
async fn x6_nothing_is_made_before_something_is_stored() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("not").join("there");
    let store = FileStore::at(&path).unwrap();
    store.validate().unwrap();
    assert_eq!(store.read("a").await.unwrap(), None);
    store.changed("a", None, Duration::from_secs(5)).await;
    assert!(store.warnings().await.is_empty());
    assert_eq!(
        store.key(Some(KeySource::File)).await.unwrap_err().field(),
        Some("key")
    );
    assert!(!folder.path().join("not").exists());
    drop(store.claim("a").await.unwrap().unwrap());
    assert!(path.join("a.lock").exists());
}

#[tokio::test]
async fn a_place_that_programs_would_not_share_is_refused() {
    for path in ["", ".", "store", "./store", "../store"] {
        let error = FileStore::at(path).unwrap_err();
        assert_eq!(
            (error.kind(), error.field()),
            (ErrorKind::InvalidInput, Some("store"))
        );
    }
    let folder = tempfile::tempdir().unwrap();
    let store = FileStore::at(folder.path().join("store")).unwrap();
    for account in ["", "../a", "a/b", "A"] {
        assert_eq!(store.read(account).await.unwrap_err().field(), Some("account"));
        assert_eq!(store.claim(account).await.unwrap_err().field(), Some("account"));
    }
}

#[tokio::test]
async fn the_key_file_is_made_once_and_asked_for_by_what_it_sealed() {
    let folder = tempfile::tempdir().unwrap();
    let store = FileStore::at(folder.path().join("store")).unwrap();
    let (source, key) = store.key_from_file().await;
    assert_eq!(source, KeySource::File);
    let other = FileStore::at(folder.path().join("store")).unwrap();
    let (_, same) = other.key(Some(KeySource::File)).await.unwrap();
    assert!(key.to_text() == same.to_text());

    // A program that seals with its own key still opens what the key file sealed.
    let own = SealKey::generate().unwrap();
    let program = FileStore::at(store.path()).unwrap().with_key(own.clone());
    let (source, first) = program.key(None).await.unwrap();
    assert_eq!(source, KeySource::Program);
    assert!(first.to_text() == own.to_text());
    let (_, same) = program.key(Some(KeySource::File)).await.unwrap();
    assert!(key.to_text() == same.to_text());
    let error = store.key(Some(KeySource::Program)).await.unwrap_err();
    assert_eq!(error.field(), Some("key"));
}

trait KeyOfFile {
    async fn key_from_file(&self) -> (KeySource, SealKey);
}

impl KeyOfFile for FileStore {
    /// Whatever the environment of the tests says.
    async fn key_from_file(&self) -> (KeySource, SealKey) {
        self.clone().key_from(KeySource::File).key(None).await.unwrap()
    }
}

#[tokio::test]
async fn a_lost_or_damaged_key_file_is_told_and_never_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let store = FileStore::at(folder.path()).unwrap().key_from(KeySource::File);
    store.key(None).await.unwrap();
    let file = folder.path().join("key");
    for damaged in [b"".as_slice(), b"short\n", b"\xff\xfe", &[b'A'; 2000]] {
        std::fs::write(&file, damaged).unwrap();
        for source in [None, Some(KeySource::File)] {
            let error = store.key(source).await.unwrap_err();
            assert_eq!(error.field(), Some("key"));
            assert!(
                error.message().contains("holds no key: put the right one back"),
                "{error}"
            );
        }
        assert_eq!(std::fs::read(&file).unwrap(), damaged);
    }
    std::fs::remove_file(&file).unwrap();
    let error = store.key(Some(KeySource::File)).await.unwrap_err();
    assert!(error.message().contains("is gone"), "{error}");
    assert!(!file.exists(), "a new key opens nothing that the old one sealed");
}

#[test]
fn a_source_that_has_no_key_is_refused_before_any_io() {
    let store = FileStore::at(std::env::temp_dir().join("never-made")).unwrap();
    let program = store.clone().key_from(KeySource::Program);
    assert_eq!(program.validate().unwrap_err().field(), Some("key"));
    store
        .clone()
        .with_key(SealKey::generate().unwrap())
        .validate()
        .unwrap();
    store.clone().key_from(KeySource::File).validate().unwrap();
    let keyring = store.clone().key_from(KeySource::Keyring).validate();
    assert_eq!(keyring.is_ok(), cfg!(feature = "keyring"));
    assert!(!store.path().exists());
}

#[tokio::test]
async fn what_is_not_preopens_does_not_end_a_program() {
    let folder = tempfile::tempdir().unwrap();
    let store = FileStore::at(folder.path()).unwrap();
    let file = folder.path().join("a.session");
    for (held, read) in [(b"".as_slice(), ""), (b"\xff\n\n", "\u{fffd}"), (b"torn", "torn")] {
        std::fs::write(&file, held).unwrap();
        let found = store.read("a").await.unwrap().unwrap();
        assert_eq!(found.session.as_deref(), Some(read));
    }
    std::fs::write(&file, vec![b'x'; 1024 * 1024 + 1]).unwrap();
    let error = store.read("a").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StoreUnavailable);
    assert!(
        error
            .message()
            .contains("larger than anything that Preopen writes"),
        "{error}"
    );
    std::fs::remove_file(&file).unwrap();
    let mut claimed = store.claim("a").await.unwrap().unwrap();
    let error = claimed
        .claim
        .write(&value(&"x".repeat(1024 * 1024), "g"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

#[tokio::test]
async fn a_write_touches_only_the_part_that_changed() {
    let folder = tempfile::tempdir().unwrap();
    let store = FileStore::at(folder.path()).unwrap();
    let mut claimed = store.claim("a").await.unwrap().unwrap();
    assert!(claimed.claim.write(&value("session", "guard")).await.unwrap());
    let changed = |part: &str| {
        let file = folder.path().join(format!("a.{part}"));
        std::fs::metadata(file).unwrap().modified().unwrap()
    };
    let (session, guard) = (changed("session"), changed("guard"));
    std::thread::sleep(Duration::from_millis(20));
    assert!(claimed.claim.write(&value("session", "later")).await.unwrap());
    assert_eq!(changed("session"), session);
    assert_ne!(changed("guard"), guard);
    let guard = changed("guard");
    std::thread::sleep(Duration::from_millis(20));
    assert!(claimed.claim.write(&value("new", "later")).await.unwrap());
    assert_ne!(changed("session"), session);
    assert_eq!(changed("guard"), guard);
}

#[tokio::test]
async fn a_value_that_changed_under_the_lock_is_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let store = FileStore::at(folder.path()).unwrap();
    let mut claimed = store.claim("a").await.unwrap().unwrap();
    assert!(claimed.claim.write(&value("mine", "mine")).await.unwrap());
    std::fs::write(folder.path().join("a.guard"), "another's").unwrap();
    assert!(!claimed.claim.write(&value("newer", "newer")).await.unwrap());
    assert_eq!(store.read("a").await.unwrap(), Some(value("mine", "another's")));
}

#[tokio::test]
async fn p2_a_write_that_nobody_waits_for_keeps_the_lock_until_it_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let store = FileStore::at(folder.path()).unwrap();
    for nth in 0..20 {
        let text = nth.to_string();
        let mut claimed = store.claim("a").await.unwrap().unwrap();
        {
            let new = value(&text, &text);
            let mut write = claimed.claim.write(&new);
            let first = std::future::poll_fn(|context| std::task::Poll::Ready(write.as_mut().poll(context)));
            drop(first.await);
        }
        drop(claimed);
        let began = Instant::now();
        let next = loop {
            if let Some(next) = store.claim("a").await.unwrap() {
                break next;
            }
            assert!(
                began.elapsed() < Duration::from_secs(10),
                "the lock is never free"
            );
            store.changed("a", None, Duration::from_secs(1)).await;
        };
        assert_eq!(
            next.value,
            Some(value(&text, &text)),
            "the lock was free before the write was done"
        );
        next.claim.release().await;
    }
}

#[tokio::test]
async fn waiters_are_told_of_a_value_and_of_a_free_lock() {
    let folder = tempfile::tempdir().unwrap();
    let store = FileStore::at(folder.path()).unwrap();
    let mut claimed = store.claim("a").await.unwrap().unwrap();
    let (long, began) = (Duration::from_mins(1), Instant::now());
    let waiter = |seen: Option<Value>| {
        let store = store.clone();
        tokio::spawn(async move { store.changed("a", seen.as_ref(), long).await })
    };
    store.changed("a", Some(&value("never", "seen")), long).await;
    let first = waiter(None);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!first.is_finished());
    assert!(claimed.claim.write(&value("s", "g")).await.unwrap());
    first.await.unwrap();
    let second = waiter(Some(value("s", "g")));
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!second.is_finished());
    claimed.claim.release().await;
    second.await.unwrap();
    assert!(began.elapsed() < long / 2);
}

#[test]
fn a_description_is_short_wherever_the_folder_is() {
    let path = std::env::temp_dir()
        .join("é".repeat(90))
        .join("line\nend")
        .join("x".repeat(90));
    let text = FileStore::at(path).unwrap().describe();
    assert!(text.starts_with("file ...") && text.chars().count() <= 200 && !text.contains('\n'));
}
