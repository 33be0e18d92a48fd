//! What a step of a script does, and how it is told.

use preopen_core::Timestamp;
use serde_json::Value;

use crate::account::Broker;
use crate::control::change_account;
use crate::error::ControlError;
use crate::fault::Fault;
use crate::source::SourceIp;
use crate::state::State;
use crate::switch::SwitchValue;

#[derive(Clone, Debug)]
pub(super) enum Action {
    /// Nothing but a name for this time.
    Mark(String),
    SourceIp(SourceIp),
    Switches(Vec<(String, SwitchValue)>),
    Account {
        id: String,
        change: Value,
    },
    EndSessions {
        broker: Option<Broker>,
        account: Option<String>,
    },
    Fault(Box<Fault>),
}

impl Action {
    /// Does it; `span` is from when until when it lasts. Gives the number of a fault that was added.
    pub(super) fn apply(
        &self,
        state: &State,
        span: Option<(Timestamp, Timestamp)>,
    ) -> Result<Option<u64>, ControlError> {
        match self {
            Self::Mark(_) => {}
            Self::SourceIp(source) => state.set_source_ip(*source),
            Self::Switches(values) => {
                let values: Vec<_> = values
                    .iter()
                    .map(|(name, value)| (name.as_str(), value.clone()))
                    .collect();
                state.switches.set(&values)?;
            }
            Self::Account { id, change } => {
                change_account(state, id, change)?;
            }
            Self::EndSessions { broker, account } => {
                state.end_sessions(*broker, account.as_deref());
            }
            Self::Fault(fault) => {
                let mut fault = (**fault).clone();
                if let Some((from, until)) = span {
                    fault = fault.from(from).until(until);
                }
                return state.faults.add(fault).map(|record| Some(record.id));
            }
        }
        Ok(None)
    }

    /// The account that it names.
    pub(super) fn account(&self) -> Option<&str> {
        match self {
            Self::Account { id, .. } => Some(id),
            Self::EndSessions { account, .. } => account.as_deref(),
            _ => None,
        }
    }

    /// What it does, for a person. Shows no secret.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Mark(text) => text.clone(),
            Self::SourceIp(SourceIp::Home) => {
                "requests come from each account's registered address".to_owned()
            }
            Self::SourceIp(SourceIp::Peer) => "requests come from where they really come from".to_owned(),
            Self::SourceIp(SourceIp::Fixed(ip)) => format!("requests come from {ip}"),
            Self::Switches(values) => {
                let shown = values.iter().map(|(name, value)| match value {
                    SwitchValue::Bool(on) => format!("{name} = {on}"),
                    SwitchValue::Number(number) => format!("{name} = {number}"),
                    SwitchValue::Text(text) => format!("{name} = {text}"),
                });
                format!("switches: {}", shown.collect::<Vec<_>>().join(", "))
            }
            Self::Account { id, change } => {
                let fields = change.as_object().into_iter().flatten();
                let shown = fields.map(|(name, value)| match (name.as_str(), value) {
                    ("primary_ip" | "secondary_ip", Value::String(ip)) if ip.is_empty() => {
                        format!("{name} removed")
                    }
                    (_, Value::Bool(_)) | ("primary_ip" | "secondary_ip" | "redirect_url", _) => {
                        format!(
                            "{name} = {}",
                            value.as_str().map_or_else(|| value.to_string(), str::to_owned)
                        )
                    }
                    _ => format!("a new {name}"),
                });
                format!("account {id}: {}", shown.collect::<Vec<_>>().join(", "))
            }
            Self::EndSessions { broker, account } => {
                let whose = account
                    .as_ref()
                    .map_or("all sessions".to_owned(), |id| format!("sessions of {id}"));
                let place = broker.map_or(String::new(), |broker| format!(" at {}", broker.as_str()));
                format!("{whose}{place} are ended")
            }
            Self::Fault(fault) => fault.words(),
        }
    }
}
