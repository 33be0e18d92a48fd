//! What the core must know of a broker: the [`Adapter`] trait that each broker's credentials implement, and
//! the [`Policy`] that states its rules as data. The brokers themselves are in `brokers`.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::ask::{Question, SecretSource};
use crate::clock::Timestamp;
use crate::consent::Consent;
use crate::envelope::Reply;
use crate::error::{Error, ErrorKind, Redactor, Result};
use crate::expiry::{Evidence, EvidenceSource, ExpiryPolicy};
use crate::lifecycle::shared::Origin;
use crate::limits::{GATEWAY, LimitGroup, Transient};
use crate::secret::Secret;
use crate::skew::Skew;
use crate::static_ip::{Addresses, WhoAmI};
use crate::target::Environment;
use crate::totp::OneTimeCode;
use crate::wire::{CallClass, Endpoint, Method, RawReply, Request};

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
    /// The least time between two logins of an account; zero where no limit is known.
    pub login_interval: Duration,
    /// What an acknowledged logout leaves open, for a person; empty where nothing is known against it.
    pub logout_note: &'static str,
    /// Calls that the broker counts together, with its limits.
    pub limits: &'static [LimitGroup],
    /// The answers after which a read is repeated.
    pub transient: &'static [Transient],
}

impl Policy {
    /// The rules of a broker of which no more is known: a one-time code counts as spent once sent, and logins may
    /// follow each other at once.
    pub const fn new(
        broker: &'static str,
        base_url: &'static str,
        hosts: &'static [&'static str],
        expiry: ExpiryPolicy,
    ) -> Self {
        Self {
            broker,
            base_url,
            hosts,
            expiry,
            totp_single_use: true,
            login_interval: Duration::ZERO,
            logout_note: "",
            limits: &[],
            transient: GATEWAY,
        }
    }
}

/// The named tokens of one session: `access`, and whatever else the broker gives (`refresh`, `feed`, ...).
/// `Debug` shows names only.
#[derive(Clone)]
pub struct Tokens {
    access: Secret,
    others: Vec<(Cow<'static, str>, Secret)>,
}

impl Tokens {
    /// The tokens of a session whose calls are authenticated by `access`.
    pub fn new(access: impl Into<Secret>) -> Self {
        Self {
            access: access.into(),
            others: Vec::new(),
        }
    }

    /// Adds a further token by its name; `None` adds nothing.
    pub fn with(mut self, name: impl Into<Cow<'static, str>>, token: Option<Secret>) -> Self {
        self.others.extend(token.map(|token| (name.into(), token)));
        self
    }

    /// Keeps every further token of `old` that this set does not replace.
    pub fn keep_from(&mut self, old: &Self) {
        for (name, token) in &old.others {
            if self.get(name).is_none() {
                self.others.push((name.clone(), token.clone()));
            }
        }
    }

    /// The token that authenticates calls.
    pub fn access(&self) -> &Secret {
        &self.access
    }

    /// A further token by its name.
    pub fn get(&self, name: &str) -> Option<&Secret> {
        self.others
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, token)| token)
    }

    /// Every token with its name, `access` first.
    pub fn named(&self) -> impl Iterator<Item = (&str, &Secret)> {
        let others = self.others.iter().map(|(name, token)| (name.as_ref(), token));
        std::iter::once(("access", &self.access)).chain(others)
    }

    /// Every token that is there.
    pub fn all(&self) -> Vec<Secret> {
        self.named().map(|(_, token)| token.clone()).collect()
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tokens(access")?;
        self.others
            .iter()
            .try_for_each(|(name, _)| write!(f, ", {name}"))?;
        f.write_str(")")
    }
}

/// Who the session belongs to, as far as the broker told.
///
/// ```
/// use preopen_core::broker::Profile;
///
/// fn may_trade(profile: &Profile, exchange: &str) -> bool {
///     profile.exchanges.iter().any(|one| one == exchange)
/// }
/// ```
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

impl Profile {
    /// Removes known secrets: the texts are the broker's, and what a broker echoes is not ours to trust.
    pub fn clean(&mut self, redactor: &Redactor) {
        let lists = [&mut self.exchanges, &mut self.products, &mut self.order_types];
        let singles = [&mut self.account_id, &mut self.name];
        let texts = singles.into_iter().flatten().chain(lists.into_iter().flatten());
        texts.for_each(|text| redactor.clean(text));
    }
}

/// What a successful login gave.
#[derive(Clone, Debug)]
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
    /// The broker's time in the reply's body.
    pub server_time: Option<Timestamp>,
    /// How far the broker's clock is from this machine's, where the reply tells a time.
    pub skew: Option<Skew>,
    /// Which login of all programs that share a store this is, when it is kept in one.
    pub origin: Option<Origin>,
    /// How long the access token lives, as the reply tells.
    pub expires_in: Option<Duration>,
    /// How long the refresh token renews the session, where that is longer than the session itself lasts.
    pub renewable_for: Option<Duration>,
    /// Until when that is, once it is known when the login was sent.
    pub renewable_until: Option<Timestamp>,
}

impl Login {
    /// A login that gave these tokens and told nothing else.
    pub fn new(tokens: Tokens) -> Self {
        Self {
            tokens,
            evidence: Vec::new(),
            addresses: None,
            profile: Profile::default(),
            server_time: None,
            skew: None,
            origin: None,
            expires_in: None,
            renewable_for: None,
            renewable_until: None,
        }
    }
}

impl Login {
    /// Counts what the reply told in seconds from when the login was sent: no token was issued earlier.
    pub fn sent_at(&mut self, sent: Timestamp) {
        self.evidence.extend(self.expires_in.take().map(|life| Evidence {
            source: EvidenceSource::ExpiresIn,
            at: sent.plus(life),
        }));
        if let Some(life) = self.renewable_for.take() {
            self.renewable_until = Some(sent.plus(life));
        }
    }
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

    /// Checks the credentials that were given, before any I/O. Errors: `InvalidInput` with the field.
    fn validate(&self) -> Result<()>;

    /// The secrets that must be asked for before a login. They are asked in this order.
    fn questions(&self) -> Vec<Question> {
        Vec::new()
    }

    /// These credentials with the answers to all of [`Adapter::questions`], for one login. Errors: `InvalidInput`
    /// with the field.
    fn answered(&self, answers: Vec<Secret>) -> Result<Arc<dyn Adapter>> {
        let _ = answers;
        Err(Error::new(ErrorKind::Internal, "these credentials ask nothing"))
    }

    /// Who is asked for the one-time code, where it is typed instead of made from a secret.
    fn code_question(&self) -> Option<Question> {
        None
    }

    /// A text that names the account before its first login without giving a credential away.
    fn fingerprint(&self) -> String;

    /// Every secret of the credentials, for redaction.
    fn secrets(&self) -> Vec<Secret>;

    /// The one-time code for a login at `now`, if this login needs one. Errors: `InvalidInput`.
    fn one_time_code(&self, now: Timestamp) -> Result<Option<OneTimeCode>> {
        let _ = now;
        Ok(None)
    }

    /// The login request. `code` is what [`Adapter::one_time_code`] made.
    fn login(&self, code: Option<OneTimeCode>) -> Request;

    /// Reads the reply to the login. Errors: any kind but those of a session.
    fn read_login(&self, endpoint: &Endpoint, raw: &RawReply) -> Result<Login>;

    /// The request that renews a session with its refresh token, for brokers that have one; its reply is read by
    /// [`Adapter::read_login`]. `None` means that only a login renews.
    fn refresh(&self, tokens: &Tokens) -> Option<Request> {
        let _ = tokens;
        None
    }

    /// Names a call and says what it does; an unknown POST, PUT or DELETE is a write.
    fn endpoint(&self, method: Method, path: &str) -> Endpoint;

    /// Every header of an authenticated call, as far as it does not depend on the call.
    fn headers(&self, tokens: &Tokens) -> Vec<(String, Secret)>;

    /// Authenticates one request that is sent at `now`. The default puts [`Adapter::headers`] before the
    /// request's own; a broker that signs each request, or wants its token in the body, has its own way.
    fn authorize(&self, request: &mut Request, tokens: &Tokens, now: Timestamp) {
        let _ = now;
        let own = std::mem::replace(&mut request.headers, self.headers(tokens));
        request.headers.extend(own);
    }

    /// Reads the reply to an authenticated call. Errors: as the broker's fault table says.
    fn read(&self, endpoint: &Endpoint, raw: &RawReply) -> Result<Reply>;

    /// Reads it as [`Adapter::read`] does, with the same result, for a caller who may not want a tree of its data. The
    /// default makes one; the brokers of this crate leave the data in the reply's text where they can.
    fn read_lazily(&self, endpoint: &Endpoint, raw: RawReply) -> Result<Reply> {
        self.read(endpoint, &raw).map(|reply| reply.of(raw.body))
    }

    /// The call that asks which address the broker sees, if there is one.
    fn whoami(&self) -> Option<Request>;

    /// Reads the reply to [`Adapter::whoami`]. Errors: `MalformedResponse`.
    fn read_whoami(&self, reply: &Reply) -> Result<WhoAmI>;

    /// Where the profile comes from.
    fn profile(&self) -> ProfileSource;

    /// Reads the reply to the profile call.
    fn read_profile(&self, reply: &Reply) -> Profile;

    /// The request that ends the session of these tokens, authenticated. The default sends [`Adapter::logout_call`]
    /// like any other call.
    /// `live` says whether the access token is.
    fn logout(&self, tokens: &Tokens, live: bool, now: Timestamp) -> Request {
        let _ = live;
        let mut request = self.logout_call();
        self.authorize(&mut request, tokens, now);
        request
    }

    /// The logout call, not yet authenticated.
    fn logout_call(&self) -> Request;

    /// A call of the account itself, which is sent with the credentials and no session; `None` where the credentials
    /// know none. Errors: `InvalidInput`.
    fn account_call(&self, call: &AccountCall) -> Option<Result<Request>> {
        let _ = call;
        None
    }

    /// The call of a live session that gives a code for another login, where the broker has one; its reply is read by
    /// [`Adapter::read_login_code`].
    fn login_code(&self) -> Option<Request> {
        None
    }

    /// The code, and how long it lasts. Errors: `MalformedResponse`.
    fn read_login_code(&self, reply: &Reply) -> Result<(Secret, Duration)> {
        let _ = reply;
        Err(Error::new(ErrorKind::Internal, "this broker has no login codes"))
    }

    /// The broker's own login page, for credentials that only a person can log in with.
    fn consent(&self) -> Option<&dyn Consent> {
        None
    }

    /// A request that must be answered before the login is sent, for brokers whose login takes two steps; its reply is
    /// read by [`Adapter::after_first_step`].
    fn first_step(&self) -> Option<Request> {
        None
    }

    /// These credentials with what the first step gave. Errors: any kind but those of a session.
    fn after_first_step(&self, endpoint: &Endpoint, raw: &RawReply) -> Result<Arc<dyn Adapter>> {
        let _ = (endpoint, raw);
        Err(Error::new(ErrorKind::Internal, "these credentials have one step"))
    }

    /// Whether the session itself makes this call, so that its caller may not.
    fn is_own(&self, endpoint: &Endpoint) -> bool {
        matches!(endpoint.class, CallClass::Login | CallClass::Logout)
    }

    /// Whose calls the broker counts together, told without giving a credential away: these credentials' own, or those of
    /// every key of the account.
    fn counted_as(&self) -> String {
        self.fingerprint()
    }

    /// The broker's streams (WebSocket) by the broker's own names, the main one first.
    fn streams(&self) -> &'static [&'static str] {
        &[]
    }

    /// Whether a login gives a feed token, which is kept as `feed`.
    fn has_feed_token(&self) -> bool {
        false
    }

    /// The headers of the handshake of one of [`Adapter::streams`]. `None` when the session lacks a token for it.
    fn stream_headers(&self, stream: &str, tokens: &Tokens) -> Option<Vec<(String, Secret)>> {
        let _ = (stream, tokens);
        None
    }
}

/// A call of an account that is sent with its credentials and without a session.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum AccountCall {
    /// Sends a one-time code to the holder.
    GenerateOtp,
    /// Has the secret API key sent to the holder.
    GenerateSecretKey {
        /// The one-time code that the holder was sent.
        otp: Secret,
    },
    /// Registers the account's addresses for the first time.
    RegisterIps {
        /// The primary address.
        primary: String,
        /// The secondary address, if there is one.
        secondary: Option<String>,
    },
    /// Changes the account's addresses.
    UpdateIps {
        /// The primary address.
        primary: String,
        /// The secondary address, if there is one.
        secondary: Option<String>,
    },
}

/// A text that is the same for the same credentials and tells nothing of them: a store remembers by it which ones a
/// broker refused.
pub fn digest(adapter: &dyn Adapter) -> String {
    let account = adapter.fingerprint();
    let secrets = adapter.secrets();
    let mut parts = vec!["credentials", account.as_str()];
    parts.extend(secrets.iter().map(Secret::expose));
    fingerprint(&parts)
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

/// Checks a credential that may be asked for later: then there is nothing to check yet. Errors: `InvalidInput`.
pub(crate) fn check_source(field: &str, source: &SecretSource) -> Result<()> {
    source
        .given()
        .map_or(Ok(()), |value| check_credential(field, value))
}

/// How the keys and secrets of the embedded broker's accounts begin.
pub const SANDBOX_MARK: &str = "sandbox-";

/// Refuses credentials of the embedded broker anywhere else: they are worth nothing there, and mean that a
/// `base_url` was forgotten. Errors: `InvalidInput` (`base_url`).
pub fn check_environment(adapter: &dyn Adapter, environment: Environment) -> Result<()> {
    let marked = |secret: &Secret| secret.expose().starts_with(SANDBOX_MARK);
    if environment != Environment::Sandbox && adapter.secrets().iter().any(marked) {
        return Err(Error::invalid_input(
            "base_url",
            "is not that of the embedded broker, but the credentials are: give its URL, or your own credentials",
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
