//! The end of a connection: what is said about bytes that were no request, and a close that lets the client read it.

use std::time::Duration;

use http::StatusCode;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;

/// How long an ending takes at most.
const PARTING: Duration = Duration::from_secs(2);
/// How much is read from a client that goes on sending after it was refused.
const READ_ON: u64 = 8 << 20;

/// A whole reply to something that was no request.
pub(super) fn reply(status: StatusCode, date: &str, text: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/plain; charset=utf-8\r\ndate: {date}\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n{text}",
        text.len()
    )
}

/// What hyper's complaint about the bytes of a client means, if the client can still be told. `kept_back` is the
/// status of hyper's own refusal, `begun` whether a request began.
pub(super) fn of(
    error: &hyper::Error,
    kept_back: Option<StatusCode>,
    begun: bool,
) -> Option<(StatusCode, String)> {
    let told = |status, text: &str| Some((status, text.to_owned()));
    if error.is_timeout() && begun {
        return told(
            StatusCode::REQUEST_TIMEOUT,
            "the head of the request took too long\n",
        );
    }
    if error.is_parse_version_h2() {
        return told(
            StatusCode::BAD_REQUEST,
            "HTTP/2 is not spoken here, only HTTP/1.1\n",
        );
    }
    match kept_back? {
        status @ StatusCode::URI_TOO_LONG => told(status, "the address is longer than 65534 bytes\n"),
        status @ StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => told(
            status,
            "the head of the request is larger than 64 KiB, has more than 100 headers, or announces a body of no \
             possible size\n",
        ),
        status => Some((status, format!("this is no HTTP/1.1 request: {error}\n"))),
    }
}

/// Sends `last`, and closes. With `read_on` the client's own bytes are read for a moment: closing over them would
/// reset the connection, and take away the reply before it is read.
pub(super) async fn part<S>(mut stream: S, last: Option<String>, read_on: bool)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let parting = async {
        if let Some(last) = &last {
            stream.write_all(last.as_bytes()).await?;
        }
        stream.shutdown().await?;
        if read_on {
            tokio::io::copy(&mut stream.take(READ_ON), &mut tokio::io::sink()).await?;
        }
        std::io::Result::Ok(())
    };
    // The client may be gone already; it is over either way.
    let _ = timeout(PARTING, parting).await;
}
