//! One session for all programs of a machine (P1-P10): whole programs on a file store, in front of the embedded broker;
//! they are killed, stopped and made to fail at every step.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test, which tells its numbers"
)]

mod audit;
mod consent;
mod failpoints;
mod front;
mod kills;
mod rates;
#[cfg(unix)]
mod stopped;
mod world;
