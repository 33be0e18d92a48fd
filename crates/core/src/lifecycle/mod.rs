//! The session lifecycle: a pure function from (state, event, now) to (state, effects), and the record that
//! it publishes. Flights, sleeping and sending are outside, in `preopen`.

mod machine;
mod record;

pub use machine::{Effect, Event, FlightId, Machine};
pub use record::{Record, SessionState, StateName};

use crate::error::{Credential, Error, ErrorKind};

/// Whether a login attempt that failed with `error` gets one more try in the next TOTP step: a code can be
/// late by a moment, so a refused one is made once more before the credentials are blamed.
pub fn retries_in_next_totp_step(attempt: u32, error: &Error) -> bool {
    attempt == 0
        && error.kind() == ErrorKind::CredentialsRejected
        && error.context().credential == Some(Credential::Totp)
}
