//! What the brokers' streams (WebSocket) want of a session: the headers of a handshake, and the feed token.

use preopen_core::{Error, ErrorKind, Result, Secret};

use crate::session::Session;
use crate::token::Headers;

impl Session {
    /// The headers of a handshake with one of the broker's streams (WebSocket), with the live tokens; logs in if needed. `None`
    /// means the broker's main stream. Ask anew for each connection: the tokens change with each login.
    ///
    /// - Samco: `stream` (`wss://stream.samco.in`; documented), with `x-session-token`.
    /// - SmartAPI: `smart-stream`, the market stream (`wss://smartapisocket.angelone.in/smart-stream`), with
    ///   `Authorization`, `x-api-key`, `x-client-code` and `x-feed-token`; and `smart-order-update`, the order updates
    ///   (`wss://tns.angelone.in/smart-order-update`), with `Authorization` (documented).
    ///
    /// Errors: as `token`; `InvalidInput` (`stream`) for a stream that the broker does not have; `MalformedResponse` when
    /// the login gave no feed token.
    ///
    /// ```no_run
    /// # async fn example(session: preopen::Session) -> preopen::Result<()> {
    /// for (name, value) in session.stream_headers(None).await?.expose() {
    ///     // For the handshake of the broker's WebSocket, anew for each connection.
    ///     let _ = (name, value);
    /// }
    /// if session.broker() == "angelone" {
    ///     let feed_token = session.feed_token().await?;
    ///     # drop(feed_token);
    /// }
    /// # Ok(()) }
    /// ```
    pub async fn stream_headers(&self, stream: Option<&str>) -> Result<Headers> {
        let adapter = self.adapter();
        let known = adapter.streams();
        let stream = stream.or_else(|| known.first().copied()).unwrap_or_default();
        if !known.contains(&stream) {
            let names = known.join(", ");
            let problem = format!("is none of {}: it has {names}", self.broker());
            return Err(self.named(Error::invalid_input("stream", &problem)));
        }
        let record = self.record().await?;
        let headers = adapter.stream_headers(stream, &record.tokens);
        headers.map(Headers::new).ok_or_else(|| self.no_feed_token())
    }

    /// SmartAPI's feed token, which its market stream wants; logs in if needed. It alone opens the stream (documented):
    /// keep it as you keep the token.
    ///
    /// Errors: as `token`; `InvalidInput` at a broker that has none; `MalformedResponse` when the login gave none.
    pub async fn feed_token(&self) -> Result<Secret> {
        if !self.adapter().has_feed_token() {
            let problem = "is none that this broker has: its streams take the session's own token";
            return Err(self.named(Error::invalid_input("feed_token", problem)));
        }
        let record = self.record().await?;
        let token = record.tokens.get("feed").cloned();
        token.ok_or_else(|| self.no_feed_token())
    }

    fn no_feed_token(&self) -> Error {
        let message = "the login gave no feed token, which the market stream wants";
        self.named(Error::new(ErrorKind::MalformedResponse, message))
    }

    fn named(&self, error: Error) -> Error {
        error.with(|context| context.broker = Some(self.broker()))
    }
}
