//! What the session's state synchronises with, and the process that it runs in. The loom tests compile `state.rs` with
//! stand-ins for all of this.

pub(crate) use std::sync::{Mutex, MutexGuard};

pub(crate) use arc_swap::{ArcSwap, ArcSwapOption, Guard};
pub(crate) use tokio::sync::watch;

/// The process that this is.
pub(crate) fn process() -> u32 {
    std::process::id()
}
