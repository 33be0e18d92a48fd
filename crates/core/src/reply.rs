//! A broker's reply to one call, out of its envelope, and what a success does not say at its top: which parts of the
//! request were refused.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, DeserializeSeed};
use serde_json::Value;

use crate::broker::Adapter;
use crate::clock::Timestamp;
use crate::data::{Data, DataPlace};
use crate::error::{Error, Redactor, safe_text};
use crate::wire::{Body, CallClass, Endpoint, RawReply};

/// A broker's answer to one call, unwrapped.
///
/// A reply says that the broker took the call, not that it did what was asked: see [`Reply::rejections`].
///
/// ```
/// use preopen_core::envelope::Reply;
///
/// fn price(reply: &Reply) -> Option<&str> {
///     reply.data()["quoteDetails"]["lastTradedPrice"].as_str()
/// }
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct Reply {
    data: Data,
    /// The broker's message for a person, if it sent one.
    pub message: Option<String>,
    /// The broker's time, if it sent one. Samco sends Indian time without a zone, to the second.
    pub server_time: Option<Timestamp>,
    /// The broker's id of this reply, if it sent one.
    pub message_id: Option<String>,
    /// What the broker found wrong with the request although it took it.
    pub validation_errors: Vec<String>,
    /// The broker's own word for success, `Success` or `true`; `None` where the reply has none, as Samco's order status
    /// and square-off (documented).
    pub status: Option<String>,
    /// The parts of an accepted request that the broker refused.
    pub rejections: Vec<Rejection>,
    /// HTTP status.
    pub http_status: u16,
    body: Body,
}

/// One part of a request that the broker refused in a reply that is a success: an order of several that it rejected,
/// a position that was not squared off, a symbol without a quote.
///
/// It is found where the broker says so itself: `REJECTED` as the status of an order that a call placed, a failure in the
/// list of a square-off (both documented for Samco), an item of `unfetched` (documented for SmartAPI). An order that is
/// rejected later is in the order book only.
///
/// ```
/// use preopen_core::envelope::Reply;
///
/// fn complaints(reply: &Reply) -> Vec<String> {
///     reply.rejections.iter().map(|one| format!("{}: {}", one.at, one.reason)).collect()
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rejection {
    /// Where it stands in the reply's data, as a JSON pointer (RFC 6901): `/orders/0`, or nothing for the whole of it.
    pub at: String,
    /// The order's number, if it was given one.
    pub order_id: Option<String>,
    /// The broker's reason, on one line; empty if it gave none.
    pub reason: String,
}

impl Reply {
    /// A reply with nothing but data.
    pub fn new(data: Value, http_status: u16) -> Self {
        Self {
            data: data.into(),
            message: None,
            server_time: None,
            message_id: None,
            validation_errors: Vec::new(),
            status: None,
            rejections: Vec::new(),
            http_status,
            body: Body::with_capacity(0, false),
        }
    }

    /// Reads what came back from a call, and keeps its text. Errors: as the broker's fault table says, and for a write
    /// `OutcomeUnknown` where they do not tell what became of it.
    pub fn read(adapter: &dyn Adapter, endpoint: &Endpoint, raw: RawReply) -> Result<Self, Error> {
        let read = adapter.read(endpoint, &raw);
        let read = read.map(|reply| reply.of(raw.body));
        read.map_err(|error| completed(endpoint, error))
    }

    /// The same where the data may stay in the text until somebody looks: see [`Adapter::read_lazily`].
    pub fn read_lazily(adapter: &dyn Adapter, endpoint: &Endpoint, raw: RawReply) -> Result<Self, Error> {
        let read = adapter.read_lazily(endpoint, raw);
        read.map_err(|error| completed(endpoint, error))
    }

    fn said(&self) -> impl PartialEq {
        let texts = (
            &self.message,
            &self.message_id,
            &self.status,
            &self.validation_errors,
        );
        let about = (self.server_time, &self.rejections, self.http_status);
        (texts, about, self.data(), &self.body)
    }

    /// This reply with its data at a place of its text, which was checked as a whole.
    pub(crate) fn with_data_at(self, place: DataPlace) -> Self {
        Self {
            data: Data::at(place),
            ..self
        }
    }

    /// This reply with its data.
    pub(crate) fn with_data(self, data: Value) -> Self {
        Self {
            data: data.into(),
            ..self
        }
    }

    /// This reply with its text.
    pub(crate) fn of(self, body: Body) -> Self {
        Self { body, ..self }
    }

    /// The payload: SmartAPI's `data`; for Samco all keys but the envelope's own, by their names, or what is in `data`
    /// where that is the only one. Numbers are those of JSON read as 64-bit integers or floating point; [`Reply::text`]
    /// has them as they were sent.
    ///
    /// Of a lazy call (`Call::lazy` of `preopen`) it is made when it is first looked at, and kept.
    pub fn data(&self) -> &Value {
        self.data.tree(self.text())
    }

    /// The payload for keeps.
    pub fn into_data(self) -> Value {
        let Self { data, body, .. } = self;
        data.into_tree(text(&body))
    }

    /// The payload as a type of yours. Of a lazy call (`Call::lazy` of `preopen`) it is read straight from the text.
    ///
    /// ```
    /// use preopen_core::envelope::Reply;
    ///
    /// #[derive(serde::Deserialize)]
    /// struct Limits<'a> {
    ///     net: &'a str,
    /// }
    ///
    /// let reply = Reply::new(serde_json::json!({"net": "1000.00", "collateral": "0.00"}), 200);
    /// let limits: Limits<'_> = reply.deserialize()?;
    /// assert_eq!(limits.net, "1000.00");
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub fn deserialize<'de, T: Deserialize<'de>>(&'de self) -> serde_json::Result<T> {
        self.deserialize_seed(PhantomData)
    }

    /// The payload as what `seed` makes of it.
    pub fn deserialize_seed<'de, S: DeserializeSeed<'de>>(
        &'de self,
        seed: S,
    ) -> serde_json::Result<S::Value> {
        self.data.read(self.text(), seed)
    }

    /// Where the data stands in [`Reply::text`] if it was left there, for who reads that with a parser of their own.
    pub fn data_place(&self) -> Option<DataPlace> {
        self.data.place()
    }

    /// The body exactly as the broker sent it, decompressed. Every number in it is as the broker wrote it. It may hold what
    /// only the caller should see, as the data may.
    pub fn text(&self) -> &str {
        text(&self.body)
    }

    /// Removes known secrets from what is told beside the data, and cuts reasons to the length of an error's message. The
    /// data and the text are the caller's own and stay as they are.
    pub fn clean(&mut self, redactor: &Redactor) {
        let texts = [&mut self.message, &mut self.message_id, &mut self.status];
        texts
            .into_iter()
            .flatten()
            .chain(&mut self.validation_errors)
            .for_each(|text| redactor.clean(text));
        self.rejections
            .iter_mut()
            .for_each(|one| redactor.fit(&mut one.reason));
    }
}

fn text(body: &Body) -> &str {
    // What was read as JSON is UTF-8.
    std::str::from_utf8(body).unwrap_or_default()
}

/// What is not known of a write is said.
fn completed(endpoint: &Endpoint, error: Error) -> Error {
    if endpoint.class == CallClass::Write {
        error.for_write()
    } else {
        error
    }
}

impl PartialEq for Reply {
    /// By what it says: whether its data was left in its text makes no difference.
    fn eq(&self, other: &Self) -> bool {
        self.said() == other.said()
    }
}

impl fmt::Debug for Reply {
    /// Without the data and the text, which may be long and private.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply")
            .field("http_status", &self.http_status)
            .field("status", &self.status)
            .field("message", &self.message.as_deref().map(safe_text))
            .field("rejections", &self.rejections)
            .finish_non_exhaustive()
    }
}

impl Rejection {
    /// A refused part of the data.
    pub(crate) fn new(at: String, order_id: Option<&str>, reason: &str) -> Self {
        Self {
            at,
            order_id: order_id.map(str::to_owned),
            reason: safe_text(reason),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Redactor, Rejection, Reply};
    use crate::secret::Secret;

    #[test]
    fn known_secrets_leave_the_texts_beside_the_data_and_not_the_data() {
        let mut reply = Reply::new(serde_json::json!({"token": "secret-key"}), 200);
        reply.message = Some("welcome secret-key".to_owned());
        reply.message_id = Some("id-secret-key".to_owned());
        reply.status = Some("secret-key".to_owned());
        reply.validation_errors = vec!["not secret-key".to_owned()];
        reply.rejections = vec![Rejection::new(String::new(), None, "no secret-key")];
        reply.clean(&Redactor::new([Secret::new("secret-key")]));
        assert_eq!(reply.message.as_deref(), Some("welcome **redacted**"));
        assert_eq!(reply.message_id.as_deref(), Some("id-**redacted**"));
        assert_eq!(reply.status.as_deref(), Some("**redacted**"));
        assert_eq!(reply.validation_errors, ["not **redacted**"]);
        assert_eq!(reply.rejections[0].reason, "no **redacted**");
        assert_eq!(reply.data()["token"], "secret-key");
    }

    #[test]
    fn a_reply_shows_neither_its_data_nor_its_text() {
        let reply = Reply {
            body: "CANARY".into(),
            ..Reply::new(serde_json::json!({"otp": "CANARY"}), 200)
        };
        assert_eq!(reply.text(), "CANARY");
        assert!(!format!("{reply:?}").contains("CANARY"));
    }
}
