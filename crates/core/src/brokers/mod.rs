//! The brokers, one folder each with the same file names: credentials (the public type and its adapter),
//! requests, replies, faults, policy.

mod angel_one;
mod samco;

pub use angel_one::AngelOne;
pub use samco::Samco;
