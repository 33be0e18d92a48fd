//! Time-based one-time passwords (RFC 6238): reading the shared secret as people paste it, and making the
//! code of a time step. That a step is not sent twice is `lifecycle`'s business.

use std::fmt;

use serde::{Deserialize, Serialize};
use totp_rs::{Algorithm, Builder, Secret as Key};
use zeroize::Zeroizing;

use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::secret::{Secret, Text};

/// Seconds of one TOTP step.
///
/// ```
/// use preopen_core::Timestamp;
/// use preopen_core::totp::{STEP_SECONDS, step_at, step_start};
///
/// let step = step_at(Timestamp::from_seconds(59));
/// assert_eq!(step_start(step), Timestamp::from_seconds(STEP_SECONDS));
/// ```
pub const STEP_SECONDS: i64 = 30;

/// The 30-second step that `at` lies in.
///
/// ```
/// use preopen_core::Timestamp;
/// use preopen_core::totp::{step_at, step_start};
///
/// assert_eq!(step_start(step_at(Timestamp::from_seconds(59))), Timestamp::from_seconds(30));
/// ```
pub const fn step_at(at: Timestamp) -> i64 {
    at.as_seconds().div_euclid(STEP_SECONDS)
}

/// When `step` begins.
///
/// ```
/// use preopen_core::Timestamp;
/// use preopen_core::totp::{step_at, step_start};
///
/// assert_eq!(step_start(step_at(Timestamp::from_seconds(59))), Timestamp::from_seconds(30));
/// ```
pub const fn step_start(step: i64) -> Timestamp {
    Timestamp::from_seconds(step.saturating_mul(STEP_SECONDS))
}

/// The shared secret of an authenticator app, ready to make codes.
///
/// ```
/// use preopen_core::Timestamp;
/// use preopen_core::totp::TotpSecret;
///
/// let secret = TotpSecret::new("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
/// let code = secret.code_at(Timestamp::from_seconds(59))?;
/// assert_eq!(code.spend().expose(), "287082");       // RFC 6238, appendix B
/// # Ok::<(), preopen_core::Error>(())
/// ```
#[derive(Clone)]
pub struct TotpSecret(Secret);

/// A code made for one time step. It is consumed by the login request that sends it, so that the same
/// code cannot be sent twice.
///
/// ```
/// use preopen_core::{Secret, Timestamp};
/// use preopen_core::totp::OneTimeCode;
///
/// let code = OneTimeCode::typed(&Secret::new("287 082"), Timestamp::from_seconds(59))?;
/// assert_eq!(code.step(), 1);
/// assert_eq!(code.spend().expose(), "287082");       // it is gone: no code is sent twice
/// # Ok::<(), preopen_core::Error>(())
/// ```
#[derive(Debug)]
pub struct OneTimeCode {
    step: i64,
    code: Secret,
}

impl OneTimeCode {
    /// A code that somebody typed at `at`. Errors: `InvalidInput` (`totp`) when it is not six digits.
    pub fn typed(code: &Secret, at: Timestamp) -> Result<Self> {
        let digits: String = code.expose().chars().filter(|c| !c.is_whitespace()).collect();
        let code = Secret::new(digits);
        let text = code.expose();
        if text.len() != 6 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Error::invalid_input(
                "totp",
                "must be the six digits that the authenticator shows now",
            ));
        }
        Ok(Self {
            step: step_at(at),
            code,
        })
    }

    /// The time step that the code belongs to.
    pub fn step(&self) -> i64 {
        self.step
    }

    /// Spends the code.
    pub fn spend(self) -> Secret {
        self.code
    }

    /// The code for redaction: what was sent must not come back in an error.
    pub fn for_redaction(&self) -> Secret {
        self.code.clone()
    }
}

/// The time steps whose codes were sent lately: no code is sent twice. Steps are compared for equality, so
/// that a clock set back by a day does not make the next login wait for a day.
///
/// ```
/// use preopen_core::totp::SpentSteps;
///
/// let mut spent = SpentSteps::default();
/// assert!(spent.spend(7));
/// assert!(spent.contains(7) && !spent.spend(7));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpentSteps(Vec<i64>);

impl SpentSteps {
    /// More than the steps that a broker can still accept.
    const KEPT: usize = 8;

    /// Whether the code of this step was sent.
    pub fn contains(&self, step: i64) -> bool {
        self.0.contains(&step)
    }

    /// Takes in every step of `other`.
    pub fn learn(&mut self, other: &Self) {
        for step in &other.0 {
            self.spend(*step);
        }
    }

    /// Marks a code as sent; false if it was sent before.
    pub fn spend(&mut self, step: i64) -> bool {
        if self.contains(step) {
            return false;
        }
        if self.0.len() >= Self::KEPT {
            self.0.remove(0);
        }
        self.0.push(step);
        true
    }
}

impl TotpSecret {
    /// Wraps the text that the broker shows beside its QR code. It is read by [`TotpSecret::validate`] and
    /// [`TotpSecret::code_at`]: Base32 in upper or lower case, with or without padding, spaces or hyphens.
    pub fn new(text: impl Into<Secret>) -> Self {
        Self(text.into())
    }

    /// Checks that the text is Base32 of at least 80 bits. Errors: `InvalidInput`.
    pub fn validate(&self) -> Result<()> {
        self.decode().map(drop)
    }

    /// The six-digit SHA-1 code of the step that `at` lies in (RFC 6238). Errors: `InvalidInput`.
    pub fn code_at(&self, at: Timestamp) -> Result<OneTimeCode> {
        let key = self.decode()?;
        let totp = Builder::new()
            .with_algorithm(Algorithm::SHA1)
            .with_digits(6)
            .with_step_duration(STEP_SECONDS.unsigned_abs())
            .with_secret(key)
            .build_noncompliant();
        let seconds = u64::try_from(at.as_seconds())
            .map_err(|_| Error::invalid_input("clock", "the clock is before 1970: set it"))?;
        Ok(OneTimeCode {
            step: step_at(at),
            code: Secret::format(format_args!("{}", totp.generate(seconds))),
        })
    }

    /// The text as it was given.
    pub fn secret(&self) -> &Secret {
        &self.0
    }

    fn decode(&self) -> Result<Key> {
        let mut cleaned = Text::with_capacity(self.0.expose().len());
        self.0
            .expose()
            .split(|c: char| c.is_whitespace() || c == '-' || c == '=')
            .for_each(|part| cleaned.push(part));
        cleaned.make_ascii_uppercase();
        if cleaned.is_empty() {
            return Err(Error::invalid_input(
                "totp_secret",
                "is empty: paste the text shown beside the QR code",
            ));
        }
        // Looked at first: the decoder drops what it has when it meets a letter that is none.
        let key = Some(&cleaned)
            .filter(|text| text.bytes().all(|byte| matches!(byte, b'A'..=b'Z' | b'2'..=b'7')))
            .and_then(|text| base32::decode(base32::Alphabet::Rfc4648 { padding: false }, text))
            .map(Zeroizing::new)
            .ok_or_else(|| {
                Error::invalid_input(
                    "totp_secret",
                    "is not Base32 (letters A-Z and digits 2-7): paste the text shown beside the QR code, not a \
                     six-digit code",
                )
            })?;
        if key.len() < 10 {
            return Err(Error::invalid_input(
                "totp_secret",
                "is too short for a TOTP secret (under 80 bits): paste the whole text shown beside the QR code",
            ));
        }
        // Copied into a block of its own size: to shrink the decoder's would give that back with the key in it.
        Ok(Key::from(key.as_slice()))
    }
}

impl fmt::Debug for TotpSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TotpSecret(**redacted**)")
    }
}

#[cfg(test)]
mod tests {
    use super::{OneTimeCode, SpentSteps, TotpSecret, step_at, step_start};
    use crate::clock::Timestamp;
    use crate::error::ErrorKind;
    use crate::secret::Secret;

    /// RFC 6238 appendix B, SHA-1 rows, cut to six digits.
    #[test]
    fn rfc_6238_vectors() {
        let secret = TotpSecret::new("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            let made = secret.code_at(Timestamp::from_seconds(seconds)).unwrap();
            assert_eq!(made.step(), seconds / 30);
            assert_eq!(made.spend().expose(), code);
        }
    }

    #[test]
    fn secrets_are_read_as_people_paste_them() {
        let at = Timestamp::from_seconds(59);
        for text in [
            "gezdgnbvgy3tqojqgezdgnbvgy3tqojq",
            " GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ\n",
            "GEZD-GNBV-GY3T-QOJQ-GEZD-GNBV-GY3T-QOJQ====",
        ] {
            assert_eq!(
                TotpSecret::new(text).code_at(at).unwrap().spend().expose(),
                "287082"
            );
        }
        assert!(
            TotpSecret::new("JBSWY3DPEHPK3PXPJBSWY3DPEH").validate().is_ok(),
            "26 characters, unpadded"
        );
    }

    #[test]
    fn what_is_not_a_secret_is_refused_by_name() {
        for text in ["", "  ", "287082", "not base32!", "GEZDGNBV"] {
            let error = TotpSecret::new(text).validate().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert_eq!(error.field(), Some("totp_secret"));
        }
    }

    #[test]
    fn eighty_bits_are_enough_and_a_byte_less_is_not() {
        let ten = TotpSecret::new("GEZDGNBVGY3TQOJQ");
        assert!(ten.validate().is_ok());
        let nine = TotpSecret::new("GEZDGNBVGY3TQOI");
        let error = nine.validate().unwrap_err();
        assert!(error.message().contains("too short"), "{error}");
    }

    #[test]
    fn debug_names_the_type_and_nothing_of_the_secret() {
        let secret = TotpSecret::new("GEZDGNBVGY3TQOJQ");
        assert_eq!(format!("{secret:?}"), "TotpSecret(**redacted**)");
    }

    #[test]
    fn a_typed_code_is_six_digits_however_it_is_spaced() {
        let typed = |text: &str| OneTimeCode::typed(&Secret::new(text), Timestamp::from_seconds(59));
        let code = typed(" 123 456\n").unwrap();
        assert_eq!((code.step(), code.spend().expose()), (1, "123456"));
        for bad in ["", "12345", "1234567", "12345x", "١٢٣٤٥٦"] {
            assert_eq!(typed(bad).unwrap_err().field(), Some("totp"), "{bad}");
        }
    }

    #[test]
    fn p9_a_step_is_spent_once_and_a_clock_set_back_is_no_deadlock() {
        let mut spent = SpentSteps::default();
        assert!(spent.spend(100) && !spent.spend(100));
        assert!(
            spent.spend(99),
            "a day or a moment back: another step is another code"
        );
        assert!((101..120).all(|step| spent.spend(step)));
        assert!(!spent.spend(119));
    }

    #[test]
    fn steps_begin_on_half_minutes() {
        assert_eq!(step_at(Timestamp::from_millis(29_999)), 0);
        assert_eq!(step_at(step_start(7)), 7);
        assert_eq!(step_at(step_start(7).plus_millis(-1)), 6);
    }
}
