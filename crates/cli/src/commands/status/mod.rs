//! `preopen status [BROKER]`: what the store holds, once or for as long as somebody watches. The broker is not asked and
//! nothing is changed.

mod watch;

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use preopen::{
    Credential, Environment, Error, ErrorKind, Expiry, Json, LoginReason, Session, SessionState, StateName,
    Timestamp,
};
use serde_json::json;

use crate::credentials::{
    ANGELONE_API_KEY, ANGELONE_PIN, ANGELONE_TOTP_SECRET, SAMCO_API_KEY, SAMCO_API_SECRET,
};
use crate::output::{
    BAD, BOLD, DIM, EXIT_LOGIN_NEEDED, Failure, GOOD, Output, error_json, exit_code, json_line, line,
};
use crate::session::{Broker, Prepared, SessionOptions};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The broker; every one whose account the credentials name by default.
    broker: Option<Broker>,
    /// Go on until Ctrl-C: in place on a terminal, else a line for each change.
    #[arg(long)]
    watch: bool,
    /// How often --watch looks at the store, in seconds, from 0.1 to 3600 [default: 1]
    #[arg(long, value_name = "SECONDS", requires = "watch")]
    interval: Option<f64>,
    #[command(flatten)]
    options: SessionOptions,
}

/// How often a watch looks at the store.
const INTERVAL: Duration = Duration::from_secs(1);

impl Arguments {
    pub(crate) fn watches(&self) -> bool {
        self.watch
    }

    fn interval(&self) -> Result<Duration, Error> {
        let interval = self.interval.map_or(Ok(INTERVAL), Duration::try_from_secs_f64);
        let sensible = Duration::from_millis(100)..=Duration::from_hours(1);
        interval
            .ok()
            .filter(|interval| sensible.contains(interval))
            .ok_or_else(|| Error::invalid_input("interval", "must be a number of seconds from 0.1 to 3600"))
    }
}

/// The accounts that are looked at.
struct Accounts {
    prepared: Prepared,
    sessions: Vec<(Broker, Session)>,
}

impl Accounts {
    async fn prepare(arguments: Arguments) -> Result<Self, Failure> {
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
        let sessions = brokers
            .into_iter()
            .map(|broker| Ok((broker, prepared.session(broker)?)))
            .collect::<Result<_, Error>>()?;
        Ok(Self { prepared, sessions })
    }

    async fn look(&self) -> Look {
        let mut found = Vec::with_capacity(self.sessions.len());
        for (broker, session) in &self.sessions {
            let state = session.stored_state().await;
            found.push(Found {
                broker: *broker,
                environment: session.environment(),
                state,
                at: self.prepared.now(),
            });
        }
        Look {
            store: self.prepared.store(),
            warnings: self.prepared.store_warnings().await,
            found,
        }
    }
}

/// What was seen at one moment.
struct Look {
    store: String,
    warnings: Vec<String>,
    found: Vec<Found>,
}

/// What was found of one account.
struct Found {
    broker: Broker,
    environment: Environment,
    state: Result<SessionState, Error>,
    at: Timestamp,
}

pub(crate) async fn run(arguments: Arguments, output: Output) -> Result<ExitCode, Failure> {
    let (watches, interval) = (arguments.watches(), arguments.interval()?);
    let accounts = Accounts::prepare(arguments).await?;
    if watches {
        return watch::run(&accounts, interval, output).await;
    }
    let look = accounts.look().await;
    if output.is_json() {
        json_line(&look.to_json());
    } else {
        look.lines().iter().for_each(|text| line(text));
    }
    let worst = look.found.iter().map(Found::exit_code).find(|code| *code != 0);
    Ok(ExitCode::from(worst.unwrap_or_default()))
}

impl Look {
    fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("store       {}", self.store)];
        for warning in &self.warnings {
            lines.push(format!("{BAD}warning{BAD:#}     {warning}"));
        }
        for found in &self.found {
            lines.push(String::new());
            lines.extend(found.lines());
        }
        lines
    }

    fn to_json(&self) -> Json {
        json!({
            "store": {"description": self.store, "warnings": self.warnings},
            "accounts": self.found.iter().map(Found::to_json).collect::<Vec<_>>(),
        })
    }
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

    fn lines(&self) -> Vec<String> {
        let (broker, environment) = (self.broker.as_str(), self.environment.as_str());
        let mut lines = vec![format!("{BOLD}{broker}{BOLD:#} {DIM}({environment}){DIM:#}")];
        match &self.state {
            Err(error) => lines.push(format!("{BAD}unknown{BAD:#}     {}", error.message())),
            Ok(state) => lines.extend(self.lines_of(state)),
        }
        lines.extend(self.fix().map(|fix| format!("to fix it   {fix}")));
        lines
    }

    /// What the store tells, without a look at the clock: it changes only when something happened.
    fn summary(&self) -> String {
        match &self.state {
            Err(error) => format!("unknown: {}", error.message()),
            Ok(state) => {
                let name = match state.name {
                    StateName::Active => "live",
                    StateName::SignedOut => "signed out",
                    name => name.as_str(),
                };
                format!("{name}: {}", state.reason)
            }
        }
    }

    fn lines_of(&self, state: &SessionState) -> Vec<String> {
        let mut lines = vec![match state.name {
            StateName::Active => format!("{GOOD}live{GOOD:#}        {}", state.reason),
            StateName::Blocked => format!("{BAD}blocked{BAD:#}     {}", state.reason),
            StateName::Expired => format!("expired     {}", state.reason),
            _ => format!("signed out  {}", state.reason),
        }];
        let end = state.expiry.as_ref().map(Expiry::at);
        if let (Some(end), StateName::Active) = (end, state.name) {
            lines.push(format!("time left   {}", span(end.since(self.at))));
        }
        if let Some(issued_at) = state.issued_at {
            let login = state.generation;
            let at = issued_at.to_ist();
            lines.push(format!("issued      {at} (login {login} of this store)"));
        }
        if let Some(until) = state.renewable_until {
            let until = until.to_ist();
            lines.push(format!("consent     until {until}: no person is needed before"));
        }
        for evidence in state.expiry.iter().flat_map(Expiry::evidence) {
            let (at, source) = (evidence.at.to_ist(), evidence.source.as_str());
            lines.push(format!("{DIM}evidence    {at} ({source}){DIM:#}"));
        }
        lines
    }

    fn to_json(&self) -> Json {
        let mut all = json!({
            "broker": self.broker.as_str(),
            "environment": self.environment.as_str(),
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

/// A time as a person says it: `17 h 46 min`, `46 min 10 s`, `10 s`.
fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
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

#[cfg(test)]
mod tests {
    use super::{Duration, span};

    #[test]
    fn a_span_has_two_units() {
        for (seconds, text) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min 0 s"),
            (3599, "59 min 59 s"),
            (3600, "1 h 0 min"),
            (86_399, "23 h 59 min"),
        ] {
            assert_eq!(span(Duration::from_secs(seconds)), text);
        }
    }
}
