//! Many hosts that share a session through Redis: separate processes with clocks of their own, a server that is killed,
//! paused and wiped, and histories that must make sense afterwards (H1-H8).
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "a test")]

mod history;
