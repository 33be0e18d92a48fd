//! The embedded broker: Samco and SmartAPI on one loopback port, with a virtual clock, faults, switches and
//! a log of what arrived. No broker offers a sandbox; this one is faithful enough that clients written by
//! others work against it with only the base URL changed.
//!
//! ```
//! use preopen_sandbox::{Options, Sandbox};
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
//! # runtime.block_on(async {
//! let sandbox = Sandbox::start(Options::default()).await?;
//! assert!(sandbox.samco_url().starts_with("http://127.0.0.1:"));
//! sandbox.stop().await;
//! # Ok::<(), preopen_sandbox::StartError>(())
//! # }).unwrap();
//! ```
//!
//! # Where a request seems to come from
//!
//! `whoami` and the static-IP gate see, in this order: the header `X-Sandbox-Source-IP` (unless the switch
//! `source_ip_header` is off), the address set with [`Sandbox::set_source_ip`], the address of the peer. The
//! set address starts as [`SourceIp::Home`]: each account's own primary address, so that out of the box
//! `whoami` says PRIMARY and orders are accepted for every account.
#![warn(missing_docs)]
// One documented reply has more fields than the macro for JSON takes by default.
#![recursion_limit = "256"]

mod account;
mod angelone;
mod control;
mod data;
mod digest;
mod error;
mod fault;
mod inbox;
mod options;
mod pages;
mod random;
mod redirect;
mod request_log;
mod samco;
mod sandbox;
mod script;
mod server;
mod source;
mod state;
mod switch;
mod table;
mod wire;
mod wording;

pub use account::{Account, AngelOneAccount, Broker, SamcoAccount};
pub use error::{ControlError, StartError};
pub use fault::{BodyKind, Fault, FaultRecord, Reset, Stall};
pub use inbox::{Channel, Message, MessageKind};
pub use options::Options;
pub use request_log::{RequestRecord, RequestReport};
pub use sandbox::Sandbox;
pub use script::{Script, ScriptError, ScriptReport, ScriptStep, ScriptSteps};
pub use source::SourceIp;
pub use switch::SwitchValue;
