//! What is said of sessions: audit entries, in log records and in files, and metrics.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

#[path = "../common/mod.rs"]
mod common;

mod entries;
mod files;
mod numbers;
mod opentelemetry;
mod records;
