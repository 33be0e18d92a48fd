//! The session lifecycle: a pure function from (state, event, now) to (state, effects), and the record that
//! it publishes. Flights, sleeping and sending are outside, in `preopen`.

mod back_off;
mod events;
mod holder;
mod jitter;
mod machine;
mod portable;
mod record;
pub mod shared;
mod step;

pub use events::{EventName, FAILING_AFTER, SessionEvent, mismatch};
pub(crate) use jitter::share_of;
pub use machine::Machine;
pub use portable::{Identity, export, import};
pub use record::{Record, SessionState, StateName};
pub use step::{Effect, Event, FlightId};

use crate::broker::Login;
use crate::clock::Now;
use crate::error::{Credential, Error, ErrorKind};
use crate::expiry::{Deadline, ExpiryPolicy};

/// Whether a login attempt that failed with `error` gets one more try in the next TOTP step: a code can be
/// late by a moment, so a refused one is made once more before the credentials are blamed.
pub fn retries_in_next_totp_step(attempt: u32, error: &Error) -> bool {
    attempt == 0
        && error.kind() == ErrorKind::CredentialsRejected
        && error.context().credential == Some(Credential::Totp)
}

/// The error of a login that was sent at `sent` and whose session is over at `now` already: the boundary came
/// in between, or this machine's clock is ahead. One more login heals the first; nothing heals the second.
pub fn dead_on_arrival(login: &Login, sent: Now, now: Now, policy: &ExpiryPolicy) -> Option<Error> {
    let expires_at = policy
        .expiry(sent.wall, login.skew.unwrap_or_default(), &login.evidence)
        .at();
    Deadline::new(sent, expires_at)
        .has_passed(now)
        .then(machine::dead_on_arrival)
}
