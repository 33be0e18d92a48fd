//! Preopen's Rust API for the languages of UniFFI: Kotlin and Swift first. It converts and nothing else; what is tested is
//! in README.md.

#![allow(
    clippy::result_large_err,
    reason = "an error crosses the border by value, and UniFFI has no boxes"
)]
#![allow(clippy::needless_pass_by_value, reason = "UniFFI hands over owned values")]

// The macros name their crate `::uniffi`, which is these two.
extern crate self as uniffi;
#[doc(hidden)]
pub use uniffi_core::*;
#[doc(hidden)]
pub use uniffi_macros::*;

/// Shows a wrapper as what it wraps, which is redacted.
macro_rules! shows_inner {
    ($name:ident, $field:tt) => {
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Debug::fmt(&self.$field, f)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Debug::fmt(&self.$field, f)
            }
        }
    };
}

mod clock;
mod consent;
mod credentials;
mod error;
mod events;
mod records;
mod session;
mod token;
mod waiting;

pub use clock::VirtualClock;
pub use consent::{LoginCode, LoginStart, SamcoLegacyCalls};
pub use credentials::{Credentials, SecretCallback, SecretCallbackError, SecretSource};
pub use error::{ErrorInfo, PreopenError};
pub use events::Events;
pub use records::{
    Check, Evidence, Logout, Preflight, Profile, Rejection, Reply, SessionEvent, SessionState, WhoAmI,
};
pub use session::{BlockingSession, CallOptions, NameValue, Session, SessionOptions, Store};
pub use token::{Header, Headers, Token};

uniffi::setup_scaffolding!("preopen_uniffi");

/// The codes of all error kinds, in the order of the documentation: one for each case of `PreopenError`.
#[uniffi::export]
pub fn error_catalogue() -> Vec<String> {
    preopen_ffi::error_catalogue()
        .into_iter()
        .map(str::to_owned)
        .collect()
}

/// The names of all events.
#[uniffi::export]
pub fn event_catalogue() -> Vec<String> {
    preopen_ffi::event_catalogue()
        .into_iter()
        .map(str::to_owned)
        .collect()
}

/// A new random key to seal sessions with. Errors: `Internal`.
#[uniffi::export]
pub fn generate_key() -> Result<String, PreopenError> {
    let key = preopen_ffi::preopen::SealKey::generate()?;
    Ok(key.to_text().expose().to_owned())
}

/// Whether a static IP may be changed; asked and answered as JSON text, with the fields of the other languages. Errors:
/// `InvalidInput` with the field.
#[uniffi::export]
pub fn static_ip_may_change(asked: &str) -> Result<String, PreopenError> {
    Ok(preopen_ffi::may_change_static_ip(asked)?.to_string())
}

/// A public IPv4 address in its usual form. Errors: `InvalidInput` (`address`).
#[uniffi::export]
pub fn static_ip_check(address: &str) -> Result<String, PreopenError> {
    Ok(preopen_ffi::check_static_ip(address)?)
}
