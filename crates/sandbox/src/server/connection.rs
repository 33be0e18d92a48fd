//! A TCP connection that can be ended with a reset instead of an orderly close, and what is noted of it on the way.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// What the layers of one connection tell each other.
#[derive(Clone, Debug, Default)]
pub(super) struct Signals(Arc<Flags>);

#[derive(Debug, Default)]
struct Flags {
    reset: AtomicBool,
    begun: AtomicBool,
    unread: AtomicBool,
}

impl Signals {
    /// Asks for the connection to be reset when it is dropped.
    pub(super) fn ask_reset(&self) {
        self.0.reset.store(true, Ordering::Release);
    }

    fn is_reset_asked(&self) -> bool {
        self.0.reset.load(Ordering::Acquire)
    }

    /// Notes that bytes came (`true`), or that they became a request (`false`).
    pub(super) fn set_begun(&self, begun: bool) {
        self.0.begun.store(begun, Ordering::Release);
    }

    /// Whether a request began and never became one.
    pub(super) fn is_begun(&self) -> bool {
        self.0.begun.load(Ordering::Acquire)
    }

    /// Notes that a reply went out before all of its request was read.
    pub(super) fn leave_unread(&self) {
        self.0.unread.store(true, Ordering::Release);
    }

    pub(super) fn is_unread(&self) -> bool {
        self.0.unread.load(Ordering::Acquire)
    }
}

#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    signals: Signals,
}

impl Connection {
    pub(super) fn new(stream: TcpStream) -> (Self, Signals) {
        let signals = Signals::default();
        (
            Self {
                stream,
                signals: signals.clone(),
            },
            signals,
        )
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if self.signals.is_reset_asked() {
            // Closing with nothing to linger for sends RST. If it cannot be set the client sees a plain
            // close without a reply, which is broken enough.
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, data)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, data)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.signals.is_reset_asked() {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
