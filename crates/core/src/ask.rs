//! Secrets that are asked for instead of given: what a callback is and what it may answer. When it is called, and
//! what follows from a failure, is the flight's business in `preopen`.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::error::{Error, ErrorKind, LoginReason, Result};
use crate::secret::Secret;

/// What a callback answers: the secret, or `None` when nobody is there to give it.
///
/// ```
/// use preopen_core::ask::Answer;
/// use preopen_core::Secret;
///
/// fn from_vault() -> Answer {
///     Ok(Some(Secret::new("0000")))     // `Ok(None)` when nobody is there to answer
/// }
/// # assert!(from_vault().is_ok());
/// ```
pub type Answer = Result<Option<Secret>>;

/// An answer under way.
pub type Answering = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// A callback that gives a secret. It is called before a login that needs the secret, and not otherwise; its
/// answer is used for that login and then forgotten.
#[derive(Clone)]
pub enum Ask {
    /// A function that may block, for example on a terminal; it runs on a thread of its own.
    Blocking(Arc<dyn Fn() -> Answer + Send + Sync>),
    /// An asynchronous function.
    Async(Arc<dyn Fn() -> Answering + Send + Sync>),
}

impl Ask {
    /// A callback that may block.
    pub fn blocking(callback: impl Fn() -> Answer + Send + Sync + 'static) -> Self {
        Self::Blocking(Arc::new(callback))
    }

    /// An asynchronous callback.
    ///
    /// ```
    /// use preopen_core::{Secret, ask::Ask};
    /// let pin = Ask::new(|| async { Ok(Some(Secret::new("0000"))) });
    /// assert_eq!(format!("{pin:?}"), "Ask");
    /// ```
    pub fn new<F>(callback: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Answer> + Send + 'static,
    {
        Self::Async(Arc::new(move || Box::pin(callback())))
    }
}

impl fmt::Debug for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ask")
    }
}

/// A secret that was given, or a callback to ask for it.
///
/// ```
/// use preopen_core::ask::{Ask, SecretSource};
/// use preopen_core::Secret;
///
/// let given = SecretSource::from(" 0000 ").trimmed();
/// assert_eq!(given.given().map(Secret::expose), Some("0000"));
/// let asked = SecretSource::from(Ask::blocking(|| Ok(Some(Secret::new("0000")))));
/// assert!(asked.ask().is_some());
/// ```
#[derive(Clone, Debug)]
pub enum SecretSource {
    /// The secret.
    Given(Secret),
    /// Asked for when a login needs it.
    Asked(Ask),
}

impl SecretSource {
    /// The secret, if it was given.
    pub fn given(&self) -> Option<&Secret> {
        match self {
            Self::Given(secret) => Some(secret),
            Self::Asked(_) => None,
        }
    }

    /// The callback, if the secret is to be asked for.
    pub fn ask(&self) -> Option<&Ask> {
        match self {
            Self::Given(_) => None,
            Self::Asked(ask) => Some(ask),
        }
    }

    /// The secret for the login request; empty while nobody was asked, which `validate` of the answered credentials
    /// rules out.
    pub(crate) fn or_empty(&self) -> Secret {
        self.given().cloned().unwrap_or_else(|| Secret::new(""))
    }

    /// Without white space around a given secret.
    #[must_use]
    pub fn trimmed(self) -> Self {
        match self {
            Self::Given(secret) => Self::Given(secret.trimmed()),
            asked @ Self::Asked(_) => asked,
        }
    }
}

impl<T: Into<Secret>> From<T> for SecretSource {
    fn from(secret: T) -> Self {
        Self::Given(secret.into())
    }
}

impl From<Ask> for SecretSource {
    fn from(ask: Ask) -> Self {
        Self::Asked(ask)
    }
}

/// One secret that a login needs and that must be asked for.
#[derive(Clone, Debug)]
pub struct Question {
    /// The credential's field, for example `pin`.
    pub field: &'static str,
    /// Who knows it.
    pub ask: Ask,
}

impl Question {
    /// The error of a question that nobody answered: the callback gave nothing.
    pub fn unanswered(&self) -> Error {
        let field = self.field;
        Error::new(
            ErrorKind::LoginRequired,
            format!("the callback for {field} gave nothing: log in where somebody can answer it"),
        )
        .with(|context| context.login_reason = Some(LoginReason::NotAnswered))
    }

    /// The error of a callback that failed; `how` completes the sentence that begins with "the callback for".
    /// What the callback itself said is left out: it may hold the secret.
    pub fn failed(&self, how: &str) -> Error {
        callback_failed(self.field, how)
    }
}

/// The error of the callback for `field` that failed; `how` completes the sentence, for example `raised KeyError`.
///
/// ```
/// let error = preopen_core::ask::callback_failed("pin", "could not reach the vault");
/// assert_eq!(error.message(), "the callback for pin could not reach the vault: nothing was sent");
/// ```
pub fn callback_failed(field: &str, how: &str) -> Error {
    Error::new(
        ErrorKind::InvalidInput,
        format!("the callback for {field} {how}: nothing was sent"),
    )
    .with(|context| context.field = Some(field.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::{Ask, Question, SecretSource};
    use crate::error::ErrorKind;
    use crate::secret::Secret;

    #[test]
    fn a_source_is_given_or_asked_and_shows_no_secret() {
        let given = SecretSource::from(" CANARY ").trimmed();
        assert_eq!(given.given().map(Secret::expose), Some("CANARY"));
        assert!(given.ask().is_none());
        let asked = SecretSource::from(Ask::blocking(|| Ok(Some(Secret::new("CANARY")))));
        assert!(asked.given().is_none() && asked.ask().is_some());
        assert!(!format!("{given:?} {asked:?}").contains("CANARY"));
    }

    #[test]
    fn s4_a_failed_callback_is_a_typed_error_that_names_its_field() {
        let ask = Ask::blocking(|| Ok(None));
        assert_eq!(format!("{ask:?}"), "Ask");
        let question = Question { field: "pin", ask };
        let failed = question.failed("panicked");
        assert_eq!(
            (failed.kind(), failed.field()),
            (ErrorKind::InvalidInput, Some("pin"))
        );
        assert_eq!(question.unanswered().kind(), ErrorKind::LoginRequired);
    }
}
