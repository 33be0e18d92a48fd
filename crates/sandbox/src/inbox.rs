//! What the brokers "sent" by email and SMS: one-time codes and keys.

use std::fmt;

use preopen_core::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::account::Broker;
use crate::data::{Damage, Pass};
use crate::table::{Single, Table};

/// How many messages are kept.
const KEPT: usize = 1000;

/// How a message went out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Channel {
    /// An email.
    Email,
    /// An SMS.
    Sms,
}

impl Channel {
    /// `email` or `sms`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Sms => "sms",
        }
    }
}

/// What a message brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum MessageKind {
    /// A one-time code.
    Otp,
    /// The key of the deprecated login.
    SecretApiKey,
    /// The key of an app.
    ApiKey,
}

impl MessageKind {
    /// `otp`, `secret_api_key` or `api_key`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Otp => "otp",
            Self::SecretApiKey => "secret_api_key",
            Self::ApiKey => "api_key",
        }
    }

    const fn sentence(self) -> &'static str {
        match self {
            Self::Otp => "Your one-time code is",
            Self::SecretApiKey => "Your secret API key is",
            Self::ApiKey => "The API key of your app is",
        }
    }
}

/// An email or SMS that a broker sent.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Message {
    /// Its number, from 1.
    pub seq: u64,
    /// When it was sent, on the virtual clock.
    pub at: Timestamp,
    /// Who sent it.
    pub broker: Broker,
    /// Whose account it went to.
    pub account: String,
    /// How it went out.
    pub channel: Channel,
    /// What it brings.
    pub kind: MessageKind,
    /// The code or key in it.
    pub value: String,
    /// What it is for: the change that a code confirms, the app of a key; empty when the kind says it all.
    #[serde(default)]
    pub about: String,
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("seq", &self.seq)
            .field("account", &self.account)
            .field("channel", &self.channel)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

impl Message {
    /// The message as its reader sees it.
    pub fn text(&self) -> String {
        format!("{} {}.", self.kind.sentence(), self.value)
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({
            "seq": self.seq, "at": self.at.to_rfc3339(), "broker": self.broker.as_str(), "account": self.account,
            "channel": self.channel.as_str(), "kind": self.kind.as_str(), "value": self.value, "about": self.about,
            "text": self.text(),
        })
    }
}

/// The last messages of one sandbox.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    sent: Single<u64>,
    messages: Table<u64, Message>,
}

impl Inbox {
    pub(crate) fn keep(&mut self, pass: &mut Pass<'_>) -> Result<(), Damage> {
        pass.single("inbox.sent", &mut self.sent)?;
        pass.table("inbox.message", &mut self.messages)
    }

    /// Sends a value to the owner of a Samco account; `about` is what it is for.
    pub(crate) fn send(
        &mut self,
        at: Timestamp,
        account: &str,
        channels: &[Channel],
        kind: MessageKind,
        value: &str,
        about: &str,
    ) {
        for channel in channels {
            if self.messages.len() >= KEPT {
                self.messages.pop_first();
            }
            let seq = self.sent.next();
            let message = Message {
                seq,
                at,
                broker: Broker::Samco,
                account: account.to_owned(),
                channel: *channel,
                kind,
                value: value.to_owned(),
                about: about.to_owned(),
            };
            self.messages.insert(seq, message);
        }
    }

    /// The messages to one account, or to all, oldest first.
    pub(crate) fn list(&self, account: Option<&str>) -> Vec<Message> {
        let wanted = |message: &&Message| account.is_none_or(|id| message.account == id);
        self.messages.values().filter(wanted).cloned().collect()
    }

    pub(crate) fn clear(&mut self) {
        self.messages.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::{Channel, Inbox, KEPT, MessageKind};
    use preopen_core::Timestamp;

    #[test]
    fn it_keeps_the_last_and_shows_no_value_in_debug() {
        let mut inbox = Inbox::default();
        let both = [Channel::Sms, Channel::Email];
        for number in 0..KEPT {
            let value = format!("CANARY{number}");
            inbox.send(
                Timestamp::from_seconds(1),
                "A",
                &both,
                MessageKind::Otp,
                &value,
                "",
            );
        }
        let list = inbox.list(Some("A"));
        assert_eq!((list.len(), list[0].seq), (KEPT, 1001));
        assert!(inbox.list(Some("B")).is_empty());
        assert!(!format!("{list:?}").contains("CANARY"));
        assert_eq!(list[0].to_json()["text"], "Your one-time code is CANARY500.");
        inbox.clear();
        assert!(inbox.list(None).is_empty());
    }
}
