//! The one public error: a kind that says what the caller should do, a stable code, retry advice and safe
//! context. How a broker's answer becomes a kind is each broker's `faults` table.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use zeroize::Zeroize;

use crate::clock::Timestamp;
pub use crate::redact::{MESSAGE_LIMIT, Redactor, safe_text};
use crate::secret::Text;
use crate::skew::Skew;
use crate::static_ip::Addresses;

/// A result with Preopen's [`Error`].
///
/// ```
/// fn port(text: &str) -> preopen_core::Result<u16> {
///     text.parse().map_err(|_| preopen_core::Error::invalid_input("port", "must be a number"))
/// }
/// assert_eq!(port("x").unwrap_err().field(), Some("port"));
/// ```
pub type Result<T, E = Error> = std::result::Result<T, E>;

macro_rules! text_enum {
    ($(#[$meta:meta])* $name:ident { $($(#[doc = $about:literal])+ $variant:ident = $text:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name { $($(#[doc = $about])+ $variant,)+ }

        impl $name {
            /// Every value, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The stable text of this value, the same in every language.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            /// What this value means, in a sentence: the words of its documentation, which `docs/errors.md` is made of.
            pub const fn about(self) -> &'static str {
                match self { $(Self::$variant => concat!($($about),+).trim_ascii(),)+ }
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

pub(crate) use text_enum;

text_enum! {
    /// What went wrong, in terms of what the caller should do about it.
    ///
    /// ```
    /// use preopen_core::ErrorKind;
    ///
    /// assert_eq!(ErrorKind::StaticIpMismatch.as_str(), "static_ip_mismatch");
    /// assert_eq!(ErrorKind::ALL.len(), 16);
    /// ```
    ErrorKind {
        /// Refused before any I/O: fix the named field.
        InvalidInput = "invalid_input",
        /// The broker refused a credential: fix it. A refused login is not tried again until `reset()`.
        CredentialsRejected = "credentials_rejected",
        /// A person must act at the broker: log in to its app, subscribe, or get unblocked.
        AccountActionRequired = "account_action_required",
        /// A new interactive login is needed.
        LoginRequired = "login_required",
        /// The broker refused the token, and this call may not be repeated (a write) or was repeated already.
        SessionExpired = "session_expired",
        /// This host's address is not registered with the broker.
        StaticIpMismatch = "static_ip_mismatch",
        /// Too many calls: wait.
        RateLimited = "rate_limited",
        /// The deadline passed.
        Timeout = "timeout",
        /// DNS, connect, TLS, or a connection that broke.
        Network = "network",
        /// The broker answered with a 5xx, an HTML page, gateway text, or nothing.
        BrokerUnavailable = "broker_unavailable",
        /// A write may have happened: look at the order book before repeating it.
        OutcomeUnknown = "outcome_unknown",
        /// The broker said no to this request.
        BrokerRejected = "broker_rejected",
        /// JSON that fits no known shape.
        MalformedResponse = "malformed_response",
        /// The session store cannot be used.
        StoreUnavailable = "store_unavailable",
        /// The caller gave up; the login it waited for goes on.
        Cancelled = "cancelled",
        /// A bug in Preopen: report it.
        Internal = "internal",
    }
}

text_enum! {
    /// Which credential was refused.
    ///
    /// ```
    /// use preopen_core::error::Credential;
    ///
    /// assert_eq!(Credential::ApiKey.as_str(), "api_key");
    /// ```
    Credential {
        /// The app's API key.
        ApiKey = "api_key",
        /// The app's API secret.
        ApiSecret = "api_secret",
        /// The client code or its PIN.
        Pin = "pin",
        /// The one-time code, or the secret that makes it.
        Totp = "totp",
        /// The account's password, of Samco's deprecated calls.
        Password = "password",
        /// The broker did not say.
        Unknown = "unknown",
    }
}

text_enum! {
    /// What a person must do at the broker.
    ///
    /// ```
    /// use preopen_core::error::AccountAction;
    ///
    /// assert_eq!(AccountAction::AppLogin.as_str(), "app_login");
    /// ```
    AccountAction {
        /// Log in to the broker's own app or website once.
        AppLogin = "app_login",
        /// Subscribe to the broker's API.
        NotSubscribed = "not_subscribed",
        /// Get the account unblocked.
        Blocked = "blocked",
    }
}

text_enum! {
    /// Why an interactive login is needed.
    ///
    /// ```
    /// use preopen_core::error::LoginReason;
    ///
    /// assert_eq!(LoginReason::ConsentNeeded.as_str(), "consent_needed");
    /// ```
    LoginReason {
        /// The session was logged out while the caller waited for it.
        SignedOut = "signed_out",
        /// The refresh token has expired.
        RefreshExpired = "refresh_expired",
        /// The refresh token is not valid any more.
        RefreshRejected = "refresh_rejected",
        /// A callback for a secret gave nothing: nobody was there to answer it.
        NotAnswered = "not_answered",
        /// What a store holds cannot be read: it is damaged, rolled back, or sealed with another key.
        StoreUnreadable = "store_unreadable",
        /// The broker does not know the login code, or none was sent.
        CodeInvalid = "code_invalid",
        /// The login code is too old.
        CodeExpired = "code_expired",
        /// The login code was used before: the broker has revoked the tokens that it gave.
        CodeReplayed = "code_replayed",
        /// The user must log in at the broker's page and consent.
        ConsentNeeded = "consent_needed",
        /// The user cancelled at the broker's page, or the page refused the login.
        ConsentDenied = "consent_denied",
    }
}

text_enum! {
    /// Where in a call the deadline passed or the connection broke.
    ///
    /// ```
    /// use preopen_core::error::Phase;
    ///
    /// assert_eq!(Phase::Connect.as_str(), "connect");
    /// ```
    Phase {
        /// Waiting for another process's login.
        Lock = "lock",
        /// Connecting: nothing was sent.
        Connect = "connect",
        /// During the login call.
        Login = "login",
        /// Waiting for or reading the reply.
        Read = "read",
    }
}

/// Whether and when the same call is worth another try.
///
/// ```
/// use preopen_core::error::Advice;
/// use preopen_core::{Error, ErrorKind};
///
/// let error = Error::new(ErrorKind::CredentialsRejected, "wrong PIN");
/// assert_eq!(error.advice(), Advice::Never);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Advice {
    /// Not without a change.
    Never,
    /// At once.
    Now,
    /// After a wait.
    After(Duration),
    /// After a new login; the session logs in by itself on the next call.
    AfterLogin,
}

impl Advice {
    /// The stable text of this advice, without its duration: `never`, `now`, `after`, `after_login`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::Now => "now",
            Self::After(_) => "after",
            Self::AfterLogin => "after_login",
        }
    }
}

/// What is known about an error beside its kind and message. All of it is safe to log.
///
/// ```
/// use preopen_core::{Error, ErrorKind};
///
/// let error = Error::new(ErrorKind::BrokerRejected, "no such symbol").with(|context| context.http_status = Some(400));
/// assert_eq!(error.context().http_status, Some(400));
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Context {
    /// The field that was refused, for `InvalidInput`.
    pub field: Option<String>,
    /// Broker, for example `samco`.
    pub broker: Option<&'static str>,
    /// Method and path, without a query.
    pub endpoint: Option<String>,
    /// HTTP status of the reply.
    pub http_status: Option<u16>,
    /// The broker's own error code.
    pub broker_code: Option<String>,
    /// The broker's message id.
    pub message_id: Option<String>,
    /// The broker's time, as told by the reply.
    pub server_time: Option<Timestamp>,
    /// Which credential was refused, for `CredentialsRejected`.
    pub credential: Option<Credential>,
    /// What a person must do, for `AccountActionRequired`.
    pub account_action: Option<AccountAction>,
    /// Why an interactive login is needed, for `LoginRequired`.
    pub login_reason: Option<LoginReason>,
    /// Where it happened, for `Timeout` and `Network`.
    pub phase: Option<Phase>,
    /// How far this machine's clock is from the broker's, when that is a likely cause.
    pub clock_skew: Option<Skew>,
    /// How long to wait, for `RateLimited`, when the broker or a limit said so.
    pub retry_after: Option<Duration>,
    /// The address that the broker saw, for `StaticIpMismatch`, when known.
    pub source_ip: Option<String>,
    /// The registered primary address, for `StaticIpMismatch`, when known.
    pub primary_ip: Option<String>,
    /// The registered secondary address, for `StaticIpMismatch`, when known.
    pub secondary_ip: Option<String>,
    /// What the broker found wrong with the request, for `BrokerRejected`.
    pub validation_errors: Vec<String>,
    /// The start of a body that could not be read, or of the payload that came with a refusal, as JSON: one line, redacted.
    /// Never that of a call that may answer with tokens.
    pub body: Option<String>,
}

/// Why a Preopen call failed.
///
/// `Display` is one line and safe to log: it holds no secret. Clones share one allocation, so that all
/// callers who waited for the same login get the same error.
///
/// ```
/// use preopen_core::{Error, ErrorKind};
///
/// let error = Error::invalid_input("pin", "must be four digits");
/// assert_eq!((error.kind(), error.code(), error.field()), (ErrorKind::InvalidInput, "invalid_input", Some("pin")));
/// assert_eq!(error.message(), "pin must be four digits");
/// ```
#[derive(Clone)]
pub struct Error(Arc<Inner>);

#[derive(Clone, Debug)]
struct Inner {
    kind: ErrorKind,
    advice: Advice,
    message: String,
    context: Context,
    source: Option<Cause>,
}

impl Inner {
    /// Every text that may have come from a broker.
    fn texts(&mut self) -> impl Iterator<Item = &mut String> {
        let context = &mut self.context;
        let options = [
            &mut context.broker_code,
            &mut context.message_id,
            &mut context.body,
        ];
        options
            .into_iter()
            .flatten()
            .chain(&mut context.validation_errors)
            .chain(std::iter::once(&mut self.message))
    }
}

impl Drop for Inner {
    /// An error that fails on its way out was not redacted yet.
    fn drop(&mut self) {
        self.texts().for_each(String::zeroize);
    }
}

/// A lower-level cause, kept as text so that no third-party type and no secret travels with an error.
#[derive(Clone)]
pub struct Cause {
    message: String,
    source: Option<Box<Cause>>,
}

impl Cause {
    /// A cause without one below it.
    pub fn new(message: impl AsRef<str>) -> Self {
        Self {
            message: safe_text(message.as_ref()),
            source: None,
        }
    }

    /// Copies the messages of an error chain.
    pub fn from_chain(error: &(dyn StdError + 'static)) -> Self {
        Self {
            message: safe_text(&Text::format(format_args!("{error}"))),
            source: error.source().map(|below| Box::new(Self::from_chain(below))),
        }
    }

    fn clean(&mut self, redactor: &Redactor) {
        redactor.fit(&mut self.message);
        if let Some(below) = &mut self.source {
            below.clean(redactor);
        }
    }
}

impl Drop for Cause {
    fn drop(&mut self) {
        self.message.zeroize();
    }
}

impl fmt::Debug for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.message)?;
        if let Some(below) = &self.source {
            write!(f, " <- {below:?}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Cause {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|below| below as _)
    }
}

impl Error {
    /// An error of `kind` with the retry advice that is usual for it. The message is cleaned and capped.
    pub fn new(kind: ErrorKind, message: impl AsRef<str>) -> Self {
        let advice = match kind {
            ErrorKind::InvalidInput
            | ErrorKind::CredentialsRejected
            | ErrorKind::AccountActionRequired
            | ErrorKind::StaticIpMismatch
            | ErrorKind::OutcomeUnknown
            | ErrorKind::BrokerRejected
            | ErrorKind::Internal => Advice::Never,
            ErrorKind::LoginRequired | ErrorKind::SessionExpired => Advice::AfterLogin,
            ErrorKind::RateLimited
            | ErrorKind::BrokerUnavailable
            | ErrorKind::MalformedResponse
            | ErrorKind::StoreUnavailable => Advice::After(Duration::from_secs(1)),
            ErrorKind::Timeout | ErrorKind::Network | ErrorKind::Cancelled => Advice::Now,
        };
        Self(Arc::new(Inner {
            kind,
            advice,
            message: safe_text(message.as_ref()),
            context: Context::default(),
            source: None,
        }))
    }

    /// `InvalidInput` for `field`; `problem` completes the sentence that begins with the field's name.
    pub fn invalid_input(field: &str, problem: &str) -> Self {
        Self::new(ErrorKind::InvalidInput, format!("{field} {problem}"))
            .with(|c| c.field = Some(field.to_owned()))
    }

    /// Changes the context.
    pub fn with(self, edit: impl FnOnce(&mut Context)) -> Self {
        self.edit(|inner| edit(&mut inner.context))
    }

    /// Replaces the retry advice.
    pub fn with_advice(self, advice: Advice) -> Self {
        self.edit(|inner| inner.advice = advice)
    }

    /// Names the addresses of a `StaticIpMismatch`.
    pub fn with_addresses(self, addresses: &Addresses) -> Self {
        self.with(|context| {
            context.source_ip.clone_from(&addresses.source);
            context.primary_ip.clone_from(&addresses.primary);
            context.secondary_ip.clone_from(&addresses.secondary);
        })
    }

    /// Names a lower-level cause.
    pub fn with_source(self, source: Cause) -> Self {
        self.edit(|inner| inner.source = Some(source))
    }

    /// Replaces the message; it is cleaned and capped.
    pub fn with_message(self, message: impl AsRef<str>) -> Self {
        self.edit(|inner| {
            inner.message.zeroize();
            inner.message = safe_text(message.as_ref());
        })
    }

    /// Makes every text of this error fit to leave: values of known secrets removed, then cut to
    /// [`MESSAGE_LIMIT`].
    pub fn redacted(self, redactor: &Redactor) -> Self {
        self.edit(|inner| {
            inner.texts().for_each(|text| redactor.fit(text));
            if let Some(source) = &mut inner.source {
                source.clean(redactor);
            }
        })
    }

    /// What a failed write means: when its bytes may have left and no verdict of the broker came back, the
    /// outcome is unknown. Every other error stays as it is.
    pub fn for_write(self) -> Self {
        let context = self.context();
        let unknown = match self.kind() {
            ErrorKind::Timeout | ErrorKind::Network => context.phase != Some(Phase::Connect),
            ErrorKind::MalformedResponse => true,
            // A gateway that refuses with a 4xx and no word of the broker did not pass the request on.
            ErrorKind::BrokerUnavailable => {
                context.broker_code.is_some()
                    || !context
                        .http_status
                        .is_some_and(|status| (400..500).contains(&status))
            }
            _ => false,
        };
        if !unknown {
            return self;
        }
        let cause = Cause::from_chain(&self);
        let message = Text::format(format_args!(
            "the request may have reached the broker: look at the order book before repeating it ({self})"
        ));
        let outcome = Self::new(ErrorKind::OutcomeUnknown, message);
        let context = context.clone();
        outcome.with(|c| *c = context).with_source(cause)
    }

    fn edit(mut self, change: impl FnOnce(&mut Inner)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }

    /// What the caller should do about it.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The stable code of the kind, the same in every language.
    pub fn code(&self) -> &'static str {
        self.0.kind.as_str()
    }

    /// Whether and when to try again.
    pub fn advice(&self) -> Advice {
        self.0.advice
    }

    /// One line for a person, at most 512 characters, without secrets.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Everything else that is known.
    pub fn context(&self) -> &Context {
        &self.0.context
    }

    /// The refused field of an `InvalidInput`.
    pub fn field(&self) -> Option<&str> {
        self.0.context.field.as_deref()
    }

    /// The messages of the lower-level causes, nearest first.
    pub fn causes(&self) -> Vec<String> {
        let mut causes = Vec::new();
        let mut next = self.0.source.as_ref();
        while let Some(cause) = next {
            causes.push(cause.message.clone());
            next = cause.source.as_deref();
        }
        causes
    }

    /// A refused one-time code while the clocks differ: the clock is named before the user's secret is blamed.
    /// Every other error stays as it is.
    pub fn suspecting_clock(self, skew: Option<Skew>) -> Self {
        let code = self.context().credential == Some(Credential::Totp);
        let Some(skew) = skew.filter(|skew| code && skew.is_suspect()) else {
            return self;
        };
        let message = format!(
            "{} (this machine's clock is {skew}: set it before you doubt the TOTP secret)",
            self.message()
        );
        self.with_message(message)
            .with(|context| context.clock_skew = Some(skew))
    }

    /// Whether a login that failed with this must not be tried again until the credentials change or the
    /// user resets the session.
    pub fn is_terminal_for_login(&self) -> bool {
        matches!(
            self.kind(),
            ErrorKind::CredentialsRejected | ErrorKind::AccountActionRequired
        )
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let context = &self.0.context;
        if let Some(broker) = context.broker {
            write!(f, "{broker}: ")?;
        }
        f.write_str(&self.0.message)?;
        let status = context.http_status.map(|status| format!("HTTP {status}"));
        let facts = [
            context.endpoint.as_deref(),
            status.as_deref(),
            context.broker_code.as_deref(),
        ];
        let mut before = " [";
        for fact in facts.into_iter().flatten() {
            write!(f, "{before}{fact}")?;
            before = ", ";
        }
        f.write_str(if before == " [" { "" } else { "]" })
    }
}

impl fmt::Debug for Error {
    /// The sentence of `Display`, kind and advice, and those facts that are known: this is what a `main` that
    /// returns an error prints.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let context = &self.0.context;
        write!(
            f,
            "{self} (kind {}, advice {}",
            self.code(),
            self.0.advice.as_str()
        )?;
        let facts = [
            ("field", context.field.as_deref()),
            ("which", context.credential.map(Credential::as_str)),
            ("which", context.account_action.map(AccountAction::as_str)),
            ("reason", context.login_reason.map(LoginReason::as_str)),
            ("phase", context.phase.map(Phase::as_str)),
            ("source_ip", context.source_ip.as_deref()),
            ("primary_ip", context.primary_ip.as_deref()),
            ("secondary_ip", context.secondary_ip.as_deref()),
            ("message_id", context.message_id.as_deref()),
            ("body", context.body.as_deref()),
        ];
        for (name, value) in facts {
            if let Some(value) = value {
                write!(f, ", {name} {value:?}")?;
            }
        }
        if let Some(skew) = context.clock_skew {
            write!(f, ", clock_skew {} ms", skew.as_millis())?;
        }
        if let Some(wait) = context.retry_after {
            write!(f, ", retry_after {wait:?}")?;
        }
        if !context.validation_errors.is_empty() {
            write!(f, ", validation_errors {:?}", context.validation_errors)?;
        }
        if let Some(source) = &self.0.source {
            write!(f, ", because {source:?}")?;
        }
        f.write_str(")")
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_ref().map(|cause| cause as _)
    }
}

#[cfg(test)]
mod tests {
    use super::{Credential, Error, ErrorKind, Phase};
    use crate::skew::Skew;

    #[test]
    fn codes_are_unique_and_snake_case() {
        let mut codes: Vec<_> = ErrorKind::ALL.iter().map(|kind| kind.as_str()).collect();
        assert!(
            codes
                .iter()
                .all(|code| code.chars().all(|c| c.is_ascii_lowercase() || c == '_'))
        );
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), 16);
    }

    #[test]
    fn display_is_one_line_with_context() {
        let error = Error::new(ErrorKind::BrokerRejected, "no\n  such\tsymbol").with(|c| {
            c.broker = Some("samco");
            c.http_status = Some(400);
            c.endpoint = Some("GET /quote/getQuote".into());
        });
        assert_eq!(
            error.to_string(),
            "samco: no such symbol [GET /quote/getQuote, HTTP 400]"
        );
    }

    #[test]
    fn f9_a_refused_code_with_a_skewed_clock_names_the_clock() {
        let refused = |which| {
            Error::new(ErrorKind::CredentialsRejected, "Invalid TOTP").with(|c| c.credential = Some(which))
        };
        let skew = Some(Skew::from_millis(90_000));
        let error = refused(Credential::Totp).suspecting_clock(skew);
        assert!(
            error
                .message()
                .contains("this machine's clock is 90 s behind the broker's"),
            "{error}"
        );
        assert_eq!(error.context().clock_skew, skew);
        for (which, skew) in [
            (Credential::Pin, skew),
            (Credential::Totp, None),
            (Credential::Totp, Some(Skew::from_millis(3000))),
        ] {
            let error = refused(which).suspecting_clock(skew);
            assert_eq!(
                (error.message(), error.context().clock_skew),
                ("Invalid TOTP", None)
            );
        }
    }

    #[test]
    fn a_write_whose_bytes_may_have_left_is_unknown() {
        let phase = |kind, phase| {
            Error::new(kind, "x")
                .with(|c| c.phase = Some(phase))
                .for_write()
                .kind()
        };
        assert_eq!(phase(ErrorKind::Timeout, Phase::Read), ErrorKind::OutcomeUnknown);
        assert_eq!(phase(ErrorKind::Network, Phase::Connect), ErrorKind::Network);
        let status = |s| {
            Error::new(ErrorKind::BrokerUnavailable, "x")
                .with(|c| c.http_status = Some(s))
                .for_write()
                .kind()
        };
        assert_eq!(status(502), ErrorKind::OutcomeUnknown);
        assert_eq!(status(200), ErrorKind::OutcomeUnknown);
        assert_eq!(status(303), ErrorKind::OutcomeUnknown);
        assert_eq!(status(400), ErrorKind::BrokerUnavailable);
        let code = Error::new(ErrorKind::BrokerUnavailable, "x").with(|c| {
            c.http_status = Some(400);
            c.broker_code = Some("AB1004".into());
        });
        assert_eq!(code.for_write().kind(), ErrorKind::OutcomeUnknown);
        assert_eq!(
            Error::new(ErrorKind::RateLimited, "x").for_write().kind(),
            ErrorKind::RateLimited
        );
    }
}
