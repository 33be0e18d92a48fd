//! Programs that end, or meet a full disk, at every step of what a login writes: the next one goes on.

use preopen::store::failpoints::POINTS;

use crate::world::{Broker, Start, World};

/// How much faster than real time: a one-time code is made every 0.3 s, and taken for 3 s, which a busy machine keeps.
const RATE: f64 = 100.0;

/// Where a login that was sent is known to nobody else.
const UNKNOWN: [&str; 5] = ["begun", "created", "half_written", "written", "synced"];

/// The places to fail: a point, and which time it is met. The guard is written before each request, of which Angel One has
/// two (a refresh, which is refused here), and once after them; it is never removed.
fn places(broker: Broker) -> Vec<(&'static str, u32)> {
    let guards = if broker == Broker::Angel { 3 } else { 2 };
    let times = |point: &&'static str| match point.split_once('.') {
        Some(("guard", step)) if step.starts_with("remov") => 0,
        Some(("guard", _)) => guards,
        _ => 1,
    };
    let all = POINTS.iter();
    all.flat_map(|point| (1..=times(point)).map(|time| (*point, time)))
        .collect()
}

async fn fail_everywhere(broker: Broker, action: &str) {
    let world = World::new(RATE).await;
    for (point, time) in places(broker) {
        let context = format!("{broker:?} {action} at {point}, time {time}");
        world.forget(broker);
        let work: &[&str] = if point.starts_with("key.") {
            &["token"]
        } else {
            let first = world.start(broker, &["token"], &Start::default());
            assert!(first.end().1, "{context}");
            world.sandbox.end_sessions(None);
            let last = if point.starts_with("session.remov") {
                "logout"
            } else {
                "use"
            };
            &["token", last]
        };
        let before = world.logins(broker);
        let failpoint = format!("{point}:{action}:{time}");
        let start = Start {
            failpoint: Some(&failpoint),
            ..Start::default()
        };
        let (said, whole) = world.start(broker, work, &start).end();
        assert_eq!(whole, action == "error", "{context}: {said:?}");
        let error = said.last().map(|line| line["error"].clone()).unwrap_or_default();
        assert!(
            error.is_null() || error == "store_unavailable",
            "{context}: {said:?}"
        );
        // The lock is free, and nothing is torn.
        let left = world.generation(broker).await;
        let next = world.start(broker, &["token", "use"], &Start::default());
        for work in ["token", "use"] {
            let done = next.done(work).expect("a program that does not fail");
            assert!(done["error"].is_null(), "{context}: {done}");
        }
        assert!(next.end().1, "{context}");
        let lost = point
            .strip_prefix("session.")
            .is_some_and(|step| UNKNOWN.contains(&step));
        let logins = world.logins(broker) - before;
        assert_eq!(logins, if lost { 2 } else { 1 }, "{context}: {said:?}");
        assert!(world.generation(broker).await >= left.max(1), "{context}");
    }
    let mut steps = world.front.seen.steps();
    steps.sort_unstable();
    assert!(
        steps.is_sorted_by(|one, other| one < other),
        "a code was sent twice"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p2_p3_a_samco_program_that_ends_at_any_step_costs_one_login_at_most() {
    fail_everywhere(Broker::Samco, "abort").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p2_p3_a_samco_program_whose_disk_is_full_at_any_step_costs_one_login_at_most() {
    fail_everywhere(Broker::Samco, "error").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p3_p9_an_angel_one_program_that_ends_at_any_step_sends_no_code_twice() {
    fail_everywhere(Broker::Angel, "abort").await;
}
