//! What is kept instead of a secret or a token: SHA-256, salted where somebody could try likely texts. Comparing takes
//! the same time wherever two texts differ.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::random;

/// The digest of a random token, in hexadecimal: nobody guesses 32 random bytes, so it needs no salt and can be looked
/// up.
pub(crate) fn of_token(token: &str) -> String {
    hex(&[token])
}

fn hex(parts: &[&str]) -> String {
    let mut sha = Sha256::new();
    for part in parts {
        sha.update(part.as_bytes());
    }
    sha.finalize().iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Whether two texts are the same, in a time that tells nothing but their lengths.
pub(crate) fn is_same(one: &str, other: &str) -> bool {
    one.as_bytes().ct_eq(other.as_bytes()).into()
}

/// The digest of a secret with a salt of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Salted {
    salt: String,
    digest: String,
}

impl Salted {
    /// Of this secret, with a new salt.
    pub(crate) fn of(secret: &str) -> Self {
        let salt = random::hex::<16>();
        let digest = hex(&[&salt, secret]);
        Self { salt, digest }
    }

    /// Whether it is of this secret.
    pub(crate) fn is_of(&self, secret: &str) -> bool {
        is_same(&self.digest, &hex(&[&self.salt, secret]))
    }
}

#[cfg(test)]
mod tests {
    use super::{Salted, is_same, of_token};

    #[test]
    fn a_token_has_the_digest_of_the_standard() {
        // FIPS 180-2, appendix B.1.
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(of_token("abc"), expected);
        assert!(is_same("a", "a") && !is_same("a", "b") && !is_same("a", "ab"));
    }

    #[test]
    fn a_secret_is_known_by_its_salted_digest_alone() {
        let (one, other) = (Salted::of("CANARY"), Salted::of("CANARY"));
        assert!(one.is_of("CANARY") && !one.is_of("CANARY ") && !one.is_of(""));
        assert_ne!(one, other);
        let kept = serde_json::to_string(&one).unwrap();
        assert!(!kept.contains("CANARY"));
        assert!(serde_json::from_str::<Salted>(&kept).unwrap().is_of("CANARY"));
    }
}
