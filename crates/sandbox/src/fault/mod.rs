//! Faults: what a fault is and which requests it hits. The bodies they put in place of replies are in
//! `body`, the waiting list is in `queue`, and bending a reply on its way out is `server`'s business.

mod body;
mod queue;
mod spec;
mod time;

pub use queue::FaultRecord;
pub(crate) use queue::{Faults, Hit};
pub use spec::{BodyKind, Fault, Reset, Stall};
