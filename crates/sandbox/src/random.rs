//! Random text for tokens, ids and file names.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use getrandom::fill;

use crate::error::StartError;

fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    // `check` proved at start that the system's source works; a later failure leaves zeros, never a crash.
    let _ = fill(&mut bytes);
    bytes
}

/// Proves that the system's random source works.
pub(crate) fn check() -> Result<(), StartError> {
    fill(&mut [0; 1]).map_err(|error| StartError::Random {
        reason: error.to_string(),
    })
}

/// `N` random bytes in URL-safe Base64.
pub(crate) fn text<const N: usize>() -> String {
    URL_SAFE_NO_PAD.encode(bytes::<N>())
}

/// `N` random bytes in hexadecimal.
pub(crate) fn hex<const N: usize>() -> String {
    use std::fmt::Write as _;
    bytes::<N>().iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// `length` characters of an alphabet of at most 256, all about equally likely.
pub(crate) fn of_alphabet(alphabet: &str, length: usize) -> String {
    let letters: Vec<char> = alphabet.chars().collect();
    (0..length)
        .filter_map(|_| {
            let at = u32::from_be_bytes(bytes()) as usize % letters.len().max(1);
            letters.get(at)
        })
        .collect()
}

/// A random version 4 UUID.
pub(crate) fn uuid() -> String {
    let bits = (u128::from_be_bytes(bytes()) & !(0xf << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62);
    let hex = format!("{bits:032x}");
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

/// A random number from 0 up to 1.
pub(crate) fn fraction() -> f64 {
    f64::from(u32::from_be_bytes(bytes())) / (f64::from(u32::MAX) + 1.0)
}

/// A token of the shape of a JSON Web Token. Its signature is random: nothing here verifies one, and a
/// client must not either.
pub(crate) fn jwt(algorithm: &str, claims: &serde_json::Value) -> String {
    let header = if algorithm == "HS512" {
        r#"{"alg":"HS512"}"#.to_owned()
    } else {
        format!(r#"{{"alg":"{algorithm}","typ":"JWT"}}"#)
    };
    let claims = claims.to_string();
    format!(
        "{}.{}.{}",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(claims),
        text::<32>()
    )
}

#[cfg(test)]
mod tests {
    use super::{fraction, jwt, uuid};

    #[test]
    fn uuids_are_version_4_and_differ() {
        let id = uuid();
        assert_eq!((id.len(), &id[14..15]), (36, "4"));
        assert!("89ab".contains(&id[19..20]));
        assert_ne!(id, uuid());
        assert!((0.0..1.0).contains(&fraction()));
    }

    #[test]
    fn tokens_have_the_documented_header() {
        assert!(jwt("HS256", &serde_json::json!({})).starts_with("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."));
        assert!(jwt("HS512", &serde_json::json!({})).starts_with("eyJhbGciOiJIUzUxMiJ9."));
    }
}
