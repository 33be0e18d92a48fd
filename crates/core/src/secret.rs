//! Redacted secrets: every credential and token of the core is a [`Secret`], never a bare string, and is put
//! together in a [`Text`]. What a secret means (token, PIN, key) is decided elsewhere.

use std::fmt;
use std::io;
use std::sync::Arc;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

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
pub struct Secret(Arc<Zeroizing<String>>);

impl Secret {
    /// Takes ownership of `value`, in the block that it is in; the caller's own copies are out of reach.
    pub fn new(value: impl Into<String>) -> Self {
        Self(Arc::new(Zeroizing::new(value.into())))
    }

    /// A secret put together by `format_args!`, without a copy of its parts left behind.
    ///
    /// ```
    /// use preopen_core::Secret;
    /// assert_eq!(Secret::format(format_args!("Bearer {}", "jwt")).expose(), "Bearer jwt");
    /// ```
    pub fn format(parts: fmt::Arguments<'_>) -> Self {
        Text::format(parts).into()
    }

    /// `value` as JSON, without a copy of its texts left behind. Errors: as `serde_json::to_string`.
    pub fn json(value: &impl serde::Serialize) -> serde_json::Result<Self> {
        let mut text = Text::default();
        serde_json::to_writer(&mut text, value)?;
        Ok(text.into())
    }

    /// The secret itself. Every use of this call is a place where a secret may leave the core.
    pub fn expose(&self) -> &str {
        &self.0
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

impl From<Text> for Secret {
    fn from(text: Text) -> Self {
        Self(Arc::new(text.0))
    }
}

/// Text that may hold secrets while it is put together. It is wiped when it is dropped, and so is the block that
/// it leaves when it outgrows it: a `String` would give that back with the secret in it.
#[derive(Default)]
pub struct Text(Zeroizing<String>);

impl Text {
    /// An empty text with room for so many bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        Self(Zeroizing::new(String::with_capacity(bytes)))
    }

    /// What `format_args!` says.
    pub fn format(parts: fmt::Arguments<'_>) -> Self {
        let mut text = Self::default();
        // Memory takes everything; a `Display` that fails on its own account ends the text there.
        let _ = fmt::Write::write_fmt(&mut text, parts);
        text
    }

    /// Adds `more`.
    pub fn push(&mut self, more: &str) {
        let needed = self.0.len() + more.len();
        if needed > self.0.capacity() {
            let mut larger = Self::with_capacity(needed.max(self.0.capacity() * 2));
            larger.0.push_str(&self.0);
            *self = larger;
        }
        self.0.push_str(more);
    }

    /// Adds `more` as a JSON string, quoted and escaped.
    pub fn push_json(&mut self, more: &str) {
        // Neither a text nor writing to memory can fail.
        let _ = serde_json::to_writer(self, more);
    }

    /// The text without the wiping: for text that is redacted next, or wiped by its new owner.
    pub fn into_string(mut self) -> String {
        std::mem::take(&mut *self.0)
    }
}

impl std::ops::Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl std::ops::DerefMut for Text {
    fn deref_mut(&mut self) -> &mut str {
        &mut self.0
    }
}

impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        self
    }
}

impl fmt::Write for Text {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        self.push(more);
        Ok(())
    }
}

impl io::Write for Text {
    fn write(&mut self, more: &[u8]) -> io::Result<usize> {
        let text = std::str::from_utf8(more).map_err(|_| io::ErrorKind::InvalidData)?;
        self.push(text);
        Ok(more.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Secret, Text};

    #[test]
    fn json_is_what_serde_json_writes() {
        let value = serde_json::json!({"a": "q\"\\\n\u{1f511}\u{1}", "b": [1, 2.5, null]});
        assert_eq!(Secret::json(&value).unwrap().expose(), value.to_string());
        let mut text = Text::default();
        text.push_json("q\"\n\u{1f511}");
        assert_eq!(&*text, r#""q\"\n\u{1f511}""#.replace(r"\u{1f511}", "\u{1f511}"));
    }

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
