//! Preopen keeps a broker session valid: it logs in when a token is needed, knows when the broker ends the
//! session, renews it, and tells in one typed error what to do when it cannot.
//!
//! ```no_run
//! # async fn example() -> preopen::Result<()> {
//! use preopen::{Samco, Session};
//!
//! let session = Session::builder(Samco::from_env()?).build()?;   // no I/O yet
//! let quote = session.get("/quote/getQuote").query("symbolName", "INFY").query("exchange", "NSE").send().await?;
//! println!("{}", quote.data()["quoteDetails"]["lastTradedPrice"]);
//! # Ok(()) }
//! ```
//!
//! A session works under any executor. Inside a tokio runtime it sends its requests there, so that runtime must
//! have I/O and time enabled; elsewhere they go over a background thread that is started by the first call.
//!
//! # Features
//!
//! None is on by default.
//!
//! | feature | what it adds |
//! | --- | --- |
//! | `keyring` | the operating system's keyring as the place for the key of `FileStore` |
//! | `redis` | `RedisStore`: one session for many hosts |
//! | `opentelemetry` | the metrics on a meter of the `opentelemetry` crate; spans come through `tracing` without it |
//! | `failpoints` | for the project's own tests: a process can be made to fail or end at each step of the file store's writes |
#![cfg_attr(docsrs, feature(doc_cfg))]
#![deny(missing_docs)]

mod account;
mod alarm;
mod ask;
pub mod audit;
mod builder;
mod call;
mod common;
mod consent;
mod derived;
mod events;
mod execute;
mod flight;
mod foreign;
mod handover;
mod limits;
pub mod metrics;
#[cfg(feature = "opentelemetry")]
pub mod opentelemetry;
mod preflight;
mod session;
mod shared;
mod state;
pub mod static_ip;
mod streams;
mod sync;
mod token;

#[doc(hidden)]
pub mod runtime;

/// For the bindings: other HTTP clients with a session's token; not covered by the promise of stable versions yet.
#[doc(hidden)]
pub mod foreign_calls {
    pub use crate::foreign::{Answered, ForeignCall, SignedCall};
}

pub use account::{LoginCode, SamcoLegacyCalls};
pub use builder::SessionBuilder;
pub use call::Call;
pub use consent::{LoginOptions, LoginStart};
pub use events::Events;
pub use preflight::{Check, CheckStatus, Preflight};
pub use preopen_core::ask::{Answer, Ask, SecretSource, callback_failed};
pub use preopen_core::broker::Profile;
pub use preopen_core::brokers::{
    AngelOne, AngelOnePublisher, Samco, SamcoLegacy, SamcoLoginCode, SamcoOAuth, TotpSource,
};
pub use preopen_core::clock::{Clock, SystemClock, Timestamp, VirtualClock};
pub use preopen_core::envelope::{DataPlace, Rejection, Reply};
pub use preopen_core::error::{
    AccountAction, Advice, Context, Credential, Error, ErrorKind, LoginReason, Phase, Result,
};
pub use preopen_core::expiry::{Evidence, EvidenceSource, Expiry};
pub use preopen_core::lifecycle::{EventName, SessionEvent, SessionState, StateName};
pub use preopen_core::limits::{RateLimits, Rates};
pub use preopen_core::seal::SealKey;
pub use preopen_core::secret::Secret;
pub use preopen_core::skew::Skew;
pub use preopen_core::static_ip::{Addresses, Slot, Verdict, WhoAmI};
pub use preopen_core::target::Environment;
pub use preopen_core::totp;
pub use preopen_http::IpVersion;
pub use session::{Logout, Session};
pub use shared::StoreLoss;
pub use token::{Headers, Token};

/// The page's program is a test.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/observability.md")]
struct ObservabilityPage;

/// JSON as Preopen returns it: `serde_json`'s value, keys in the broker's order.
pub use serde_json::Value as Json;

/// Where programs share a session: the stores, and what a store of your own must do.
pub mod store {
    pub use preopen_store::*;
}

/// For writing adapters, transports and the bindings; not covered by the promise of stable versions yet.
pub mod core {
    pub use preopen_core::{broker, error, lifecycle, limits, metrics, target, wire};
}
