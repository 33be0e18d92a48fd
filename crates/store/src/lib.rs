//! Session stores: where several processes, or several hosts, keep one broker session together. A store keeps sealed
//! texts and hands out claims; what the texts mean is the core's business, and when a login is due the facade's.

mod address;
pub mod conformance;
mod keys;
mod memory;
mod store;

pub use address::open;
pub use keys::{KeySource, environment_key};
pub use memory::MemoryStore;
pub use store::{Claim, Claimed, Store, Value};
