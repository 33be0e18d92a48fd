//! Audit entries: what is said of each login, refusal and logout, in words of closed sets. Who writes them down, and where, is
//! decided in `preopen`. No token, key, PIN or client code is in any of them.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::error::{Error, ErrorKind, text_enum};

text_enum! {
    /// What an audit entry is about.
    ///
    /// ```
    /// assert_eq!(preopen_core::audit::Action::Login.as_str(), "login");
    /// ```
    Action {
        /// A login that was sent to the broker, or that the session store kept from being sent.
        Login = "login",
        /// The broker refused a login or a call for good: the credentials, the account, or the address.
        Refusal = "refusal",
        /// A session was ended at the broker.
        Logout = "logout",
    }
}

text_enum! {
    /// Why it happened.
    ///
    /// ```
    /// assert_eq!(preopen_core::audit::Why::FirstUse.as_str(), "first_use");
    /// ```
    Why {
        /// There was no session yet.
        FirstUse = "first_use",
        /// The session was over: its time had come.
        Expired = "expired",
        /// The broker refused the token before its time.
        RefusedToken = "refused_token",
        /// Another program that shares the session logged out, or was refused the token.
        EndedElsewhere = "ended_elsewhere",
        /// The session renews itself after each daily end.
        KeepWarm = "keep_warm",
        /// Somebody asked for just this: a person at the broker's page, or `logout()`.
        Asked = "asked",
        /// `reset()` was called.
        Reset = "reset",
        /// The login before failed.
        Retry = "retry",
        /// The session had been logged out.
        LoggedOut = "logged_out",
        /// A call was made: the reason of a refusal that is not a login's.
        Call = "call",
        /// A logout had come before the login was complete, so that the new session was ended at once.
        Abandoned = "abandoned",
    }
}

/// How it ended: `ok`, or the kind of the error.
///
/// ```
/// use preopen_core::audit::Outcome;
/// use preopen_core::{Error, ErrorKind};
///
/// assert_eq!(Outcome::of(&Ok::<(), Error>(())).as_str(), "ok");
/// assert_eq!(Outcome::of(&Err::<(), _>(Error::new(ErrorKind::Timeout, "late"))).as_str(), "timeout");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It succeeded.
    Ok,
    /// It failed with an error of this kind.
    Failed(ErrorKind),
}

impl Outcome {
    /// How many there are.
    pub const COUNT: usize = ErrorKind::ALL.len() + 1;

    /// The outcome of a result.
    pub fn of<T>(result: &Result<T, Error>) -> Self {
        match result {
            Ok(_) => Self::Ok,
            Err(error) => Self::Failed(error.kind()),
        }
    }

    /// Every outcome, in the order of their indexes.
    pub fn all() -> impl Iterator<Item = Self> {
        std::iter::once(Self::Ok).chain(ErrorKind::ALL.iter().copied().map(Self::Failed))
    }

    /// The stable text: `ok`, or the code of the error.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed(kind) => kind.as_str(),
        }
    }

    /// A number below [`Outcome::COUNT`].
    pub(crate) fn index(self) -> usize {
        match self {
            Self::Ok => 0,
            Self::Failed(kind) => kind as usize + 1,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether the broker refused for good: trying again changes nothing before a person has acted.
pub fn is_refusal(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::CredentialsRejected | ErrorKind::AccountActionRequired | ErrorKind::StaticIpMismatch
    )
}

/// One audit entry. Every text of it is of a closed set, but for the account's label and the name of this host.
///
/// ```
/// use preopen_core::audit::Entry;
///
/// fn lines_of_logins(file: &str) -> usize {
///     file.lines().filter_map(Entry::from_line).filter(|entry| entry.action.as_str() == "login").count()
/// }
/// # assert_eq!(lines_of_logins("not a line of an audit"), 0);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When it had ended, by the session's clock.
    pub at: Timestamp,
    /// The broker, for example `samco`.
    pub broker: String,
    /// A short label of the account: the same for the same credentials, and nothing can be read from it.
    pub account: String,
    /// The host that it happened on.
    pub host: String,
    /// What happened.
    pub action: Action,
    /// Why.
    pub why: Why,
    /// How it ended.
    pub outcome: Outcome,
    /// How long it took.
    pub duration: Duration,
}

/// An entry as it is written.
#[derive(Serialize, Deserialize)]
struct Line {
    at: String,
    broker: String,
    account: String,
    host: String,
    action: String,
    why: String,
    outcome: String,
    duration_ms: u64,
}

impl Entry {
    /// The entry as one line of JSON, without the line's end. Errors: none that can be met; an empty line instead.
    pub fn to_line(&self) -> String {
        let line = Line {
            at: self.at.to_ist_rfc3339(),
            broker: self.broker.clone(),
            account: self.account.clone(),
            host: self.host.clone(),
            action: self.action.as_str().to_owned(),
            why: self.why.as_str().to_owned(),
            outcome: self.outcome.as_str().to_owned(),
            duration_ms: u64::try_from(self.duration.as_millis()).unwrap_or(u64::MAX),
        };
        serde_json::to_string(&line).unwrap_or_default()
    }

    /// Reads a line that [`Entry::to_line`] made; `None` for anything else, words of a later version included.
    ///
    /// ```
    /// use preopen_core::audit::{Action, Entry, Outcome};
    ///
    /// let line = r#"{"at":"2026-11-23T08:00:05.125+05:30","broker":"samco","account":"bc3d02fa41b45105","host":"trader-1",
    ///     "action":"login","why":"keep_warm","outcome":"ok","duration_ms":312}"#;
    /// let entry = Entry::from_line(line).unwrap();
    /// assert_eq!((entry.action, entry.outcome), (Action::Login, Outcome::Ok));
    /// ```
    pub fn from_line(line: &str) -> Option<Self> {
        let line: Line = serde_json::from_str(line).ok()?;
        let find = |outcome: &Outcome| outcome.as_str() == line.outcome;
        Some(Self {
            at: Timestamp::parse_rfc3339(&line.at)?,
            action: Action::from_text(&line.action)?,
            why: Why::from_text(&line.why)?,
            outcome: Outcome::all().find(find)?,
            duration: Duration::from_millis(line.duration_ms),
            broker: line.broker,
            account: line.account,
            host: line.host,
        })
    }
}

impl Action {
    fn from_text(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|action| action.as_str() == text)
    }
}

impl Why {
    fn from_text(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|why| why.as_str() == text)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Action, Entry, Outcome, Why};
    use crate::clock::Timestamp;
    use crate::error::ErrorKind;

    fn entry() -> Entry {
        Entry {
            at: Timestamp::parse_rfc3339("2026-11-23T08:00:05.125+05:30").unwrap(),
            broker: "samco".to_owned(),
            account: "0123456789abcdef".to_owned(),
            host: "a \"host\"\n".to_owned(),
            action: Action::Login,
            why: Why::KeepWarm,
            outcome: Outcome::Failed(ErrorKind::BrokerUnavailable),
            duration: Duration::from_millis(312),
        }
    }

    #[test]
    fn an_entry_is_one_line_in_the_documented_order_with_the_time_in_india() {
        assert_eq!(
            entry().to_line(),
            r#"{"at":"2026-11-23T08:00:05.125+05:30","broker":"samco","account":"0123456789abcdef","host":"a \"host\"\n","action":"login","why":"keep_warm","outcome":"broker_unavailable","duration_ms":312}"#
        );
        let whole = Timestamp::parse_rfc3339("2026-11-23T08:00:05+05:30").unwrap();
        assert_eq!(whole.to_ist_rfc3339(), "2026-11-23T08:00:05.000+05:30");
    }

    #[test]
    fn every_entry_that_can_be_written_is_read_back() {
        for action in Action::ALL {
            for why in Why::ALL {
                for outcome in Outcome::all() {
                    let entry = Entry {
                        action: *action,
                        why: *why,
                        outcome,
                        ..entry()
                    };
                    assert_eq!(Entry::from_line(&entry.to_line()), Some(entry));
                }
            }
        }
    }

    #[test]
    fn what_is_no_entry_is_not_read() {
        let line = entry().to_line();
        for wrong in [
            "",
            "{}",
            "not JSON",
            &line[..line.len() - 1],
            &line.replace("keep_warm", "keep_cold"),
            &line.replace("broker_unavailable", "broken"),
            &line.replace("\"login\"", "\"log in\""),
            &line.replace("2026-11-23T", "yesterday "),
        ] {
            assert_eq!(Entry::from_line(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn indexes_are_those_of_the_order_and_fit() {
        for (index, outcome) in Outcome::all().enumerate() {
            assert_eq!(outcome.index(), index);
        }
        assert_eq!(Outcome::all().count(), Outcome::COUNT);
    }
}
