//! What programs that share a store tell each other about one account, and what a program does with it: take over the
//! session that is there, give up for the reason that another one found, or log in. Pure; how the texts are kept, and
//! who may change them, is the store's business.

mod guard;
mod sealed;
mod state;
mod told;

use crate::broker::{Login, Tokens};
use crate::clock::{Now, Timestamp};
use crate::error::Error;
use crate::expiry::ExpiryPolicy;
use crate::lifecycle::record::{NOT_RENEWABLE, Record};
use crate::secret::Secret;

pub use guard::Guard;
pub use sealed::key_of;

/// Which login of an account a session comes from, over all programs that share a store. A store that was wiped begins a
/// new epoch: the generations of two epochs cannot be compared, and what the store holds now is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    /// A random number for each life of the store.
    pub epoch: u64,
    /// Grows by one with every login inside an epoch.
    pub generation: u64,
}

/// What a store holds for an account, opened.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    session: Option<KeptSession>,
    /// What outlives sessions.
    pub guard: Guard,
}

#[derive(Clone, Debug)]
struct KeptSession {
    login: Login,
    issued_at: Timestamp,
    origin: Origin,
    /// The serial of the guard that was there when the session was written.
    serial: u64,
}

/// Who looks into the store.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asker<'a> {
    /// A session that is over for this program, whatever the store says of it.
    pub dead: Option<Origin>,
    /// A token that the broker refused to this program: it may not know that the store has it too, since it did not
    /// hear that it published it.
    pub refused: Option<&'a Secret>,
    /// The digest of the credentials that this program would log in with, when they are complete.
    pub credentials: Option<&'a str>,
    /// How many logins had ended when this program first looked: the failure of a later one is its answer too.
    pub answered_before: Option<u64>,
    /// The user wants a new attempt whatever others found.
    pub overrule: bool,
}

/// What the program does.
#[derive(Debug)]
pub enum Decision {
    /// Use the session that another program opened.
    Adopt {
        /// What it holds.
        login: Box<Login>,
        /// When its login was sent.
        issued_at: Timestamp,
    },
    /// Give up: the broker told another program why no login can succeed now.
    Refuse(Error),
    /// Log in.
    LogIn,
}

impl Kept {
    /// What this program does with what the store holds at `now`.
    pub fn decide(&self, asker: &Asker<'_>, now: Now, policy: &ExpiryPolicy) -> Decision {
        if let Some(session) = self.usable(asker, now, policy) {
            return Decision::Adopt {
                login: Box::new(session.login.clone()),
                issued_at: session.issued_at,
            };
        }
        match self.guard.refuses(asker, now) {
            Some(error) => Decision::Refuse(error),
            None => Decision::LogIn,
        }
    }

    /// The session that may be used at `now`.
    fn usable(&self, asker: &Asker<'_>, now: Now, policy: &ExpiryPolicy) -> Option<&KeptSession> {
        let session = self.session.as_ref()?;
        let ended = self.guard.has_ended(session.origin) || session.is_dead_for(asker);
        (!ended && session.is_live(now, policy)).then_some(session)
    }

    /// The session whose refresh token may renew it: the broker ended it before its boundary, or the token outlives it.
    pub fn renewable(&self, now: Now, policy: &ExpiryPolicy) -> Option<&Login> {
        let session = self.session.as_ref()?;
        let renewable = match session.login.renewable_until {
            Some(until) => now.wall < until,
            None => session.is_live(now, policy),
        };
        renewable.then_some(&session.login)
    }

    /// The tokens to renew with at `now`, when this program remembers the session `own`: those that are kept, unless `own`
    /// could not be told to the store and is newer. Of what the store knows, or of what came before, the store says what is
    /// left: another program may have used it up, or ended it.
    pub fn to_renew(&self, own: Option<&Record>, now: Now, policy: &ExpiryPolicy) -> Option<Tokens> {
        let known = |record: &&Record| record.origin.is_some_and(|origin| self.guard.knows(origin));
        let own = own.filter(|record| !known(record));
        let kept = self.renewable(now, policy).zip(self.session.as_ref());
        let older = |record: &&Record| kept.is_none_or(|(_, kept)| kept.issued_at < record.issued_at);
        match own.filter(older) {
            Some(record) => Some(record.tokens.clone()),
            None => kept.map(|(login, _)| login.tokens.clone()),
        }
    }

    /// The broker does not renew the session that is kept any more: no program tries again.
    pub fn not_renewable(&mut self) {
        if let Some(session) = &mut self.session {
            session.login.renewable_until = Some(NOT_RENEWABLE);
        }
    }

    /// The session that is kept, if its refresh token outlives it at `now`, for ending it at the broker.
    pub fn outlives_its_end(&self, now: Now) -> Option<(&Login, Timestamp)> {
        let session = self.session.as_ref()?;
        let until = session.login.renewable_until?;
        (now.wall < until).then_some((&session.login, session.issued_at))
    }

    /// The origin of the session that is kept, live or not.
    pub fn origin(&self) -> Option<Origin> {
        self.session.as_ref().map(|session| session.origin)
    }

    /// The session that is kept and may be live at `now`: login and issue time.
    pub fn session(&self, now: Now, policy: &ExpiryPolicy) -> Option<(&Login, Timestamp)> {
        let session = self.usable(&Asker::default(), now, policy)?;
        Some((&session.login, session.issued_at))
    }

    /// Takes in what a login with these credentials gave; `epoch` begins the store's life if this is the first. Gives the
    /// login with its origin.
    pub fn opened(&mut self, mut login: Login, issued_at: Timestamp, epoch: u64, credentials: &str) -> Login {
        let origin = self.guard.opened(epoch, credentials);
        login.origin = Some(origin);
        self.session = Some(KeptSession {
            login: login.clone(),
            issued_at,
            origin,
            serial: self.guard.serial(),
        });
        login
    }

    /// The session of `origin` is dead at the broker. False, and nothing changes, when another one is there already.
    pub fn ended(&mut self, origin: Origin) -> bool {
        self.origin() == Some(origin) && self.guard.ended(origin)
    }

    /// The session that is kept is dead at the broker, if it is the one that is over for this program.
    pub fn ended_for(&mut self, asker: &Asker<'_>) {
        let dead = self.session.as_ref().filter(|session| session.is_dead_for(asker));
        if let Some(origin) = dead.map(|session| session.origin) {
            self.guard.ended(origin);
        }
    }

    /// The user logged out: no session is kept, and none of the present epoch so far may be used.
    pub fn signed_out(&mut self) {
        self.session = None;
        self.guard.signed_out();
    }
}

impl KeptSession {
    fn is_dead_for(&self, asker: &Asker<'_>) -> bool {
        asker.dead == Some(self.origin) || asker.refused == Some(self.login.tokens.access())
    }

    fn is_live(&self, now: Now, policy: &ExpiryPolicy) -> bool {
        let skew = self.login.skew.unwrap_or_default();
        // Another host's clock may be ahead of ours.
        let issued_at = self.issued_at.min(now.wall);
        policy.expiry(issued_at, skew, &self.login.evidence).at() > now.wall
    }
}
