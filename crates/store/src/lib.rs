//! Session stores: where several processes, or several hosts, keep one broker session together. A store keeps sealed
//! texts and hands out claims; what the texts mean is the core's business, and when a login is due the facade's.

pub mod conformance;
mod keys;
mod memory;
#[cfg(feature = "redis")]
mod redis;
mod store;

#[cfg(feature = "redis")]
pub use self::redis::RedisStore;
pub use keys::{KeySource, environment_key};
pub use memory::MemoryStore;
pub use store::{Claim, Claimed, Store, Value};
