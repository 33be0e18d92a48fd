//! The command beside an embedded broker and a store of the test's own.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    reason = "each test file uses a part of these helpers"
)]

#[cfg(unix)]
pub(crate) mod terminal;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

pub(crate) const PREOPEN: &str = env!("CARGO_BIN_EXE_preopen");

/// The login of Samco, as the broker counts it.
pub(crate) const SAMCO_LOGIN: &str = "/session/token";

/// The line with which a program says that it is ready.
pub(crate) fn first_line(child: &mut Child) -> String {
    let mut line = String::new();
    let output = child.stdout.take().unwrap();
    BufReader::new(output).read_line(&mut line).unwrap();
    line
}

/// The embedded broker as a child that ends with its standard input, and a folder for a store.
pub(crate) struct Broker {
    child: Child,
    pub(crate) ready: Value,
    pub(crate) folder: TempDir,
}

impl Broker {
    pub(crate) fn start() -> Self {
        let mut child = Command::new(PREOPEN)
            .args(["sandbox", "--json", "--exit-with-stdin"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let ready = serde_json::from_str(&first_line(&mut child)).unwrap();
        Self {
            child,
            ready,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn url(&self) -> &str {
        self.ready["samco_url"].as_str().unwrap()
    }

    pub(crate) fn account(&self, broker: &str) -> &Value {
        let accounts = self.ready["accounts"].as_array().unwrap();
        accounts.iter().find(|a| a["broker"] == broker).unwrap()
    }

    pub(crate) fn secret(&self, broker: &str, field: &str) -> String {
        self.account(broker)[field].as_str().unwrap().to_owned()
    }

    /// The address of the store.
    pub(crate) fn store(&self) -> String {
        format!("file:{}", self.folder.path().join("store").display())
    }

    /// The environment of a command: the first account of each broker, and the store.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        let mut all = vec![
            ("PREOPEN_STORE", self.store()),
            ("PREOPEN_NO_INPUT", "1".to_owned()),
            ("PATH", std::env::var("PATH").unwrap()),
        ];
        for (name, broker, field) in [
            ("SAMCO_API_KEY", "samco", "api_key"),
            ("SAMCO_API_SECRET", "samco", "api_secret"),
            ("ANGELONE_API_KEY", "angelone", "api_key"),
            ("ANGELONE_CLIENT_CODE", "angelone", "client_code"),
            ("ANGELONE_PIN", "angelone", "pin"),
            ("ANGELONE_TOTP_SECRET", "angelone", "totp_secret"),
        ] {
            all.push((name, self.secret(broker, field)));
        }
        all
    }

    /// A command with that environment and nothing else; options come before what `run` starts.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PREOPEN);
        let split = arguments.iter().position(|argument| *argument == "--");
        let (mine, rest) = arguments.split_at(split.unwrap_or(arguments.len()));
        command
            .args(mine)
            .args(["--base-url", self.url()])
            .args(rest)
            .env_clear()
            .envs(self.environment());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// A call of the control API.
    pub(crate) fn control(&self, method: &str, path: &str, body: &str) -> Value {
        let token = self.ready["control_token"].as_str().unwrap();
        let headers = format!("x-sandbox-token: {token}\r\ncontent-type: application/json\r\n");
        let target = format!("/_sandbox{path}");
        let reply = http(self.url(), method, &target, &headers, body);
        assert!(reply.status < 300, "{method} {path}: {reply:?}");
        serde_json::from_str(&reply.body).unwrap_or(Value::Null)
    }

    pub(crate) fn control_token(&self) -> &str {
        self.ready["control_token"].as_str().unwrap()
    }

    /// How many requests for this path the broker saw.
    pub(crate) fn count(&self, path: &str) -> u64 {
        let seen = self.control("GET", &format!("/requests?limit=1&path={path}"), "");
        seen["count"].as_u64().unwrap()
    }

    pub(crate) fn all(&self) -> u64 {
        self.control("GET", "/requests?limit=1", "")["count"]
            .as_u64()
            .unwrap()
    }

    pub(crate) fn advance(&self, to: &str) {
        self.control("POST", "/clock/advance", &format!("{{\"to\": \"{to}\"}}"));
    }

    pub(crate) fn advance_seconds(&self, seconds: u32) {
        self.control("POST", "/clock/advance", &format!("{{\"seconds\": {seconds}}}"));
    }

    /// Every secret of the accounts.
    pub(crate) fn secrets(&self) -> Vec<String> {
        let named = [
            ("samco", "api_key"),
            ("samco", "api_secret"),
            ("angelone", "api_key"),
            ("angelone", "totp_secret"),
        ];
        named
            .into_iter()
            .map(|(broker, field)| self.secret(broker, field))
            .collect()
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("{self:?}"))
    }
}

/// The host and port of a URL.
pub(crate) fn authority(url: &str) -> &str {
    url.strip_prefix("http://").unwrap().split('/').next().unwrap()
}

/// One request with a Host of its own; `headers` are whole lines.
pub(crate) fn http(url: &str, method: &str, target: &str, headers: &str, body: &str) -> Reply {
    let host = authority(url);
    let length = match body.len() {
        0 => String::new(),
        length => format!("content-length: {length}\r\n"),
    };
    let head =
        format!("{method} {target} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n{length}{headers}\r\n");
    raw(host, &[head.as_bytes(), body.as_bytes()].concat())
}

/// These bytes, and what comes back until the other side ends it.
pub(crate) fn raw(host: &str, request: &[u8]) -> Reply {
    let mut stream = TcpStream::connect(host).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    // The other side may have had enough before all is sent.
    let _ = stream.write_all(request);
    let mut reply = Vec::new();
    let _ = stream.read_to_end(&mut reply);
    let text = String::from_utf8_lossy(&reply).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    Reply {
        status: status.unwrap_or_default(),
        head: head.to_ascii_lowercase(),
        body: body.to_owned(),
    }
}

pub(crate) fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
}

pub(crate) fn error(output: &Output) -> Value {
    let all: Value = serde_json::from_slice(&output.stderr).unwrap_or_else(|_| panic!("{output:?}"));
    all["error"].clone()
}

pub(crate) fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Looks again and again until there is something to see.
pub(crate) fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < Duration::from_secs(30), "{what} never happened");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Damages every file of the store with this suffix.
pub(crate) fn damage(store: &Path, suffix: &str) {
    for entry in std::fs::read_dir(store).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|found| found == suffix) {
            std::fs::write(path, "preopen-store-1.file.damaged").unwrap();
        }
    }
}
