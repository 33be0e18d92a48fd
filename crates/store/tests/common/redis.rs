//! A real `redis-server` for a test: on a free loopback port, in a folder of its own, gone with the value.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    dead_code,
    unreachable_pub,
    reason = "each test file has a copy, uses a part of it, and ends when there is no server"
)]

#[path = "certificates.rs"]
mod certificates;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use redis::{Client, Connection, FromRedisValue};
use tempfile::TempDir;

pub use certificates::Certificates;

/// How long a server may take to start.
const START: Duration = Duration::from_secs(20);

/// The commands that a server is sent, a line each.
pub struct Watched(BufReader<TcpStream>);

impl Watched {
    pub fn lines(&mut self) -> impl Iterator<Item = String> {
        std::iter::from_fn(|| {
            let mut line = String::new();
            let read = self.0.read_line(&mut line).ok()?;
            (read > 0).then(|| line.trim_end().to_owned())
        })
    }
}

/// A running server. It is ended, by its process id, when it is dropped.
pub struct Server {
    child: Child,
    port: u16,
    tls_port: Option<u16>,
    folder: TempDir,
    arguments: Vec<String>,
}

impl Server {
    /// Starts a server without persistence.
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// Starts a server with further arguments.
    pub fn with(arguments: &[&str]) -> Self {
        Self::launch(None, |_| arguments.iter().map(|&a| a.to_owned()).collect())
    }

    /// Starts a server with a TLS port too, the certificates of [`Certificates`], and further arguments.
    pub fn with_tls(certificates: &Certificates, arguments: &[&str]) -> Self {
        let file = |name: &str| certificates.file(name).display().to_string();
        let tls_port = free_port();
        Self::launch(Some(tls_port), |_| {
            // The second address is one that the certificate does not name.
            let tls = [
                ["--bind", "127.0.0.1 127.0.0.2"],
                ["--tls-port", &tls_port.to_string()],
                ["--tls-auth-clients", "no"],
                ["--tls-cert-file", &file("server.pem")],
                ["--tls-key-file", &file("server.key")],
                ["--tls-ca-cert-file", &file("ca.pem")],
            ];
            let all = tls.as_flattened().iter().chain(arguments);
            all.map(|&argument| argument.to_owned()).collect()
        })
    }

    /// Starts a Sentinel that watches `master` under the name `mymaster`, is enough to replace it, and wants a password.
    pub fn sentinel_of(master: &Self, password: &str) -> Self {
        let watch = format!(
            "sentinel monitor mymaster 127.0.0.1 {} 1\n\
             sentinel down-after-milliseconds mymaster 500\n\
             sentinel failover-timeout mymaster 3000\n\
             requirepass {password}\n",
            master.port
        );
        Self::launch(None, |folder| sentinel_in(folder, &watch))
    }

    /// Starts a Sentinel with a TLS port, which watches the TLS port of `master`.
    pub fn tls_sentinel_of(master: &Self, certificates: &Certificates) -> Self {
        let file = |name: &str| certificates.file(name).display().to_string();
        let (tls_port, watched) = (free_port(), master.tls_port());
        let (certificate, key, ca) = (file("server.pem"), file("server.key"), file("ca.pem"));
        let config = format!(
            "tls-port {tls_port}\ntls-cert-file {certificate}\ntls-key-file {key}\ntls-ca-cert-file {ca}\n\
             tls-auth-clients no\ntls-replication yes\nsentinel monitor mymaster 127.0.0.1 {watched} 1\n"
        );
        Self::launch(Some(tls_port), |folder| sentinel_in(folder, &config))
    }

    fn launch(tls_port: Option<u16>, arguments: impl Fn(&Path) -> Vec<String>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let arguments = arguments(folder.path());
        // Another test may be faster.
        for _ in 0..20 {
            let port = free_port();
            let mut child = spawn(&arguments, port, folder.path());
            if is_up(&mut child, port) {
                return Self {
                    child,
                    port,
                    tls_port,
                    folder,
                    arguments,
                };
            }
        }
        panic!("redis-server does not start with {arguments:?}");
    }

    /// Starts one node of a cluster that has no slots yet.
    pub fn node() -> Self {
        Self::with(&["--cluster-enabled", "yes", "--cluster-node-timeout", "2000"])
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Everything that the server is sent from now on.
    pub fn watched(&self) -> Watched {
        let mut connection = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        connection.set_read_timeout(Some(START)).unwrap();
        connection.write_all(b"MONITOR\r\n").unwrap();
        let mut watched = Watched(BufReader::new(connection));
        assert_eq!(watched.lines().next().as_deref(), Some("+OK"));
        watched
    }

    /// `host:port`, as messages show it.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// The URL of a user of the server's ACL.
    pub fn url_of(&self, user: &str, password: &str) -> String {
        format!("redis://{user}:{password}@127.0.0.1:{}/0", self.port)
    }

    pub fn tls_port(&self) -> u16 {
        self.tls_port.unwrap()
    }

    pub fn tls_url(&self) -> String {
        format!("rediss://127.0.0.1:{}/0", self.tls_port())
    }

    /// Adds a user of the ACL with these rules.
    pub fn user(&self, user: &str, password: &str, rules: &str) {
        let password = format!(">{password}");
        let mut all = vec!["ACL", "SETUSER", user, "on", &password];
        all.extend(rules.split_whitespace());
        self.ask::<()>(&all);
    }

    pub fn connection(&self) -> Connection {
        let client = Client::open(format!("redis://127.0.0.1:{}/0", self.port)).unwrap();
        client.get_connection_with_timeout(START).unwrap()
    }

    /// Sends one command, with a connection of its own.
    pub fn ask<T: FromRedisValue>(&self, command: &[&str]) -> T {
        let (name, arguments) = command.split_first().unwrap();
        let mut command = redis::cmd(name);
        command.arg(arguments);
        command.query(&mut self.connection()).unwrap()
    }

    pub fn clients(&self) -> usize {
        let list: String = self.ask(&["CLIENT", "LIST"]);
        list.lines().count() - 1
    }

    /// Stops answering, as a machine that hangs: connections stay open.
    pub fn pause(&self) {
        self.signal("-STOP");
    }

    pub fn resume(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args([signal, &pid])
                .status()
                .unwrap()
                .success()
        );
    }

    /// Ends at once, as in a crash.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn save(&self) {
        self.ask::<()>(&["SAVE"]);
    }

    /// Starts again on the same port after [`Server::kill`], with what was saved.
    pub fn start_again(&mut self) {
        self.child = spawn(&self.arguments, self.port, self.folder.path());
        assert!(
            is_up(&mut self.child, self.port),
            "redis-server does not start again"
        );
    }

    pub fn wipe(&self) {
        drop(std::fs::remove_file(self.folder.path().join("dump.rdb")));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The arguments of a Sentinel with this configuration, which it writes to.
fn sentinel_in(folder: &Path, config: &str) -> Vec<String> {
    let file = folder.join("sentinel.conf");
    std::fs::write(&file, config).unwrap();
    vec![file.display().to_string(), "--sentinel".to_owned()]
}

fn spawn(arguments: &[String], port: u16, folder: &Path) -> Child {
    let mut command = Command::new("redis-server");
    // The configuration file of a Sentinel comes first.
    let sentinel = arguments.iter().any(|argument| argument == "--sentinel");
    let (config, rest) = arguments.split_at(usize::from(sentinel));
    command.args(config);
    command.args(["--port", &port.to_string(), "--bind", "127.0.0.1"]);
    command.arg("--dir").arg(folder).args(["--loglevel", "warning"]);
    if !sentinel {
        command.args([
            "--save",
            "",
            "--appendonly",
            "no",
            "--repl-diskless-sync-delay",
            "0",
        ]);
    }
    command.args(rest);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.spawn().unwrap_or_else(|error| {
        panic!("redis-server cannot be run ({error}): install the package redis-server (Debian: apt-get install redis-server)")
    })
}

fn is_up(child: &mut Child, port: u16) -> bool {
    let began = Instant::now();
    while began.elapsed() < START {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        if answers(port, child.id()) {
            return true;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    drop(child.kill());
    drop(child.wait());
    false
}

/// Whether this very process answers: another test may have taken the port first.
fn answers(port: u16, process: u32) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else {
        return false;
    };
    stream.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    drop(stream.write_all(b"INFO server\r\nQUIT\r\n"));
    let mut answer = String::new();
    drop(stream.read_to_string(&mut answer));
    // A Sentinel with a password says no more than that it wants one.
    answer.contains(&format!("process_id:{process}\r")) || answer.starts_with("-NOAUTH")
}

/// A port that was free just now.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

/// Waits until `what` is so, and fails when it is not in time.
pub async fn until(within: Duration, words: &str, mut what: impl AsyncFnMut() -> bool) -> Duration {
    let began = Instant::now();
    while !what().await {
        assert!(began.elapsed() < within, "{words}: not within {within:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    began.elapsed()
}
