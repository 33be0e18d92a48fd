//! Accounts over the control API: add one, change its standing or credentials, end its sessions.

use http::StatusCode;
use preopen_core::totp::TotpSecret;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use super::{Answer, broker_of, ok, portal, read};
use crate::account::{
    ANGELONE_REDIRECT, Account, AngelOneAccount, Broker, SAMCO_REDIRECT, SamcoAccount, fake_secret, seeds,
};
use crate::digest::Salted;
use crate::error::ControlError;
use crate::inbox::{Channel, MessageKind};
use crate::redirect;
use crate::samco::{Status, has_secret_format};
use crate::state::{ACCOUNTS, State};
use crate::wire::Request;

/// A new account. What is left out is made up, visibly fake and unique.
#[derive(Clone, Deserialize)]
struct NewAccount {
    broker: Broker,
    /// How many to add; nothing may be named then that only one account can have.
    #[serde(default)]
    count: Option<usize>,
    #[serde(default)]
    account: Option<String>,
    #[serde(default)]
    client_code: Option<String>,
    #[serde(flatten, deserialize_with = "read_details")]
    details: Details,
}

/// What both a new account and a change may name.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
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
    #[serde(default)]
    redirect_url: Option<String>,
    #[serde(default)]
    secret_api_key: Option<String>,
}

/// A change of an account; what is left out stays.
#[derive(Deserialize)]
struct Change {
    #[serde(default)]
    blocked: Option<bool>,
    #[serde(default)]
    subscribed: Option<bool>,
    #[serde(default)]
    app_active: Option<bool>,
    #[serde(default)]
    needs_app_login: Option<bool>,
    #[serde(flatten, deserialize_with = "read_details")]
    details: Details,
}

/// Reads what is left of an object as details, by way of a value: what is read straight out of the object that it is
/// part of cannot name the field that is wrong.
fn read_details<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Details, D::Error> {
    let fields = serde_json::Map::deserialize(deserializer)?;
    serde_path_to_error::deserialize(Value::Object(fields))
        .map_err(|error| D::Error::custom(format_args!("{}: {}", error.path(), error.inner())))
}

impl Details {
    fn check(&self, state: &State, broker: Broker) -> Result<(), ControlError> {
        let foreign: &[_] = match broker {
            Broker::Samco => &[("pin", &self.pin), ("totp_secret", &self.totp_secret)],
            Broker::AngelOne => &[
                ("password", &self.password),
                ("api_secret", &self.api_secret),
                ("secret_api_key", &self.secret_api_key),
            ],
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
            ("secret_api_key", &self.secret_api_key),
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
        let redirect = self.redirect_url.as_deref().unwrap_or_default();
        let problem = match broker {
            _ if redirect.is_empty() => None,
            Broker::Samco => redirect::samco_problem(state, redirect),
            Broker::AngelOne => redirect::problem(redirect),
        };
        match problem {
            Some(problem) => Err(ControlError::field("redirect_url", problem)),
            None => Ok(()),
        }
    }
}

pub(super) fn add(state: &State, request: &Request) -> Answer {
    let new: NewAccount = read(request)?;
    new.details.check(state, new.broker)?;
    let Some(count) = new.count else {
        let _naming = state.naming();
        return Ok((StatusCode::CREATED, add_one(state, new)?.to_json()));
    };
    let unique = [
        ("account", &new.account),
        ("client_code", &new.client_code),
        ("api_key", &new.details.api_key),
    ];
    if let Some((name, _)) = unique.iter().find(|(_, value)| value.is_some()) {
        return Err(ControlError::field(
            name,
            "cannot be given to many accounts: leave it out",
        ));
    }
    if count == 0 {
        return Err(ControlError::field("count", "must be at least 1"));
    }
    let added: Vec<Value> = add_many(state, &new, count)?
        .iter()
        .map(Account::to_json)
        .collect();
    Ok((StatusCode::CREATED, json!({"accounts": added})))
}

/// Adds `count` accounts with made-up ids and credentials.
pub(crate) fn add_made_up(state: &State, broker: Broker, count: usize) -> Result<Vec<Account>, ControlError> {
    let new = NewAccount {
        broker,
        count: None,
        account: None,
        client_code: None,
        details: Details::default(),
    };
    add_many(state, &new, count)
}

/// All of them, or none when there is no room.
fn add_many(state: &State, new: &NewAccount, count: usize) -> Result<Vec<Account>, ControlError> {
    let _naming = state.naming();
    state.check_room(count)?;
    (0..count).map(|_| add_one(state, new.clone())).collect()
}

/// Adds one account, with the first made-up id that is free.
fn add_one(state: &State, new: NewAccount) -> Result<Account, ControlError> {
    let first = state.account_count().saturating_sub(seeds().len()) + 1;
    let id = (first..=first + ACCOUNTS)
        .map(|number| format!("SBX9{number:02}"))
        .find(|id| !state.has_account(id))
        .unwrap_or_default();
    let details = new.details;
    let given = |name: &str, id: Option<String>| match id {
        Some(id)
            if id.is_empty()
                || id.len() > 40
                || id.trim() != id
                || id == "."
                || id == ".."
                || id.chars().any(|c| c == '/' || c.is_control()) =>
        {
            let problem =
                "must have 1 to 40 characters, no / among them, no space around them, and be no . or ..";
            Err(ControlError::field(name, problem))
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
                redirect_url: details.redirect_url.unwrap_or_else(|| SAMCO_REDIRECT.to_owned()),
                secret_api_key: details.secret_api_key.unwrap_or_default(),
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
                redirect_url: details
                    .redirect_url
                    .unwrap_or_else(|| ANGELONE_REDIRECT.to_owned()),
                client_code: id,
            })
        }
    };
    state.add_account(&account)?;
    Ok(account)
}

pub(super) fn list(state: &State) -> Value {
    let now = state.now();
    let mut all = Vec::new();
    let samco = state.samco();
    let counted = samco.members().iter().zip(samco.live_sessions(now));
    all.extend(counted.map(|(member, live)| at_samco(member, live)));
    drop(samco);
    let angelone = state.angelone();
    let counted = angelone.members().iter().zip(angelone.live_sessions(now));
    all.extend(counted.map(|(member, live)| at_angelone(member, live)));
    json!({"accounts": all})
}

/// One of the list, without the work of making all of it.
fn one(state: &State, id: &str) -> Value {
    let now = state.now();
    let samco = state.samco();
    if let Some(member) = samco.member(id) {
        return at_samco(member, samco.live_sessions_of(id, now));
    }
    drop(samco);
    let angelone = state.angelone();
    let found = angelone.member(id);
    found.map_or(Value::Null, |member| {
        at_angelone(member, angelone.live_sessions_of(id, now))
    })
}

fn at_samco(member: &crate::samco::Member, live: usize) -> Value {
    let mut shown = Account::Samco(member.to_account()).to_json();
    shown["subscribed"] = member.standing.subscribed.into();
    shown["blocked"] = member.standing.blocked.into();
    shown["app_active"] = member.first().is_active().into();
    shown["apps"] = member.apps().iter().map(portal::app_to_json).collect();
    shown["needs_app_login"] = member.standing.needs_app_login.into();
    shown["live_sessions"] = live.into();
    shown
}

fn at_angelone(member: &crate::angelone::Member, live: usize) -> Value {
    let mut shown = Account::AngelOne(member.account.clone()).to_json();
    shown["primary_ip"] = member.account.primary_ip.as_str().into();
    shown["secondary_ip"] = member.account.secondary_ip.as_str().into();
    shown["blocked"] = member.blocked.into();
    shown["app_active"] = member.app_active.into();
    shown["live_sessions"] = live.into();
    shown
}

/// `PATCH /accounts/{id}`.
pub(super) fn change(state: &State, request: &Request, id: &str) -> Answer {
    ok(apply(state, id, read(request)?)?)
}

/// Changes an account as `PATCH /accounts/{id}` does; gives what it is then.
pub(crate) fn change_account(state: &State, id: &str, change: &Value) -> Result<Value, ControlError> {
    let change = Change::deserialize(change)
        .map_err(|error| ControlError::field("change", format_args!("is wrong: {error}")))?;
    apply(state, id, change)
}

fn apply(state: &State, id: &str, change: Change) -> Result<Value, ControlError> {
    let broker = if state.samco().has_account(id) {
        Broker::Samco
    } else if state.angelone().has_account(id) {
        Broker::AngelOne
    } else {
        return Err(ControlError::not_found(format!("there is no account {id}")));
    };
    change.details.check(state, broker)?;
    let _naming = state.naming();
    if let Some(key) = &change.details.api_key {
        let taken = match broker {
            Broker::Samco => state.samco().is_key_of_another_app(key, id),
            Broker::AngelOne => state.angelone().owner_of(key).is_some_and(|owner| owner != id),
        };
        if taken {
            return Err(ControlError::conflict("api_key is taken by another app"));
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
            if let Some(key) = &details.api_key {
                // Samco shows a new secret in the dashboard and mails a new key.
                let channels = [Channel::Email];
                let now = state.now();
                state
                    .inbox()
                    .send(now, id, &channels, MessageKind::ApiKey, key, "");
            }
            let edit = |member: &mut crate::samco::Member| {
                member.standing.blocked = change.blocked.unwrap_or(member.standing.blocked);
                member.standing.subscribed = change.subscribed.unwrap_or(member.standing.subscribed);
                let needed = &mut member.standing.needs_app_login;
                *needed = change.needs_app_login.unwrap_or(*needed);
                put(&mut member.password, details.password);
                put(&mut member.secret_api_key, details.secret_api_key);
                if let Some(secret) = details.api_secret {
                    member.first_mut().secret = Salted::of(&secret);
                    member.noted_secret = secret;
                }
                let app = member.first_mut();
                match change.app_active {
                    Some(true) => app.status = Status::Active,
                    Some(false) => app.status = Status::Deactivated,
                    None => {}
                }
                put(&mut app.api_key, details.api_key);
                put(&mut app.redirect_url, details.redirect_url);
                if details.primary_ip.is_some() || details.secondary_ip.is_some() {
                    let mut addresses = app.addresses.clone();
                    put(&mut addresses.primary, details.primary_ip);
                    put(&mut addresses.secondary, details.secondary_ip);
                    app.give_addresses(addresses);
                }
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
                if let Some(secret) = details.totp_secret {
                    member.set_totp_secret(secret);
                }
                put(&mut member.account.api_key, details.api_key);
                put(&mut member.account.primary_ip, details.primary_ip);
                put(&mut member.account.secondary_ip, details.secondary_ip);
                put(&mut member.account.redirect_url, details.redirect_url);
                ends
            };
            state.angelone().edit(id, edit);
        }
    }
    Ok(one(state, id))
}

/// `DELETE /sessions?broker=&account=`: ends sessions at once, as a broker does now and then during the day.
pub(super) fn end_sessions(state: &State, request: &Request) -> Answer {
    let broker = broker_of(request)?;
    let account = request.query("account").filter(|account| !account.is_empty());
    if let Some(id) = &account
        && !state.has_account(id)
    {
        return Err(ControlError::not_found(format!("there is no account {id}")));
    }
    let ended = state.end_sessions(broker, account.as_deref());
    ok(json!({"ended": ended}))
}
