//! One host: a process of its own with a clock of its own, which does what lines on its standard input say and answers
//! on its standard output.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use preopen::core::broker::Adapter;
use preopen::store::RedisStore;
use preopen::{
    AngelOne, Clock as _, Error, Reply, Samco, SealKey, Session, StoreLoss, Timestamp, Token, VirtualClock,
};
use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use crate::record::{Mutant, Recorded, Seen};

/// What makes this test program a host.
const VARIABLE: &str = "PREOPEN_TEST_HOST";

/// The longest that any answer may take.
const ANSWER: Duration = Duration::from_secs(100);

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Account {
    Samco {
        url: String,
        key: String,
        secret: String,
    },
    AngelOne {
        url: String,
        key: String,
        client: String,
        pin: String,
        totp: String,
    },
}

impl Account {
    pub(crate) fn url(&self) -> &str {
        match self {
            Self::Samco { url, .. } | Self::AngelOne { url, .. } => url,
        }
    }

    pub(crate) fn adapter(&self) -> Box<dyn Adapter> {
        match self.clone() {
            Self::Samco { key, secret, .. } => Box::new(Samco::new(key, secret)),
            Self::AngelOne {
                key,
                client,
                pin,
                totp,
                ..
            } => Box::new(AngelOne::new(key, client, pin, totp)),
        }
    }
}

/// What a host is made of.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Config {
    pub(crate) redis: String,
    pub(crate) key: String,
    pub(crate) lease_ms: u64,
    pub(crate) timeout_ms: u64,
    pub(crate) accounts: Vec<Account>,
    /// How many sessions there are for each account.
    pub(crate) copies: usize,
    pub(crate) logs_in_without_store: bool,
    pub(crate) wall: i64,
    pub(crate) rate: f64,
    /// Whether everything that its store does is told.
    pub(crate) records: bool,
    pub(crate) mutant: Option<Mutant>,
}

impl Config {
    fn session(&self, account: &Account, clock: &Arc<VirtualClock>) -> Session {
        let builder = match account.clone() {
            Account::Samco { key, secret, .. } => Session::builder(Samco::new(key, secret)),
            Account::AngelOne {
                key,
                client,
                pin,
                totp,
                ..
            } => Session::builder(AngelOne::new(key, client, pin, totp)),
        };
        let store = RedisStore::new(self.redis.as_str())
            .unwrap()
            .with_key(SealKey::from_text(self.key.as_str()).unwrap())
            .lease(Duration::from_millis(self.lease_ms));
        let store = Recorded::new(store, self.records.then_some(tell_seen), self.mutant);
        let loss = if self.logs_in_without_store {
            StoreLoss::LogIn
        } else {
            StoreLoss::Refuse
        };
        builder
            .base_url(account.url())
            .clock(Arc::<VirtualClock>::clone(clock))
            .timeout(Duration::from_millis(self.timeout_ms))
            .store(store)
            .on_store_loss(loss)
            .build()
            .unwrap()
    }
}

/// What a host is told to do with its nth session of an account.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) enum Do {
    Token,
    /// A read at the broker, with a token that it must accept.
    Call,
    /// The token that is served without waiting, if there is one.
    Present,
    /// Says that the broker refused the token that is served now.
    Invalidate,
    Logout,
    Reset,
    Clock(i64),
}

#[derive(Debug, Serialize, Deserialize)]
struct Order {
    id: u64,
    account: usize,
    copy: usize,
    what: Do,
}

/// A token, named so that it can be told from others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Named {
    pub(crate) token: u64,
    pub(crate) generation: u64,
}

impl Named {
    fn of(token: &Token) -> Self {
        Self {
            token: named(token.expose()),
            generation: token.generation(),
        }
    }
}

pub(crate) fn named(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Failure {
    pub(crate) kind: String,
    pub(crate) message: String,
    pub(crate) phase: Option<String>,
}

impl Failure {
    fn of(error: &Error) -> Self {
        Self {
            kind: error.kind().as_str().to_owned(),
            message: error.message().to_owned(),
            phase: error.context().phase.map(|phase| phase.as_str().to_owned()),
        }
    }
}

/// What came of an order.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Answer {
    id: u64,
    pub(crate) result: Result<Option<Named>, Failure>,
    pub(crate) took_ms: u64,
}

impl Answer {
    #[track_caller]
    pub(crate) fn token(&self) -> u64 {
        match &self.result {
            Ok(Some(named)) => named.token,
            other => panic!("no token: {other:?} after {} ms", self.took_ms),
        }
    }

    #[track_caller]
    pub(crate) fn error(&self) -> &Failure {
        self.result.as_ref().expect_err("this must fail")
    }

    pub(crate) fn took(&self) -> Duration {
        Duration::from_millis(self.took_ms)
    }
}

#[derive(Debug, Serialize, Deserialize)]
enum Line {
    Answer(Answer),
    Seen(Seen),
}

fn tell(line: &Line) {
    let line = serde_json::to_string(line).unwrap();
    // The test program that this process is may be in the middle of a line. A parent that is gone reads nothing.
    drop(
        std::io::stdout()
            .lock()
            .write_all(format!("\n@{line}\n").as_bytes()),
    );
}

fn tell_seen(seen: Seen) {
    tell(&Line::Seen(seen));
}

async fn quote(session: &Session) -> preopen::Result<Reply> {
    let call = match session.broker() {
        "samco" => session
            .get("/quote/getQuote")
            .query("symbolName", "INFY")
            .query("exchange", "NSE"),
        _ => session.get("/rest/secure/angelbroking/user/v1/getProfile"),
    };
    call.send().await
}

async fn obey(session: &Session, clock: &VirtualClock, what: Do) -> preopen::Result<Option<Named>> {
    match what {
        Do::Token => session.token().await.map(|token| Some(Named::of(&token))),
        Do::Call => {
            quote(session).await?;
            Ok(session.try_token().as_ref().map(Named::of))
        }
        Do::Present => Ok(session.try_token().as_ref().map(Named::of)),
        Do::Invalidate => {
            let present = session.try_token();
            if let Some(token) = &present {
                session.invalidate(token.generation());
            }
            Ok(present.as_ref().map(Named::of))
        }
        Do::Logout => session.logout().await.map(|_| None),
        Do::Reset => {
            session.reset();
            Ok(None)
        }
        Do::Clock(wall) => {
            clock.set(Timestamp::from_millis(wall));
            Ok(None)
        }
    }
}

fn be(config: &Config) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let clock = Arc::new(VirtualClock::new(
        Timestamp::from_millis(config.wall),
        config.rate,
    ));
    let sessions: Vec<Vec<Session>> = config
        .accounts
        .iter()
        .map(|account| {
            (0..config.copies)
                .map(|_| config.session(account, &clock))
                .collect()
        })
        .collect();
    for line in std::io::stdin().lines() {
        let order: Order = serde_json::from_str(&line.unwrap()).unwrap();
        let session = sessions[order.account][order.copy].clone();
        let clock = Arc::clone(&clock);
        runtime.spawn(async move {
            let began = Instant::now();
            let result = obey(&session, &clock, order.what).await;
            let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap();
            tell(&Line::Answer(Answer {
                id: order.id,
                result: result.map_err(|error| Failure::of(&error)),
                took_ms,
            }));
        });
    }
    // Nobody is there any more.
    std::process::exit(0);
}

type Waiting = Arc<Mutex<HashMap<u64, oneshot::Sender<Answer>>>>;

/// A host as its test sees it. It ends with this value.
#[derive(Debug)]
pub(crate) struct Host {
    child: Child,
    orders: Mutex<Option<ChildStdin>>,
    waiting: Waiting,
    seen: Arc<Mutex<Vec<Seen>>>,
    reader: Option<std::thread::JoinHandle<()>>,
    next: AtomicU64,
}

impl Host {
    pub(crate) fn start(config: &Config) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "host::a_host_is_a_process_of_its_own", "--nocapture"])
            .args(["--test-threads", "1"])
            .env(VARIABLE, serde_json::to_string(config).unwrap())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (waiting, seen) = (Waiting::default(), Arc::<Mutex<Vec<Seen>>>::default());
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (answers, noted) = (Arc::clone(&waiting), Arc::clone(&seen));
        let reader = std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                // A process that is killed may leave half a line.
                let told = line
                    .strip_prefix('@')
                    .and_then(|json| serde_json::from_str(json).ok());
                match told {
                    Some(Line::Seen(one)) => noted.lock().unwrap().push(one),
                    Some(Line::Answer(answer)) => {
                        if let Some(waiting) = answers.lock().unwrap().remove(&answer.id) {
                            drop(waiting.send(answer));
                        }
                    }
                    None => {}
                }
            }
            // Whoever still waits is told that there is nobody.
            answers.lock().unwrap().clear();
        });
        Self {
            orders: Mutex::new(child.stdin.take()),
            child,
            waiting,
            seen,
            reader: Some(reader),
            next: AtomicU64::new(1),
        }
    }

    /// Gives an order; the answer comes when it is done, and `None` when the host ended before.
    pub(crate) fn give(
        &self,
        account: usize,
        copy: usize,
        what: Do,
    ) -> impl Future<Output = Option<Answer>> + Send + 'static {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, receiver) = oneshot::channel();
        let order = Order {
            id,
            account,
            copy,
            what,
        };
        let line = serde_json::to_string(&order).unwrap() + "\n";
        if let Some(orders) = self.orders.lock().unwrap().as_mut() {
            self.waiting.lock().unwrap().insert(id, sender);
            drop(orders.write_all(line.as_bytes()));
        }
        async move {
            let answer = tokio::time::timeout(ANSWER, receiver).await;
            answer.unwrap_or_else(|_| panic!("no answer to {order:?}")).ok()
        }
    }

    /// The same, and it must be there at the end.
    pub(crate) async fn ask(&self, account: usize, copy: usize, what: Do) -> Answer {
        self.give(account, copy, what).await.expect("the host ended")
    }

    pub(crate) async fn set_clock(&self, wall: i64) {
        self.ask(0, 0, Do::Clock(wall)).await;
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Stops it where it stands, as a machine that hangs.
    pub(crate) fn pause(&self) {
        self.signal(Signal::STOP);
    }

    pub(crate) fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// Ends at once, as in a crash.
    pub(crate) fn kill(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        // No order reaches it any more.
        drop(self.orders.lock().unwrap().take());
    }

    /// Everything that its store did. It has ended then.
    pub(crate) fn seen(&mut self) -> Vec<Seen> {
        self.kill();
        std::mem::take(&mut *self.seen.lock().unwrap())
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.kill();
    }
}

#[test]
fn a_host_is_a_process_of_its_own() {
    if let Ok(config) = std::env::var(VARIABLE) {
        return be(&serde_json::from_str(&config).unwrap());
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let world = crate::world::World::start().await;
        let (mut here, there) = (world.host(), world.host());
        assert_ne!(here.child.id(), there.child.id());
        let token = here.ask(0, 0, Do::Token).await.token();
        assert_eq!(there.ask(0, 0, Do::Call).await.token(), token);
        // A clock of its own: for this one the day is over.
        let clock = world.sandbox.clock();
        there
            .set_clock(clock.now().wall.plus(Duration::from_hours(24)).as_millis())
            .await;
        assert_eq!(there.ask(0, 0, Do::Present).await.result.unwrap(), None);
        assert_eq!(here.ask(0, 0, Do::Present).await.token(), token);
        here.kill();
        assert!(here.give(0, 0, Do::Token).await.is_none());
    });
}
