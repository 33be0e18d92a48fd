//! What goes into one step of the machine, and what comes out of it.

use std::sync::Arc;

use super::events::SessionEvent;
use super::record::Record;
use super::shared::Origin;
use crate::audit::Why;
use crate::broker::Login;
use crate::clock::{Now, Timestamp};
use crate::error::Error;

/// Names one login attempt, or one logout, and says why it began. A result that names another flight than the running one
/// is too late.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FlightId {
    pub(super) number: u64,
    pub(super) why: Why,
}

impl FlightId {
    /// Why it began.
    pub fn why(self) -> Why {
        self.why
    }
}

/// What can happen to a session.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// A caller needs a session.
    Needed,
    /// A person logged in at the broker's page: the login that completes it must run now.
    Granted,
    /// A login succeeded.
    Opened {
        /// The flight that did it.
        flight: FlightId,
        /// What it gave.
        login: Box<Login>,
        /// When it was sent.
        sent: Now,
    },
    /// A login failed.
    Failed {
        /// The flight that failed.
        flight: FlightId,
        /// Why.
        error: Error,
    },
    /// An abandoned flight has ended, and whatever it opened is closed at the broker; or a logout has ended.
    Drained {
        /// The flight.
        flight: FlightId,
    },
    /// A session that another program opened is taken over.
    Imported {
        /// What it holds.
        login: Box<Login>,
        /// When its login was sent.
        issued_at: Timestamp,
    },
    /// A session that another program keeps in the store is taken over.
    Adopted {
        /// The flight that found it; `None` when it was found without one.
        flight: Option<FlightId>,
        /// What it holds.
        login: Box<Login>,
        /// When its login was sent.
        issued_at: Timestamp,
    },
    /// The store says that this session of it is dead: another program logged out, or was refused its token.
    EndedElsewhere {
        /// Which session.
        origin: Origin,
    },
    /// The time that [`Machine::wakes_at`](super::Machine::wakes_at) named has come.
    Tick,
    /// The broker refused a call because of the address that it came from, or told that it would.
    AddressRefused(Error),
    /// The broker refused the token of this generation.
    Invalidated {
        /// The generation of the refused token.
        generation: u64,
    },
    /// The user wants a newer session than the one of this generation, which lives on where it is kept until there is one.
    PassedOver {
        /// The generation that is not served any more.
        generation: u64,
    },
    /// The user logged out.
    SignedOut,
    /// The user wants a blocked session to try again.
    Reset,
    /// The user is done with this session object; nothing may be sent for it any more.
    Closed,
    /// This is another process than before: logins of the parent do not exist here.
    Forked,
}

/// What the caller of the machine must do.
#[derive(Debug)]
#[non_exhaustive]
pub enum Effect {
    /// Serve this session to whoever asked.
    Serve(Arc<Record>),
    /// Tell whoever asked that it failed.
    Refuse(Error),
    /// Start a login; whoever asked waits for it.
    Start(FlightId),
    /// A login is running or queued: whoever asked waits for it.
    Join(FlightId),
    /// Make this session the one that readers see.
    Publish(Arc<Record>),
    /// Make readers see no session.
    Withdraw,
    /// Give everybody who waits for this flight its result.
    Settle(FlightId, Result<Arc<Record>, Error>),
    /// The user logged out of this session: end it at the broker, and tell of [`Event::Drained`] when that is done.
    SignOut(FlightId, Arc<Record>),
    /// A login that nobody wants any more succeeded: end it at the broker, best effort.
    Discard(Box<Login>),
    /// Tell those who watch the session.
    Announce(Box<SessionEvent>),
}
