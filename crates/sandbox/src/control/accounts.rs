//! Accounts over the control API: add one, change its standing or credentials, end its sessions.

use http::StatusCode;
use preopen_core::totp::TotpSecret;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, broker_of, ok, read};
use crate::account::{Account, AngelOneAccount, Broker, SamcoAccount, fake_secret};
use crate::error::ControlError;
use crate::samco::has_secret_format;
use crate::state::State;
use crate::wire::Request;

/// A new account. What is left out is made up, visibly fake and unique.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewAccount {
    broker: Broker,
    #[serde(default)]
    account: Option<String>,
    #[serde(default)]
    client_code: Option<String>,
    #[serde(flatten)]
    details: Details,
}

/// What both a new account and a change may name.
#[derive(Default, Deserialize)]
struct Details {
    #[serde(default)]
    password: Option<String>,
    #[serde(default)]
    pin: Option<String>,
    #[serde(default)]
    totp_secret: Option<String>,
    #[serde(default)]
    api_key: Option<String>,
    #[serde(default)]
    api_secret: Option<String>,
    #[serde(default)]
    primary_ip: Option<String>,
    #[serde(default)]
    secondary_ip: Option<String>,
}

/// A change of an account; what is left out stays.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    #[serde(default)]
    blocked: Option<bool>,
    #[serde(default)]
    subscribed: Option<bool>,
    #[serde(default)]
    app_active: Option<bool>,
    #[serde(default)]
    needs_app_login: Option<bool>,
    #[serde(flatten)]
    details: Details,
}

impl Details {
    fn check(&self, broker: Broker) -> Result<(), ControlError> {
        let foreign = match broker {
            Broker::Samco => [("pin", &self.pin), ("totp_secret", &self.totp_secret)],
            Broker::AngelOne => [("password", &self.password), ("api_secret", &self.api_secret)],
        };
        if let Some((name, _)) = foreign.iter().find(|(_, value)| value.is_some()) {
            return Err(ControlError::field(
                name,
                format_args!("is not a field of {} accounts", broker.as_str()),
            ));
        }
        let texts = [
            ("password", &self.password),
            ("pin", &self.pin),
            ("api_key", &self.api_key),
        ];
        for (name, value) in texts {
            if value
                .as_deref()
                .is_some_and(|text| text.trim().is_empty() || text.len() > 200)
            {
                return Err(ControlError::field(name, "must have 1 to 200 characters"));
            }
        }
        if self
            .pin
            .as_deref()
            .is_some_and(|pin| pin.len() != 4 || !pin.bytes().all(|b| b.is_ascii_digit()))
        {
            return Err(ControlError::field("pin", "must be four digits"));
        }
        if self
            .api_secret
            .as_deref()
            .is_some_and(|secret| !has_secret_format(secret))
        {
            let problem = "must have at least 32 characters, all letters, digits, - or _";
            return Err(ControlError::field("api_secret", problem));
        }
        if let Some(secret) = &self.totp_secret {
            TotpSecret::new(secret.as_str()).validate().map_err(|error| {
                ControlError::field("totp_secret", error.message().trim_start_matches("totp_secret "))
            })?;
        }
        for (name, value) in [
            ("primary_ip", &self.primary_ip),
            ("secondary_ip", &self.secondary_ip),
        ] {
            if value
                .as_deref()
                .is_some_and(|ip| !ip.is_empty() && ip.parse::<std::net::Ipv4Addr>().is_err())
            {
                return Err(ControlError::field(
                    name,
                    "must be an IPv4 address, or empty for none",
                ));
            }
        }
        Ok(())
    }
}

pub(super) fn add(state: &State, request: &Request) -> Answer {
    let new: NewAccount = read(request)?;
    new.details.check(new.broker)?;
    let number = (1..=2000).find(|n| {
        let id = format!("SBX9{n:02}");
        state.accounts().iter().all(|account| account.id() != id)
    });
    let id = format!("SBX9{:02}", number.unwrap_or_default());
    let details = new.details;
    let given = |name: &str, id: Option<String>| match id {
        Some(id) if id.trim().is_empty() || id.len() > 40 || id.contains('/') => {
            Err(ControlError::field(name, "must have 1 to 40 characters and no /"))
        }
        id => Ok(id),
    };
    let account = match new.broker {
        Broker::Samco => {
            if new.client_code.is_some() {
                return Err(ControlError::field("client_code", "is called account at samco"));
            }
            let id = given("account", new.account)?.unwrap_or(id);
            Account::Samco(SamcoAccount {
                password: details
                    .password
                    .unwrap_or_else(|| format!("sandbox-password-{id}")),
                api_key: details
                    .api_key
                    .unwrap_or_else(|| format!("sandbox-samco-key-{id}")),
                api_secret: details.api_secret.unwrap_or_else(|| fake_secret(&id)),
                primary_ip: details.primary_ip.unwrap_or_else(|| "203.0.113.10".to_owned()),
                secondary_ip: details.secondary_ip.unwrap_or_default(),
                account: id,
            })
        }
        Broker::AngelOne => {
            if new.account.is_some() {
                return Err(ControlError::field(
                    "account",
                    "is called client_code at angelone",
                ));
            }
            let id = given("client_code", new.client_code)?.unwrap_or(id);
            let totp = || "SANDBOXTOTPSECRETFORTESTINGONLYC".to_owned();
            Account::AngelOne(AngelOneAccount {
                pin: details.pin.unwrap_or_else(|| "0639".to_owned()),
                totp_secret: details.totp_secret.unwrap_or_else(totp),
                api_key: details
                    .api_key
                    .unwrap_or_else(|| format!("sandbox-angelone-key-{id}")),
                primary_ip: details.primary_ip.unwrap_or_else(|| "203.0.113.10".to_owned()),
                secondary_ip: details.secondary_ip.unwrap_or_default(),
                client_code: id,
            })
        }
    };
    state.add_account(&account)?;
    Ok((StatusCode::CREATED, account.to_json()))
}

pub(super) fn list(state: &State) -> Value {
    let now = state.now();
    let mut all = Vec::new();
    let samco = state.samco();
    for member in samco.members() {
        let mut shown = Account::Samco(member.account.clone()).to_json();
        shown["subscribed"] = member.standing.subscribed.into();
        shown["blocked"] = member.standing.blocked.into();
        shown["app_active"] = member.app_active.into();
        shown["needs_app_login"] = member.standing.needs_app_login.into();
        shown["live_sessions"] = samco.live_sessions(&member.account.account, now).into();
        all.push(shown);
    }
    drop(samco);
    let angelone = state.angelone();
    for member in angelone.members() {
        let mut shown = Account::AngelOne(member.account.clone()).to_json();
        shown["primary_ip"] = member.account.primary_ip.as_str().into();
        shown["secondary_ip"] = member.account.secondary_ip.as_str().into();
        shown["blocked"] = member.blocked.into();
        shown["app_active"] = member.app_active.into();
        shown["live_sessions"] = angelone.live_sessions(&member.account.client_code, now).into();
        all.push(shown);
    }
    json!({"accounts": all})
}

pub(super) fn change(state: &State, request: &Request, id: &str) -> Answer {
    let change: Change = read(request)?;
    let accounts = state.accounts();
    let Some(account) = accounts.iter().find(|account| account.id() == id) else {
        return Err(ControlError::not_found(format!("there is no account {id}")));
    };
    let broker = account.broker();
    change.details.check(broker)?;
    if let Some(key) = &change.details.api_key {
        let others = accounts
            .iter()
            .filter(|other| other.broker() == broker && other.id() != id);
        if others
            .filter_map(|other| other.to_json()["api_key"].as_str().map(str::to_owned))
            .any(|k| k == *key)
        {
            return Err(ControlError::conflict("api_key is taken by another account"));
        }
    }
    let details = change.details;
    // Switching an app off or making new credentials for it ends its sessions, as the dashboard would.
    let ends = change.app_active == Some(false) || details.api_key.is_some() || details.api_secret.is_some();
    let put = |target: &mut String, value: Option<String>| {
        if let Some(value) = value {
            *target = value;
        }
    };
    match broker {
        Broker::Samco => {
            let edit = |member: &mut crate::samco::Member| {
                member.standing.blocked = change.blocked.unwrap_or(member.standing.blocked);
                member.standing.subscribed = change.subscribed.unwrap_or(member.standing.subscribed);
                member.app_active = change.app_active.unwrap_or(member.app_active);
                let needed = &mut member.standing.needs_app_login;
                *needed = change.needs_app_login.unwrap_or(*needed);
                put(&mut member.account.password, details.password);
                put(&mut member.account.api_key, details.api_key);
                put(&mut member.account.api_secret, details.api_secret);
                put(&mut member.account.primary_ip, details.primary_ip);
                put(&mut member.account.secondary_ip, details.secondary_ip);
                ends
            };
            state.samco().edit(id, edit);
        }
        Broker::AngelOne => {
            for (name, value) in [
                ("subscribed", change.subscribed),
                ("needs_app_login", change.needs_app_login),
            ] {
                if value.is_some() {
                    return Err(ControlError::field(name, "is not a field of angelone accounts"));
                }
            }
            let edit = |member: &mut crate::angelone::Member| {
                member.blocked = change.blocked.unwrap_or(member.blocked);
                member.app_active = change.app_active.unwrap_or(member.app_active);
                put(&mut member.account.pin, details.pin);
                put(&mut member.account.totp_secret, details.totp_secret);
                put(&mut member.account.api_key, details.api_key);
                put(&mut member.account.primary_ip, details.primary_ip);
                put(&mut member.account.secondary_ip, details.secondary_ip);
                ends
            };
            state.angelone().edit(id, edit);
        }
    }
    let all = list(state);
    let shown = all["accounts"].as_array().into_iter().flatten().find(|account| {
        [&account["account"], &account["client_code"]]
            .into_iter()
            .any(|known| known.as_str() == Some(id))
    });
    ok(shown.cloned().unwrap_or_default())
}

/// `DELETE /sessions?broker=&account=`: ends sessions at once, as a broker does now and then during the day.
pub(super) fn end_sessions(state: &State, request: &Request) -> Answer {
    let broker = broker_of(request)?;
    let account = request.query("account").filter(|account| !account.is_empty());
    if let Some(id) = &account
        && state.accounts().iter().all(|known| known.id() != id)
    {
        return Err(ControlError::not_found(format!("there is no account {id}")));
    }
    let now = state.now();
    let mut ended = 0;
    if broker != Some(Broker::AngelOne) {
        ended += state.samco().end_sessions_of(account.as_deref(), now);
    }
    if broker != Some(Broker::Samco) {
        ended += state.angelone().end_sessions_of(account.as_deref(), now);
    }
    ok(json!({"ended": ended}))
}
