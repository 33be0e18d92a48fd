//! What a broker's tables hold: its endpoints, and what each of its refusals means. The tables themselves are data in
//! `brokers/<broker>/{catalogue,faults}.rs`, each row with its source; `docs/capabilities.md` is made of them.

use crate::envelope::{Refusal, listed};
use crate::error::{AccountAction, Credential, LoginReason};
use crate::wire::{CallClass, Endpoint, Method, RawReply, plain_path, same_path};

/// How far a fact is to be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Confidence {
    /// The broker's own documentation says so.
    Documented,
    /// Read in the source of a public client.
    SdkCode,
    /// Reported by users of the live service.
    Observed,
    /// Concluded from the others.
    Inferred,
}

impl Confidence {
    /// The word of the documentation.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Documented => "documented",
            Self::SdkCode => "sdk code",
            Self::Observed => "observed",
            Self::Inferred => "inferred",
        }
    }
}

/// One endpoint of a broker.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Entry {
    /// The HTTP method.
    pub method: Method,
    /// The path; `{}` stands for one segment.
    pub path: &'static str,
    /// What the call does, which decides whether it may be repeated.
    pub class: CallClass,
    /// Whether the broker refuses the call from an address that is not registered, and how far that is known.
    pub gate: Option<Confidence>,
    /// Whether the reply may hold tokens or codes.
    pub sensitive: bool,
    /// Keys of the payload, as they stand in the reply's data; none where it is empty or not known.
    pub payload: &'static [&'static str],
    /// Section of the protocol notes.
    pub section: &'static str,
    /// How far the row is to be trusted.
    pub confidence: Confidence,
}

impl Entry {
    /// An endpoint whose replies hold no tokens, not gated by address; documented.
    pub(crate) const fn new(
        class: CallClass,
        method: Method,
        path: &'static str,
        payload: &'static [&'static str],
        section: &'static str,
    ) -> Self {
        Self {
            method,
            path,
            class,
            gate: None,
            sensitive: false,
            payload,
            section,
            confidence: Confidence::Documented,
        }
    }

    /// The same, refused from an address that is not registered.
    pub(crate) const fn gated(mut self, known: Confidence) -> Self {
        self.gate = Some(known);
        self
    }

    /// The same, with replies that may hold tokens or codes.
    pub(crate) const fn sensitive(mut self) -> Self {
        self.sensitive = true;
        self
    }

    /// The same, less sure.
    pub(crate) const fn known_by(mut self, confidence: Confidence) -> Self {
        self.confidence = confidence;
        self
    }

    /// Whether a call of this method and path is one of this endpoint, in any spelling that a server may take for it.
    pub fn is(&self, method: Method, path: &str) -> bool {
        method == self.method && self.has(path, &plain_path(path))
    }

    /// Whether this is the endpoint's path, which is given as it was written and plain.
    fn has(&self, path: &str, plain: &str) -> bool {
        // The only `{}` is the last segment.
        let Some(before) = self.path.strip_suffix("/{}") else {
            return plain.eq_ignore_ascii_case(self.path);
        };
        path.trim_end_matches('/')
            .rsplit_once('/')
            .is_some_and(|(start, last)| !last.is_empty() && same_path(start, before))
    }
}

/// Names a call by the broker's catalogue. Of what stands not in it, a GET is a read and anything else a write.
pub(crate) fn endpoint(entries: &[Entry], method: Method, path: &str) -> Endpoint {
    let plain = plain_path(path);
    let known = entries
        .iter()
        .find(|entry| method == entry.method && entry.has(path, &plain));
    let class = known.map_or(
        if method == Method::Get {
            CallClass::Read
        } else {
            CallClass::Write
        },
        |entry| entry.class,
    );
    // The wrong method may still be answered by the right page.
    let sensitive = entries
        .iter()
        .any(|entry| entry.sensitive && entry.has(path, &plain));
    Endpoint::new(method, path, class).sensitive(sensitive)
}

/// What a row of a fault table means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// `CredentialsRejected`, and which.
    Credentials(Credential),
    /// `AccountActionRequired`, and which.
    Account(AccountAction),
    /// `LoginRequired`, and why.
    Login(LoginReason),
    /// `SessionExpired`.
    SessionExpired,
    /// `StaticIpMismatch`.
    StaticIp,
    /// `RateLimited`.
    RateLimited,
    /// `BrokerUnavailable`: try again; of a write, the outcome is unknown.
    Unavailable,
    /// `BrokerRejected`.
    Rejected,
}

impl Verdict {
    /// The code of the error that it becomes, and its `which` or `reason`.
    pub const fn error(self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::Credentials(which) => ("credentials_rejected", Some(which.as_str())),
            Self::Account(which) => ("account_action_required", Some(which.as_str())),
            Self::Login(reason) => ("login_required", Some(reason.as_str())),
            Self::SessionExpired => ("session_expired", None),
            Self::StaticIp => ("static_ip_mismatch", None),
            Self::RateLimited => ("rate_limited", None),
            Self::Unavailable => ("broker_unavailable", None),
            Self::Rejected => ("broker_rejected", None),
        }
    }

    /// Whether a person must do something before the next login can succeed.
    pub(crate) const fn is_terminal(self) -> bool {
        matches!(self, Self::Credentials(_) | Self::Account(_) | Self::Login(_))
    }
}

/// On which calls a row of a fault table holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum On {
    /// All.
    Any,
    /// Those that open a session.
    Login,
    /// All others.
    Session,
    /// Those of this path.
    Path(&'static str),
}

/// One row of a broker's fault table. An empty `code` or `text` matches anything; the message must begin with
/// `text`, ignoring case, so that a word somewhere in a broker's prose decides nothing. The first row that
/// matches decides.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Row {
    /// On which calls.
    pub on: On,
    /// The broker's code.
    pub code: &'static str,
    /// How the broker's message begins, in lower case.
    pub text: &'static str,
    /// What it means.
    pub verdict: Verdict,
    /// What the error says before the broker's own words, where these do not say what to do.
    pub advice: &'static str,
    /// Section of the protocol notes.
    pub section: &'static str,
    /// How far the row is to be trusted.
    pub confidence: Confidence,
}

/// A documented row of a fault table; `text` in lower case.
pub(crate) const fn row(
    on: On,
    code: &'static str,
    text: &'static str,
    verdict: Verdict,
    section: &'static str,
) -> Row {
    Row {
        on,
        code,
        text,
        verdict,
        advice: "",
        section,
        confidence: Confidence::Documented,
    }
}

impl Row {
    /// The same, with a sentence before the broker's own words.
    pub(crate) const fn says(mut self, advice: &'static str) -> Self {
        self.advice = advice;
        self
    }

    /// The same, less sure.
    pub(crate) const fn known_by(mut self, confidence: Confidence) -> Self {
        self.confidence = confidence;
        self
    }
}

/// The tables of one broker.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Tables {
    /// The broker's name, as in [`Policy`](crate::broker::Policy).
    pub broker: &'static str,
    /// Its endpoints.
    pub endpoints: &'static [Entry],
    /// What its refusals mean; the first row that matches decides.
    pub faults: &'static [Row],
    pub(crate) refusal: for<'a> fn(&'a serde_json::Value) -> Refusal<'a>,
}

impl Tables {
    /// Where in `faults` the row stands that decides about this reply to a call, if it is a refusal that one matches.
    pub fn fault(&self, endpoint: &Endpoint, raw: &RawReply) -> Option<usize> {
        let body = serde_json::from_slice::<serde_json::Value>(&raw.body);
        let text = String::from_utf8_lossy(&raw.body);
        let refusal = match &body {
            Ok(body) if body.is_object() => (self.refusal)(body),
            Err(_) if text.starts_with(char::is_alphabetic) => Refusal {
                text: text.trim(),
                ..Refusal::default()
            },
            _ => return None,
        };
        let row = listed(self.faults, endpoint, &refusal)?;
        self.faults.iter().position(|one| std::ptr::eq(one, row))
    }
}

#[cfg(test)]
mod tests {
    use super::{Confidence, Entry, endpoint};
    use crate::wire::{CallClass, Method};

    const ENTRIES: &[Entry] = &[
        Entry::new(CallClass::Read, Method::Post, "/look/up", &[], "1"),
        Entry::new(CallClass::Write, Method::Put, "/order/{}", &[], "1").gated(Confidence::Documented),
        Entry::new(CallClass::Login, Method::Post, "/log/in", &[], "1").sensitive(),
        Entry::new(CallClass::Read, Method::Get, "/code", &[], "1").sensitive(),
    ];

    #[test]
    fn what_is_not_known_is_a_write_unless_it_is_a_get() {
        let class = |method, path| endpoint(ENTRIES, method, path).class;
        assert_eq!(class(Method::Post, "/look/up"), CallClass::Read);
        assert_eq!(class(Method::Post, "/Look/%75p/"), CallClass::Read);
        assert_eq!(class(Method::Put, "/look/up"), CallClass::Write);
        assert_eq!(class(Method::Post, "/look/up/more"), CallClass::Write);
        assert_eq!(class(Method::Delete, "/made/up"), CallClass::Write);
        assert_eq!(class(Method::Get, "/made/up"), CallClass::Read);
    }

    #[test]
    fn a_gap_stands_for_one_segment() {
        let is = |path| ENTRIES[1].is(Method::Put, path);
        assert!(is("/order/1") && is("/Order/2/"));
        assert!(!is("/order") && !is("/order/") && !is("/order/1/2") && !is("/other/1"));
    }

    #[test]
    fn a_token_is_not_kept_because_the_method_was_wrong() {
        for method in [Method::Get, Method::Post] {
            assert!(endpoint(ENTRIES, method, "/log/in/").sensitive);
            assert!(endpoint(ENTRIES, method, "/code").sensitive);
            assert!(!endpoint(ENTRIES, method, "/look/up").sensitive);
        }
    }
}
