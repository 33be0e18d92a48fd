//! Shared by the bindings: flat records to hand over a language border, and the runtime under blocking and
//! asynchronous calls. No behaviour lives here, and none in the bindings.

mod callback;
mod config;
mod consent;
mod foreign;
mod listener;
mod logs;
mod metrics;
mod preflight;
mod records;
mod store;

pub mod runtime;

pub use callback::{Prompt, ask, on_own_thread};
pub use config::{Credentials, SessionConfig, StoreChoice, Tell, prime, seal_key, seconds_to_duration, told};
pub use consent::{LoginSettings, LoginUnderWay};
pub use foreign::{Answered, ForeignCall, SignedCall, raw_reply};
pub use listener::Listener;
pub use logs::{KEPT, LogRecord, Logs};
pub use metrics::{MetricInfo, metrics};
pub use preflight::{CheckInfo, PreflightInfo, check_static_ip, may_change_static_ip};
pub use records::{
    ErrorInfo, EventInfo, LogoutInfo, ProfileInfo, RejectionInfo, ReplyInfo, StateInfo, WhoAmIInfo,
    error_catalogue, event_catalogue,
};
pub use store::{ForeignStore, HandedClaim, Start, StoreCall, StoreMethod, StoreReply, check_store};

pub use preopen;
