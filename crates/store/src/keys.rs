//! Where the key of a sealed value comes from. What is sealed says it, so that all programs look in the same place.

use preopen_core::seal::SealKey;
use preopen_core::{Error, Result};

/// Where a sealing key is kept.
///
/// ```
/// use preopen_store::KeySource;
///
/// assert_eq!(KeySource::from_text(KeySource::Environment.as_str()), Some(KeySource::Environment));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeySource {
    /// A file that only its owner can read, beside the sealed files.
    File,
    /// The environment variable `PREOPEN_KEY`.
    Environment,
    /// The operating system's keyring.
    Keyring,
    /// Handed over by the program.
    Program,
}

impl KeySource {
    /// Every source.
    pub const ALL: &'static [Self] = &[Self::File, Self::Environment, Self::Keyring, Self::Program];

    /// The stable text of this source.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Environment => "env",
            Self::Keyring => "keyring",
            Self::Program => "program",
        }
    }

    /// The source of this stable text.
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|source| source.as_str() == text)
    }

    /// The error of a store that has no key from here.
    pub fn is_not_to_be_had(self) -> Error {
        let problem = match self {
            Self::File => "is that of a key file, which this store does not have",
            Self::Environment => {
                "is that of PREOPEN_KEY, which is not set: set it as it was when the session was stored"
            }
            Self::Keyring => "is kept in the system's keyring, which this program does not use",
            Self::Program => "was given by the program that stored the session: give the same one",
        };
        Error::invalid_input("key", problem)
    }
}

/// The key in `PREOPEN_KEY`. Errors: `InvalidInput` (`key`).
///
/// ```no_run
/// let key = preopen_store::environment_key()?;       // of PREOPEN_KEY
/// # drop(key);
/// # Ok::<(), preopen_core::Error>(())
/// ```
pub fn environment_key() -> Result<SealKey> {
    SealKey::from_env()
}

/// Whether `PREOPEN_KEY` is set.
pub(crate) fn environment_has_key() -> bool {
    std::env::var_os("PREOPEN_KEY").is_some_and(|key| !key.to_string_lossy().trim().is_empty())
}

/// The key of a value for a program that may have been given one, and may have one in `PREOPEN_KEY`. The same key can be
/// handed to one program in the one way and to another in the other, so each serves where the one that the value names is not
/// there. Errors: `InvalidInput` (`key`).
///
/// ```
/// use preopen_core::seal::SealKey;
/// use preopen_store::given_key;
///
/// let key = SealKey::generate()?;
/// let (source, _) = given_key(None, Some(&key))?;
/// println!("{}", source.as_str());
/// # Ok::<(), preopen_core::Error>(())
/// ```
pub fn given_key(source: Option<KeySource>, given: Option<&SealKey>) -> Result<(KeySource, SealKey)> {
    match (source, given) {
        (Some(other @ (KeySource::File | KeySource::Keyring)), _) => Err(other.is_not_to_be_had()),
        (Some(KeySource::Environment), _) if environment_has_key() => {
            environment_key().map(|key| (KeySource::Environment, key))
        }
        (source, Some(key)) => Ok((source.unwrap_or(KeySource::Program), key.clone())),
        (None, None) => environment_key().map(|key| (KeySource::Environment, key)),
        (Some(source), None) if environment_has_key() => environment_key().map(|key| (source, key)),
        (Some(source), None) => Err(source.is_not_to_be_had()),
    }
}
