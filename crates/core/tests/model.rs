//! Random stories of the machine against a reference that was written a second time, from the properties alone.
//! `PROPTEST_CASES` sets how many.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests"
)]

mod common;
#[path = "model/moves.rs"]
mod moves;
#[path = "model/reference.rs"]
mod reference;
#[path = "model/story.rs"]
mod story;

use std::sync::LazyLock;
use std::time::Duration;

use preopen_core::Advice;
use preopen_core::lifecycle::{Effect, Event, Machine};
use proptest::prelude::*;

use common::{Run, angel_one, cases, down, later, noon, samco, until};
use moves::{Move, stories};
use reference::{Account, Reference};
use story::Play;

const SEEDS: u64 = 4;
/// More failures than a story has moves.
const FAILURES: usize = 80;

/// The waits and the warm delay of each seed: the only numbers that the reference cannot know, since each account has
/// its own. They are measured once, and must lie where the properties say.
static JITTER: LazyLock<Vec<(Vec<Duration>, i64)>> =
    LazyLock::new(|| (0..SEEDS).map(|seed| (waits(seed), warm_delay(seed))).collect());

fn waits(seed: u64) -> Vec<Duration> {
    let mut run = Run::of(Machine::new(seed), samco());
    let mut now = noon();
    let mut flight = run.start(now);
    let mut waits = Vec::new();
    for nth in 0..FAILURES {
        run.fail(flight, down(), now);
        let wait = match run.step(Event::Needed, now).as_slice() {
            [Effect::Start(next)] => {
                flight = *next;
                Duration::ZERO
            }
            [Effect::Refuse(error)] => {
                let Advice::After(wait) = error.advice() else {
                    panic!("{error:?}");
                };
                now = later(now, Duration::from_mins(2));
                flight = run.start(now);
                wait
            }
            other => panic!("{other:?}"),
        };
        let full = match nth {
            0 => 0,
            1..=6 => 1 << (nth - 1),
            _ => 60,
        };
        let full = Duration::from_secs(full);
        assert!(
            wait <= full && wait >= full * 3 / 4,
            "{wait:?} after failure {nth}"
        );
        waits.push(wait);
    }
    waits
}

fn warm_delay(seed: u64) -> i64 {
    let mut run = Run::warm(seed);
    let end = run.open(noon()).expiry.at();
    let over = until(noon(), end);
    assert_eq!(run.tick(over), None);
    let due = run.machine.wakes_at(over).expect("a renewal");
    let delay = due.since(end);
    assert!(
        delay >= Duration::from_secs(5) && delay < Duration::from_secs(125),
        "{delay:?}"
    );
    i64::try_from(delay.as_millis()).unwrap()
}

/// What kind of session a story is of.
#[derive(Clone, Copy, Debug)]
struct Who {
    keep_warm: bool,
    needs_consent: bool,
    smart_api: bool,
}

fn play(moves: &[Move], seed: u64, who: Who) -> Result<(), TestCaseError> {
    let Who {
        keep_warm,
        needs_consent,
        smart_api,
    } = who;
    let (waits, warm_delay) = JITTER[usize::try_from(seed).unwrap()].clone();
    let account = Account {
        boundary: if smart_api { 0 } else { 8 * 60 },
        longest_life: smart_api.then_some(28 * moves::HOUR),
        keep_warm,
        needs_consent,
        warm_delay,
        waits,
    };
    let machine = Machine::new(seed)
        .keeping_warm(keep_warm)
        .needing_consent(needs_consent);
    let policy = if smart_api { angel_one() } else { samco() };
    let mut play = Play::new(machine, Reference::new(account), policy, needs_consent);
    for step in moves {
        play.play(step)?;
    }
    play.end()
}

proptest! {
    #![proptest_config(cases(5000))]

    #[test]
    fn the_machine_does_what_the_reference_says(
        moves in stories(), seed in 0..SEEDS, keep_warm in any::<bool>(), needs_consent in any::<bool>(),
        smart_api in any::<bool>(),
    ) {
        play(&moves, seed, Who { keep_warm, needs_consent, smart_api })?;
    }
}
