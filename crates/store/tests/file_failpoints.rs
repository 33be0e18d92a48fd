//! P2: a process that ends, or a disk that is full, at any step of a write leaves the old value or the new one of each
//! part, the lock free, and nothing that stays behind.
#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use common::{Folder, Running, claimed_value, value, worker};
use preopen_store::failpoints::{POINTS, VARIABLE};
use preopen_store::{KeySource, Store, Value};

fn run(folder: &Folder, work: &[&str], point: &str, action: &str) -> (String, bool) {
    let mut command = worker(work, &folder.path());
    command.env(VARIABLE, format!("{point}:{action}"));
    let (said, status) = Running::start(command).end();
    (said, status.success())
}

fn put(folder: &Folder, session: &str, guard: &str) {
    let put = worker(&["put", "FOLDER", "a", session, guard], &folder.path());
    assert_eq!(Running::start(put).end().0, "written");
}

fn place(point: &str) -> usize {
    POINTS.iter().position(|known| *known == point).unwrap()
}

/// What is there after the worker ended at `point` of writing `new` over `old`.
fn expected(point: &str, old: &Value, new: &Value) -> Value {
    let part = |name: &str, old: &Option<String>, new: &Option<String>| {
        let step = if new.is_some() { "renamed" } else { "removed" };
        let done = place(point) >= place(&format!("{name}.{step}"));
        if done { new.clone() } else { old.clone() }
    };
    Value::new(
        part("session", &old.session, &new.session),
        part("guard", &old.guard, &new.guard),
    )
}

/// The points that writing `new` over a whole value meets.
fn points(new: &Value) -> Vec<&'static str> {
    let met = |point: &&str| match point.split_once('.') {
        Some(("session", step)) => step.starts_with("remov") == new.session.is_none(),
        Some(("guard", step)) => step.starts_with("remov") == new.guard.is_none(),
        Some((part, _)) => part == "lock",
        None => false,
    };
    POINTS.iter().copied().filter(met).collect()
}

#[tokio::test]
async fn p2_a_process_that_ends_at_any_step_leaves_each_part_old_or_new() {
    for (session, guard) in [("new", "newer"), ("-", "newer"), ("-", "-")] {
        let (old, new) = (value("old", "older"), value(session, guard));
        for point in points(&new) {
            let folder = Folder::new();
            put(&folder, "old", "older");
            let work = ["put", "FOLDER", "a", session, guard];
            let (said, success) = run(&folder, &work, point, "abort");
            assert!(!success, "{point} is not met: {said}");
            let expected = Some(expected(point, &old, &new)).filter(|left| *left != value("-", "-"));
            assert_eq!(folder.store().read("a").await.unwrap(), expected, "{point}");
            // The lock is free, and its next holder sweeps and writes.
            assert_eq!(claimed_value(&folder.store(), "a").await, expected, "{point}");
            put(&folder, "next", "next");
            assert_eq!(folder.names(), ["a.guard", "a.lock", "a.session"], "{point}");
        }
    }
}

#[tokio::test]
async fn p2_a_process_that_ends_at_any_step_of_the_first_write_leaves_nothing_or_the_value() {
    for point in points(&value("new", "newer")) {
        let folder = Folder::new();
        let work = ["put", "FOLDER", "a", "new", "newer"];
        assert!(!run(&folder, &work, point, "abort").1, "{point} is not met");
        let left = expected(point, &value("-", "-"), &value("new", "newer"));
        let left = Some(left).filter(|left| *left != value("-", "-"));
        assert_eq!(claimed_value(&folder.store(), "a").await, left, "{point}");
        assert!(!folder.names().concat().contains(".tmp"), "{point}");
    }
}

#[tokio::test]
async fn p2_a_disk_that_is_full_at_any_step_is_told_and_leaves_each_part_old_or_new() {
    for (session, guard) in [("new", "newer"), ("-", "newer")] {
        let (old, new) = (value("old", "older"), value(session, guard));
        for point in points(&new)
            .into_iter()
            .filter(|point| !point.starts_with("lock."))
        {
            let folder = Folder::new();
            put(&folder, "old", "older");
            let work = ["put", "FOLDER", "a", session, guard];
            let (said, success) = run(&folder, &work, point, "error");
            assert!(
                success && said.contains("the disk is full; free some space"),
                "{point}: {said}"
            );
            assert!(!folder.names().concat().contains(".tmp"), "{point}");
            let expected = Some(expected(point, &old, &new));
            assert_eq!(claimed_value(&folder.store(), "a").await, expected, "{point}");
        }
    }
}

#[tokio::test]
async fn a_process_that_ends_while_it_makes_the_key_leaves_none_or_a_whole_one() {
    for point in POINTS.iter().filter(|point| point.starts_with("key.")) {
        let folder = Folder::new();
        let (said, success) = run(&folder, &["key", "FOLDER"], point, "abort");
        assert!(!success, "{point} is not met: {said}");
        let made = std::fs::read_to_string(folder.path().join("key")).ok();
        assert_eq!(made.is_some(), place(point) >= place("key.renamed"), "{point}");
        let store = folder.store().key_from(KeySource::File);
        let (_, key) = store.key(None).await.unwrap();
        let key = key.to_text();
        if let Some(made) = made {
            assert_eq!(made.trim_end(), key.expose(), "{point}");
        }
        assert_eq!(folder.names(), [".key.lock", "key"], "{point}");
    }
}
