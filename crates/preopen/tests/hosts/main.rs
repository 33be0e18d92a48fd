//! Many hosts that share a session through Redis: separate processes with clocks of their own, a server that is killed,
//! paused and wiped, and histories that must make sense afterwards (H1-H8).
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "a test")]

mod history;
mod host;
mod limits;
mod one_login;
mod outages;
mod partitions;
mod paused;
mod proxy;
mod random;
mod record;
#[path = "../../../store/tests/common/redis.rs"]
mod server;
mod story;
mod world;
