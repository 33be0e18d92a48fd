//! The invariants of the fuzz targets, in every test run: over their corpus, over every vector's reply as it is and damaged,
//! and over random bodies. Memory is bounded by the body, whatever is in it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests"
)]

mod common;
#[path = "../../../fuzz/invariants.rs"]
mod invariants;

use std::alloc::System;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, PoisonError};

use invariants::{ANGEL_ONE, SAMCO, STATUSES};
use proptest::prelude::*;
use serde_json::Value;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// What is allocated is counted for the whole program.
static ALONE: Mutex<()> = Mutex::new(());

/// Bytes that reading one reply may ask for in all, beside a fixed part: a tree of JSON takes up to this much for a byte of
/// text (`[[],[],...`), it is taken apart, and the checks print it and read it lazily, too.
const A_BYTE: usize = 320;
const FIXED: usize = 256 * 1024;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Runs every target on one input.
fn check(data: &[u8]) {
    let region = Region::new(ALLOCATOR);
    invariants::envelope(SAMCO, data);
    invariants::envelope(ANGEL_ONE, data);
    invariants::login(data);
    invariants::whoami(data);
    let asked = region.change().bytes_allocated;
    let allowed = FIXED + A_BYTE * data.len();
    assert!(asked <= allowed, "{asked} bytes for a reply of {}", data.len());
}

fn input(call: u8, status: u8, kind: u8, body: &[u8]) -> Vec<u8> {
    [&[call, status, kind], body].concat()
}

/// The bodies of all vectors.
static BODIES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let folders = ["samco", "angelone"].map(|broker| root().join("tests/vectors").join(broker));
    let files = folders
        .iter()
        .flat_map(|folder| std::fs::read_dir(folder).unwrap());
    files
        .map(|entry| {
            let vector: Value =
                serde_json::from_slice(&std::fs::read(entry.unwrap().path()).unwrap()).unwrap();
            let reply = &vector["reply"];
            let text = reply["text"].as_str().map(str::to_owned);
            text.unwrap_or_else(|| reply["body"].to_string()).into_bytes()
        })
        .collect()
});

#[test]
fn the_corpus_holds_the_invariants() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut inputs = 0;
    for target in ["envelope_samco", "envelope_angelone", "login", "whoami"] {
        for entry in std::fs::read_dir(root().join("fuzz/corpus").join(target)).unwrap() {
            check(&std::fs::read(entry.unwrap().path()).unwrap());
            inputs += 1;
        }
    }
    assert!(inputs >= 100, "only {inputs} inputs");
}

#[test]
fn the_vectors_hold_the_invariants_on_other_calls_and_statuses() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    for body in BODIES.iter() {
        for call in 0..=u8::try_from(body.len() % 3).unwrap() {
            for status in [200, 302, 400, 401, 429, 503] {
                let status = STATUSES.iter().position(|one| *one == status).unwrap();
                let status = u8::try_from(status).unwrap();
                check(&input(call * 11, status, 1, body));
            }
        }
    }
}

#[test]
fn deep_and_wide_bodies_are_bounded() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let bodies = [
        "[".repeat(25_000),
        "{\"a\":".repeat(25_000),
        format!("{{\"status\":\"Success\",\"x\":[{}[]]}}", "[],".repeat(5_000)),
        format!("{{\"status\":true,\"data\":[{}0]}}", "0,".repeat(12_000)),
        format!(
            "{{\"status\":\"Failure\",\"statusMessage\":\"{}\"}}",
            "at x ".repeat(5_000)
        ),
        format!(
            "{{\"status\":\"Failure\",\"validationErrors\":[{}\"\"]}}",
            "\"x\",".repeat(5_000)
        ),
        format!(
            "{{\"status\":\"Success\",\"orders\":[{}0]}}",
            "{\"orderStatus\":\"REJECTED\"},".repeat(1_000)
        ),
        "x".repeat(25_000),
    ];
    for body in bodies {
        for call in [0, 36] {
            for status in [0, 5] {
                check(&input(call, status, 0, body.as_bytes()));
            }
        }
    }
}

proptest! {
    #![proptest_config(common::cases(512))]

    #[test]
    fn damaged_replies_hold_the_invariants(
        which in any::<prop::sample::Index>(), head in any::<[u8; 3]>(), at in any::<prop::sample::Index>(),
        cut in any::<prop::sample::Index>(), damage in prop::collection::vec(any::<u8>(), 0..6),
    ) {
        let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let mut body = which.get(&BODIES).clone();
        if !body.is_empty() {
            let (from, to) = (at.index(body.len()), cut.index(body.len()));
            body.splice(from.min(to)..from.max(to).min(from.min(to) + 8), damage);
        }
        check(&input(head[0], head[1], head[2], &body));
    }

    #[test]
    fn random_bytes_hold_the_invariants(data in prop::collection::vec(any::<u8>(), 0..400)) {
        let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        check(&data);
    }
}
