//! A session as text, for handing it to another program: what is written, and what is checked before it is taken. How
//! it is sealed is `seal`'s business.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::record::Record;
use crate::broker::{Login, Policy, Profile, Tokens, fingerprint};
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::expiry::{Evidence, EvidenceSource};
use crate::secret::Secret;
use crate::skew::Skew;
use crate::static_ip::Addresses;
use crate::target::{Environment, Target};

/// The format; a program refuses a newer one.
const FORMAT: u32 = 1;

const CHECK_BYTES: usize = 9;

/// More than any session has: each source tells one time, and a few could tell another after a refresh.
const MOST_EVIDENCE: usize = 64;

/// Which account a session belongs to, and where: a record of one is never taken by another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    broker: String,
    environment: String,
    /// Only where hosts are not interchangeable: another sandbox is another world.
    base_url: Option<String>,
    account: String,
}

impl Identity {
    /// The identity of the account with this fingerprint at `target`.
    pub fn new(policy: &Policy, target: &Target, fingerprint: impl Into<String>) -> Self {
        let live = target.environment() == Environment::Live;
        Self {
            broker: policy.broker.to_owned(),
            environment: target.environment().as_str().to_owned(),
            base_url: (!live).then(|| target.base_url().to_owned()),
            account: fingerprint.into(),
        }
    }

    /// The identity as one word of text, to stand before a sealed record: it holds no secret, and lets a program say
    /// what is wrong with a record that it cannot open.
    pub fn to_text(&self) -> String {
        URL_SAFE_NO_PAD.encode(serde_json::json!(self).to_string())
    }

    /// A short name for the account of lower-case letters, digits and hyphens: file names and database keys are made of
    /// it. It holds no secret, and differs between live and sandbox, and between base URLs that are not the broker's.
    pub fn to_key(&self) -> String {
        let mut key = format!("{}-{}-{}", self.broker, self.environment, self.account);
        if let Some(url) = &self.base_url {
            key.push('-');
            key.push_str(&fingerprint(&[url])[..8]);
        }
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        key.to_ascii_lowercase()
            .chars()
            .map(|c| if plain(c) { c } else { '-' })
            .collect()
    }

    /// Reads [`Identity::to_text`]. Errors: `InvalidInput` (`record`).
    pub fn from_text(text: &str) -> Result<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok();
        bytes
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .ok_or_else(|| Error::invalid_input("record", "is damaged: export it again"))
    }

    /// Checks that a record of `other` may be used here. Errors: `InvalidInput` (`record`).
    pub fn accepts(&self, other: &Self) -> Result<()> {
        let bad = |problem: String| Err(Error::invalid_input("record", &problem));
        if self.broker != other.broker {
            return bad(format!("is of another broker than {}", self.broker));
        }
        if self.environment != other.environment {
            // Only a name that is known is repeated: what else stands there may be anything.
            let known =
                [Environment::Live, Environment::Sandbox, Environment::Custom].map(Environment::as_str);
            let theirs = known.into_iter().find(|name| *name == other.environment);
            return bad(format!(
                "is of a {} session: it cannot be used on a {} one",
                theirs.unwrap_or("different"),
                self.environment
            ));
        }
        if self.account != other.account {
            return bad("is of another account or API key".to_owned());
        }
        if self.base_url != other.base_url {
            return bad("is of another base_url".to_owned());
        }
        Ok(())
    }
}

/// What is read first: another format may look quite different otherwise.
#[derive(Deserialize)]
struct Format {
    preopen_session: Option<u32>,
}

#[derive(Serialize, Deserialize)]
struct Written {
    preopen_session: u32,
    #[serde(flatten)]
    identity: Identity,
    generation: u64,
    issued_at: i64,
    clock_skew: Option<i64>,
    tokens: Vec<(String, Zeroizing<String>)>,
    evidence: Vec<(String, i64)>,
    addresses: Option<[Option<String>; 3]>,
    profile: WrittenProfile,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    renewable_until: Option<i64>,
    /// Tells a record that was cut or mistyped on its way from a whole one. It is no seal: whoever changes a record can
    /// change this too.
    check: String,
}

impl Written {
    /// The check of everything else.
    fn checked(mut self) -> serde_json::Result<Self> {
        self.check.clear();
        let mut hash = Hash::default();
        serde_json::to_writer(&mut hash, &self)?;
        self.check = URL_SAFE_NO_PAD.encode(&hash.0.finalize()[..CHECK_BYTES]);
        Ok(self)
    }
}

/// Hashes what is written, so that no copy of it is left in memory.
#[derive(Default)]
struct Hash(Sha256);

impl std::io::Write for Hash {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[derive(Default, Serialize, Deserialize)]
struct WrittenProfile {
    account_id: Option<String>,
    name: Option<String>,
    exchanges: Vec<String>,
    products: Vec<String>,
    order_types: Vec<String>,
}

/// The record as JSON: tokens in clear. Times are milliseconds since the Unix epoch. Errors: `Internal`.
pub fn export(record: &Record, identity: &Identity) -> Result<Secret> {
    let profile = record.profile();
    let told = record.expiry.evidence().iter();
    let written = Written {
        preopen_session: FORMAT,
        identity: identity.clone(),
        generation: record.generation,
        issued_at: record.issued_at.as_millis(),
        clock_skew: record.skew.map(Skew::as_millis),
        tokens: record
            .tokens
            .named()
            .map(|(name, token)| (name.to_owned(), Zeroizing::new(token.expose().to_owned())))
            .collect(),
        evidence: told
            .map(|evidence| (evidence.source.as_str().to_owned(), evidence.at.as_millis()))
            .collect(),
        addresses: record.addresses().map(|a| [a.source, a.primary, a.secondary]),
        profile: WrittenProfile {
            account_id: profile.account_id,
            name: profile.name,
            exchanges: profile.exchanges,
            products: profile.products,
            order_types: profile.order_types,
        },
        renewable_until: record.renewable_until.map(Timestamp::as_millis),
        check: String::new(),
    };
    let text = written.checked().and_then(|written| Secret::json(&written));
    text.map_err(|error| {
        Error::new(
            crate::ErrorKind::Internal,
            format!("the session cannot be written: {error}"),
        )
    })
}

/// Reads a record that [`export`] wrote, for the account `identity`: what it holds, and when it was issued. Errors:
/// `InvalidInput` (`record`), with nothing of its content.
pub fn import(json: &Secret, identity: &Identity) -> Result<(Login, Timestamp)> {
    let bad = |problem: &str| Error::invalid_input("record", problem);
    let format: Format = serde_json::from_str(json.expose())
        .map_err(|_| bad("is not an exported session: give what export() gave, unchanged"))?;
    match format.preopen_session {
        Some(FORMAT) => {}
        Some(format) => {
            return Err(bad(&format!(
                "has format {format}, and this version of Preopen reads format {FORMAT}: use the same version"
            )));
        }
        None => {
            return Err(bad(
                "is not an exported session: give what export() gave, unchanged",
            ));
        }
    }
    let damaged = || bad("is damaged: export it again");
    let written: Written = serde_json::from_str(json.expose()).map_err(|_| damaged())?;
    identity.accepts(&written.identity)?;
    let told = written.check.clone();
    let written = written.checked().map_err(|_| damaged())?;
    if written.check != told {
        return Err(damaged());
    }
    let mut tokens = written.tokens.into_iter();
    let secret = |mut token: Zeroizing<String>| Secret::new(std::mem::take(&mut *token));
    let Some((_, access)) = tokens
        .next()
        .filter(|(name, token)| name == "access" && !token.is_empty())
    else {
        return Err(bad("is damaged: it holds no access token"));
    };
    let tokens = tokens.fold(Tokens::new(secret(access)), |tokens, (name, token)| {
        tokens.with(name, Some(secret(token)))
    });
    let mut login = Login::new(tokens);
    login.skew = written.clock_skew.map(Skew::from_millis);
    if written.evidence.len() > MOST_EVIDENCE {
        return Err(damaged());
    }
    // Evidence that this version does not know would end the session earlier: it cannot be left out.
    let evidence = written.evidence.into_iter().map(|(source, at)| {
        let at = Timestamp::from_millis(at);
        EvidenceSource::from_text(&source).map(|source| Evidence { source, at })
    });
    login.evidence = evidence
        .collect::<Option<_>>()
        .ok_or_else(|| bad("is of another version of Preopen: use the same version"))?;
    login.addresses = written.addresses.map(|[source, primary, secondary]| {
        Addresses::new(source.as_deref(), primary.as_deref(), secondary.as_deref())
    });
    login.renewable_until = written.renewable_until.map(Timestamp::from_millis);
    let profile = written.profile;
    login.profile = Profile {
        account_id: profile.account_id,
        name: profile.name,
        exchanges: profile.exchanges,
        products: profile.products,
        order_types: profile.order_types,
    };
    Ok((login, Timestamp::from_millis(written.issued_at)))
}
