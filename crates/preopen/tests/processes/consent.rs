//! Programs that end, or meet a full disk, at every step of a login at the broker's page and of its refreshes: nothing is
//! sent twice, nothing sticks, and one consent makes everything whole (F8, X5).

use preopen::Json;

use crate::world::{Broker, Start, World};

/// Real time: nothing here waits for a one-time code.
const RATE: f64 = 1.0;

/// Steps of writing the session before it is there for others.
const UNWRITTEN: [&str; 5] = [
    "session.begun",
    "session.created",
    "session.half_written",
    "session.written",
    "session.synced",
];
/// Steps of writing the guard before it is there for others.
const UNGUARDED: [&str; 5] = [
    "guard.begun",
    "guard.created",
    "guard.half_written",
    "guard.written",
    "guard.synced",
];

/// Everything that a program did, and whether it ended well.
fn run(world: &World, work: &[&str], start: &Start<'_>) -> (Vec<Json>, bool) {
    let (said, whole) = world.start(Broker::App, work, start).end();
    let done = said.into_iter().filter(|line| line["done"].is_string());
    (done.collect(), whole)
}

/// What came of one thing that a whole program did.
fn one(world: &World, work: &str, address: Option<&str>) -> Json {
    let start = Start {
        address,
        ..Start::default()
    };
    let (mut done, whole) = run(world, &[work], &start);
    assert!(whole, "{work}: {done:?}");
    done.pop().expect("a program that says what it did")
}

/// A program begins a login, and a person consents: the address that the browser ends on.
fn consent(world: &World) -> String {
    let begun = one(world, "begin", None);
    let page = begun["page"].as_str().unwrap_or_else(|| panic!("{begun}"));
    // The programs know the broker by the proxy before it.
    let page = page.replacen(&world.front.url, world.sandbox.samco_url(), 1);
    world.sandbox.consent(&page, true, None).unwrap()
}

fn log_in(world: &World) {
    let address = consent(world);
    let done = one(world, "complete", Some(&address));
    assert!(done["error"].is_null(), "{done}");
}

/// A program that ends, or whose disk is full, at this point for the first time.
fn fails(world: &World, work: &str, address: Option<&str>, point: &str, action: &str) -> Option<Json> {
    let failpoint = format!("{point}:{action}");
    let start = Start {
        failpoint: Some(&failpoint),
        address,
        ..Start::default()
    };
    let (mut done, whole) = run(world, &[work], &start);
    assert_eq!(whole, action == "error", "{work} at {point}: {done:?}");
    done.pop()
}

fn is_refused(done: &Json, reason: &str, context: &str) {
    assert_eq!(done["error"], "login_required", "{context}: {done}");
    assert_eq!(done["reason"], reason, "{context}: {done}");
}

/// One consent, and every program goes on for another day.
async fn everything_works(world: &World, context: &str) {
    let before = world.generation(Broker::App).await;
    log_in(world);
    assert_eq!(world.generation(Broker::App).await, before + 1, "{context}");
    for work in ["token", "use"] {
        let done = one(world, work, None);
        assert!(done["error"].is_null(), "{context}: {done}");
    }
    world.sandbox.advance_to("08:00 IST").unwrap();
    let sent = world.logins(Broker::App);
    for _ in 0..2 {
        let done = one(world, "token", None);
        assert_eq!(done["generation"], before + 2, "{context}: {done}");
    }
    assert_eq!(
        world.logins(Broker::App),
        sent + 1,
        "{context}: one refresh for all"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f8_a_program_that_ends_before_it_wrote_a_refreshed_pair_costs_one_consent() {
    let world = World::new(RATE).await;
    for point in UNWRITTEN {
        world.forget(Broker::App);
        log_in(&world);
        world.sandbox.advance_to("08:00 IST").unwrap();
        let before = world.logins(Broker::App);
        fails(&world, "token", None, point, "abort");
        assert_eq!(
            world.logins(Broker::App),
            before + 1,
            "{point}: the refresh was sent"
        );
        // The pair of before is all that the next program finds: the broker has replaced it.
        is_refused(&one(&world, "token", None), "refresh_rejected", point);
        assert_eq!(world.logins(Broker::App), before + 2, "{point}");
        is_refused(&one(&world, "token", None), "consent_needed", point);
        assert_eq!(
            world.logins(Broker::App),
            before + 2,
            "{point}: nobody sends it again"
        );
        everything_works(&world, point).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p3_a_program_that_ends_after_it_wrote_a_refreshed_pair_costs_nothing() {
    let world = World::new(RATE).await;
    for point in ["session.renamed", "session.folder_synced"] {
        world.forget(Broker::App);
        log_in(&world);
        world.sandbox.advance_to("08:00 IST").unwrap();
        let before = world.logins(Broker::App);
        fails(&world, "token", None, point, "abort");
        let done = one(&world, "token", None);
        assert_eq!(done["generation"], 2, "{point}: {done}");
        assert_eq!(world.logins(Broker::App), before + 1, "{point}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f8_x5_a_program_that_ends_before_it_used_the_state_up_leaves_the_login_to_another() {
    let world = World::new(RATE).await;
    for action in ["abort", "error"] {
        for point in UNGUARDED {
            world.forget(Broker::App);
            let context = format!("{action} at {point}");
            let address = consent(&world);
            let before = world.logins(Broker::App);
            let done = fails(&world, "complete", Some(&address), point, action);
            let error = done.map(|done| done["error"].clone());
            assert!(
                error.is_none_or(|error| error == "store_unavailable"),
                "{context}"
            );
            assert_eq!(world.logins(Broker::App), before, "{context}: nothing was sent");
            let done = one(&world, "complete", Some(&address));
            assert!(done["error"].is_null(), "{context}: {done}");
            assert_eq!(world.logins(Broker::App), before + 1, "{context}");
            assert!(one(&world, "use", None)["error"].is_null(), "{context}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f8_x5_a_program_that_ends_after_it_used_the_state_up_leaves_nothing_to_send() {
    let world = World::new(RATE).await;
    // Between the state and the code, and after the code was sent.
    let places = ["guard.renamed", "guard.folder_synced"].map(|point| (point, 0));
    for (point, sent) in places.into_iter().chain(UNWRITTEN.map(|point| (point, 1))) {
        world.forget(Broker::App);
        let address = consent(&world);
        let before = world.logins(Broker::App);
        fails(&world, "complete", Some(&address), point, "abort");
        assert_eq!(world.logins(Broker::App), before + sent, "{point}");
        for _ in 0..2 {
            let done = one(&world, "complete", Some(&address));
            assert_eq!(
                (&done["error"], &done["field"]),
                (&"invalid_input".into(), &"state".into()),
                "{point}: {done}"
            );
        }
        is_refused(&one(&world, "token", None), "consent_needed", point);
        assert_eq!(
            world.logins(Broker::App),
            before + sent,
            "{point}: no code is sent twice"
        );
        everything_works(&world, point).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_whose_disk_is_full_keeps_the_refreshed_pair_to_itself() {
    let world = World::new(RATE).await;
    for point in UNWRITTEN {
        world.forget(Broker::App);
        log_in(&world);
        world.sandbox.advance_to("08:00 IST").unwrap();
        let before = world.logins(Broker::App);
        let done = fails(&world, "token", None, point, "error").expect("it goes on");
        assert!(
            done["error"].is_null(),
            "{point}: it serves the program that has it: {done}"
        );
        // To the next program it is as if that one had ended.
        is_refused(&one(&world, "token", None), "refresh_rejected", point);
        assert_eq!(world.logins(Broker::App), before + 2, "{point}");
        everything_works(&world, point).await;
    }
}
