//! The state's own protocol under loom: every order in which two or three threads can get through its gate, its cells and
//! its waiters. `state.rs` is compiled here with the stand-ins of `loom/sync.rs`.
//!
//! Each model names the mutation of `state.rs` that was tried against it and that it caught. `LOOM_MAX_PREEMPTIONS`
//! sets how often a thread may be interrupted; the bound here keeps the tests quick.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

#[path = "../src/events.rs"]
#[allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    reason = "only what the state needs of it"
)]
mod events;
#[path = "../src/state.rs"]
#[allow(dead_code, reason = "only what the models need of it")]
mod state;
#[path = "loom/sync.rs"]
mod sync;

mod flight {
    //! What the state needs of a flight.
    use preopen::{Error, ErrorKind};

    pub(crate) fn lost() -> Error {
        Error::new(ErrorKind::Internal, "lost")
    }
}

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use loom::thread;
use preopen::core::broker::{Adapter as _, Login, Tokens};
use preopen::core::lifecycle::{Event, EventName, FlightId, Record};
use preopen::{Clock, Error, ErrorKind, Samco, StateName, Timestamp, VirtualClock};
use preopen_core::clock::Now;
use preopen_core::expiry::ExpiryPolicy;
use state::{Next, Outcome, State, Todo};

/// Explores a model. Three interruptions of a thread at most, unless the environment says otherwise.
fn explore(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound.get_or_insert(3);
    builder.check(model);
}

fn now() -> Now {
    Now {
        wall: Timestamp::from_seconds(1_795_400_000),
        monotonic: Duration::from_secs(1000),
    }
}

fn policy() -> &'static ExpiryPolicy {
    &Samco::new("key", "secret").policy().expiry
}

/// What threads of a model do with a state.
#[derive(Clone)]
struct Session(Arc<State>);

impl Session {
    fn new() -> Self {
        sync::fork(1);
        Self(Arc::new(State::new(7, false, false)))
    }

    /// With a session of generation 1.
    fn open() -> Self {
        let session = Self::new();
        let (flight, _) = session.start();
        drop(session.opened(flight, 1));
        session
    }

    fn need(&self) -> Next {
        self.0.need(now(), policy())
    }

    fn apply(&self, event: Event) -> Todo {
        self.0.apply(event, now(), policy())
    }

    /// The login that this need starts.
    fn start(&self) -> (FlightId, sync::watch::Receiver<Option<Outcome>>) {
        match self.need() {
            Next::Start(flight, result) => (flight, result),
            _ => panic!("no login was started"),
        }
    }

    /// A login succeeds; its token names the generation that it should get.
    fn opened(&self, flight: FlightId, generation: u64) -> Todo {
        let login = Box::new(Login::new(Tokens::new(format!("token {generation}"))));
        let sent = now();
        self.apply(Event::Opened { flight, login, sent })
    }

    fn failed(&self, flight: FlightId) -> Todo {
        let error = Error::new(ErrorKind::Network, "down");
        self.apply(Event::Failed { flight, error })
    }

    fn invalidate(&self, generation: u64) {
        drop(self.apply(Event::Invalidated { generation }));
    }

    /// The generation that a reader sees, its fields being of one login.
    fn read(&self) -> Option<u64> {
        self.0.published().map(|record| one_login(&record))
    }

    /// Asks until there is a result, and carries out the login if it falls to this thread. Gives the result and whether
    /// this thread logged in.
    fn token(&self, login: impl FnOnce(&Self, FlightId)) -> (Outcome, bool) {
        match self.need() {
            Next::Use(outcome) => (outcome, false),
            Next::Wait(result) => (result.wait().expect("a waiter is never left behind"), false),
            Next::Start(flight, result) => {
                login(self, flight);
                (
                    result.wait().expect("whoever starts a login gets its result"),
                    true,
                )
            }
        }
    }
}

fn one_login(record: &Record) -> u64 {
    let generation = record.generation;
    assert_eq!(record.tokens.access().expose(), format!("token {generation}"));
    generation
}

fn both<A: 'static, B: 'static>(
    session: &Session,
    one: impl FnOnce(Session) -> A + 'static,
    other: impl FnOnce(Session) -> B + 'static,
) -> (A, B) {
    let (mine, theirs) = (session.clone(), session.clone());
    let thread = thread::spawn(move || other(theirs));
    let first = one(mine);
    (first, thread.join().unwrap())
}

/// Caught: the cell of readers stored before the machine; withdrawing and publishing after the gate is left.
#[test]
fn s6_a_reader_sees_one_login_and_the_machine_is_never_behind_it() {
    explore(|| {
        let session = Session::open();
        let reader = session.clone();
        let renewal = session.clone();
        let renewal = thread::spawn(move || {
            renewal.invalidate(1);
            let (flight, _) = renewal.start();
            drop(renewal.opened(flight, 2));
        });
        let old_news = session.clone();
        let old_news = thread::spawn(move || old_news.invalidate(0));
        let mut last = 0;
        for _ in 0..2 {
            if let Some(generation) = reader.read() {
                assert!(generation >= last, "generation {last} was withdrawn");
                let machine = reader.0.machine().state(now());
                assert!(
                    machine.generation >= generation,
                    "the machine is behind its readers"
                );
                last = generation;
            } else {
                assert_ne!(reader.0.machine().state(now()).generation, 0);
                last = 2;
            }
        }
        renewal.join().unwrap();
        old_news.join().unwrap();
        assert_eq!(session.read(), Some(2));
    });
}

/// Caught: `invalidate` without comparing generations; the machine read before the gate is entered.
#[test]
fn s7_two_refusals_of_one_generation_cost_one_login() {
    explore(|| {
        let session = Session::open();
        let refused = |session: Session| {
            session.invalidate(1);
            let (outcome, started) = session.token(|session, flight| drop(session.opened(flight, 2)));
            assert_ne!(session.read(), Some(1), "a withdrawn generation came back");
            (one_login(&outcome.unwrap()), started)
        };
        let (one, other) = both(&session, refused, refused);
        assert_eq!((one.0, other.0), (2, 2));
        assert!(one.1 ^ other.1, "one of them logs in");
        assert_eq!(session.read(), Some(2));
    });
}

/// Caught: publishing after the gate is left; a late login published whatever the flight.
#[test]
fn s8_a_login_that_is_late_for_a_logout_is_never_published() {
    explore(|| {
        let session = Session::new();
        let (flight, result) = session.start();
        let (opened, (signed_out, seen)) = both(
            &session,
            move |session| session.opened(flight, 1),
            |session| {
                let done = session.apply(Event::SignedOut);
                (done, session.read())
            },
        );
        assert_eq!((seen, session.read()), (None, None), "logged out is logged out");
        // Whichever was first, the broker hears of the end once.
        assert!(opened.discard.is_some() ^ signed_out.sign_out.is_some());
        match result.wait().unwrap() {
            Ok(record) => assert_eq!((one_login(&record), opened.discard.is_none()), (1, true)),
            Err(error) => assert_eq!(
                (error.kind(), opened.discard.is_some()),
                (ErrorKind::LoginRequired, true)
            ),
        }
        assert_eq!(session.0.machine().state(now()).name, StateName::SignedOut);
    });
}

/// Caught: publishing after the gate is left.
#[test]
fn a_login_that_is_late_for_a_close_is_never_published() {
    explore(|| {
        let session = Session::new();
        let (flight, result) = session.start();
        both(
            &session,
            move |session| drop(session.opened(flight, 1)),
            |session| {
                drop(session.apply(Event::Closed));
                assert_eq!(session.read(), None);
            },
        );
        assert_eq!(session.read(), None);
        assert!(result.wait().is_some());
    });
}

/// Caught: subscribing after the gate is left.
#[test]
fn s1_nobody_who_joins_while_the_login_ends_is_left_behind() {
    explore(|| {
        let session = Session::new();
        let (flight, first) = session.start();
        let late = |session: Session| {
            let (outcome, started) = session.token(|_, _| panic!("there is a session or a login"));
            assert!(!started);
            one_login(&outcome.unwrap())
        };
        let other = session.clone();
        let other = thread::spawn(move || late(other));
        let ((), joined) = both(&session, move |session| drop(session.opened(flight, 1)), late);
        assert_eq!((joined, other.join().unwrap()), (1, 1));
        assert_eq!(one_login(&first.wait().unwrap().unwrap()), 1);
    });
}

/// Caught: subscribing after the gate is left; a settled flight's waiters kept for the next.
#[test]
fn s2_a_failure_reaches_everybody_and_the_slot_is_clean() {
    explore(|| {
        let session = Session::new();
        let (flight, first) = session.start();
        let ((), (outcome, started)) = both(
            &session,
            move |session| drop(session.failed(flight)),
            |session| session.token(|session, flight| drop(session.opened(flight, 1))),
        );
        assert_eq!(first.wait().unwrap().unwrap_err().kind(), ErrorKind::Network);
        // Who came before the failure got it; who came after found a clean slot.
        assert_eq!(outcome.is_ok(), started, "{outcome:?}");
        assert_eq!(session.read(), started.then_some(1));
        let (again, _) = session.token(|session, flight| drop(session.opened(flight, 1)));
        assert_eq!(one_login(&again.unwrap()), 1);
    });
}

/// Caught: storing a new gate in place of comparing and swapping it.
#[test]
fn s1_two_threads_that_come_first_share_one_gate() {
    explore(|| {
        let session = Session::new();
        let first = |session: Session| session.token(|session, flight| drop(session.opened(flight, 1)));
        let (one, other) = both(&session, first, first);
        assert!(one.1 ^ other.1, "one of them logs in");
        assert_eq!((one_login(&one.0.unwrap()), one_login(&other.0.unwrap())), (1, 1));
        assert_eq!(session.read(), Some(1));
    });
}

/// Caught: telling the machine of the fork after others can enter the gate; storing the gate without comparing.
#[test]
fn p8_the_first_threads_of_a_forked_child_do_not_wait_for_a_login_of_the_parent() {
    explore(|| {
        let session = Session::new();
        let (_, parent) = session.start();
        sync::fork(2);
        let first = |session: Session| session.token(|session, flight| drop(session.opened(flight, 1)));
        let (one, other) = both(&session, first, first);
        assert!(one.1 ^ other.1, "one of them logs in");
        assert_eq!((one_login(&one.0.unwrap()), one_login(&other.0.unwrap())), (1, 1));
        assert_eq!(session.read(), Some(1));
        drop(parent);
    });
}

/// Caught: looking whether the session is closed before the gate is entered; telling after the gate is left.
#[test]
fn a_listener_hears_generations_in_order_and_the_end() {
    explore(|| {
        let session = Session::open();
        let listener = session.clone();
        let renewal = session.clone();
        let renewal = thread::spawn(move || {
            renewal.invalidate(1);
            if let Next::Start(flight, _) = renewal.need() {
                drop(renewal.opened(flight, 2));
            }
        });
        let (mut events, ()) = both(
            &listener,
            |session| {
                let clock: Arc<dyn Clock> = Arc::new(VirtualClock::new(now().wall, 0.0));
                session.0.listen(&clock, policy())
            },
            |session| drop(session.apply(Event::Closed)),
        );
        renewal.join().unwrap();
        let mut heard = Vec::new();
        while let Some(event) = events.next().now_or_never().expect("closing ends the stream") {
            heard.push((event.generation, event.name));
        }
        let order = [(1, EventName::Expired), (2, EventName::Renewed)];
        let rest = order.iter().position(|event| Some(event) == heard.first());
        assert!(order[rest.unwrap_or(2)..].starts_with(&heard), "{heard:?}");
    });
}
