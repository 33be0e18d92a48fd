//! The sealed texts of a store. Each begins with the format and where its key is kept; both, the part and the account
//! are bound to what is sealed, so that no text opens in the place of another.

use super::{Guard, Kept, KeptSession, Origin};
use crate::clock::{Now, Timestamp};
use crate::error::{Error, ErrorKind, LoginReason, Result};
use crate::expiry::ExpiryPolicy;
use crate::lifecycle::portable::{Identity, export, import};
use crate::lifecycle::record::Record;
use crate::seal::SealKey;
use crate::secret::Secret;

/// The format; a program refuses another one.
const FORMAT: &str = "preopen-store-1";

const SESSION: &str = "session";
const GUARD: &str = "guard";

/// Where the key of a sealed text is kept, as its writer said. Errors: `LoginRequired` when the text is none of ours.
pub fn key_of(text: &str) -> Result<&str> {
    let mut parts = text.splitn(3, '.');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(FORMAT), Some(key), Some(_)) => Ok(key),
        (Some(other), Some(_), Some(_)) if other.starts_with("preopen-store-") => Err(unreadable(
            "was written by another version of Preopen: use the same version in every program",
        )),
        _ => Err(unreadable("is not a session of Preopen, or was cut")),
    }
}

/// The error of what cannot be read; `problem` completes "the stored session ...".
fn unreadable(problem: &str) -> Error {
    Error::new(
        ErrorKind::LoginRequired,
        format!(
            "the stored session {problem}; nothing was sent. Restore it, or discard it: reset(), or `preopen login`"
        ),
    )
    .with(|context| context.login_reason = Some(LoginReason::StoreUnreadable))
}

fn context(key: &str, part: &str, identity: &Identity) -> String {
    format!("{FORMAT}.{key}.{part}.{}", identity.to_text())
}

fn seal(key: &SealKey, label: &str, part: &str, text: &Secret, identity: &Identity) -> Result<String> {
    let sealed = key.seal(text, context(label, part, identity).as_bytes())?;
    Ok(format!("{FORMAT}.{label}.{sealed}"))
}

fn open(key: &SealKey, text: &str, part: &str, identity: &Identity) -> Result<Secret> {
    let label = key_of(text)?;
    let sealed = text.splitn(3, '.').nth(2).unwrap_or_default();
    key.open(sealed, context(label, part, identity).as_bytes())
        .ok_or_else(|| {
            unreadable("cannot be opened: it is damaged, of another account, or sealed with another key")
        })
}

impl Kept {
    /// Opens the texts of a store with the key that they name. Errors: `LoginRequired` (`store_unreadable`), whatever was
    /// done to them.
    pub fn open(
        session: Option<&str>,
        guard: Option<&str>,
        key: &SealKey,
        identity: &Identity,
    ) -> Result<Self> {
        let Some(guard) = guard else {
            return match session {
                None => Ok(Self::default()),
                Some(_) => Err(unreadable("has lost the guard that was beside it")),
            };
        };
        let text = open(key, guard, GUARD, identity)?;
        let guard: Guard = serde_json::from_str(text.expose())
            .map_err(|_| unreadable("was written by another version of Preopen"))?;
        let mut kept = Self { session: None, guard };
        if let Some(session) = session {
            let session = KeptSession::open(&open(key, session, SESSION, identity)?, identity)?;
            if !kept.guard.fits(session.origin, session.serial) {
                return Err(unreadable(
                    "was rolled back: it does not fit the guard beside it, one of them is older",
                ));
            }
            kept.guard.catch_up(session.origin);
            kept.session = Some(session);
        }
        Ok(kept)
    }

    /// The sealed session and guard, for writing; `label` says where `key` is kept. Errors: `Internal`.
    pub fn seal(
        &mut self,
        key: &SealKey,
        label: &str,
        identity: &Identity,
        policy: &ExpiryPolicy,
    ) -> Result<(Option<String>, String)> {
        let session = match &self.session {
            Some(session) => {
                let text = session.to_text(identity, policy)?;
                Some(seal(key, label, SESSION, &text, identity)?)
            }
            None => None,
        };
        self.guard.stamped();
        Ok((session, self.guard_text(key, label, identity)?))
    }

    /// The sealed guard alone. Errors: `Internal`.
    pub fn guard_text(&self, key: &SealKey, label: &str, identity: &Identity) -> Result<String> {
        let text = Secret::json(&self.guard).map_err(|error| {
            Error::new(
                ErrorKind::Internal,
                format!("the guard cannot be written: {error}"),
            )
        })?;
        seal(key, label, GUARD, &text, identity)
    }
}

impl KeptSession {
    /// One line of numbers, then the record.
    fn to_text(&self, identity: &Identity, policy: &ExpiryPolicy) -> Result<Secret> {
        let known = Now {
            wall: self.issued_at,
            monotonic: std::time::Duration::ZERO,
        };
        let Origin { epoch, generation } = self.origin;
        let record = Record::new(generation, self.login.clone(), self.issued_at, known, policy);
        let record = export(&record, identity)?;
        Ok(Secret::format(format_args!(
            "{epoch} {generation} {}\n{}",
            self.serial,
            record.expose()
        )))
    }

    fn open(text: &Secret, identity: &Identity) -> Result<Self> {
        let damaged = || unreadable("is damaged");
        let (numbers, record) = text.expose().split_once('\n').ok_or_else(damaged)?;
        let mut numbers = numbers.split(' ').map(|number| number.parse::<u64>().ok());
        let mut next = || numbers.next().flatten().ok_or_else(damaged);
        let (epoch, generation, serial) = (next()?, next()?, next()?);
        let (mut login, issued_at): (_, Timestamp) = import(&Secret::new(record), identity)
            .map_err(|error| unreadable(error.message().trim_start_matches("record ")))?;
        let origin = Origin { epoch, generation };
        login.origin = Some(origin);
        Ok(Self {
            login,
            issued_at,
            origin,
            serial,
        })
    }
}
