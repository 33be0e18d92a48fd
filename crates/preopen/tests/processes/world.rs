//! A broker, a folder, and programs that share a session in it; nothing here waits for ever.

use std::io::{BufRead, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant, SystemTime};

use preopen::core::broker::Adapter;
use preopen::core::lifecycle::Identity;
use preopen::core::lifecycle::shared::{Kept, key_of};
use preopen::core::target::Target;
use preopen::store::{FileStore, KeySource, Store};
use preopen::{AngelOne, Clock, Json, Samco, SamcoOAuth, Timestamp};
use preopen_sandbox::{Account, Options, Sandbox};
use serde_json::json;

use crate::front::Front;

pub(crate) const SAMCO_LOGIN: &str = "/session/token";
pub(crate) const APP_LOGIN: &str = "/oauth/token";
pub(crate) const ANGEL_LOGIN: &str = "/rest/auth/angelbroking/user/v1/loginByPassword";

/// The longest that one thing in a program may take here.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broker {
    Samco,
    /// Samco, by its OAuth flow.
    App,
    Angel,
}

pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    pub(crate) front: Front,
    root: tempfile::TempDir,
}

impl World {
    /// Its clock begins on a morning after both brokers' nightly ends.
    pub(crate) async fn new(rate: f64) -> Self {
        let morning = Timestamp::parse_rfc3339("2026-11-23T08:30:00+05:30").unwrap();
        let options = Options::default().start_at(morning).clock_rate(rate);
        let sandbox = Sandbox::start(options).await.unwrap();
        // A program that is late on a busy machine is not the subject: only a code that was used is refused.
        sandbox.switch("totp_window_steps", 10).unwrap();
        sandbox.switch("totp_reuse_refused", true).unwrap();
        let account = sandbox.accounts().iter().find_map(Account::as_angelone);
        let secret = account.unwrap().totp_secret.clone();
        let front = Front::start(sandbox.angelone_url(), &secret, sandbox.clock()).await;
        let root = tempfile::tempdir().unwrap();
        Self { sandbox, front, root }
    }

    pub(crate) fn folder(&self, broker: Broker) -> std::path::PathBuf {
        self.root.path().join(format!("{broker:?}"))
    }

    /// What all programs append their audit entries to.
    pub(crate) fn audit(&self) -> std::path::PathBuf {
        self.root.path().join("audit.jsonl")
    }

    /// The next program begins afresh; the codes that nobody remembers are over.
    pub(crate) fn forget(&self, broker: Broker) {
        let _ = std::fs::remove_dir_all(self.folder(broker));
        self.sandbox.clock().advance(Duration::from_mins(1));
    }

    pub(crate) fn logins(&self, broker: Broker) -> u64 {
        let path = match broker {
            Broker::Samco => SAMCO_LOGIN,
            Broker::App => APP_LOGIN,
            Broker::Angel => ANGEL_LOGIN,
        };
        self.sandbox.requests(None, Some(path)).count
    }

    fn credentials(&self, broker: Broker) -> Json {
        let accounts = self.sandbox.accounts();
        match broker {
            Broker::Samco => {
                let account = accounts.iter().find_map(Account::as_samco).unwrap();
                json!({"api_key": account.api_key, "api_secret": account.api_secret})
            }
            Broker::App => {
                let account = accounts.iter().find_map(Account::as_samco).unwrap();
                json!({"api_key": account.api_key, "redirect_url": "http://127.0.0.1:8765/callback"})
            }
            Broker::Angel => {
                let account = accounts.iter().find_map(Account::as_angelone).unwrap();
                json!({
                    "api_key": account.api_key, "client_code": account.client_code, "pin": account.pin,
                    "totp_secret": account.totp_secret,
                })
            }
        }
    }

    /// Starts a program that does this work, with a timeout and perhaps a fail-point.
    pub(crate) fn start(&self, broker: Broker, work: &[&str], options: &Start<'_>) -> Running {
        let real = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let (clock, wall) = (self.sandbox.clock(), self.sandbox.clock().now().wall);
        let told = json!({
            "broker": match broker {
                Broker::Samco => "samco",
                Broker::App => "app",
                Broker::Angel => "angelone",
            },
            "url": self.front.url,
            "credentials": self.credentials(broker),
            "folder": self.folder(broker),
            "audit": self.audit(),
            "clock": {
                "real_us": u64::try_from(real.as_micros()).unwrap(), "wall_ms": wall.as_millis(), "rate": clock.rate(),
            },
            "timeout_ms": options.timeout_ms,
            "address": options.address,
            "use": match broker {
                Broker::Samco | Broker::App => "/quote/getQuote",
                Broker::Angel => "/rest/secure/angelbroking/user/v1/getProfile",
            },
            "work": work,
        });
        let mut command = Command::new(env!("CARGO_BIN_EXE_preopen-worker"));
        command.env_remove("PREOPEN_KEY");
        if let Some(point) = options.failpoint {
            command.env(preopen::store::failpoints::VARIABLE, point);
        }
        Running::start(command, &told)
    }

    /// What the folder holds, opened with its key. Fails when the lock is not free, or anything is torn.
    pub(crate) async fn kept(&self, broker: Broker) -> Kept {
        let credentials = self.credentials(broker);
        let word = |name: &str| credentials[name].as_str().unwrap().to_owned();
        let adapter: Box<dyn Adapter> = match broker {
            Broker::Samco => Box::new(Samco::new(word("api_key"), word("api_secret"))),
            Broker::App => Box::new(SamcoOAuth::new(word("api_key"), word("redirect_url"))),
            Broker::Angel => Box::new(AngelOne::new(
                word("api_key"),
                word("client_code"),
                word("pin"),
                word("totp_secret"),
            )),
        };
        let target = Target::resolve(adapter.policy(), Some(&self.front.url), &[]).unwrap();
        let identity = Identity::new(adapter.policy(), &target, adapter.fingerprint());
        let store = FileStore::at(self.folder(broker)).unwrap();
        let claimed = store.claim(&identity.to_key()).await.unwrap();
        let claimed = claimed.expect("the lock is free when its holder is gone");
        claimed.claim.release().await;
        let value = claimed.value.unwrap_or_default();
        let Some(text) = value.guard.as_deref().or(value.session.as_deref()) else {
            return Kept::default();
        };
        let source = KeySource::from_text(key_of(text).unwrap()).unwrap();
        let (_, key) = store.key(Some(source)).await.unwrap();
        Kept::open(value.session.as_deref(), value.guard.as_deref(), &key, &identity)
            .expect("whole files, whatever happened to who wrote them")
    }

    /// The newest generation that was published.
    pub(crate) async fn generation(&self, broker: Broker) -> u64 {
        let policy = match broker {
            Broker::Samco | Broker::App => Samco::new("k", "s").policy(),
            Broker::Angel => AngelOne::new("k", "c", "1", "JBSWY3DPEHPK3PXP").policy(),
        };
        let now = self.sandbox.clock().now();
        self.kept(broker)
            .await
            .state(None, false, now, &policy.expiry)
            .generation
    }
}

/// How a program is started.
pub(crate) struct Start<'a> {
    pub(crate) timeout_ms: u64,
    pub(crate) failpoint: Option<&'a str>,
    /// What a person's browser ended on.
    pub(crate) address: Option<&'a str>,
}

impl Default for Start<'_> {
    fn default() -> Self {
        Self {
            timeout_ms: 5_000,
            failpoint: None,
            address: None,
        }
    }
}

/// A program that is ended when the test is over.
pub(crate) struct Running {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<Json>,
}

impl Running {
    fn start(mut command: Command, told: &Json) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        writeln!(input, "{told}").unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        // Ends with the program: its output does.
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if let Ok(line) = serde_json::from_str(&line)
                    && sender.send(line).is_err()
                {
                    return;
                }
            }
        });
        Self {
            child,
            input: Some(input),
            lines,
        }
    }

    /// The next line, or nothing when the program has ended.
    pub(crate) fn line(&self) -> Option<Json> {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("a program says nothing for {PATIENCE:?}"),
        }
    }

    /// Waits until the program begins this work.
    pub(crate) fn begins(&self, work: &str) {
        while let Some(line) = self.line() {
            if line["begun"] == work {
                return;
            }
        }
        panic!("the program ended before {work}");
    }

    /// What came of this work; nothing when the program ended before.
    pub(crate) fn done(&self, work: &str) -> Option<Json> {
        loop {
            let line = self.line()?;
            if line["done"] == work {
                return Some(line);
            }
        }
    }

    /// Everything that was not read yet, when it has ended by itself; whether it ended well.
    pub(crate) fn end(mut self) -> (Vec<Json>, bool) {
        drop(self.input.take());
        let mut rest = Vec::new();
        while let Some(line) = self.line() {
            rest.push(line);
        }
        let began = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(began.elapsed() < PATIENCE, "a program does not end");
            std::thread::sleep(Duration::from_millis(1));
        };
        (rest, status.success())
    }

    /// Ends it where it stands.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    #[cfg(unix)]
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
