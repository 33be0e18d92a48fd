//! The file store in many processes: one claim, one key, and locks that end with their process.
#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use std::time::{Duration, Instant};

use common::{Folder, PATIENCE, Running, claimed_value, value, worker};
use preopen_store::{KeySource, Store};

/// Whether another process finds the claim free.
fn tried(folder: &Folder) -> String {
    Running::start(worker(&["try", "FOLDER", "a"], &folder.path()))
        .end()
        .0
}

#[tokio::test]
async fn p1_of_many_processes_one_has_the_claim_and_no_update_is_lost() {
    let folder = Folder::new();
    let work = ["add", "FOLDER", "a", "10"];
    let workers: Vec<_> = (0..8)
        .map(|_| Running::start(worker(&work, &folder.path())))
        .collect();
    for worker in workers {
        let (said, status) = worker.end();
        assert!(status.success(), "{said}");
    }
    assert_eq!(claimed_value(&folder.store(), "a").await, Some(value("80", "80")));
    assert_eq!(folder.names(), ["a.guard", "a.lock", "a.session"]);
}

#[tokio::test]
async fn p2_a_killed_holder_leaves_the_lock_free() {
    let folder = Folder::new();
    let store = folder.store();
    for _ in 0..5 {
        let mut holder = Running::start(worker(&["hold", "FOLDER", "a"], &folder.path()));
        assert_eq!(holder.line(), "held");
        assert!(store.claim("a").await.unwrap().is_none());
        let waiter = {
            let store = store.clone();
            tokio::spawn(async move { store.changed("a", None, PATIENCE).await })
        };
        tokio::time::sleep(Duration::from_millis(30)).await;
        assert!(!waiter.is_finished());
        let began = Instant::now();
        holder.kill();
        waiter.await.unwrap();
        assert!(
            began.elapsed() < Duration::from_secs(5),
            "the waiter was not told"
        );
        assert_eq!(claimed_value(&store, "a").await, None);
    }
}

#[tokio::test]
async fn p4_a_claim_is_refused_at_once_while_another_process_has_it() {
    let folder = Folder::new();
    let store = folder.store();
    let mut holder = Running::start(worker(&["hold", "FOLDER", "a"], &folder.path()));
    assert_eq!(holder.line(), "held");
    let began = Instant::now();
    for _ in 0..20 {
        assert!(store.claim("a").await.unwrap().is_none());
    }
    assert!(began.elapsed() < Duration::from_secs(5));
    let other = store.claim("b").await.unwrap();
    assert!(other.is_some(), "accounts do not know of each other");
    assert!(holder.end().1.success());
    assert!(store.claim("a").await.unwrap().is_some());
}

#[tokio::test]
async fn p4_looking_and_failing_to_claim_do_not_give_the_lock_away() {
    let folder = Folder::new();
    let store = folder.store();
    let claimed = store.claim("a").await.unwrap().unwrap();
    // Opening and closing the lock file anywhere in this process would.
    for _ in 0..10 {
        assert!(store.claim("a").await.unwrap().is_none());
        store.changed("a", None, Duration::from_millis(5)).await;
        store.read("a").await.unwrap();
        store.warnings().await;
    }
    assert_eq!(tried(&folder), "busy");
    claimed.claim.release().await;
    assert_eq!(tried(&folder), "free");
}

#[cfg(unix)]
#[tokio::test]
async fn p4_a_lock_that_other_code_gave_away_is_noticed_before_a_write() {
    let folder = Folder::new();
    let store = folder.store();
    let mut claimed = store.claim("a").await.unwrap().unwrap();
    assert!(claimed.claim.write(&value("1", "1")).await.unwrap());
    let lock = folder.path().join("a.lock");
    // Nobody was quicker: the lock is taken again.
    drop(std::fs::File::open(&lock).unwrap());
    assert!(claimed.claim.write(&value("2", "2")).await.unwrap());
    // Another process has it now.
    drop(std::fs::File::open(&lock).unwrap());
    let mut other = Running::start(worker(&["hold", "FOLDER", "a"], &folder.path()));
    assert_eq!(other.line(), "held");
    assert!(!claimed.claim.write(&value("3", "3")).await.unwrap());
    assert!(other.end().1.success());
    // Another process had it, and wrote.
    drop(std::fs::File::open(&lock).unwrap());
    let put = Running::start(worker(&["put", "FOLDER", "a", "4", "4"], &folder.path()));
    assert_eq!(put.end().0, "written");
    assert!(!claimed.claim.write(&value("5", "5")).await.unwrap());
    assert_eq!(store.read("a").await.unwrap(), Some(value("4", "4")));
}

#[cfg(unix)]
#[tokio::test]
async fn p5_a_claim_whose_lock_file_was_replaced_writes_nothing() {
    let folder = Folder::new();
    let store = folder.store();
    let mut claimed = store.claim("a").await.unwrap().unwrap();
    assert!(claimed.claim.write(&value("old", "old")).await.unwrap());
    std::fs::remove_file(folder.path().join("a.lock")).unwrap();
    let mut other = Running::start(worker(&["hold", "FOLDER", "a"], &folder.path()));
    assert_eq!(other.line(), "held");
    assert!(!claimed.claim.write(&value("older", "older")).await.unwrap());
    assert!(other.end().1.success());
    let put = Running::start(worker(&["put", "FOLDER", "a", "new", "new"], &folder.path()));
    assert_eq!(put.end().0, "written");
    assert!(!claimed.claim.write(&value("older", "older")).await.unwrap());
    drop(claimed);
    // The whole folder.
    let mut claimed = store.claim("a").await.unwrap().unwrap();
    std::fs::rename(folder.path(), folder.path().with_extension("old")).unwrap();
    assert!(!claimed.claim.write(&value("older", "older")).await.unwrap());
    let put = Running::start(worker(
        &["put", "FOLDER", "a", "newest", "newest"],
        &folder.path(),
    ));
    assert_eq!(put.end().0, "written");
    assert!(!claimed.claim.write(&value("older", "older")).await.unwrap());
    assert_eq!(store.read("a").await.unwrap(), Some(value("newest", "newest")));
}

#[cfg(unix)]
#[tokio::test]
async fn p5_the_lock_file_is_the_same_one_for_ever() {
    use std::os::unix::fs::MetadataExt;
    let folder = Folder::new();
    let store = folder.store();
    let mut claimed = store.claim("a").await.unwrap().unwrap();
    assert!(claimed.claim.write(&value("1", "1")).await.unwrap());
    let inode = || std::fs::metadata(folder.path().join("a.lock")).unwrap().ino();
    let first = inode();
    assert!(claimed.claim.write(&value("-", "-")).await.unwrap());
    claimed.claim.release().await;
    assert_eq!(folder.names(), ["a.lock"]);
    for _ in 0..3 {
        let put = Running::start(worker(&["put", "FOLDER", "a", "1", "2"], &folder.path()));
        assert_eq!(put.end().0, "written");
        assert_eq!(inode(), first);
    }
}

#[cfg(unix)]
#[tokio::test]
async fn p6_another_path_to_the_folder_leads_to_the_same_claim() {
    let folder = Folder::new();
    let store = folder.store();
    let claimed = store.claim("a").await.unwrap().unwrap();
    let link = folder.path().with_file_name("link");
    std::os::unix::fs::symlink(folder.path().parent().unwrap(), &link).unwrap();
    let same = preopen_store::FileStore::at(link.join("store")).unwrap();
    assert!(same.claim("a").await.unwrap().is_none());
    same.changed("a", None, Duration::from_millis(5)).await;
    assert_eq!(tried(&folder), "busy");
    claimed.claim.release().await;
    assert_eq!(tried(&folder), "free");
    assert!(same.claim("a").await.unwrap().is_some());
}

#[tokio::test]
async fn processes_that_race_for_a_key_agree_on_one() {
    for _ in 0..5 {
        let folder = Folder::new();
        let workers: Vec<_> = (0..12)
            .map(|_| Running::start(worker(&["key", "FOLDER"], &folder.path())))
            .collect();
        let store = folder.store().key_from(KeySource::File);
        let (_, key) = store.key(None).await.unwrap();
        for worker in workers {
            let (said, status) = worker.end();
            assert!(status.success() && said == key.to_text().expose(), "{said}");
        }
        assert_eq!(folder.names(), [".key.lock", "key"]);
    }
}

#[tokio::test]
async fn the_key_of_the_environment_is_for_new_values_and_the_file_for_what_it_sealed() {
    let folder = Folder::new();
    let text = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHv8";
    let mut command = worker(&["key", "FOLDER"], &folder.path());
    let (said, _) = Running::start({
        command.env("PREOPEN_KEY", text);
        command
    })
    .end();
    assert_eq!(said, text);
    assert!(!folder.path().exists(), "no key file beside it");
    let mut command = worker(&["key", "FOLDER"], &folder.path());
    command.env("PREOPEN_KEY", "  ");
    let (said, _) = Running::start(command).end();
    assert_eq!(
        said,
        std::fs::read_to_string(folder.path().join("key"))
            .unwrap()
            .trim_end()
    );
    let mut command = worker(&["key", "FOLDER"], &folder.path());
    command.env("PREOPEN_KEY", "not a key");
    assert!(Running::start(command).end().0.contains("is not a key"));
}

#[cfg(unix)]
#[tokio::test]
async fn p6_rights_do_not_depend_on_the_umask() {
    use std::os::unix::fs::MetadataExt;
    for bits in ["000", "077", "777"] {
        let folder = Folder::new();
        let put = ["umask", bits, "put", "FOLDER", "a", "s", "g"];
        assert_eq!(Running::start(worker(&put, &folder.path())).end().0, "written");
        Running::start(worker(&["umask", bits, "key", "FOLDER"], &folder.path())).end();
        let mode = |path| std::fs::metadata(path).unwrap().mode() & 0o7777;
        assert_eq!(mode(folder.path()), 0o700, "umask {bits}");
        let names = folder.names();
        assert_eq!(names, [".key.lock", "a.guard", "a.lock", "a.session", "key"]);
        for name in names {
            assert_eq!(mode(folder.path().join(&name)), 0o600, "{name} with umask {bits}");
        }
    }
}
