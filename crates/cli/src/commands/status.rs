//! `preopen status [BROKER]`: what the store holds. The broker is not asked and nothing is changed.

use std::process::ExitCode;

use clap::Args;
use preopen::{
    Credential, Error, ErrorKind, Expiry, Json, LoginReason, Session, SessionState, StateName, Timestamp,
};
use serde_json::json;

use crate::credentials::{
    ANGELONE_API_KEY, ANGELONE_PIN, ANGELONE_TOTP_SECRET, SAMCO_API_KEY, SAMCO_API_SECRET,
};
use crate::output::{
    BAD, BOLD, DIM, EXIT_LOGIN_NEEDED, Failure, GOOD, Output, error_json, exit_code, json_line, line,
};
use crate::session::{Broker, SessionOptions};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The broker; every one whose account the credentials name by default.
    broker: Option<Broker>,
    #[command(flatten)]
    options: SessionOptions,
}

/// What was found of one account.
struct Found {
    broker: Broker,
    session: Session,
    state: Result<SessionState, Error>,
}

pub(crate) async fn run(arguments: Arguments, output: Output) -> Result<ExitCode, Failure> {
    arguments.options.admit(arguments.broker)?;
    let prepared = arguments.options.prepare().await?;
    let brokers = match arguments.broker {
        Some(broker) => vec![broker],
        None => prepared.accounts(),
    };
    if brokers.is_empty() {
        return Err(Error::invalid_input(
            SAMCO_API_KEY,
            "is not set, and neither are ANGELONE_API_KEY and ANGELONE_CLIENT_CODE: they name the account to look for",
        )
        .into());
    }
    let mut found = Vec::new();
    for broker in brokers {
        let session = prepared.session(broker)?;
        let state = session.stored_state().await;
        found.push(Found {
            broker,
            session,
            state,
        });
    }
    let (store, warnings) = (prepared.store(), prepared.store_warnings().await);
    if output.is_json() {
        json_line(&json!({
            "store": {"description": store, "warnings": warnings},
            "accounts": found.iter().map(Found::to_json).collect::<Vec<_>>(),
        }));
    } else {
        line(&format!("store       {store}"));
        for warning in &warnings {
            line(&format!("{BAD}warning{BAD:#}     {warning}"));
        }
        found.iter().for_each(Found::tell);
    }
    let worst = found.iter().map(Found::exit_code).find(|code| *code != 0);
    Ok(ExitCode::from(worst.unwrap_or_default()))
}

impl Found {
    /// 0 for a live session, else what stands in the way of one.
    fn exit_code(&self) -> u8 {
        match &self.state {
            Err(error) => exit_code(error.kind()),
            Ok(state) => match &state.blocked_by {
                Some(error) => exit_code(error.kind()),
                None if state.name == StateName::Active => 0,
                None => EXIT_LOGIN_NEEDED,
            },
        }
    }

    fn fix(&self) -> Option<String> {
        match &self.state {
            Err(error) => fix(self.broker, error),
            Ok(state) => fix(self.broker, state.blocked_by.as_ref()?),
        }
    }

    fn tell(&self) {
        let environment = self.session.environment();
        line("");
        line(&format!(
            "{BOLD}{}{BOLD:#} {DIM}({}){DIM:#}",
            self.broker.as_str(),
            environment.as_str()
        ));
        match &self.state {
            Err(error) => line(&format!("{BAD}unknown{BAD:#}     {}", error.message())),
            Ok(state) => tell_state(state),
        }
        if let Some(fix) = self.fix() {
            line(&format!("to fix it   {fix}"));
        }
    }

    fn to_json(&self) -> Json {
        let mut all = json!({
            "broker": self.broker.as_str(),
            "environment": self.session.environment().as_str(),
            "state": "unknown",
            "live": false,
        });
        let more = match &self.state {
            Err(error) => json!({"reason": error.message(), "error": error_json(error)}),
            Ok(state) => {
                let expiry = state.expiry.as_ref();
                let evidence = expiry.map(|expiry| {
                    let one = |one: &preopen::Evidence| json!({"source": one.source.as_str(), "at": one.at.to_rfc3339()});
                    expiry.evidence().iter().map(one).collect::<Vec<_>>()
                });
                json!({
                    "state": state.name.as_str(),
                    "live": state.name == StateName::Active,
                    "generation": state.generation,
                    "issued_at": state.issued_at.map(Timestamp::to_rfc3339),
                    "expires_at": expiry.map(|expiry| expiry.at().to_rfc3339()),
                    "expiry_evidence": expiry.map(|expiry| expiry.decisive().source.as_str()),
                    "evidence": evidence,
                    "renewable_until": state.renewable_until.map(Timestamp::to_rfc3339),
                    "reason": state.reason,
                    "blocked_by": state.blocked_by.as_ref().map(error_json),
                })
            }
        };
        if let (Some(all), Json::Object(more)) = (all.as_object_mut(), more) {
            all.extend(more);
            all.insert("fix".to_owned(), self.fix().into());
        }
        all
    }
}

fn tell_state(state: &SessionState) {
    match state.name {
        StateName::Active => line(&format!("{GOOD}live{GOOD:#}        {}", state.reason)),
        StateName::Blocked => line(&format!("{BAD}blocked{BAD:#}     {}", state.reason)),
        StateName::Expired => line(&format!("expired     {}", state.reason)),
        _ => line(&format!("signed out  {}", state.reason)),
    }
    if let Some(issued_at) = state.issued_at {
        let login = state.generation;
        line(&format!(
            "issued      {} (login {login} of this store)",
            issued_at.to_ist()
        ));
    }
    if let Some(until) = state.renewable_until {
        line(&format!(
            "consent     until {}: no person is needed before",
            until.to_ist()
        ));
    }
    for evidence in state.expiry.iter().flat_map(Expiry::evidence) {
        let at = evidence.at.to_ist();
        line(&format!(
            "{DIM}evidence    {at} ({}){DIM:#}",
            evidence.source.as_str()
        ));
    }
}

/// What to do about what stands in the way of a session.
pub(crate) fn fix(broker: Broker, error: &Error) -> Option<String> {
    let login = format!("`preopen login {}`", broker.as_str());
    Some(match error.kind() {
        ErrorKind::CredentialsRejected => {
            let variable = variable(broker, error.context().credential);
            format!("correct {variable}; the next call then logs in. {login} tries it as it is")
        }
        ErrorKind::AccountActionRequired => {
            format!("do what the broker asks for, then {login}")
        }
        ErrorKind::LoginRequired if error.context().login_reason == Some(LoginReason::StoreUnreadable) => {
            format!("put the store or its key back, or replace what it holds with {login}")
        }
        ErrorKind::StoreUnavailable => "see to the store".to_owned(),
        ErrorKind::InvalidInput => return None,
        _ => format!("see to the cause, then {login}"),
    })
}

/// The variable that holds what the broker refused.
fn variable(broker: Broker, credential: Option<Credential>) -> &'static str {
    match (broker, credential) {
        (Broker::Samco, Some(Credential::ApiKey)) => SAMCO_API_KEY,
        (Broker::Samco, Some(Credential::ApiSecret)) => SAMCO_API_SECRET,
        (Broker::Angelone, Some(Credential::ApiKey)) => ANGELONE_API_KEY,
        (Broker::Angelone, Some(Credential::Pin)) => ANGELONE_PIN,
        (Broker::Angelone, Some(Credential::Totp)) => ANGELONE_TOTP_SECRET,
        _ => "the credentials",
    }
}
