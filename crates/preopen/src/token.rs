//! What a session hands out: tokens and headers, redacted unless asked for by name.

use std::fmt;
use std::sync::Arc;

use preopen_core::lifecycle::Record;
use preopen_core::{Secret, Timestamp};

use crate::common::Common;
use crate::session::Session;
use crate::shared::is_fresh;

/// A live access token. `Debug` is redacted; [`Token::expose`] gives the text.
///
/// ```no_run
/// # async fn example(session: preopen::Session) -> preopen::Result<()> {
/// let token = session.token().await?;
/// println!("{token:?}");                       // redacted
/// println!("generation {} until {}", token.generation(), token.expires_at());
/// let header = format!("Bearer {}", token.expose());
/// # let _ = header;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Token(Arc<Record>);

impl Token {
    pub(crate) fn new(record: Arc<Record>) -> Self {
        Self(record)
    }

    /// The token itself, for a header that you build on your own.
    pub fn expose(&self) -> &str {
        self.0.tokens.access().expose()
    }

    /// When the token ends, at the latest.
    pub fn expires_at(&self) -> Timestamp {
        self.0.expiry.at()
    }

    /// The number of the login that the token came from; give it to `invalidate`.
    pub fn generation(&self) -> u64 {
        self.0.generation
    }
}

/// For languages that hand out one object again and again.
impl Session {
    /// Whether [`Session::try_fresh_token`] would give this token now: it is the session's, and live by both clocks.
    #[doc(hidden)]
    pub fn hands_out(&self, token: &Token) -> bool {
        let is_it = |record: &Arc<Record>| Arc::ptr_eq(record, &token.0).then_some(());
        is_fresh(&self.inner) && self.inner.look(is_it).is_some()
    }

    /// The generation of the token that [`Session::try_fresh_token`] would give now.
    #[doc(hidden)]
    pub fn fresh_generation(&self) -> Option<u64> {
        let generation = |record: &Arc<Record>| Some(record.generation);
        is_fresh(&self.inner)
            .then(|| self.inner.look(generation))
            .flatten()
    }

    /// The headers of calls with this token.
    #[doc(hidden)]
    pub fn headers_with(&self, token: &Token) -> Headers {
        self.inner.headers_of(&token.0)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Token(**redacted**, generation {}, until {})",
            self.generation(),
            self.expires_at().to_ist()
        )
    }
}

/// The headers of an authenticated call, in order. Values are secrets; `Debug` shows names only.
///
/// ```no_run
/// # async fn example(session: preopen::Session) -> preopen::Result<()> {
/// let headers = session.headers().await?;
/// println!("{headers:?}: {:?}", headers.names().collect::<Vec<_>>());   // names only
/// for (name, value) in headers.expose() {
///     // The values are secrets.
///     let _ = (name, value);
/// }
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Headers(Arc<Lines>);

struct Lines {
    /// The same for every session of a broker.
    names: Arc<Vec<String>>,
    values: Box<[Secret]>,
}

static NAMES: Common<Vec<String>> = Common::new();

impl Headers {
    pub(crate) fn new(headers: Vec<(String, Secret)>) -> Self {
        let (names, values): (_, Vec<_>) = headers.into_iter().unzip();
        Self(Arc::new(Lines {
            names: NAMES.of(names),
            values: values.into(),
        }))
    }

    /// Names and values; this exposes the token.
    pub fn expose(&self) -> impl Iterator<Item = (&str, &str)> {
        self.names().zip(self.0.values.iter().map(Secret::expose))
    }

    /// The header names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.names.iter().map(String::as_str)
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Headers({})", self.names().collect::<Vec<_>>().join(", "))
    }
}
