//! Whole sessions over a transport that answers by a script.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use preopen::core::target::Target;
use preopen::core::wire::{BoxFuture, RawReply, Request, Transport, TransportFailure};
use preopen::store::MemoryStore;
use preopen::{
    AngelOne, Ask, Clock, ErrorKind, SealKey, Secret, Session, SessionBuilder, Timestamp, TotpSource,
    VirtualClock,
};
use tokio::sync::Semaphore;

use crate::allocator::{alone, unwatched, watch};
use crate::canaries::{self, FEED, NOW};

const OK: &str = r#"{"status":"Success","statusMessage":"done","srcIp":"1.2.3.4","x":1}"#;
const ANGEL_OK: &str = r#"{"status":true,"message":"SUCCESS","errorcode":"","data":{"x":1}}"#;

/// The script's answer to the so manyth call of a path.
type Script = dyn Fn(usize, &str) -> (u16, String) + Send + Sync;

struct Scripted {
    script: Box<Script>,
    logins: AtomicUsize,
    others: AtomicUsize,
    /// Lets one login go for each permit.
    gate: Semaphore,
}

impl std::fmt::Debug for Scripted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Scripted")
    }
}

impl Transport for Scripted {
    fn send<'a>(
        &'a self,
        _: &'a Target,
        request: &'a Request,
        _: Duration,
    ) -> BoxFuture<'a, Result<RawReply, TransportFailure>> {
        Box::pin(async move {
            let path = request.endpoint.path.as_str();
            let login = request.endpoint.sensitive;
            let count = if login { &self.logins } else { &self.others };
            let number = count.fetch_add(1, Ordering::SeqCst) + 1;
            if login {
                self.gate.acquire().await.unwrap().forget();
            }
            let (status, body) = unwatched(|| (self.script)(number, path));
            Ok(RawReply::new(status, body))
        })
    }
}

/// One session and all that it stands on.
struct Stage {
    session: Session,
    transport: Arc<Scripted>,
    clock: Arc<VirtualClock>,
}

/// Runs a session by a script, to the end of its last task, and looks for what it leaves.
fn nothing_left(
    name: &str,
    builder: fn() -> SessionBuilder,
    script: impl Fn(usize, &str) -> (u16, String) + Send + Sync + 'static,
    work: impl AsyncFnOnce(Stage),
) {
    let found = watch(&canaries::all(), move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let transport = Arc::new(Scripted {
            script: Box::new(script),
            logins: AtomicUsize::new(0),
            others: AtomicUsize::new(0),
            gate: Semaphore::new(100),
        });
        let clock = Arc::new(VirtualClock::new(Timestamp::parse_rfc3339(NOW).unwrap(), 0.0));
        let session = builder()
            .transport(Arc::clone(&transport) as Arc<dyn Transport>)
            .clock(Arc::clone(&clock) as Arc<dyn Clock>)
            .build()
            .unwrap();
        let stage = Stage {
            session,
            transport: Arc::clone(&transport),
            clock,
        };
        runtime.block_on(async {
            work(stage).await;
            // The background task goes last, with its hold on the transport.
            let patience = tokio::time::Instant::now() + Duration::from_secs(10);
            while Arc::strong_count(&transport) > 1 {
                assert!(tokio::time::Instant::now() < patience, "{name}: a task is left");
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        });
    });
    assert!(found.is_empty(), "{name}: {found:#?}");
}

fn oauth() -> SessionBuilder {
    Session::builder(canaries::oauth())
}

fn samco() -> SessionBuilder {
    Session::builder(canaries::samco())
}

fn angel_one() -> SessionBuilder {
    Session::builder(canaries::angel_one())
}

fn samco_day(_: usize, path: &str) -> (u16, String) {
    match path {
        "/session/token" => (200, canaries::samco_login()),
        "/html" => (502, "<html>".to_owned()),
        _ => (200, OK.to_owned()),
    }
}

fn angel_day(number: usize, path: &str) -> (u16, String) {
    match (number, path) {
        (3, path) if path.ends_with("generateTokens") => {
            let refused = format!(r#"{{"success":false,"message":"bad {FEED}","errorCode":"AB8050"}}"#);
            (200, refused)
        }
        (_, path) if path.contains("login") || path.contains("generateTokens") => {
            (200, canaries::angel_login(&format!("\"{FEED}\"")))
        }
        _ => (200, ANGEL_OK.to_owned()),
    }
}

#[test]
fn x2_a_login_at_the_broker_s_page_is_wiped() {
    let _alone = alone();
    for stored in [false, true] {
        nothing_left(
            "oauth",
            if stored {
                || oauth().store(MemoryStore::new().unwrap())
            } else {
                oauth
            },
            |_, path| match path {
                "/oauth/token" => (200, canaries::oauth_login()),
                _ => (200, OK.to_owned()),
            },
            async |stage| {
                let session = &stage.session;
                let start = session.begin_login().await.unwrap();
                let address = unwatched(|| {
                    let (_, rest) = start.url().split_once("state=").unwrap();
                    let state = rest.split('&').next().unwrap();
                    format!("/callback?code={}&state={state}", canaries::CODE)
                });
                let foreign = unwatched(|| address.replace("state=", "state=x"));
                assert!(session.complete_login(&foreign).await.is_err());
                unwatched(|| drop(foreign));
                session.complete_login(&address).await.unwrap();
                assert!(session.complete_login(&address).await.is_err());
                session.get("/x").send().await.unwrap();
                stage.clock.advance(Duration::from_hours(24));
                drop(session.token().await);
                session.logout().await.unwrap();
                unwatched(|| drop(address));
            },
        );
    }
}

#[test]
fn x2_a_samco_session_is_wiped() {
    let _alone = alone();
    nothing_left("a day", samco, samco_day, async |stage| {
        let session = stage.session;
        let token = session.token().await.unwrap();
        drop((
            session.headers().await.unwrap(),
            session.profile().await.unwrap(),
            session.state(),
        ));
        session
            .get("/quote/getQuote")
            .query("symbolName", "X")
            .send()
            .await
            .unwrap();
        session.whoami().await.unwrap();
        let write = session.post("/html").json_text("{}").send().await.unwrap_err();
        assert_eq!(write.kind(), ErrorKind::OutcomeUnknown);
        session.invalidate(token.generation());
        assert_eq!(session.token().await.unwrap().generation(), 2, "replaced");
        stage
            .clock
            .set(Timestamp::parse_rfc3339("2026-11-24T09:00:00+05:30").unwrap());
        assert_eq!(
            session.token().await.unwrap().generation(),
            3,
            "after the boundary"
        );
        assert!(session.logout().await.unwrap().acknowledged);
        session.token().await.unwrap();
        session.close();
    });
}

#[test]
fn x2_a_smartapi_session_is_wiped() {
    let _alone = alone();
    nothing_left("a day", angel_one, angel_day, async |stage| {
        let session = stage.session;
        let generation = session.token().await.unwrap().generation();
        drop((session.headers().await.unwrap(), session.profile().await.unwrap()));
        session.invalidate(generation);
        assert_eq!(session.token().await.unwrap().generation(), 2, "refreshed");
        session.invalidate(2);
        stage.clock.advance(Duration::from_secs(30));
        assert_eq!(
            session.token().await.unwrap().generation(),
            3,
            "the refresh was refused"
        );
        assert_eq!(stage.transport.logins.load(Ordering::SeqCst), 4);
        assert!(session.logout().await.unwrap().acknowledged);
    });
}

#[test]
fn x2_a_session_that_is_handed_over_is_wiped() {
    let _alone = alone();
    nothing_left("handing over", angel_one, angel_day, async |stage| {
        let session = stage.session;
        let key = SealKey::generate().unwrap();
        let sealed = session.export(&key).await.unwrap();
        let open = session.export_exposed().await.unwrap();
        let later = session.clone();
        session.close();
        assert!(later.prime(&sealed, Some(&key)).is_err(), "closed");
        let other = angel_one()
            .clock(Arc::clone(&stage.clock) as Arc<dyn Clock>)
            .build()
            .unwrap();
        other.prime(&sealed, Some(&key)).unwrap();
        assert!(other.try_token().is_some());
        let damaged = unwatched(|| open.expose().replace("issued_at", "issued"));
        assert!(other.prime(&damaged, None).is_err());
        other.close();
        let damaged = Secret::new(damaged);
        drop((open, damaged));
    });
}

#[test]
fn x2_a_session_that_is_shared_through_a_store_is_wiped() {
    let _alone = alone();
    let shared: fn() -> SessionBuilder = || angel_one().store(MemoryStore::new().unwrap());
    nothing_left("sharing", shared, angel_day, async |stage| {
        let session = stage.session;
        let generation = session.token().await.unwrap().generation();
        session.invalidate(generation);
        assert_eq!(session.token().await.unwrap().generation(), 2, "refreshed");
        assert_eq!(stage.transport.logins.load(Ordering::SeqCst), 2);
        assert!(session.logout().await.unwrap().acknowledged);
    });
    // One that finds what another one left, and one that cannot read it.
    nothing_left("finding", angel_one, angel_day, async |stage| {
        let store = MemoryStore::new().unwrap();
        let build = |transport: &Arc<Scripted>| {
            angel_one()
                .store(store.clone())
                .transport(Arc::clone(transport) as Arc<dyn Transport>)
                .clock(Arc::clone(&stage.clock) as Arc<dyn Clock>)
                .build()
                .unwrap()
        };
        let first = build(&stage.transport);
        first.token().await.unwrap();
        drop(first);
        let second = build(&stage.transport);
        assert_eq!(second.token().await.unwrap().generation(), 1);
        assert_eq!(stage.transport.logins.load(Ordering::SeqCst), 1);
        drop((second, stage.session));
    });
}

#[test]
fn x2_answers_of_callbacks_are_wiped() {
    let _alone = alone();
    let asked = || {
        Session::builder(AngelOne::new(
            canaries::API_KEY,
            "C1",
            Ask::new(|| async { Ok(Some(Secret::new(canaries::PIN))) }),
            TotpSource::Typed(Ask::blocking(|| Ok(Some(canaries::code())))),
        ))
    };
    nothing_left("answers", asked, angel_day, async |stage| {
        stage.session.token().await.unwrap();
        stage.session.close();
    });
    nothing_left(
        "a refusal of answers",
        asked,
        |_, _| (200, canaries::echo("angelone")),
        async |stage| {
            stage.session.token().await.unwrap_err();
        },
    );
}

#[test]
fn x2_a_failed_login_is_wiped() {
    let _alone = alone();
    for (name, broker) in [
        ("samco", samco as fn() -> SessionBuilder),
        ("angelone", angel_one),
    ] {
        for (status, body) in canaries::bad_logins(&canaries::echo(name)) {
            // Leaked, since the script is dropped while the watch looks.
            let answer: &str = body.clone().leak();
            let script = move |_: usize, _: &str| (status, answer.to_owned());
            nothing_left(&body, broker, script, async |stage| {
                let session = stage.session.clone();
                let caller = tokio::spawn(async move { session.token().await });
                while !caller.is_finished() {
                    // A refused one-time code waits for the next step.
                    stage.clock.advance(Duration::from_secs(1));
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                if let Err(error) = caller.await.unwrap() {
                    unwatched(|| assert!(!format!("{error:?}").contains("canary-"), "{error:?}"));
                }
            });
        }
    }
}

#[test]
fn x2_a_panic_during_a_login_leaves_nothing() {
    let _alone = alone();
    for broker in [samco, angel_one] {
        nothing_left(
            "a panic",
            broker,
            |_, _| panic!("the transport's"),
            async |stage| {
                let error = stage.session.token().await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Internal);
            },
        );
    }
}

#[test]
fn x2_a_session_that_is_dropped_during_a_login_leaves_nothing() {
    let _alone = alone();
    let ways: [fn(Session); 2] = [drop, |session| session.close()];
    for (number, end) in ways.into_iter().enumerate() {
        nothing_left(&format!("way {number}"), samco, samco_day, async |stage| {
            stage.transport.gate.forget_permits(100);
            let caller = stage.session.clone();
            let caller = tokio::spawn(async move { drop(caller.token().await) });
            while stage.transport.logins.load(Ordering::SeqCst) == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            caller.abort();
            drop(caller.await);
            end(stage.session);
            stage.transport.gate.add_permits(100);
        });
    }
    nothing_left("logged out", samco, samco_day, async |stage| {
        stage.transport.gate.forget_permits(100);
        let caller = stage.session.clone();
        let caller = tokio::spawn(async move { caller.token().await });
        while stage.transport.logins.load(Ordering::SeqCst) == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        stage.session.logout().await.unwrap();
        assert_eq!(
            caller.await.unwrap().unwrap_err().kind(),
            ErrorKind::LoginRequired
        );
        stage.transport.gate.add_permits(100);
        while stage.transport.others.load(Ordering::SeqCst) == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
}
