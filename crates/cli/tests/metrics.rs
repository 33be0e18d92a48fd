//! `preopen serve-metrics`, and the audit file that it counts: what Prometheus is told, read by a strict reader of its text
//! format, and who is answered.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use common::{Broker, Reply, SAMCO_LOGIN, authority, eventually, first_line, http, raw};

/// A running `serve-metrics`, and where it answers.
struct Running {
    child: Child,
    url: String,
}

impl Running {
    fn start(broker: &Broker, arguments: &[&str]) -> Self {
        let all = [&["serve-metrics", "--json", "--listen", "127.0.0.1:0"], arguments].concat();
        let mut child = broker
            .command(&all)
            .env("PREOPEN_SANDBOX_TOKEN", broker.control_token())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let ready: serde_json::Value = serde_json::from_str(&first_line(&mut child)).unwrap();
        Self {
            child,
            url: ready["url"].as_str().unwrap().to_owned(),
        }
    }

    fn ask(&self, method: &str, target: &str, headers: &str) -> Reply {
        http(&self.url, method, target, headers, "")
    }

    fn metrics(&self) -> Metrics {
        let reply = self.ask("GET", "/metrics", "");
        assert_eq!(reply.status, 200);
        let head = reply.head.to_ascii_lowercase();
        assert!(head.contains("content-type: text/plain; version=0.0.4; charset=utf-8"));
        Metrics::parse(&reply.body)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What was told: numbers by name and labels, as they stand in the text.
#[derive(Debug)]
struct Metrics(BTreeMap<String, f64>);

impl Metrics {
    /// Reads the text format, version 0.0.4, and accepts nothing that a reader could stumble over.
    fn parse(text: &str) -> Self {
        assert!(
            text.is_empty() || text.ends_with('\n'),
            "the last line has no end"
        );
        let (mut found, mut families) = (BTreeMap::new(), BTreeSet::new());
        let mut lines = text.lines().peekable();
        while let Some(line) = lines.next() {
            let (name, help) = line.strip_prefix("# HELP ").unwrap().split_once(' ').unwrap();
            assert!(is_name(name) && !help.is_empty(), "{line}");
            assert!(families.insert(name.to_owned()), "{name} is told of twice");
            let kind = lines
                .next()
                .unwrap()
                .strip_prefix(&format!("# TYPE {name} "))
                .unwrap();
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{kind}");
            while let Some(line) = lines.next_if(|line| !line.starts_with('#')) {
                let (series, value) = series(line);
                let stem = series.split('{').next().unwrap();
                let allowed = match kind {
                    "histogram" => ["_bucket", "_sum", "_count"]
                        .map(|end| format!("{name}{end}"))
                        .to_vec(),
                    _ => vec![name.to_owned()],
                };
                assert!(allowed.iter().any(|name| name == stem), "{line} in {name}");
                assert!(kind == "gauge" || value >= 0.0, "{line}");
                assert!(found.insert(series, value).is_none(), "{line} twice");
            }
        }
        Self(found)
    }

    fn get(&self, series: &str) -> Option<f64> {
        self.0.get(series).copied()
    }

    #[track_caller]
    fn assert(&self, series: &str, value: f64) {
        assert!(
            self.get(series).is_some_and(|found| (found - value).abs() < 1e-9),
            "{series}: {self:#?}"
        );
    }

    /// The sum of all that begin so.
    fn sum(&self, start: &str) -> f64 {
        let all = self.0.iter().filter(|(series, _)| series.starts_with(start));
        all.map(|(_, value)| value).sum()
    }
}

fn is_name(text: &str) -> bool {
    let part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    text.starts_with(|c: char| part(c) && !c.is_ascii_digit()) && text.chars().all(part)
}

/// A sample: the series as it is written, its labels checked, and the value.
fn series(line: &str) -> (String, f64) {
    let (series, value) = match line.find('{') {
        None => line.split_once(' ').unwrap(),
        Some(open) => {
            assert!(is_name(&line[..open]), "{line}");
            let end = labels(&line[open + 1..]) + open + 1;
            (&line[..end], line[end..].strip_prefix(' ').unwrap())
        }
    };
    let value = value.parse().unwrap_or_else(|_| panic!("{line}"));
    (series.to_owned(), value)
}

/// Where the labels end, behind their closing brace.
fn labels(text: &str) -> usize {
    let (mut at, mut names) = (0, BTreeSet::new());
    loop {
        let (name, _) = text[at..].split_once("=\"").unwrap();
        assert!(
            is_name(name) && !name.contains(':') && names.insert(name),
            "{text}"
        );
        at += name.len() + 2;
        let mut chars = text[at..].char_indices();
        let end = loop {
            match chars.next().unwrap() {
                (end, '"') => break end,
                (_, '\\') => assert!(['\\', '"', 'n'].contains(&chars.next().unwrap().1), "{text}"),
                _ => {}
            }
        };
        at += end + 1;
        match &text[at..=at] {
            "}" => return at + 1,
            "," => at += 1,
            _ => panic!("{text}"),
        }
    }
}

fn file(broker: &Broker) -> PathBuf {
    broker.folder.path().join("audit.jsonl")
}

/// A command on the broker's clock, with the audit file.
fn command(broker: &Broker, arguments: &[&str], audit: &Path) -> Command {
    let mut command = broker.command(arguments);
    command
        .env("PREOPEN_SANDBOX_TOKEN", broker.control_token())
        .env("PREOPEN_AUDIT", audit);
    command
}

fn run(broker: &Broker, arguments: &[&str], audit: &Path) -> bool {
    command(broker, arguments, audit)
        .output()
        .unwrap()
        .status
        .success()
}

#[test]
fn what_all_programs_did_is_told_and_nothing_is_sent() {
    let broker = Broker::start();
    broker.advance("10:00 IST");
    let audit = file(&broker);
    let metrics = Running::start(&broker, &["samco", "--audit", audit.to_str().unwrap()]);
    // Neither a session nor a file is there yet.
    let told = metrics.metrics();
    told.assert("preopen_store_up{broker=\"samco\"}", 1.0);
    told.assert("preopen_session_live{broker=\"samco\"}", 0.0);
    told.assert("preopen_audit_up", 1.0);
    assert!(told.get("preopen_token_age_seconds{broker=\"samco\"}").is_none());
    assert!(told.sum("preopen_logins_total").abs() < 1e-9);

    // Three programs on one session, and what each of them did.
    assert!(run(&broker, &["token", "samco"], &audit));
    assert!(run(&broker, &["token", "samco"], &audit));
    broker.advance_seconds(90);
    let age = |told: &Metrics| told.get("preopen_token_age_seconds{broker=\"samco\"}");
    // What follows the broker's clock looks at it now and then.
    eventually("the age", || {
        (age(&metrics.metrics()) >= Some(90.0)).then_some(())
    });
    let before = broker.all();
    let told = metrics.metrics();
    assert_eq!(broker.all(), before, "the broker was asked");
    told.assert(
        "preopen_logins_total{broker=\"samco\",why=\"first_use\",outcome=\"ok\"}",
        1.0,
    );
    told.assert("preopen_session_live{broker=\"samco\"}", 1.0);
    told.assert("preopen_session_blocked{broker=\"samco\"}", 0.0);
    let age = age(&told).unwrap();
    let rest = told
        .get("preopen_session_seconds_to_end{broker=\"samco\"}")
        .unwrap();
    assert!((90.0..3600.0).contains(&age), "{age}");
    assert!(rest > 0.0 && age + rest <= 86_400.0, "{rest}");

    // The file is moved away between two looks, as a rotation does.
    assert!(run(&broker, &["logout", "samco"], &audit));
    std::fs::rename(&audit, broker.folder.path().join("audit.1")).unwrap();
    let wrong = command(&broker, &["token", "samco"], &audit)
        .env("SAMCO_API_SECRET", "a wrong secret")
        .output()
        .unwrap();
    assert_eq!(wrong.status.code(), Some(3));
    let told = metrics.metrics();
    told.assert(
        "preopen_logins_total{broker=\"samco\",why=\"first_use\",outcome=\"ok\"}",
        1.0,
    );
    told.assert("preopen_logouts_total{broker=\"samco\",outcome=\"ok\"}", 1.0);
    told.assert(
        "preopen_refusals_total{broker=\"samco\",kind=\"credentials_rejected\"}",
        1.0,
    );
    told.assert(
        "preopen_logins_total{broker=\"samco\",why=\"first_use\",outcome=\"credentials_rejected\"}",
        1.0,
    );
    told.assert("preopen_session_live{broker=\"samco\"}", 0.0);
    told.assert("preopen_audit_unreadable_lines_total", 0.0);
    assert_eq!(broker.count(SAMCO_LOGIN), 2);

    let text = metrics.ask("GET", "/metrics", "").body;
    let written = std::fs::read_to_string(&audit).unwrap();
    for secret in broker.secrets() {
        assert!(!text.contains(&secret) && !written.contains(&secret));
    }
}

#[test]
fn only_reads_of_one_path_are_answered_and_no_web_page_s() {
    let broker = Broker::start();
    let metrics = Running::start(&broker, &["samco"]);
    assert_eq!(metrics.ask("HEAD", "/metrics", "").body, "");
    assert_eq!(metrics.ask("GET", "/", "").status, 404);
    let refused = metrics.ask("POST", "/metrics", "");
    assert_eq!(refused.status, 405);
    assert!(refused.head.to_ascii_lowercase().contains("allow: get, head"));
    let page = metrics.ask("GET", "/metrics", "origin: http://evil.example\r\n");
    assert_eq!(page.status, 403);
    for (host, status) in [
        ("rebound.example:9464", 403),
        ("127.0.0.1.example", 403),
        ("localhost:9464", 200),
        ("[::1]:9464", 200),
        ("127.0.0.1", 200),
    ] {
        let request = format!("GET /metrics HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        assert_eq!(
            raw(authority(&metrics.url), request.as_bytes()).status,
            status,
            "{host}"
        );
    }
    // Without an audit file nothing is said of logins.
    assert!(metrics.metrics().get("preopen_audit_up").is_none());
}

#[test]
fn other_machines_are_answered_only_if_that_is_said() {
    let broker = Broker::start();
    let refused = broker.run(&["serve-metrics", "samco", "--listen", "0.0.0.0:0"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--allow-remote"));
}

#[test]
fn a_file_that_cannot_be_read_is_told() {
    let broker = Broker::start();
    let folder = broker.folder.path().to_str().unwrap().to_owned();
    let told = Running::start(&broker, &["samco", "--audit", &folder]).metrics();
    told.assert("preopen_audit_up", 0.0);
    told.assert("preopen_store_up{broker=\"samco\"}", 1.0);
}

/// The commands of `docs/observability.md`, with a file and a port of the test's own.
#[test]
fn the_page_s_commands_answer() {
    let page = include_str!("../../../docs/observability.md");
    let block = page
        .split("```console\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    let lines: Vec<&str> = block.lines().collect();
    let [variable, command, answer] = lines[..] else {
        panic!("{block}")
    };
    let name = variable
        .strip_prefix("$ export ")
        .unwrap()
        .split('=')
        .next()
        .unwrap();
    let words: Vec<&str> = command.strip_prefix("$ preopen ").unwrap().split(' ').collect();
    let broker = Broker::start();
    let mut child = broker
        .command(&[&words[..], &["--listen", "127.0.0.1:0"]].concat())
        .env(name, file(&broker))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let line = first_line(&mut child);
    let (label, url) = line.trim_end().split_at(line.find("http").unwrap());
    let running = Running {
        child,
        url: url.to_owned(),
    };
    assert!(answer.starts_with(label), "{line}");
    let told = running.metrics();
    for broker in ["samco", "angelone"] {
        told.assert(&format!("preopen_session_live{{broker=\"{broker}\"}}"), 0.0);
    }
    told.assert("preopen_audit_up", 1.0);
}
