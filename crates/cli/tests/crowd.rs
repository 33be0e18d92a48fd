//! A crowd at `preopen sandbox`: ten thousand idle connections, and more than it has room for. The broker is a process of
//! its own, so that each side has its own file descriptors.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod common;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::{PREOPEN, first_line};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What one idle connection may cost.
const EACH: usize = 32 << 10;

/// The broker, started by a shell that first sets its limits of open files.
struct Broker {
    child: Child,
    address: SocketAddr,
}

impl Broker {
    fn start(limits: &str) -> Self {
        let script = format!("{limits}; exec \"$0\" sandbox --json --exit-with-stdin");
        let mut child = Command::new("sh")
            .args(["-c", &script, PREOPEN])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let ready: serde_json::Value = serde_json::from_str(&first_line(&mut child)).unwrap();
        let url = ready["samco_url"].as_str().unwrap();
        let address = url.strip_prefix("http://").unwrap().parse().unwrap();
        Self { child, address }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream
    }

    /// One request on a connection of its own: the first line of the answer, and how long it took.
    fn ask(&self) -> (String, Duration) {
        let began = Instant::now();
        let mut stream = self.connect();
        // Whoever is turned away may be so before it has said anything.
        let _ = stream.write_all(b"GET /ip/whoami HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        (
            answer.lines().next().unwrap_or_default().to_owned(),
            began.elapsed(),
        )
    }

    /// Resident memory in bytes.
    fn resident(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() << 10
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// Lets this process open as many files as it may; how many those are.
fn open_files() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    let _ = setrlimit(Resource::Nofile, raised);
    let now = getrlimit(Resource::Nofile).current;
    now.map_or(usize::MAX, |now| usize::try_from(now).unwrap())
}

#[test]
fn ten_thousand_idle_connections_hold_up_nobody() {
    // As many as the machine lets one user have, where that is less.
    let count = 10_000.min(open_files().saturating_sub(600));
    assert!(count >= 1000, "this machine allows only {count} connections");
    let broker = Broker::start("ulimit -Sn 256");
    let before = broker.resident();
    let began = Instant::now();
    let mut idle = Vec::with_capacity(count);
    for at in 1..=count {
        idle.push(broker.connect());
        if at % 2000 == 0 || at == count {
            let (answer, took) = broker.ask();
            assert!(answer.starts_with("HTTP/1.1 401"), "after {at}: {answer}");
            assert!(took < Duration::from_secs(2), "after {at}: {took:?}");
        }
    }
    let each = broker.resident().saturating_sub(before) / count;
    assert!(
        each < EACH,
        "{each} bytes for each of {count}, in {:?}",
        began.elapsed()
    );
}

#[test]
fn those_beyond_the_room_are_told_so() {
    let broker = Broker::start("ulimit -n 300");
    let idle: Vec<TcpStream> = (0..150).map(|_| broker.connect()).collect();
    // Whether or not it was their turn already, nobody waits for long.
    let told: Vec<String> = (0..20).map(|_| broker.ask().0).collect();
    assert!(
        told.iter().all(|line| line.starts_with("HTTP/1.1 503")),
        "{told:?}"
    );
    let flood: Vec<TcpStream> = (0..400).map(|_| broker.connect()).collect();
    drop((idle, flood));
    let began = Instant::now();
    while !broker.ask().0.starts_with("HTTP/1.1 401") {
        assert!(
            began.elapsed() < Duration::from_secs(10),
            "there is no room again"
        );
    }
}
