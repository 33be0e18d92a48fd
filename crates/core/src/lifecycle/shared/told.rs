//! An error as one program tells it to another. Its texts were made fit to leave before.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::error::{AccountAction, Advice, Credential, Error, ErrorKind, LoginReason, Phase};
use crate::skew::Skew;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Told {
    kind: String,
    message: String,
    advice: String,
    after: Option<u64>,
    endpoint: Option<String>,
    http_status: Option<u16>,
    broker_code: Option<String>,
    message_id: Option<String>,
    server_time: Option<i64>,
    credential: Option<String>,
    account_action: Option<String>,
    login_reason: Option<String>,
    phase: Option<String>,
    clock_skew: Option<i64>,
    retry_after: Option<u64>,
    addresses: [Option<String>; 3],
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn named<T: Copy>(all: &[T], as_str: impl Fn(T) -> &'static str, text: Option<&String>) -> Option<T> {
    let text = text?;
    all.iter().copied().find(|value| as_str(*value) == text)
}

impl Told {
    pub(super) fn of(error: &Error) -> Self {
        let context = error.context();
        let text = |name: &str| Some(name.to_owned());
        Self {
            kind: error.code().to_owned(),
            message: error.message().to_owned(),
            advice: error.advice().as_str().to_owned(),
            after: match error.advice() {
                Advice::After(wait) => Some(millis(wait)),
                _ => None,
            },
            endpoint: context.endpoint.clone(),
            http_status: context.http_status,
            broker_code: context.broker_code.clone(),
            message_id: context.message_id.clone(),
            server_time: context.server_time.map(Timestamp::as_millis),
            credential: context.credential.and_then(|which| text(which.as_str())),
            account_action: context.account_action.and_then(|what| text(what.as_str())),
            login_reason: context.login_reason.and_then(|why| text(why.as_str())),
            phase: context.phase.and_then(|phase| text(phase.as_str())),
            clock_skew: context.clock_skew.map(Skew::as_millis),
            retry_after: context.retry_after.map(millis),
            addresses: [
                context.source_ip.clone(),
                context.primary_ip.clone(),
                context.secondary_ip.clone(),
            ],
        }
    }

    /// The error again; a kind that this version does not know is a refusal that nobody knows.
    pub(super) fn to_error(&self) -> Error {
        let kind = named(ErrorKind::ALL, ErrorKind::as_str, Some(&self.kind));
        let error = Error::new(kind.unwrap_or(ErrorKind::BrokerRejected), &self.message);
        let advice = match (self.advice.as_str(), self.after) {
            ("never", _) => Advice::Never,
            ("now", _) => Advice::Now,
            ("after", Some(wait)) => Advice::After(Duration::from_millis(wait)),
            ("after_login", _) => Advice::AfterLogin,
            _ => error.advice(),
        };
        let [source, primary, secondary] = self.addresses.clone();
        error.with_advice(advice).with(|context| {
            context.endpoint.clone_from(&self.endpoint);
            context.http_status = self.http_status;
            context.broker_code.clone_from(&self.broker_code);
            context.message_id.clone_from(&self.message_id);
            context.server_time = self.server_time.map(Timestamp::from_millis);
            context.credential = named(Credential::ALL, Credential::as_str, self.credential.as_ref());
            context.account_action = named(
                AccountAction::ALL,
                AccountAction::as_str,
                self.account_action.as_ref(),
            );
            context.login_reason = named(LoginReason::ALL, LoginReason::as_str, self.login_reason.as_ref());
            context.phase = named(Phase::ALL, Phase::as_str, self.phase.as_ref());
            context.clock_skew = self.clock_skew.map(Skew::from_millis);
            context.retry_after = self.retry_after.map(Duration::from_millis);
            (context.source_ip, context.primary_ip, context.secondary_ip) = (source, primary, secondary);
        })
    }
}
