//! The Rust API as rustdoc sees it: what can be named is that of `docs/api`, everything has an example, nothing warns, and
//! the features are those that the documentation lists.
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a test: what cannot be read ends it"
)]

mod documented;
mod examples;
mod features;
mod snapshot;

use std::fs;
use std::path::{Path, PathBuf};

/// The repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}
