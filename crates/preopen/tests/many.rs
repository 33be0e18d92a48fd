//! Many accounts in one process: they share the background thread and the connections, and nothing else; and what
//! nobody holds any more comes to its end.
#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{QUOTE, SAMCO_LOGIN, angel, samco, samco_with, sandbox};
use preopen::{Advice, Clock, ErrorKind, Session, SessionBuilder, StateName, VirtualClock};
use preopen_sandbox::{Account, Broker, Fault, Sandbox, Stall};
use tokio::task::JoinSet;

const LONG: Duration = Duration::from_secs(30);

/// Sessions of this many accounts that the sandbox did not start with.
fn accounts(sandbox: &Sandbox, count: usize) -> Vec<(String, Session)> {
    let added = sandbox.add_accounts(Broker::Samco, count).unwrap();
    let build = |account: &Account| {
        let samco = account.as_samco().unwrap();
        let session = samco_with(sandbox, &samco.api_key, &samco.api_secret).timeout(LONG);
        (samco.account.clone(), session.build().unwrap())
    };
    added.iter().map(build).collect()
}

fn logins(sandbox: &Sandbox) -> u64 {
    sandbox.requests(Some(Broker::Samco), Some(SAMCO_LOGIN)).count
}

/// Waits, within a bound, until `done` holds.
async fn until(what: &str, bound: Duration, mut done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < bound, "{what}: not within {bound:?}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s9_each_account_has_a_flight_and_a_token_of_its_own() {
    let sandbox = sandbox().await;
    let sessions = accounts(&sandbox, 50);
    let mut callers = JoinSet::new();
    for (account, session) in &sessions {
        for _ in 0..4 {
            let (account, session) = (account.clone(), session.clone());
            callers.spawn(async move {
                let token = session.token().await.unwrap();
                let holder = session.profile().await.unwrap().account_id;
                assert_eq!(holder.as_deref(), Some(account.as_str()));
                token.expose().to_owned()
            });
        }
    }
    let mut tokens = callers.join_all().await;
    tokens.sort_unstable();
    tokens.dedup();
    assert_eq!(
        tokens.len(),
        50,
        "one token for each account, shared by its callers"
    );
    assert_eq!(logins(&sandbox), 50);
}

#[tokio::test]
async fn s9_a_slow_login_delays_nobody_else() {
    let sandbox = sandbox().await;
    let slow = samco(&sandbox).build().unwrap();
    sandbox
        .fault(Fault::on(Broker::Samco, SAMCO_LOGIN).stall(Stall::Before))
        .unwrap();
    let waiting = tokio::spawn({
        let slow = slow.clone();
        async move { slow.token().await }
    });
    until("the slow login is sent", LONG, || logins(&sandbox) == 1).await;
    for (_, session) in accounts(&sandbox, 20) {
        let quote = session
            .get(QUOTE)
            .query("symbolName", "INFY")
            .query("exchange", "NSE");
        assert!(quote.send().await.unwrap().data()["quoteDetails"].is_object());
    }
    assert_eq!(slow.state().name, StateName::Opening, "it still waits");
    assert!(!waiting.is_finished());
    waiting.abort();
}

#[tokio::test]
async fn s9_a_blocked_account_blocks_nobody_else() {
    let sandbox = sandbox().await;
    let key = common::samco_account(&sandbox).api_key.clone();
    let wrong = samco_with(&sandbox, &key, "CANARY-wrong-secret").build().unwrap();
    let others = accounts(&sandbox, 10);
    let error = wrong.token().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CredentialsRejected);
    for (nth, (_, session)) in (2..).zip(&others) {
        assert_eq!(session.token().await.unwrap().generation(), 1);
        assert_eq!(logins(&sandbox), nth);
        assert!(session.state().blocked_by.is_none());
    }
    assert_eq!(wrong.state().name, StateName::Blocked);
    assert!(wrong.token().await.is_err());
    assert_eq!(logins(&sandbox), 11, "the wrong secret was sent once");
    // Freeing one frees no other, and ends nothing.
    let (_, first) = &others[0];
    first.reset();
    assert_eq!(first.token().await.unwrap().generation(), 1);
    assert_eq!(wrong.state().name, StateName::Blocked);
}

#[tokio::test]
async fn s9_one_account_backs_off_alone() {
    let sandbox = sandbox().await;
    let failing = samco(&sandbox).build().unwrap();
    let others = accounts(&sandbox, 10);
    sandbox
        .fault(Fault::on(Broker::Samco, SAMCO_LOGIN).status(503).times(2))
        .unwrap();
    for _ in 0..2 {
        let error = failing.token().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokerUnavailable);
    }
    let held = failing.token().await.unwrap_err();
    assert!(matches!(held.advice(), Advice::After(_)), "{held:?}");
    assert_eq!(logins(&sandbox), 2, "it waits before it tries again");
    for (_, session) in &others {
        assert_eq!(session.token().await.unwrap().generation(), 1);
    }
    assert_eq!(logins(&sandbox), 12);
    assert!(failing.token().await.is_err());
    assert_eq!(logins(&sandbox), 12, "the others' logins do not end its wait");
}

#[tokio::test]
async fn s9_a_rate_limit_of_one_account_is_not_anothers() {
    let sandbox = sandbox().await;
    let limited = samco(&sandbox).build().unwrap();
    let fault = Fault::on(Broker::Samco, SAMCO_LOGIN).status(429).body("{}");
    sandbox.fault(fault.header("Retry-After", "60")).unwrap();
    assert_eq!(limited.token().await.unwrap_err().kind(), ErrorKind::RateLimited);
    for (_, session) in accounts(&sandbox, 5) {
        assert_eq!(session.token().await.unwrap().generation(), 1);
    }
    assert_eq!(limited.token().await.unwrap_err().kind(), ErrorKind::RateLimited);
    assert_eq!(logins(&sandbox), 6, "the limited one is not sent again");
}

/// A clock that tells by its count whether any session that follows it is still there.
struct Tracked(Arc<VirtualClock>);

impl Tracked {
    fn new(sandbox: &Sandbox) -> Self {
        Self(Arc::new(VirtualClock::new(sandbox.clock().now().wall, 0.0)))
    }

    fn follow(&self, builder: SessionBuilder) -> Session {
        let clock = Arc::clone(&self.0) as Arc<dyn Clock>;
        builder.clock(clock).build().unwrap()
    }

    async fn gone(&self, bound: Duration) {
        until("nothing holds the session", bound, || {
            Arc::strong_count(&self.0) == 1
        })
        .await;
    }
}

/// What a task needs to notice that its session is gone, on a busy machine.
const SOON: Duration = Duration::from_secs(5);

#[tokio::test]
async fn s10_an_idle_session_leaves_nothing() {
    let sandbox = sandbox().await;
    let clock = Tracked::new(&sandbox);
    let session = clock.follow(samco(&sandbox));
    let clone = session.clone();
    let token = session.token().await.unwrap();
    drop(session);
    assert_eq!(clone.token().await.unwrap().generation(), token.generation());
    drop(clone);
    clock.gone(SOON).await;
    assert!(
        !token.expose().is_empty(),
        "a token lives as long as whoever holds it"
    );
    assert_eq!(logins(&sandbox), 1);
}

#[tokio::test]
async fn s10_logins_in_flight_end_with_their_timeout() {
    let sandbox = sandbox().await;
    let clock = Tracked::new(&sandbox);
    let timeout = Duration::from_secs(1);
    sandbox
        .fault(
            Fault::on(Broker::Samco, SAMCO_LOGIN)
                .stall(Stall::Before)
                .times(100),
        )
        .unwrap();
    let mut callers = JoinSet::new();
    for account in sandbox.add_accounts(Broker::Samco, 100).unwrap() {
        let account = account.as_samco().unwrap().clone();
        let session =
            clock.follow(samco_with(&sandbox, &account.api_key, &account.api_secret).timeout(timeout));
        callers.spawn(async move { session.token().await.map(drop) });
    }
    until("all logins are sent", LONG, || logins(&sandbox) == 100).await;
    // The callers hold the only handles.
    callers.shutdown().await;
    clock.gone(timeout + SOON).await;
    assert_eq!(
        logins(&sandbox),
        100,
        "a login that nobody waits for is not tried again"
    );
}

#[tokio::test]
async fn s10_a_wait_for_the_next_one_time_code_ends_at_once() {
    let sandbox = sandbox().await;
    let clock = Tracked::new(&sandbox);
    let session = clock.follow(angel(&sandbox));
    session.token().await.unwrap();
    session.logout().await.unwrap();
    // The clock stands still, so that the next step never comes.
    let caller = tokio::spawn({
        let session = session.clone();
        async move { session.token().await }
    });
    until("it waits for the next code", LONG, || {
        session.state().name == StateName::Opening
    })
    .await;
    drop(session);
    caller.abort();
    clock.gone(SOON).await;
    assert_eq!(
        sandbox
            .requests(Some(Broker::AngelOne), Some(common::ANGEL_LOGIN))
            .count,
        1
    );
}

#[tokio::test]
async fn s10_a_renewal_behind_a_refused_order_ends_with_its_session() {
    let sandbox = sandbox().await;
    let clock = Tracked::new(&sandbox);
    let session = clock.follow(samco(&sandbox));
    session.token().await.unwrap();
    sandbox.end_sessions(None);
    let order = session.post("/order/placeOrder").json_text("{}").send().await;
    assert_eq!(order.unwrap_err().kind(), ErrorKind::SessionExpired);
    drop(session);
    clock.gone(SOON).await;
    assert!(logins(&sandbox) <= 2);
}

#[cfg(target_os = "linux")]
mod linux {
    //! What only the system knows: threads and sockets.

    use super::*;
    use std::fs;
    use std::sync::atomic::{AtomicBool, Ordering};

    /// The bound on connections to one host that a session has without further settings.
    const CONNECTIONS: usize = 256;

    /// Threads of the background runtime: its worker, and any that it starts for calls that block.
    fn background_threads() -> usize {
        let name = |entry: &fs::DirEntry| fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
        let threads = fs::read_dir("/proc/self/task").unwrap();
        threads
            .filter(|entry| name(entry.as_ref().unwrap()).trim_end() == "preopen")
            .count()
    }

    /// Connections that are open from this machine to that port.
    fn connections_to(port: u16) -> usize {
        let remote = format!(":{port:04X}");
        let table = fs::read_to_string("/proc/self/net/tcp").unwrap();
        let open = |line: &&str| {
            let mut fields = line.split_whitespace().skip(2);
            fields.next().is_some_and(|address| address.ends_with(&remote)) && fields.next() == Some("01")
        };
        table.lines().filter(open).count()
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn two_thousand_sessions_share_one_thread_and_the_connections() {
        let sandbox = sandbox().await;
        let port: u16 = sandbox.samco_url().rsplit(':').next().unwrap().parse().unwrap();
        let sessions = accounts(&sandbox, 2000);
        let over = Arc::new(AtomicBool::new(false));
        let watcher = std::thread::spawn({
            let over = Arc::clone(&over);
            move || {
                let mut most = 0;
                while !over.load(Ordering::SeqCst) {
                    most = most.max(connections_to(port));
                    std::thread::sleep(Duration::from_millis(1));
                }
                most
            }
        });
        let mut callers = JoinSet::new();
        for (_, session) in sessions.clone() {
            callers.spawn(async move { session.token().await.unwrap().generation() });
        }
        assert!(callers.join_all().await.iter().all(|generation| *generation == 1));
        over.store(true, Ordering::SeqCst);
        let most = watcher.join().unwrap();
        assert_eq!(logins(&sandbox), 2000);
        // One that was begun just before another one came free is kept for the next login: never as many again.
        assert!((1..=2 * CONNECTIONS).contains(&most), "{most} connections");
        assert_eq!(background_threads(), 1);
        assert!(sessions.iter().all(|(_, session)| session.try_token().is_some()));
    }
}
