//! P6: the folder and the files are this user's alone, and nothing else is used.
#![allow(clippy::unwrap_used, reason = "a test")]
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use preopen_core::error::Advice;
use preopen_core::{Error, ErrorKind};
use preopen_store::{FileStore, KeySource, Store, Value};

const FILES: [&str; 3] = ["a.session", "a.guard", "a.lock"];

struct Place {
    root: tempfile::TempDir,
}

impl Place {
    async fn with_value() -> Self {
        let place = Self {
            root: tempfile::tempdir().unwrap(),
        };
        let store = place.store();
        let mut claimed = store.claim("a").await.unwrap().unwrap();
        let value = Value::new(Some("session".to_owned()), Some("guard".to_owned()));
        assert!(claimed.claim.write(&value).await.unwrap());
        claimed.claim.release().await;
        store.key(None).await.unwrap();
        place
    }

    fn path(&self) -> PathBuf {
        self.root.path().join("store")
    }

    fn store(&self) -> FileStore {
        FileStore::at(self.path()).unwrap().key_from(KeySource::File)
    }
}

fn mode(path: impl AsRef<Path>) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

fn open_to_others(path: impl AsRef<Path>, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Reads the parts, the lock or the key, whichever meets the file.
async fn meet(store: &FileStore, name: &str) -> Result<(), Error> {
    match name {
        "key" => store.key(None).await.map(drop),
        "a.lock" => store.claim("a").await.map(drop),
        _ => store.read("a").await.map(drop),
    }
}

fn assert_refused(error: &Error, words: &str) {
    assert_eq!(error.kind(), ErrorKind::StoreUnavailable);
    assert_eq!(error.advice(), Advice::Never, "{error}");
    assert!(error.message().contains(words), "{error}");
}

#[tokio::test]
async fn p6_own_files_that_are_open_to_others_are_closed() {
    let place = Place::with_value().await;
    let store = place.store();
    for name in FILES {
        for loose in [0o644, 0o660, 0o606, 0o777] {
            open_to_others(place.path().join(name), loose);
            meet(&store, name).await.unwrap();
            assert_eq!(mode(place.path().join(name)), 0o600, "{name}");
        }
    }
    for loose in [0o755, 0o770, 0o707] {
        open_to_others(place.path(), loose);
        store.read("a").await.unwrap();
        assert_eq!(mode(place.path()), 0o700);
    }
    assert!(store.warnings().await.is_empty());
}

#[tokio::test]
async fn p6_a_key_that_others_could_read_is_closed_and_warned_about() {
    let place = Place::with_value().await;
    let store = place.store();
    open_to_others(place.path().join("key"), 0o640);
    let (_, key) = store.key(None).await.unwrap();
    assert_eq!(mode(place.path().join("key")), 0o600);
    let warnings = store.warnings().await;
    assert_eq!(warnings.len(), 1);
    assert!(
        warnings[0].contains("could read the file store's key"),
        "{warnings:?}"
    );
    let (_, same) = place.store().key(None).await.unwrap();
    assert!(key.to_text() == same.to_text());
    // `status` alone meets it as well.
    open_to_others(place.path().join("key"), 0o644);
    assert_eq!(place.store().warnings().await.len(), 1);
    assert_eq!(mode(place.path().join("key")), 0o600);
}

#[tokio::test]
async fn p6_a_folder_that_others_use_is_refused_and_left_alone() {
    let root = tempfile::tempdir().unwrap();
    let shared = root.path().join("shared");
    fs::create_dir(&shared).unwrap();
    fs::write(shared.join("notes.txt"), "mine").unwrap();
    open_to_others(&shared, 0o755);
    let store = FileStore::at(&shared).unwrap();
    assert_refused(
        &store.claim("a").await.unwrap_err(),
        "name a folder for Preopen alone",
    );
    assert_refused(&store.read("a").await.unwrap_err(), "`chmod 700` it");
    assert_eq!(mode(&shared), 0o755);
    assert!(!shared.join("a.lock").exists());
    fs::remove_file(shared.join("notes.txt")).unwrap();
    open_to_others(&shared, 0o1777);
    assert_refused(
        &store.claim("a").await.unwrap_err(),
        "name a folder for Preopen alone",
    );
    assert_eq!(mode(&shared), 0o1777);
    open_to_others(&shared, 0o777);
    drop(store.claim("a").await.unwrap().unwrap());
    assert_eq!(mode(&shared), 0o700);
}

#[tokio::test]
async fn p6_links_are_refused() {
    let place = Place::with_value().await;
    let store = place.store();
    for name in FILES.into_iter().chain(["key"]) {
        let file = place.path().join(name);
        let elsewhere = place.root.path().join(format!("moved-{name}"));
        fs::rename(&file, &elsewhere).unwrap();
        symlink(&elsewhere, &file).unwrap();
        assert_refused(&meet(&store, name).await.unwrap_err(), "symbolic link");
        fs::remove_file(&file).unwrap();
        symlink(place.root.path().join("nowhere"), &file).unwrap();
        assert_refused(&meet(&store, name).await.unwrap_err(), "symbolic link");
        fs::remove_file(&file).unwrap();
        fs::rename(&elsewhere, &file).unwrap();
        meet(&store, name).await.unwrap();
    }
    assert!(!place.root.path().join("nowhere").exists());
    let link = place.root.path().join("link");
    symlink(place.path(), &link).unwrap();
    for path in [link.clone(), link.join("")] {
        let store = FileStore::at(path).unwrap();
        assert_refused(
            &store.read("a").await.unwrap_err(),
            "name the folder that it leads to",
        );
        assert_refused(&store.claim("a").await.unwrap_err(), "symbolic link");
    }
}

#[tokio::test]
async fn p6_a_link_in_place_of_an_unfinished_file_is_not_written_through() {
    let place = Place::with_value().await;
    let victim = place.root.path().join("victim");
    fs::write(&victim, "untouched").unwrap();
    let store = place.store();
    let mut claimed = store.claim("a").await.unwrap().unwrap();
    symlink(&victim, place.path().join(".a.session.tmp")).unwrap();
    let value = Value::new(Some("new".to_owned()), Some("new".to_owned()));
    assert!(claimed.claim.write(&value).await.unwrap());
    assert_eq!(fs::read_to_string(&victim).unwrap(), "untouched");
    assert!(
        fs::symlink_metadata(place.path().join("a.session"))
            .unwrap()
            .is_file()
    );
}

#[tokio::test]
async fn p6_what_is_no_file_is_refused_and_not_waited_for() {
    let place = Place::with_value().await;
    let store = place.store();
    for name in FILES.into_iter().chain(["key"]) {
        let file = place.path().join(name);
        fs::remove_file(&file).unwrap();
        let began = Instant::now();
        let fifo = rustix::fs::FileType::Fifo;
        rustix::fs::mknodat(rustix::fs::CWD, &file, fifo, 0o600.into(), 0).unwrap();
        assert_refused(&meet(&store, name).await.unwrap_err(), "it is a pipe");
        fs::remove_file(&file).unwrap();
        let socket = std::os::unix::net::UnixListener::bind(&file).unwrap();
        assert_refused(&meet(&store, name).await.unwrap_err(), "it is a socket");
        drop(socket);
        fs::remove_file(&file).unwrap();
        fs::create_dir(&file).unwrap();
        assert_refused(&meet(&store, name).await.unwrap_err(), "it is a folder");
        fs::remove_dir(&file).unwrap();
        assert!(began.elapsed() < Duration::from_secs(5));
    }
    let file = place.root.path().join("file");
    fs::write(&file, "").unwrap();
    let error = FileStore::at(&file).unwrap().claim("a").await.unwrap_err();
    assert_refused(&error, "it is not a folder");
    let error = FileStore::at(file.join("store"))
        .unwrap()
        .claim("a")
        .await
        .unwrap_err();
    assert!(
        error.message().contains("a part of the path is not a folder"),
        "{error}"
    );
}

#[tokio::test]
async fn p6_what_belongs_to_another_user_is_refused() {
    if !rustix::process::geteuid().is_root() {
        // Only root can give files away; but everybody knows a folder of root's.
        let error = FileStore::at("/usr").unwrap().read("a").await.unwrap_err();
        return assert_refused(&error, "it belongs to user 0");
    }
    let place = Place::with_value().await;
    let store = place.store();
    let give = |path: &Path, user| std::os::unix::fs::chown(path, Some(user), None).unwrap();
    for name in FILES.into_iter().chain(["key"]) {
        let file = place.path().join(name);
        give(&file, 12345);
        open_to_others(&file, 0o666);
        let error = meet(&store, name).await.unwrap_err();
        assert_refused(&error, "it belongs to user 12345 and this program runs as user 0");
        assert_eq!(mode(&file), 0o666, "another's file is left alone");
        give(&file, 0);
        meet(&store, name).await.unwrap();
    }
    give(&place.path(), 12345);
    for name in FILES.into_iter().chain(["key"]) {
        let error = meet(&store, name).await.unwrap_err();
        assert_refused(&error, "use a folder of this user's own");
    }
}
