//! Redacted secrets: every credential and token of the core is a [`Secret`], never a bare string.
//! What a secret means (token, PIN, key) is decided elsewhere.

use std::fmt;
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

/// A string that must not be shown: a token, key, PIN or one-time code.
///
/// `Debug` prints a placeholder, there is no `Display` and no serialisation, clones share one
/// allocation, and the bytes are wiped when the last clone is dropped. The one way to read it is
/// [`Secret::expose`].
///
/// ```
/// use preopen_core::Secret;
/// let pin = Secret::new("0000");
/// assert_eq!(format!("{pin:?}"), "Secret(**redacted**)");
/// assert_eq!(pin.expose(), "0000");
/// ```
#[derive(Clone)]
pub struct Secret(Arc<SecretString>);

impl Secret {
    /// Takes ownership of `value`; the caller's own copies are out of reach.
    pub fn new(value: impl Into<String>) -> Self {
        Self(Arc::new(SecretString::from(value.into())))
    }

    /// The secret itself. Every use of this call is a place where a secret may leave the core.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// Whether the secret has no characters.
    pub fn is_empty(&self) -> bool {
        self.expose().is_empty()
    }

    /// The secret without white space around it: a pasted line end is a common cause of refused logins.
    pub fn trimmed(&self) -> Self {
        let text = self.expose();
        if text.trim().len() == text.len() {
            self.clone()
        } else {
            Self::new(text.trim())
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(**redacted**)")
    }
}

impl PartialEq for Secret {
    /// Compares in constant time for equal lengths.
    fn eq(&self, other: &Self) -> bool {
        self.expose().as_bytes().ct_eq(other.expose().as_bytes()).into()
    }
}

impl Eq for Secret {}

impl From<&str> for Secret {
    fn from(value: &str) -> Self {
        Self::new(value)
    }
}

impl From<String> for Secret {
    fn from(value: String) -> Self {
        Self::new(value)
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn debug_never_shows_the_value() {
        let secret = Secret::new("CANARY-secret");
        assert!(!format!("{secret:?} {:#?}", Some(&secret)).contains("CANARY"));
    }

    #[test]
    fn trimming_removes_only_outer_space() {
        assert_eq!(Secret::new(" a b\n").trimmed().expose(), "a b");
        assert_eq!(Secret::new("ab").trimmed(), Secret::new("ab"));
    }
}
