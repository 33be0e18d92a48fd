//! Starting and watching the worker program; nothing here waits for ever.
#![allow(dead_code, reason = "each test file uses a part")]

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use preopen_store::{FileStore, Store, Value};

/// The longest that anything here may take.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

pub(crate) struct Folder {
    root: tempfile::TempDir,
}

impl Folder {
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        Self { root }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.root.path().join("store")
    }

    pub(crate) fn store(&self) -> FileStore {
        FileStore::at(self.path()).unwrap()
    }

    /// The names in the folder, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.path()).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

pub(crate) fn value(session: &str, guard: &str) -> Value {
    let part = |text: &str| (text != "-").then(|| text.to_owned());
    Value::new(part(session), part(guard))
}

pub(crate) fn worker(arguments: &[&str], folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_preopen-store-worker"));
    for argument in arguments {
        if *argument == "FOLDER" {
            command.arg(folder);
        } else {
            command.arg(argument);
        }
    }
    command
        .env_remove("PREOPEN_KEY")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    command
}

/// A program that is ended when the test is over.
pub(crate) struct Running {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, output }
    }

    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Everything that it said, and how it ended.
    pub(crate) fn end(mut self) -> (String, ExitStatus) {
        let began = Instant::now();
        drop(self.child.stdin.take());
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(began.elapsed() < PATIENCE, "a program does not end");
            std::thread::sleep(Duration::from_millis(2));
        };
        let mut said = String::new();
        self.output.read_to_string(&mut said).unwrap();
        (said.trim_end().to_owned(), status)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What is stored, by a claim, which must be free now.
pub(crate) async fn claimed_value(store: &FileStore, account: &str) -> Option<Value> {
    let claimed = store.claim(account).await.unwrap().unwrap();
    claimed.claim.release().await;
    claimed.value
}
