//! The pure core of Preopen: broker protocols, the session lifecycle, errors, time and secrets.
//!
//! Nothing here does I/O: no sockets, no files, no runtime, no clock of its own. Time is passed in, requests
//! and replies are plain values, and the lifecycle is a function from state and event to state and effects.
//! (`seal` and `consent` ask the system for randomness; nothing else is drawn from outside.)
#![deny(missing_docs)]

pub mod ask;
pub mod audit;
pub mod broker;
pub mod brokers;
pub mod catalogue;
pub mod clock;
pub mod consent;
mod data;
pub mod envelope;
pub mod error;
pub mod expiry;
pub mod lifecycle;
pub mod limits;
pub mod metrics;
mod outline;
mod redact;
mod reply;
pub mod seal;
pub mod secret;
pub mod skew;
pub mod static_ip;
pub mod target;
pub mod totp;
mod tree;
pub mod wire;

pub use clock::{Clock, Now, SystemClock, Timestamp, VirtualClock};
pub use error::{Advice, Error, ErrorKind, Result};
pub use secret::Secret;
