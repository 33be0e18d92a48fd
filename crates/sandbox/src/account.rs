//! Accounts of the sandbox as their owners know them, and the ones it starts with. Every credential is
//! visibly fake. What the broker thinks of an account (blocked, sessions) lives with the broker.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Which broker a request, fault or account belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Broker {
    /// Samco Trade API.
    Samco,
    /// Angel One SmartAPI.
    AngelOne,
}

impl Broker {
    /// `samco` or `angelone`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Samco => "samco",
            Self::AngelOne => "angelone",
        }
    }

    /// The broker of that name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Samco, Self::AngelOne]
            .into_iter()
            .find(|broker| broker.as_str() == name)
    }
}

/// A Samco account and its first app. All of it is fake.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SamcoAccount {
    /// The user id.
    pub account: String,
    /// The dashboard password.
    pub password: String,
    /// The app's key.
    pub api_key: String,
    /// The app's secret, as the account's owner noted it; empty once the dashboard has made another.
    pub api_secret: String,
    /// The registered primary address; empty when none is.
    pub primary_ip: String,
    /// The registered secondary address; empty when none is.
    pub secondary_ip: String,
    /// Where the app wants browsers to come back to.
    pub redirect_url: String,
    /// The key of the deprecated login; empty when none has been made.
    pub secret_api_key: String,
}

/// A SmartAPI account with one app. All of it is fake.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AngelOneAccount {
    /// The client code.
    pub client_code: String,
    /// The four-digit PIN.
    pub pin: String,
    /// The Base32 secret of the authenticator.
    pub totp_secret: String,
    /// The app's key.
    pub api_key: String,
    /// The registered primary address; empty when none is.
    pub primary_ip: String,
    /// The registered secondary address; empty when none is.
    pub secondary_ip: String,
    /// Where the app wants browsers to come back to; empty for an app that is not of the publisher kind.
    pub redirect_url: String,
}

/// An account of either broker.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Account {
    /// An account at Samco.
    Samco(SamcoAccount),
    /// An account at Angel One.
    AngelOne(AngelOneAccount),
}

impl Account {
    /// Whose account it is.
    pub fn broker(&self) -> Broker {
        match self {
            Self::Samco(_) => Broker::Samco,
            Self::AngelOne(_) => Broker::AngelOne,
        }
    }

    /// The user id or client code.
    pub fn id(&self) -> &str {
        match self {
            Self::Samco(account) => &account.account,
            Self::AngelOne(account) => &account.client_code,
        }
    }

    /// The Samco account, if it is one.
    pub fn as_samco(&self) -> Option<&SamcoAccount> {
        if let Self::Samco(account) = self {
            Some(account)
        } else {
            None
        }
    }

    /// The SmartAPI account, if it is one.
    pub fn as_angelone(&self) -> Option<&AngelOneAccount> {
        if let Self::AngelOne(account) = self {
            Some(account)
        } else {
            None
        }
    }

    /// The account as scripts read it, credentials included.
    pub fn to_json(&self) -> Value {
        match self {
            Self::Samco(a) => json!({
                "broker": "samco", "account": a.account, "password": a.password, "api_key": a.api_key,
                "api_secret": a.api_secret, "primary_ip": a.primary_ip, "secondary_ip": a.secondary_ip,
                "redirect_url": a.redirect_url, "secret_api_key": a.secret_api_key,
            }),
            Self::AngelOne(a) => json!({
                "broker": "angelone", "account": a.client_code, "client_code": a.client_code,
                "pin": a.pin, "totp_secret": a.totp_secret, "api_key": a.api_key,
                "redirect_url": a.redirect_url,
            }),
        }
    }
}

/// Where Samco's seeded apps send browsers: a receiver on this machine.
pub(crate) const SAMCO_REDIRECT: &str = "http://127.0.0.1:8765/callback";
/// Where SmartAPI's seeded apps send browsers: that broker refuses addresses of this machine.
pub(crate) const ANGELONE_REDIRECT: &str = "https://strategy.example/callback";

/// The length of the secrets that Samco issues.
const SECRET_LENGTH: usize = 96;

/// A clearly fake secret of the length that Samco issues.
pub(crate) fn fake_secret(name: &str) -> String {
    let mut secret = format!("sandbox-secret-{name}-");
    while secret.len() < SECRET_LENGTH {
        secret.push_str("not-a-real-secret-");
    }
    secret.truncate(SECRET_LENGTH);
    secret
}

/// The secrets that are made up for the first app of an account of this id.
pub(crate) fn secrets_made_up_for(account: &str) -> Vec<String> {
    let seeded = seeds().into_iter().filter_map(|seed| match seed {
        Account::Samco(seed) if seed.account == account => Some(seed.api_secret),
        _ => None,
    });
    seeded.chain([fake_secret(account)]).collect()
}

/// What a sandbox starts with; the same at every start, so that scripts can rely on it.
pub(crate) fn seeds() -> Vec<Account> {
    let samco = |number: u8, primary: &str, secondary: &str| {
        Account::Samco(SamcoAccount {
            account: format!("SBX00{number}"),
            password: format!("sandbox-password-{number}"),
            api_key: format!("sandbox-samco-key-{number}"),
            api_secret: fake_secret(&format!("samco-{number}")),
            primary_ip: primary.to_owned(),
            secondary_ip: secondary.to_owned(),
            redirect_url: SAMCO_REDIRECT.to_owned(),
            secret_api_key: format!("sandbox-legacy-key-{number}"),
        })
    };
    let angelone = |number: u8, pin: &str, totp: &str, primary: &str, secondary: &str| {
        Account::AngelOne(AngelOneAccount {
            client_code: format!("SBX10{number}"),
            pin: pin.to_owned(),
            totp_secret: totp.to_owned(),
            api_key: format!("sandbox-angelone-key-{number}"),
            primary_ip: primary.to_owned(),
            secondary_ip: secondary.to_owned(),
            redirect_url: ANGELONE_REDIRECT.to_owned(),
        })
    };
    vec![
        samco(1, "203.0.113.10", "203.0.113.11"),
        samco(2, "203.0.113.20", ""),
        angelone(
            1,
            "0417",
            "SANDBOXTOTPSECRETFORTESTINGONLYA",
            "203.0.113.10",
            "203.0.113.11",
        ),
        angelone(2, "0582", "SANDBOXTOTPSECRETFORTESTINGONLYB", "203.0.113.20", ""),
    ]
}

#[cfg(test)]
mod tests {
    use super::{Account, seeds};
    use preopen_core::totp::TotpSecret;

    #[test]
    fn seeds_are_usable_and_visibly_fake() {
        for account in seeds() {
            match account {
                Account::Samco(a) => {
                    assert_eq!(a.api_secret.len(), 96);
                    assert!(a.api_key.starts_with("sandbox-") && a.api_secret.starts_with("sandbox-"));
                }
                Account::AngelOne(a) => {
                    TotpSecret::new(a.totp_secret).validate().unwrap();
                    assert!(a.api_key.starts_with("sandbox-") && a.pin.len() == 4);
                }
            }
        }
    }
}
