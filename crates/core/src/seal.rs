//! Sealing: text that only the holder of a key can read or change (XChaCha20-Poly1305). What is sealed, and where it
//! is kept, is decided elsewhere.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use crate::error::{Cause, Error, ErrorKind, Result};
use crate::secret::Secret;

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;

/// A key of 32 random bytes. Its text form is base64url without padding, 43 characters.
///
/// ```
/// use preopen_core::seal::SealKey;
/// let key = SealKey::generate().unwrap();
/// assert!(SealKey::from_text(key.to_text()).is_ok());
/// assert_eq!(format!("{key:?}"), "SealKey(**redacted**)");
/// ```
#[derive(Clone)]
pub struct SealKey(Secret);

impl SealKey {
    /// A new random key. Errors: `Internal` when the system gives no randomness.
    pub fn generate() -> Result<Self> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        random(bytes.as_mut_slice())?;
        Ok(Self(Secret::new(URL_SAFE_NO_PAD.encode(bytes.as_slice()))))
    }

    /// Reads a key: 32 bytes as base64 (either alphabet, with or without padding) or as 64 hex digits. Errors:
    /// `InvalidInput` (`key`).
    pub fn from_text(text: impl Into<Secret>) -> Result<Self> {
        let text = text.into().trimmed();
        let bytes = decode_key(text.expose()).ok_or_else(|| {
            Error::invalid_input(
                "key",
                "is not a key: it must be 32 random bytes as base64 or hex; `preopen key` makes one",
            )
        })?;
        Ok(Self(Secret::new(URL_SAFE_NO_PAD.encode(bytes.as_slice()))))
    }

    /// The key in the environment variable `PREOPEN_KEY`. Errors: `InvalidInput` (`key`).
    pub fn from_env() -> Result<Self> {
        let text = std::env::var("PREOPEN_KEY").ok();
        let text = text.filter(|text| !text.trim().is_empty()).ok_or_else(|| {
            Error::invalid_input(
                "key",
                "is not given: pass one, or set PREOPEN_KEY; `preopen key` makes one",
            )
        })?;
        Self::from_text(text)
    }

    /// The key as text, to be kept where secrets are kept.
    pub fn to_text(&self) -> Secret {
        self.0.clone()
    }

    fn cipher(&self) -> Result<XChaCha20Poly1305> {
        let bytes = decode_key(self.0.expose()).ok_or_else(unusable)?;
        XChaCha20Poly1305::new_from_slice(bytes.as_slice()).map_err(|_| unusable())
    }

    /// Seals `secret` so that it can only be opened with this key and the same `context`.
    pub fn seal(&self, secret: &Secret, context: &[u8]) -> Result<String> {
        let mut nonce = [0; NONCE_BYTES];
        random(&mut nonce)?;
        let payload = Payload {
            msg: secret.expose().as_bytes(),
            aad: context,
        };
        let sealed = self
            .cipher()?
            .encrypt(&XNonce::from(nonce), payload)
            .map_err(|_| unusable())?;
        Ok(URL_SAFE_NO_PAD.encode([nonce.as_slice(), &sealed].concat()))
    }

    /// Opens what [`SealKey::seal`] made; `None` when the key, the context or a single bit is another.
    pub fn open(&self, sealed: &str, context: &[u8]) -> Option<Secret> {
        let bytes = URL_SAFE_NO_PAD.decode(sealed.trim()).ok()?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_BYTES>()?;
        let payload = Payload {
            msg: sealed,
            aad: context,
        };
        let opened = self
            .cipher()
            .ok()?
            .decrypt(&XNonce::from(*nonce), payload)
            .map(Zeroizing::new)
            .ok()?;
        std::str::from_utf8(&opened).ok().map(Secret::new)
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealKey(**redacted**)")
    }
}

fn decode_key(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let bytes = if text.len() == KEY_BYTES * 2 {
        let digit = |at: usize| u8::from_str_radix(text.get(at * 2..at * 2 + 2)?, 16).ok();
        (0..KEY_BYTES).map(digit).collect::<Option<Vec<u8>>>()?
    } else {
        let bare = text.trim_end_matches('=');
        let plain = || STANDARD.decode(format!("{bare}{}", "=".repeat((4 - bare.len() % 4) % 4)));
        URL_SAFE_NO_PAD.decode(bare).or_else(|_| plain()).ok()?
    };
    let bytes = Zeroizing::new(bytes);
    (bytes.len() == KEY_BYTES).then_some(bytes)
}

pub(crate) fn random(into: &mut [u8]) -> Result<()> {
    getrandom::fill(into).map_err(|error| {
        Error::new(ErrorKind::Internal, "the system gives no randomness")
            .with_source(Cause::from_chain(&error))
    })
}

fn unusable() -> Error {
    Error::new(ErrorKind::Internal, "the key cannot be used")
}

#[cfg(test)]
mod tests {
    use super::SealKey;
    use crate::secret::Secret;

    #[test]
    fn what_is_sealed_opens_only_whole_and_in_its_context() {
        let key = SealKey::generate().unwrap();
        let secret = Secret::new("CANARY token");
        let sealed = key.seal(&secret, b"samco live").unwrap();
        assert!(!sealed.contains("CANARY"));
        assert_eq!(format!("{key:?}"), "SealKey(**redacted**)");
        assert_eq!(key.open(&sealed, b"samco live"), Some(secret.clone()));
        assert_eq!(key.open(&sealed, b"samco sandbox"), None);
        assert_eq!(SealKey::generate().unwrap().open(&sealed, b"samco live"), None);
        for at in 0..sealed.len() {
            let mut bytes = sealed.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let flipped = String::from_utf8(bytes).unwrap();
            assert_eq!(key.open(&flipped, b"samco live"), None, "flipped at {at}");
            assert_eq!(key.open(&sealed[..at], b"samco live"), None, "cut at {at}");
        }
        assert_ne!(
            key.seal(&secret, b"").unwrap(),
            key.seal(&secret, b"").unwrap(),
            "a nonce each"
        );
    }

    #[test]
    fn keys_are_read_in_every_usual_form() {
        let hex = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1eff";
        let text = SealKey::from_text(hex).unwrap().to_text();
        let same = |form: &str| SealKey::from_text(form).unwrap().to_text() == text;
        assert!(same("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHv8"));
        assert!(same(" AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHv8=\n"));
        assert!(SealKey::from_text("//79/Pv6+fj39vX08/Lx8O/u7ezr6uno5+bl5OPi4eA=").is_ok());
        for bad in ["", "short", &hex[1..], "€€€€€€€€€€€€€€€€€€€€€x", "password"]
        {
            assert_eq!(SealKey::from_text(bad).unwrap_err().field(), Some("key"), "{bad}");
        }
    }
}
