//! Session stores: where several processes, or several hosts, keep one broker session together. A store keeps sealed
//! texts and hands out claims; what the texts mean is the core's business, and when a login is due the facade's.

mod address;
pub mod conformance;
#[cfg(any(unix, windows))]
mod file;
mod keys;
mod memory;
#[cfg(feature = "redis")]
mod redis;
mod store;

#[cfg(feature = "redis")]
pub use self::redis::RedisStore;
pub use address::{open, warnings};
#[cfg(any(unix, windows))]
pub use file::FileStore;
pub use keys::{KeySource, environment_key, given_key};
pub use memory::MemoryStore;
pub use store::{Claim, Claimed, Store, Value};

/// Where tests can make the file store fail: its variable and the names of its points.
#[cfg(all(feature = "failpoints", any(unix, windows)))]
#[doc(hidden)]
pub mod failpoints {
    pub use crate::file::{POINTS, VARIABLE};
}
