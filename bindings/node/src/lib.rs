//! The Node addon. It converts between JavaScript and `preopen-ffi`, and nothing else: friendly forms and error
//! classes are in `node/src`, behaviour is in Rust.
//!
//! Every fallible call gives a tagged result, `{ok}` or `{error}`, where `error` is an `ErrorInfo` as JSON text.
#![allow(
    clippy::needless_pass_by_value,
    reason = "arguments arrive from JavaScript by value"
)]
#![cfg_attr(test, allow(dead_code, reason = "napi registers nothing in test builds"))]

mod ask;
mod call;
mod caller;
mod clock;
mod consent;
mod credentials;
mod events;
mod foreign;
mod live;
mod logins;
mod logs;
mod outcome;
mod promises;
mod reply;
mod session;
mod static_ip;
mod store;
mod streams;

use napi_derive::napi;

/// The codes of all error kinds.
#[napi]
pub fn error_catalogue() -> Vec<&'static str> {
    preopen_ffi::error_catalogue()
}

/// The names of all session events.
#[napi]
pub fn event_catalogue() -> Vec<&'static str> {
    preopen_ffi::event_catalogue()
}

/// The version of this addon, which must be that of the TypeScript around it.
#[napi]
pub fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}
