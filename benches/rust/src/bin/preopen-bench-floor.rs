//! The floor of the benchmark of the embedded broker: the same HTTP library with one fixed reply and nothing else. It
//! prints its address, and ends with its standard input.

use std::convert::Infallible;
use std::io::Write as _;

use anyhow::Result;
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, body::Incoming};
use hyper_util::rt::TokioIo;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;

/// About as long as the reply that it stands beside.
static REPLY: [u8; 256] = [b'x'; 256];

async fn fixed(_: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut reply = Response::new(Full::new(Bytes::from_static(&REPLY)));
    let json = HeaderValue::from_static("application/json");
    reply.headers_mut().insert(CONTENT_TYPE, json);
    Ok(reply)
}

async fn serve() -> Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    writeln!(std::io::stdout(), "http://{}/", listener.local_addr()?)?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        // A client that goes away is nothing to report.
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(fixed));
        tokio::spawn(connection);
    }
}

fn main() -> Result<()> {
    // As many threads as the command has.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut stdin = tokio::io::stdin();
        tokio::select! {
            ended = serve() => ended,
            _ = stdin.read_u8() => Ok(()),
        }
    })?;
    runtime.shutdown_background();
    Ok(())
}
