//! Programs that are killed at random instants of a login. `PREOPEN_KILLS` says how many.

use std::time::{Duration, Instant};

use preopen::Clock as _;

use crate::world::{Broker, Start, World};

/// How much faster than real time: a one-time code is made every 0.3 s, and taken for 3 s, which a busy machine keeps.
const RATE: f64 = 100.0;
/// The longest that the next program may wait for its token, from the kill on, on a busy machine.
const BOUND: Duration = Duration::from_secs(15);
const KILLS: u32 = 20;

/// A small generator of its own (xorshift), so that a run can be repeated by its seed.
struct Random(u64);

impl Random {
    /// From 0 to 1.
    fn share(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        f64::from(u32::try_from(self.0 >> 32).unwrap()) / f64::from(u32::MAX)
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// How long a login takes that nobody disturbs.
async fn undisturbed(world: &World, broker: Broker) -> Duration {
    let mut times = Vec::new();
    for _ in 0..5 {
        // A refresh would spare the login.
        world.sandbox.end_sessions(None);
        let program = world.start(broker, &["token", "renew"], &Start::default());
        program.begins("renew");
        let began = Instant::now();
        let done = program.done("renew").expect("a program that nobody killed");
        times.push(began.elapsed());
        assert!(done["error"].is_null(), "{done}");
        assert!(program.end().1);
    }
    times.sort();
    assert!(world.generation(broker).await >= 5);
    times[2]
}

async fn kill_many(broker: Broker) {
    let kills = number("PREOPEN_KILLS").map_or(KILLS, |many| u32::try_from(many / 2).unwrap().max(1));
    let seed = number("PREOPEN_KILLS_SEED").unwrap_or_else(|| getrandom::u64().unwrap() | 1);
    println!("{broker:?}: PREOPEN_KILLS_SEED={seed}");
    let mut random = Random(seed);
    let world = World::new(RATE).await;
    let typical = undisturbed(&world, broker).await;
    let first = world.logins(broker);
    let mut generation = world.generation(broker).await;
    let (mut extra, mut published, mut longest) = (0, 0, Duration::ZERO);
    let mut nights = 0;
    for kill in 0..kills {
        let context = format!("{broker:?} kill {kill} with seed {seed}");
        // No nightly end between a login and the next; what it ends is made anew by somebody who is not killed.
        if world.sandbox.clock().now().wall.format_ist("%H").as_str() >= "22" {
            world.sandbox.advance_to("08:30 IST").unwrap();
            assert!(world.start(broker, &["token"], &Start::default()).end().1);
            generation += 1;
            nights += 1;
        }
        let before = world.logins(broker);
        world.sandbox.end_sessions(None);
        let mut victim = world.start(broker, &["token", "renew"], &Start::default());
        let beside = (kill % 2 == 1).then(|| world.start(broker, &["token", "use"], &Start::default()));
        victim.begins(if kill % 8 == 7 { "token" } else { "renew" });
        let begun = Instant::now();
        if kill % 3 == 2 {
            // From the login's arrival on: what is known to nobody else yet.
            while world.logins(broker) == before && begun.elapsed() < BOUND {
                std::thread::sleep(Duration::from_micros(200));
            }
            std::thread::sleep(typical.mul_f64(random.share() * 0.2));
        } else {
            std::thread::sleep(typical.mul_f64(random.share() * 1.2));
        }
        victim.kill();
        let killed = Instant::now();
        if beside.is_none() {
            // The lock is free, and nothing is torn.
            let left = world.generation(broker).await;
            assert!(left == generation || left == generation + 1, "{context}: {left}");
            published += u32::from(left > generation);
        }
        let next = beside.unwrap_or_else(|| world.start(broker, &["token", "use"], &Start::default()));
        for work in ["token", "use"] {
            let done = next.done(work).expect("a program that nobody killed");
            assert!(done["error"].is_null(), "{context}: {done}");
        }
        longest = longest.max(killed.elapsed());
        assert!(killed.elapsed() < BOUND, "{context}: {:?}", killed.elapsed());
        assert!(next.end().1);
        let logins = world.logins(broker) - before;
        assert!((1..=2).contains(&logins), "{context}: {logins} logins");
        extra += logins - 1;
        let newest = world.generation(broker).await;
        assert!(newest == generation + 1, "{context}: {generation} then {newest}");
        generation = newest;
    }
    let mut steps = world.front.seen.steps();
    if broker == Broker::Angel {
        // What a killed program sent may end before the broker takes it for a request.
        assert!(u64::try_from(steps.len()).unwrap() >= world.logins(broker));
    }
    steps.sort_unstable();
    assert!(
        steps.is_sorted_by(|one, other| one < other),
        "a code was sent twice"
    );
    println!(
        "{broker:?}: {kills} kills, {} logins, {extra} of them extra, {published} sessions published by the killed, longest \
         wait {} ms",
        world.logins(broker) - first - nights,
        longest.as_millis()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p2_p3_samco_programs_that_are_killed_at_random_instants() {
    kill_many(Broker::Samco).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p2_p3_p9_angel_one_programs_that_are_killed_at_random_instants() {
    kill_many(Broker::Angel).await;
}
