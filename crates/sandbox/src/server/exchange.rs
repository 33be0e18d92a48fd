//! What HTTP reads from and writes to: it notes what came, gives up on a client that takes nothing, and keeps back the
//! empty refusals that hyper writes by itself, so that one with a text can go out.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::connection::Signals;

/// How hyper's refusal of what it cannot parse ends, after its status line. A reply of the sandbox always has a
/// `date` between the two.
const REFUSAL: &[u8] = b"\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

#[derive(Debug)]
pub(super) struct Exchange<S> {
    stream: S,
    signals: Signals,
    /// How long a client may take no byte of a reply.
    patience: Duration,
    waiting: Option<Pin<Box<Sleep>>>,
    kept_back: Option<StatusCode>,
}

impl<S> Exchange<S> {
    pub(super) fn new(stream: S, signals: Signals, patience: Duration) -> Self {
        Self {
            stream,
            signals,
            patience,
            waiting: None,
            kept_back: None,
        }
    }

    /// The status of a refusal that waits to be said in words.
    pub(super) fn kept_back(&self) -> Option<StatusCode> {
        self.kept_back
    }

    pub(super) fn into_inner(self) -> S {
        self.stream
    }

    /// Passes on what became of a write, unless nothing has for too long.
    fn patiently<T>(&mut self, cx: &mut Context<'_>, outcome: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.waiting = None;
            return outcome;
        }
        let patience = self.patience;
        let timer = self.waiting.get_or_insert_with(|| Box::pin(sleep(patience)));
        if timer.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        // What is in the system's buffers would be kept for the client much longer.
        self.signals.ask_reset();
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

/// How much of what hyper writes comes before its own refusal; `None` when there is none.
fn before_refusal(data: &[u8]) -> Option<usize> {
    let head = data.strip_suffix(REFUSAL)?;
    let line = head
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |at| at + 1);
    // A reply in front of it may have a body that ends without a line of its own.
    let status = head[line..].windows(7).rposition(|part| part == b"HTTP/1.")?;
    Some(line + status)
}

impl<S: AsyncRead + Unpin> AsyncRead for Exchange<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let outcome = Pin::new(&mut self.stream).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.signals.set_begun(true);
        }
        outcome
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Exchange<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let own = before_refusal(data).unwrap_or(data.len());
        if own == 0 && !data.is_empty() {
            self.kept_back = data
                .get(9..12)
                .and_then(|status| StatusCode::from_bytes(status).ok());
            return Poll::Ready(Ok(data.len()));
        }
        let outcome = Pin::new(&mut self.stream).poll_write(cx, &data[..own]);
        self.patiently(cx, outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut parts = data.iter().filter(|part| !part.is_empty());
        if let Some(last) = parts.next_back()
            && before_refusal(last).is_some()
        {
            // One part at a time, until the refusal is the only one.
            let first = parts.next().unwrap_or(last);
            return self.poll_write(cx, first);
        }
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(cx, data);
        self.patiently(cx, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_flush(cx);
        self.patiently(cx, outcome)
    }

    /// Whoever owns the stream ends it.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::before_refusal;

    const BARE: &str = "HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

    #[test]
    fn only_a_refusal_without_a_date_is_hypers_own() {
        assert_eq!(before_refusal(BARE.as_bytes()), Some(0));
        let earlier = format!("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{{}}{BARE}");
        assert_eq!(
            before_refusal(earlier.as_bytes()),
            Some(earlier.len() - BARE.len())
        );
        let dated = BARE.replace("connection", "date: x\r\nconnection");
        assert_eq!(before_refusal(dated.as_bytes()), None);
        assert_eq!(before_refusal(b""), None);
    }
}
