//! X2: memory that Preopen gives back holds no secret. An allocator looks for canaries in every block that is given
//! back; `PREOPEN_WIPE_TRACE=1` makes it say by whom.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "a test")]

mod allocator;
mod canaries;
mod http;
mod parts;
mod session;

#[global_allocator]
static ALLOCATOR: allocator::Watching = allocator::Watching;
