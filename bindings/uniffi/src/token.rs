//! What a session hands out: tokens and headers, which show nothing unless they are asked by name.

use std::time::SystemTime;

use preopen_ffi::preopen::{Headers as RustHeaders, Token as RustToken};

use crate::clock::system_time;

/// A live access token.
#[derive(uniffi::Object)]
#[uniffi::export(Debug, Display)]
pub struct Token(pub(crate) RustToken);

#[uniffi::export]
impl Token {
    /// The token itself.
    pub fn expose(&self) -> String {
        self.0.expose().to_owned()
    }

    /// When the token ends, at the latest.
    pub fn expires_at(&self) -> SystemTime {
        system_time(self.0.expires_at())
    }

    /// The number of the login that the token came from; give it to `invalidate`.
    pub fn generation(&self) -> u64 {
        self.0.generation()
    }
}

shows_inner!(Token, 0);

/// One header. Its value is a secret.
#[derive(uniffi::Record)]
pub struct Header {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// The headers of an authenticated call.
#[derive(uniffi::Object)]
#[uniffi::export(Debug, Display)]
pub struct Headers(pub(crate) RustHeaders);

#[uniffi::export]
impl Headers {
    /// Names and values, in order; this exposes the token.
    pub fn expose(&self) -> Vec<Header> {
        let one = |(name, value): (&str, &str)| Header {
            name: name.to_owned(),
            value: value.to_owned(),
        };
        self.0.expose().map(one).collect()
    }

    /// The names.
    pub fn names(&self) -> Vec<String> {
        self.0.names().map(str::to_owned).collect()
    }
}

shows_inner!(Headers, 0);
