//! The lifecycle properties of the machine, by name, and random runs of it against what must always hold.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests"
)]

use std::sync::Arc;
use std::time::Duration;

use preopen_core::broker::{Login, Tokens};
use preopen_core::error::{Advice, Credential, Error, ErrorKind};
use preopen_core::expiry::{DailyBoundary, ExpiryPolicy};
use preopen_core::lifecycle::{Effect, Event, FlightId, Machine, Record, SessionEvent, StateName};
use preopen_core::{Now, Timestamp};
use proptest::prelude::*;

const POLICY: ExpiryPolicy = ExpiryPolicy {
    boundary: DailyBoundary::at(8, 0),
    maximum_age: None,
    note: "test",
};

fn noon() -> Now {
    let wall = Timestamp::parse_rfc3339("2026-11-22T12:00:00+05:30").unwrap();
    Now {
        wall,
        monotonic: Duration::from_secs(100),
    }
}

fn later(now: Now, by: Duration) -> Now {
    Now {
        wall: now.wall.plus(by),
        monotonic: now.monotonic + by,
    }
}

fn login(token: &str) -> Box<Login> {
    Box::new(Login::new(Tokens::new(token)))
}

/// A machine with the bookkeeping that a session does around it.
#[derive(Default)]
struct Run {
    machine: Machine,
    published: Option<Arc<Record>>,
    told: Vec<SessionEvent>,
}

impl Run {
    /// The effects of one step but for announcements, which are kept in `told`.
    fn step(&mut self, event: Event, now: Now) -> Vec<Effect> {
        let (machine, mut effects) = std::mem::take(&mut self.machine).step(event, now, &POLICY);
        self.machine = machine;
        for effect in &effects {
            match effect {
                Effect::Publish(record) => self.published = Some(Arc::clone(record)),
                Effect::Withdraw => self.published = None,
                Effect::Announce(event) => self.told.push(SessionEvent::clone(event)),
                _ => {}
            }
        }
        effects.retain(|effect| !matches!(effect, Effect::Announce(_)));
        effects
    }

    fn start(&mut self, now: Now) -> FlightId {
        match self.step(Event::Needed, now).as_slice() {
            [Effect::Start(flight)] => *flight,
            other => panic!("expected a login to start, got {other:?}"),
        }
    }

    fn open(&mut self, now: Now) -> Arc<Record> {
        let flight = self.start(now);
        self.step(
            Event::Opened {
                flight,
                login: login("token"),
                sent: now,
            },
            now,
        );
        self.published.clone().expect("a published record")
    }

    fn name(&self, now: Now) -> StateName {
        self.machine.state(now).name
    }
}

#[test]
fn s1_many_cold_callers_share_one_flight() {
    let mut run = Run::default();
    let flight = run.start(noon());
    for _ in 0..1000 {
        assert!(
            matches!(run.step(Event::Needed, noon()).as_slice(), [Effect::Join(joined)] if *joined == flight)
        );
    }
    assert_eq!(run.name(noon()), StateName::Opening);
}

#[test]
fn s2_a_failure_reaches_all_and_leaves_the_slot_clean() {
    let mut run = Run::default();
    let flight = run.start(noon());
    let error = Error::new(ErrorKind::BrokerUnavailable, "down");
    let effects = run.step(Event::Failed { flight, error }, noon());
    assert!(matches!(effects.last(), Some(Effect::Settle(settled, Err(_))) if *settled == flight));
    assert_ne!(run.start(noon()), flight);
}

#[test]
fn s5_a_valid_session_is_served_without_a_flight() {
    let mut run = Run::default();
    let record = run.open(noon());
    assert!(
        matches!(run.step(Event::Needed, noon()).as_slice(), [Effect::Serve(r)] if Arc::ptr_eq(r, &record))
    );
}

#[test]
fn s7_an_old_generation_invalidates_nothing() {
    let mut run = Run::default();
    let first = run.open(noon());
    run.step(
        Event::Invalidated {
            generation: first.generation,
        },
        noon(),
    );
    let second = run.open(noon());
    for _ in 0..2 {
        assert!(
            run.step(
                Event::Invalidated {
                    generation: first.generation
                },
                noon()
            )
            .is_empty()
        );
    }
    assert!(
        run.published
            .as_ref()
            .is_some_and(|r| r.generation == second.generation)
    );
    assert_eq!(run.name(noon()), StateName::Active);
}

#[test]
fn s8_a_late_login_after_logout_is_discarded() {
    let mut run = Run::default();
    let flight = run.start(noon());
    let effects = run.step(Event::SignedOut, noon());
    assert!(
        matches!(effects.last(), Some(Effect::Settle(_, Err(e))) if e.kind() == ErrorKind::LoginRequired)
    );
    let effects = run.step(
        Event::Opened {
            flight,
            login: login("late"),
            sent: noon(),
        },
        noon(),
    );
    assert!(matches!(effects.as_slice(), [Effect::Discard(_)]));
    assert!(run.published.is_none());
    assert_eq!(run.name(noon()), StateName::SignedOut);
}

#[test]
fn t3_a_login_that_crosses_the_boundary_is_not_served() {
    let mut run = Run::default();
    let sent = noon();
    let flight = run.start(sent);
    let effects = run.step(
        Event::Opened {
            flight,
            login: login("x"),
            sent,
        },
        later(sent, Duration::from_hours(21)),
    );
    assert!(matches!(effects.last(), Some(Effect::Settle(_, Err(_)))));
    assert!(run.published.is_none());
}

#[test]
fn f1_a_failed_renewal_never_displaces_a_valid_session() {
    let mut run = Run::default();
    let record = run.open(noon());
    // A wall clock stepped forward by mistake starts a renewal; stepped back, the session is valid again.
    let stepped = Now {
        wall: noon().wall.plus(Duration::from_hours(30)),
        ..noon()
    };
    let flight = run.start(stepped);
    let error =
        Error::new(ErrorKind::CredentialsRejected, "no").with(|c| c.credential = Some(Credential::ApiSecret));
    let effects = run.step(Event::Failed { flight, error }, noon());
    assert!(matches!(effects.as_slice(), [Effect::Settle(_, Ok(served))] if Arc::ptr_eq(served, &record)));
    assert!(
        run.published
            .as_ref()
            .is_some_and(|published| Arc::ptr_eq(published, &record))
    );
    assert_eq!(run.name(noon()), StateName::Active);
}

#[test]
fn f4_a_refused_credential_blocks_until_reset() {
    let mut run = Run::default();
    let flight = run.start(noon());
    run.step(
        Event::Failed {
            flight,
            error: Error::new(ErrorKind::CredentialsRejected, "no"),
        },
        noon(),
    );
    assert_eq!(run.name(noon()), StateName::Blocked);
    for _ in 0..10 {
        assert!(
            matches!(run.step(Event::Needed, noon()).as_slice(), [Effect::Refuse(e)] if e.kind() == ErrorKind::CredentialsRejected)
        );
    }
    run.step(Event::SignedOut, noon());
    assert_eq!(
        run.name(noon()),
        StateName::Blocked,
        "logging out does not unblock"
    );
    run.step(Event::Reset, noon());
    run.start(noon());
}

#[test]
fn f4_callers_of_a_failing_login_wait_and_a_success_forgets() {
    let mut run = Run::default();
    let down = || Error::new(ErrorKind::BrokerUnavailable, "down");
    for _ in 0..2 {
        let flight = run.start(noon());
        run.step(
            Event::Failed {
                flight,
                error: down(),
            },
            noon(),
        );
    }
    let refused = run.step(Event::Needed, noon());
    assert!(
        matches!(refused.as_slice(), [Effect::Refuse(e)] if matches!(e.advice(), Advice::After(_))),
        "{refused:?}"
    );
    let after = later(noon(), Duration::from_secs(1));
    run.open(after);
    run.step(Event::Invalidated { generation: 1 }, after);
    let flight = run.start(after);
    run.step(
        Event::Failed {
            flight,
            error: down(),
        },
        after,
    );
    run.start(after);
}

#[test]
fn expiry_by_the_clock_shows_in_the_state() {
    let mut run = Run::default();
    run.open(noon());
    let eight = later(noon(), Duration::from_hours(20));
    assert_eq!(
        run.name(later(noon(), Duration::from_millis(20 * 3_600_000 - 1))),
        StateName::Active
    );
    assert_eq!(run.name(eight), StateName::Expired);
    run.start(eight);
}

#[test]
fn s8_no_login_starts_before_an_abandoned_one_has_ended() {
    let mut run = Run::default();
    let first = run.start(noon());
    run.step(Event::SignedOut, noon());
    let Some(Effect::Join(queued)) = run.step(Event::Needed, noon()).pop() else {
        panic!("a second login started")
    };
    assert_ne!(queued, first);
    run.step(
        Event::Opened {
            flight: first,
            login: login("late"),
            sent: noon(),
        },
        noon(),
    );
    assert!(
        matches!(run.step(Event::Drained { flight: first }, noon()).as_slice(), [Effect::Start(f)] if *f == queued)
    );
    run.step(
        Event::Opened {
            flight: queued,
            login: login("new"),
            sent: noon(),
        },
        noon(),
    );
    assert_eq!(run.name(noon()), StateName::Active);
}

#[test]
fn s8_a_logout_gives_up_the_session_that_is_live_now() {
    let mut run = Run::default();
    let record = run.open(noon());
    let effects = run.step(Event::SignedOut, noon());
    assert!(
        effects
            .iter()
            .any(|e| matches!(e, Effect::SignOut(ended) if Arc::ptr_eq(ended, &record)))
    );
    assert!(
        !run.step(Event::SignedOut, noon())
            .iter()
            .any(|e| matches!(e, Effect::SignOut(_)))
    );
}

#[test]
fn closing_sends_nothing_and_is_for_good() {
    let mut run = Run::default();
    let flight = run.start(noon());
    run.step(Event::Closed, noon());
    let late = run.step(
        Event::Opened {
            flight,
            login: login("late"),
            sent: noon(),
        },
        noon(),
    );
    assert!(
        late.is_empty(),
        "a late login of a closed session is not logged out: {late:?}"
    );
    assert_eq!(run.name(noon()), StateName::Closed);
    for event in [Event::Reset, Event::Needed, Event::SignedOut] {
        let effects = run.step(event, noon());
        assert!(
            !effects
                .iter()
                .any(|e| matches!(e, Effect::Start(_) | Effect::Serve(_) | Effect::SignOut(_)))
        );
        assert_eq!(run.name(noon()), StateName::Closed);
    }
}

#[test]
fn p8_a_forked_child_does_not_wait_for_its_parents_login() {
    let mut run = Run::default();
    let parents = run.start(noon());
    run.step(Event::Forked, noon());
    assert_ne!(run.start(noon()), parents);
}

#[derive(Clone, Debug)]
enum Move {
    Need,
    Succeed { took_ms: u64 },
    Fail { terminal: bool },
    Late,
    Drain,
    Invalidate { back: u64 },
    SignOut,
    Reset,
    Wait { wall_ms: i64, real_ms: u64 },
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        4 => Just(Move::Need),
        3 => (0_u64..100_000_000).prop_map(|took_ms| Move::Succeed { took_ms }),
        2 => any::<bool>().prop_map(|terminal| Move::Fail { terminal }),
        1 => Just(Move::Late),
        2 => Just(Move::Drain),
        2 => (0_u64..3).prop_map(|back| Move::Invalidate { back }),
        1 => Just(Move::SignOut),
        1 => Just(Move::Reset),
        2 => (-90_000_000_i64..90_000_000, 0_u64..90_000_000).prop_map(|(wall_ms, real_ms)| Move::Wait { wall_ms, real_ms }),
    ];
    prop::collection::vec(one, 1..60)
}

/// 2000 cases, unless `PROPTEST_CASES` asks for another number: a soak asks for many more.
fn config() -> ProptestConfig {
    let default = ProptestConfig::default();
    let asked = std::env::var_os("PROPTEST_CASES").is_some();
    ProptestConfig {
        cases: if asked { default.cases } else { 2000 },
        failure_persistence: None,
        ..default
    }
}

proptest! {
    #![proptest_config(config())]

    /// Whatever happens in whatever order: nobody is served a session past its end on either clock, the
    /// generation never goes back, a login starts only when none runs, and a blocked session sends nothing.
    #[test]
    fn invariants_hold_in_any_order(moves in moves()) {
        let mut run = Run::default();
        let mut now = noon();
        // The login on the wire, the one that callers wait for though it may only be queued, and those that ended.
        let (mut flying, mut awaited): (Option<FlightId>, Option<FlightId>) = (None, None);
        let mut draining: Option<FlightId> = None;
        let mut dead: Vec<FlightId> = Vec::new();
        let mut generation = 0;
        let mut blocked = false;
        for step in moves {
            match step {
                Move::Need => match run.step(Event::Needed, now).as_slice() {
                    [Effect::Serve(record)] => prop_assert!(record.is_live(now)),
                    [Effect::Start(flight)] => {
                        prop_assert!(flying.is_none() && draining.is_none() && !blocked);
                        (flying, awaited) = (Some(*flight), Some(*flight));
                    }
                    [Effect::Join(flight)] => {
                        prop_assert!(awaited.is_none() || awaited == Some(*flight));
                        prop_assert!(flying.is_some() || draining.is_some());
                        awaited = Some(*flight);
                    }
                    [Effect::Refuse(error)] => prop_assert!(blocked || matches!(error.advice(), Advice::After(_))),
                    other => prop_assert!(false, "{:?}", other),
                },
                Move::Succeed { took_ms } => if let Some(flight) = flying.take() {
                    awaited = None;
                    let sent = now;
                    now = later(now, Duration::from_millis(took_ms));
                    run.step(Event::Opened { flight, login: login("t"), sent }, now);
                    dead.push(flight);
                    if let Some(record) = &run.published {
                        prop_assert!(record.is_live(now));
                        prop_assert!(record.generation > generation);
                        generation = record.generation;
                    }
                },
                Move::Fail { terminal } => if let Some(flight) = flying.take() {
                    awaited = None;
                    let kind = if terminal { ErrorKind::CredentialsRejected } else { ErrorKind::Network };
                    run.step(Event::Failed { flight, error: Error::new(kind, "x") }, now);
                    dead.push(flight);
                    blocked = terminal;
                },
                Move::Late => {
                    for flight in dead.iter().chain(&draining) {
                        let before = run.published.clone();
                        let late = Event::Opened { flight: *flight, login: login("late"), sent: now };
                        let discarded = matches!(run.step(late, now).as_slice(), [Effect::Discard(_)]);
                        let late = Event::Failed { flight: *flight, error: Error::new(ErrorKind::Network, "x") };
                        let ignored = run.step(late, now).is_empty();
                        prop_assert!(discarded && ignored);
                        prop_assert_eq!(before.map(|r| r.generation), run.published.as_ref().map(|r| r.generation));
                    }
                }
                Move::Drain => {
                    let flight = draining.take().or_else(|| dead.last().copied());
                    if let Some(flight) = flight {
                        match run.step(Event::Drained { flight }, now).as_slice() {
                            [] => {}
                            [Effect::Start(started)] => {
                                prop_assert!(flying.is_none() && awaited == Some(*started));
                                flying = Some(*started);
                            }
                            other => prop_assert!(false, "{:?}", other),
                        }
                        dead.push(flight);
                    }
                }
                Move::Invalidate { back } => {
                    let target = generation.saturating_sub(back);
                    let was = run.published.as_ref().map(|r| r.generation);
                    run.step(Event::Invalidated { generation: target }, now);
                    let is = run.published.as_ref().map(|r| r.generation);
                    prop_assert!(is == was || was == Some(target));
                }
                Move::SignOut => {
                    run.step(Event::SignedOut, now);
                    draining = draining.or(flying);
                    (flying, awaited) = (None, None);
                    prop_assert!(run.published.is_none());
                }
                Move::Reset => { run.step(Event::Reset, now); blocked = false; }
                Move::Wait { wall_ms, real_ms } => {
                    now = Now { wall: now.wall.plus_millis(wall_ms), monotonic: now.monotonic + Duration::from_millis(real_ms) };
                }
            }
        }
    }
}
