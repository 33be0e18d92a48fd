//! A login at the broker's page whose answer a listener on this machine waits for, and the browser that brings it.

use std::net::TcpListener as StdListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use preopen::{Error, LoginOptions, SamcoOAuth, Session};
use preopen_sandbox::Sandbox;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::{samco_account, sandbox};

/// A port that nobody uses now.
fn free_port() -> u16 {
    let listener = StdListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

pub(crate) struct Waiting {
    pub(crate) sandbox: Sandbox,
    pub(crate) session: Session,
    pub(crate) port: u16,
    /// Where the browser ends, as the broker says.
    pub(crate) address: String,
    pub(crate) login: JoinHandle<Result<(), Error>>,
}

impl Waiting {
    /// A login that waits for its answer, after a person has consented or cancelled.
    pub(crate) async fn new(approve: bool) -> Self {
        Self::lasting(approve, Duration::from_secs(20)).await
    }

    pub(crate) async fn lasting(approve: bool, timeout: Duration) -> Self {
        let sandbox = sandbox().await;
        let port = free_port();
        let redirect = format!("http://127.0.0.1:{port}/callback");
        let account = samco_account(&sandbox).clone();
        let change = serde_json::json!({"redirect_url": redirect});
        sandbox.change_account(&account.account, &change).unwrap();
        let session = Session::builder(SamcoOAuth::new(account.api_key, redirect))
            .base_url(sandbox.samco_url())
            .clock(sandbox.clock())
            .build()
            .unwrap();
        let page = Arc::new(Mutex::new(None));
        let shown = Arc::clone(&page);
        let options = LoginOptions::new()
            .open_browser(false)
            .timeout(timeout)
            .show(move |start| *shown.lock().unwrap() = Some(start.url().to_owned()));
        let login = tokio::spawn({
            let session = session.clone();
            async move { session.login(options).await }
        });
        let url = loop {
            if let Some(url) = page.lock().unwrap().take() {
                break url;
            }
            assert!(!login.is_finished(), "the login ended before it was shown");
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        let address = sandbox.consent(&url, approve, None).unwrap();
        Self {
            sandbox,
            session,
            port,
            address,
            login,
        }
    }

    pub(crate) fn path(&self) -> &str {
        let host = format!("http://127.0.0.1:{}", self.port);
        self.address.strip_prefix(host.as_str()).unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> String {
        let head = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n\r\n", self.port);
        self.send(head.as_bytes()).await
    }

    /// Sends bytes and gives all that comes back.
    pub(crate) async fn send(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        // Whoever is refused may see the connection closed while it still sends.
        drop(stream.write_all(bytes).await);
        let mut answer = Vec::new();
        drop(stream.read_to_end(&mut answer).await);
        String::from_utf8_lossy(&answer).into_owned()
    }
}

pub(crate) fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or_default()
}
