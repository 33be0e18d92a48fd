//! A sandbox that is killed, or whose file cannot grow: what it answered is in the file. The sandbox runs in a process of
//! its own, which is this test program again.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests may

mod common;

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use common::{client, read, samco_order};
use preopen_core::Timestamp;
use preopen_sandbox::{Options, Sandbox};
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};

/// Names the data file to the process that runs a sandbox.
const FILE: &str = "PREOPEN_TEST_DATA_FILE";
const RATE: &str = "PREOPEN_TEST_CLOCK_RATE";

/// No test but the other process: without the variable there is nothing for it to do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sandbox_to_be_killed() {
    let Ok(file) = std::env::var(FILE) else { return };
    let rate: f64 = std::env::var(RATE).unwrap().parse().unwrap();
    let at = Timestamp::parse_rfc3339("2026-11-20T10:00:00+05:30").unwrap();
    let options = Options::default().data(file).start_at(at).clock_rate(rate);
    match Sandbox::start(options).await {
        Ok(sandbox) => {
            println!("\nready {}", sandbox.ready_line());
            std::future::pending::<()>().await;
        }
        Err(error) => println!("\nrefused {error}"),
    }
}

struct Killable {
    child: Child,
    ready: Value,
    client: Client,
}

impl Drop for Killable {
    fn drop(&mut self) {
        // It may have been killed before; the test has failed then, or is done with it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(file: &Path, rate: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["the_sandbox_to_be_killed", "--exact", "--nocapture"]);
    command.env(FILE, file).env(RATE, rate);
    command
}

impl Killable {
    fn start(mut command: Command) -> Result<Self, String> {
        let mut sandbox = Self {
            child: command.stdout(Stdio::piped()).spawn().unwrap(),
            ready: Value::Null,
            client: client(),
        };
        let lines = BufReader::new(sandbox.child.stdout.take().unwrap()).lines();
        for line in lines.map_while(Result::ok) {
            if let Some(ready) = line.strip_prefix("ready ") {
                sandbox.ready = serde_json::from_str(ready).unwrap();
                return Ok(sandbox);
            }
            if let Some(said) = line.strip_prefix("refused ") {
                return Err(said.to_owned());
            }
        }
        panic!("the other process said nothing");
    }

    /// SIGKILL.
    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn post(&self, path: &str) -> RequestBuilder {
        self.client
            .post(format!("{}{path}", self.ready["samco_url"].as_str().unwrap()))
    }

    fn get(&self, path: &str) -> RequestBuilder {
        self.client
            .get(format!("{}{path}", self.ready["samco_url"].as_str().unwrap()))
    }

    async fn login(&self) -> String {
        let account = &self.ready["accounts"][0];
        let body = json!({"apiKey": account["api_key"], "apiSecret": account["api_secret"]});
        let (status, reply) = read(self.post("/session/token").json(&body).send().await.unwrap()).await;
        assert_eq!(status, 200, "{reply}");
        reply["sessionToken"].as_str().unwrap().to_owned()
    }

    async fn control(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let url = format!("{}{path}", self.ready["control_url"].as_str().unwrap());
        let request = self.client.request(method.parse().unwrap(), url);
        let request = request.header("x-sandbox-token", self.ready["control_token"].as_str().unwrap());
        let request = if body.is_null() {
            request
        } else {
            request.json(body)
        };
        read(request.send().await.unwrap()).await
    }

    async fn orders(&self, token: &str) -> Vec<String> {
        let book = self.get("/order/orderBook").header("x-session-token", token);
        let (status, book) = read(book.send().await.unwrap()).await;
        let none = status == 400 && book["statusMessage"] == "No orders found.";
        assert!(status == 200 || none, "{status} {book}");
        numbers(&book)
    }
}

/// The numbers in an order book.
fn numbers(book: &Value) -> Vec<String> {
    let rows = book["orderBookDetails"].as_array().into_iter().flatten();
    rows.map(|row| row["orderNumber"].as_str().unwrap().to_owned())
        .collect()
}

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sandbox.db");
    (folder, file)
}

/// Places orders until the sandbox is gone; gives the numbers that were answered.
async fn place_until_killed(client: Client, url: String, token: String) -> Vec<String> {
    let mut answered = Vec::new();
    loop {
        let sent = client
            .post(&url)
            .header("x-session-token", &token)
            .json(&samco_order());
        let Ok(response) = sent.send().await else {
            return answered;
        };
        let Ok(body) = response.json::<Value>().await else {
            return answered;
        };
        answered.push(body["orderNumber"].as_str().unwrap().to_owned());
    }
}

/// Reads the order book until the sandbox is gone; gives the last one that was shown.
async fn look_until_killed(client: Client, url: String, token: String, gone: Arc<AtomicBool>) -> Vec<String> {
    let mut shown = Vec::new();
    while !gone.load(Ordering::Acquire) {
        let Ok(response) = client.get(&url).header("x-session-token", &token).send().await else {
            break;
        };
        let Ok(body) = response.json::<Value>().await else {
            break;
        };
        shown = numbers(&body);
    }
    shown
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_was_answered_is_there_after_a_kill() {
    let (_folder, file) = folder();
    let mut sandbox = Killable::start(command(&file, "0")).unwrap();
    let token = sandbox.login().await;
    let mut known: Vec<String> = Vec::new();
    for round in 0..8_u64 {
        let url = sandbox.ready["samco_url"].as_str().unwrap().to_owned();
        let (place, look) = (
            format!("{url}/order/placeOrder"),
            format!("{url}/order/orderBook"),
        );
        let gone = Arc::new(AtomicBool::new(false));
        let reader = look_until_killed(client(), look, token.clone(), gone.clone());
        let reader = tokio::spawn(reader);
        let writers: Vec<_> = (0..4)
            .map(|_| tokio::spawn(place_until_killed(client(), place.clone(), token.clone())))
            .collect();
        tokio::time::sleep(Duration::from_millis(60 + round * 37)).await;
        sandbox.kill();
        gone.store(true, Ordering::Release);
        let mut answered = Vec::new();
        for writer in writers {
            answered.extend(writer.await.unwrap());
        }
        let shown = reader.await.unwrap();
        assert!(!answered.is_empty(), "round {round} was too short");

        sandbox = Killable::start(command(&file, "0")).unwrap();
        let kept = sandbox.orders(&token).await;
        for number in answered.iter().chain(&shown).chain(&known) {
            assert!(
                kept.contains(number),
                "round {round} lost {number} of {}",
                kept.len()
            );
        }
        let mut unique = kept.clone();
        unique.sort();
        unique.dedup();
        assert_eq!(unique.len(), kept.len(), "a number came twice");
        known = kept;
    }
    sandbox.kill();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_sandbox_gives_its_file_up_and_a_live_one_does_not() {
    let (_folder, file) = folder();
    let sandbox = Killable::start(command(&file, "0")).unwrap();
    let said = Killable::start(command(&file, "0")).err().unwrap();
    assert!(said.contains("another sandbox is using it"), "{said}");
    let token = sandbox.login().await;
    sandbox.kill();
    let sandbox = Killable::start(command(&file, "0")).unwrap();
    assert!(sandbox.orders(&token).await.is_empty());
    assert_eq!(sandbox.ready["accounts"].as_array().unwrap().len(), 4);
    sandbox.kill();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_time_that_was_shown_comes_back_after_a_kill() {
    let (_folder, file) = folder();
    let mut last = String::new();
    for round in 0..5_u64 {
        let sandbox = Killable::start(command(&file, "86400")).unwrap();
        let (_, first) = sandbox.control("GET", "/clock", &Value::Null).await;
        assert!(
            first["now"].as_str().unwrap() >= last.as_str(),
            "{first} after {last}"
        );
        tokio::time::sleep(Duration::from_millis(300 * round)).await;
        let (_, clock) = sandbox.control("GET", "/clock", &Value::Null).await;
        clock["now"].as_str().unwrap().clone_into(&mut last);
        sandbox.kill();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_written_is_never_answered_with_a_success() {
    let (_folder, file) = folder();
    // The system writes no file beyond this size, and says so instead of ending the process.
    let exe = std::env::current_exe().unwrap();
    let mut small = Command::new("sh");
    let script = "ulimit -f 400 && trap '' XFSZ && exec \"$0\" \"$@\"";
    small.args(["-c", script]).arg(exe);
    small.args(["the_sandbox_to_be_killed", "--exact", "--nocapture"]);
    small.env(FILE, &file).env(RATE, "0");
    let sandbox = Killable::start(small).unwrap();
    let token = sandbox.login().await;
    let place = || {
        sandbox
            .post("/order/placeOrder")
            .header("x-session-token", &token)
            .json(&samco_order())
    };
    let mut answered = Vec::new();
    let refusal = loop {
        let (status, reply) = read(place().send().await.unwrap()).await;
        if status != 200 {
            break (status, reply);
        }
        answered.push(reply["orderNumber"].as_str().unwrap().to_owned());
        assert!(answered.len() < 5000, "the limit had no effect");
    };
    assert_eq!(
        (refusal.0, &refusal.1["status"]),
        (503, &json!("Failure")),
        "{}",
        refusal.1
    );
    let said = refusal.1["statusMessage"].as_str().unwrap();
    assert!(
        said.starts_with(&format!("cannot write {}: ", file.display())),
        "{said}"
    );
    assert!(!answered.is_empty());
    // What is in memory only is not told either.
    let book = sandbox.get("/order/orderBook").header("x-session-token", &token);
    assert_eq!(book.send().await.unwrap().status(), 503);
    let (status, reply) = sandbox
        .control("PATCH", "/switches", &json!({"totp_window_steps": 3}))
        .await;
    assert_eq!(
        (status, &reply["error"]["code"]),
        (503, &json!("data_file")),
        "{reply}"
    );
    sandbox.kill();
    let sandbox = Killable::start(command(&file, "0")).unwrap();
    let kept = sandbox.orders(&token).await;
    assert!(answered.iter().all(|number| kept.contains(number)));
    assert!(
        kept.len() <= answered.len() + 1,
        "{} of {}",
        kept.len(),
        answered.len()
    );
    sandbox.kill();
}
