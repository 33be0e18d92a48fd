//! The floor: one kept connection for each worker, a request that is written by hand, and a reply of which only status and length
//! are looked for.

use std::fmt::Write as _;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use reqwest::Url;
use rustls::pki_types::ServerName;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::bare::tls;
use crate::settings::{PATH, QUERY, Settings, check};
use crate::watch::measure;

trait Stream: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Stream for T {}

/// A connection, and the bytes of the reply that is being read.
struct Connection {
    stream: Box<dyn Stream>,
    reply: Vec<u8>,
}

pub(crate) async fn get(settings: &Settings) -> Result<Value> {
    let url = Url::parse(&settings.url)?;
    let query = QUERY.map(|(name, value)| format!("{name}={value}")).join("&");
    let mut request = format!("GET {PATH}?{query} HTTP/1.1\r\nhost: {}\r\n", url.authority());
    for (name, value) in &settings.headers {
        write!(request, "{name}: {value}\r\n")?;
    }
    request.push_str("\r\n");
    let mut workers = Vec::new();
    for _ in 0..settings.workers {
        workers.push(Connection::open(settings, &url).await?);
    }
    measure(settings, &mut workers, async |connection| {
        check(&connection.exchange(&request).await?)
    })
    .await
}

impl Connection {
    async fn open(settings: &Settings, url: &Url) -> Result<Self> {
        let (host, port) = (url.host_str(), url.port_or_known_default());
        let (host, port) = host.zip(port).context("no host or port")?;
        let plain = TcpStream::connect((host, port)).await?;
        plain.set_nodelay(true)?;
        let stream: Box<dyn Stream> = if url.scheme() == "https" {
            let name = ServerName::try_from(host.to_owned())?;
            let connector = TlsConnector::from(Arc::new(tls(settings)?));
            Box::new(connector.connect(name, plain).await?)
        } else {
            Box::new(plain)
        };
        let reply = Vec::with_capacity(16 << 10);
        Ok(Self { stream, reply })
    }

    async fn exchange(&mut self, request: &str) -> Result<Value> {
        self.stream.write_all(request.as_bytes()).await?;
        self.stream.flush().await?;
        self.reply.clear();
        let (body, end) = loop {
            ensure!(
                self.stream.read_buf(&mut self.reply).await? > 0,
                "the connection ended"
            );
            if let Some((body, length)) = head(&self.reply)? {
                break (body, body + length);
            }
        };
        while self.reply.len() < end {
            ensure!(
                self.stream.read_buf(&mut self.reply).await? > 0,
                "the connection ended"
            );
        }
        Ok(serde_json::from_slice(&self.reply[body..end])?)
    }
}

/// Where the body begins and how long it is, once the head is there.
fn head(reply: &[u8]) -> Result<Option<(usize, usize)>> {
    let Some(end) = reply.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = std::str::from_utf8(&reply[..end])?;
    ensure!(head.starts_with("HTTP/1.1 200 "), "{head}");
    let length = head
        .lines()
        .filter_map(|line| line.split_once(": "))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let (_, length) = length.context("a reply without a length")?;
    Ok(Some((end + 4, length.parse()?)))
}
