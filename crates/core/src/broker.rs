//! What the core must know of a broker: the [`Adapter`] trait that each broker's credentials implement, and
//! the [`Policy`] that states its rules as data. The brokers themselves are in `brokers`.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::clock::Timestamp;
use crate::envelope::Reply;
use crate::error::{Error, Result};
use crate::expiry::{Evidence, ExpiryPolicy};
use crate::secret::Secret;
use crate::static_ip::{Addresses, WhoAmI};
use crate::totp::OneTimeCode;
use crate::wire::{Endpoint, Method, RawReply, Request};

/// A broker's rules, as data. Facts come from `docs` of each broker with the confidence that its module names.
#[derive(Debug)]
#[non_exhaustive]
pub struct Policy {
    /// The broker's name in errors, states and on the command line, for example `samco`.
    pub broker: &'static str,
    /// The live API.
    pub base_url: &'static str,
    /// The hosts that credentials of this broker may be sent to.
    pub hosts: &'static [&'static str],
    /// When a session ends.
    pub expiry: ExpiryPolicy,
    /// Whether a code that was sent once may be refused a second time. Unknown counts as yes.
    pub totp_single_use: bool,
    /// Whether the broker can tell which address it sees.
    pub has_whoami: bool,
}

/// The named tokens of one session: access, and whatever else the broker gives. `Debug` shows names only.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct Tokens {
    /// The token that authenticates calls.
    pub access: Option<Secret>,
    /// The token that renews the access token, where the broker has one.
    pub refresh: Option<Secret>,
    /// The token of the market-data stream, where the broker has one of its own.
    pub feed: Option<Secret>,
}

impl Tokens {
    /// The access token; empty when the broker gave none, which no reader lets pass.
    pub fn access(&self) -> Secret {
        self.access.clone().unwrap_or_else(|| Secret::new(""))
    }

    /// Every token that is there.
    pub fn all(&self) -> impl Iterator<Item = Secret> + '_ {
        [&self.access, &self.refresh, &self.feed]
            .into_iter()
            .flatten()
            .cloned()
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tokens = [
            ("access", &self.access),
            ("refresh", &self.refresh),
            ("feed", &self.feed),
        ];
        let names: Vec<&str> = tokens
            .iter()
            .filter(|(_, token)| token.is_some())
            .map(|(name, _)| *name)
            .collect();
        write!(f, "Tokens({})", names.join(", "))
    }
}

/// Who the session belongs to, as far as the broker told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Profile {
    /// The account id (Samco) or client code (SmartAPI).
    pub account_id: Option<String>,
    /// The holder's name.
    pub name: Option<String>,
    /// Exchanges that the account may trade on.
    pub exchanges: Vec<String>,
    /// Product types that the account may use.
    pub products: Vec<String>,
    /// Order types that the account may use, where the broker lists them.
    pub order_types: Vec<String>,
}

/// What a successful login gave.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Login {
    /// The tokens.
    pub tokens: Tokens,
    /// What the reply told about the end of the session.
    pub evidence: Vec<Evidence>,
    /// The addresses, where the reply tells them.
    pub addresses: Option<Addresses>,
    /// The holder, as far as the reply tells.
    pub profile: Profile,
    /// The broker's time in the reply.
    pub server_time: Option<Timestamp>,
}

/// Where a broker's profile comes from.
#[derive(Debug)]
pub enum ProfileSource {
    /// It was part of the login reply: no call is needed.
    Login,
    /// A call must be made; its reply is read with [`Adapter::read_profile`].
    Call(Request),
}

/// One account at one broker: its credentials and everything that differs between brokers.
///
/// All methods are pure. `Debug` of an implementation must show no secret.
pub trait Adapter: Send + Sync + fmt::Debug {
    /// The broker's rules.
    fn policy(&self) -> &'static Policy;

    /// Checks the credentials before any I/O. Errors: `InvalidInput` with the field.
    fn validate(&self) -> Result<()>;

    /// A text that names the account before its first login without giving a credential away.
    fn fingerprint(&self) -> String;

    /// Every secret of the credentials, for redaction.
    fn secrets(&self) -> Vec<Secret>;

    /// The one-time code for a login at `now`, if this login needs one. Errors: `InvalidInput`.
    fn one_time_code(&self, now: Timestamp) -> Result<Option<OneTimeCode>>;

    /// The login request. `code` is what [`Adapter::one_time_code`] made.
    fn login(&self, code: Option<OneTimeCode>) -> Request;

    /// Reads the reply to the login. Errors: any kind but those of a session.
    fn read_login(&self, endpoint: &Endpoint, raw: &RawReply) -> Result<Login>;

    /// Names a call and says what it does; an unknown POST, PUT or DELETE is a write.
    fn endpoint(&self, method: Method, path: &str) -> Endpoint;

    /// Every header of an authenticated call.
    fn headers(&self, tokens: &Tokens) -> Vec<(String, Secret)>;

    /// Reads the reply to an authenticated call. Errors: as the broker's fault table says.
    fn read(&self, endpoint: &Endpoint, raw: &RawReply) -> Result<Reply>;

    /// The call that asks which address the broker sees, if there is one.
    fn whoami(&self) -> Option<Request>;

    /// Reads the reply to [`Adapter::whoami`]. Errors: `MalformedResponse`.
    fn read_whoami(&self, reply: &Reply) -> Result<WhoAmI>;

    /// Where the profile comes from.
    fn profile(&self) -> ProfileSource;

    /// Reads the reply to the profile call.
    fn read_profile(&self, reply: &Reply) -> Profile;

    /// The logout request.
    fn logout(&self) -> Request;
}

/// Checks one credential: not empty, and not the placeholder of a sample. Errors: `InvalidInput`.
pub(crate) fn check_credential(field: &str, value: &Secret) -> Result<()> {
    let text = value.expose().trim();
    if text.is_empty() {
        return Err(Error::invalid_input(
            field,
            "is empty: set it to the value from the broker",
        ));
    }
    if text.starts_with('<') && text.ends_with('>') {
        return Err(Error::invalid_input(
            field,
            "is still a placeholder in angle brackets: put your own value there",
        ));
    }
    if text.chars().any(char::is_control) {
        return Err(Error::invalid_input(
            field,
            "holds a control character: paste it again",
        ));
    }
    Ok(())
}

/// A credential by the name of its variable. Errors: `InvalidInput` with that name.
pub(crate) fn variable(name: &str, look_up: &impl Fn(&str) -> Option<String>) -> Result<Secret> {
    look_up(name)
        .filter(|value| !value.trim().is_empty())
        .map(Secret::new)
        .ok_or_else(|| {
            Error::invalid_input(
                name,
                "is not set in the environment: export it, or pass the value yourself",
            )
        })
}

/// The first 16 hex digits of a SHA-256 over the parts, each ended by a zero byte.
pub(crate) fn fingerprint(parts: &[&str]) -> String {
    use std::fmt::Write as _;
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hash.finalize()
        .iter()
        .take(8)
        .fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}
