//! Every order, up to a depth, in which callers, logins, logouts and time can meet: nothing runs but what the schedule
//! polls, on one thread, without real time. Each schedule is then let go on to its end, where nobody may hang.
//!
//! `PREOPEN_SCHEDULE_DEPTH` sets the number of actions that are chosen freely; a failed schedule prints its own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test"
)]

#[path = "schedules/story.rs"]
mod story;
#[path = "schedules/world.rs"]
mod world;

use std::panic::AssertUnwindSafe;

use story::Action::{self, Fly, Logout, Poll, PollLogout, Reply, Start};
use story::{Setup, Story};
use world::Say;

/// Time that passes only when the test says so.
fn paused() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_time().start_paused(true).build().unwrap()
}

/// Runs every schedule of `depth` actions, which must be `at_least` so many: fewer would prove less than it seems.
fn explore(name: &str, setup: Setup, depth: usize, at_least: usize) {
    world::hush();
    let (depth, at_least) = match std::env::var("PREOPEN_SCHEDULE_DEPTH") {
        Ok(depth) => (depth.parse().unwrap(), 1),
        Err(_) => (depth, at_least),
    };
    let time = paused();
    let _inside = time.enter();
    let (mut schedules, mut actions) = (0, 0);
    // Which of the possible actions is chosen at each step, and of how many.
    let mut path: Vec<(usize, usize)> = Vec::new();
    loop {
        let mut chosen = Vec::new();
        let outcome = std::panic::catch_unwind(AssertUnwindSafe(|| {
            run(setup, &time, depth, &mut path, &mut chosen);
        }));
        if let Err(panic) = outcome {
            println!("{name}, schedule {}: {chosen:?}", schedules + 1);
            std::panic::resume_unwind(panic);
        }
        schedules += 1;
        actions += chosen.len();
        while let Some((nth, of)) = path.pop() {
            if nth + 1 < of {
                path.push((nth + 1, of));
                break;
            }
        }
        if path.is_empty() {
            println!("{name}: all {schedules} schedules of {depth} actions ({actions} actions)");
            assert!(schedules >= at_least, "{name}: only {schedules} schedules");
            return;
        }
    }
}

/// Runs the schedule that `path` names, and completes `path` where it is shorter than `depth`.
fn run(
    setup: Setup,
    time: &tokio::runtime::Runtime,
    depth: usize,
    path: &mut Vec<(usize, usize)>,
    chosen: &mut Vec<Action>,
) {
    let mut story = Story::new(setup, time);
    for step in 0..depth {
        let enabled = story.enabled();
        if enabled.is_empty() {
            break;
        }
        if step == path.len() {
            path.push((0, enabled.len()));
        }
        assert_eq!(path[step].1, enabled.len(), "a schedule is not the same twice");
        chosen.push(enabled[path[step].0]);
        story.act(enabled[path[step].0]);
    }
    story.end();
}

const FAILURES: Setup = Setup {
    callers: 2,
    asked: false,
    login: &[Say::Yes, Say::Down, Say::Refused],
    logout: &[Say::Yes],
    also: &[
        Logout,
        Action::InvalidateCurrent,
        Action::InvalidateOld,
        Action::Reset,
    ],
    before: &[],
};

#[test]
fn two_callers_logouts_and_failures() {
    explore("two callers, logouts and failures", FAILURES, 8, 10_000);
}

#[test]
fn three_callers_logouts_and_failures() {
    let setup = Setup {
        callers: 3,
        ..FAILURES
    };
    explore("three callers, logouts and failures", setup, 7, 5_000);
}

#[test]
fn two_generations_and_refusals_of_either() {
    let setup = Setup {
        callers: 2,
        asked: false,
        login: &[Say::Yes, Say::Down],
        logout: &[Say::Yes],
        also: &[
            Action::InvalidateOld,
            Action::InvalidateCurrent,
            Logout,
            Action::Boundary,
        ],
        before: &[
            Start(0),
            Fly(0),
            Reply(0, Say::Yes),
            Fly(0),
            Poll(0),
            Action::InvalidateCurrent,
            Start(1),
            Fly(1),
            Reply(1, Say::Yes),
            Fly(1),
            Poll(1),
        ],
    };
    explore("two generations", setup, 6, 5_000);
}

#[test]
fn callers_the_boundary_and_the_end_of_the_session() {
    let setup = Setup {
        callers: 2,
        asked: false,
        login: &[Say::Yes, Say::Down],
        logout: &[Say::Yes],
        also: &[
            Action::InvalidateCurrent,
            Action::Close,
            Action::Boundary,
            Action::DropHandle,
        ],
        before: &[],
    };
    explore("boundary, close and drop", setup, 7, 5_000);
}

#[test]
fn callbacks_that_answer_and_panic() {
    let setup = Setup {
        callers: 2,
        asked: true,
        login: &[Say::Yes],
        logout: &[Say::Yes],
        also: &[Logout, Action::Close, Action::DropHandle],
        before: &[],
    };
    explore("callbacks", setup, 6, 5_000);
}

#[test]
fn brokers_and_adapters_that_panic() {
    let setup = Setup {
        callers: 2,
        asked: false,
        login: &[Say::Yes, Say::Panic],
        logout: &[Say::Yes, Say::Down, Say::Panic],
        also: &[Logout, Action::InvalidateCurrent],
        before: &[],
    };
    explore("panics", setup, 7, 2_000);
}

/// Runs one schedule that once went wrong, on to its end.
fn replay(setup: Setup, schedule: &[Action]) {
    world::hush();
    let time = paused();
    let _inside = time.enter();
    let mut story = Story::new(setup, &time);
    for action in schedule {
        assert!(story.enabled().contains(action), "{action:?} cannot happen");
        story.act(*action);
    }
    story.end();
}

const PLAIN: Setup = Setup {
    callers: 2,
    asked: false,
    login: &[Say::Yes, Say::Down, Say::Refused, Say::Panic],
    logout: &[Say::Yes, Say::Down, Say::Panic],
    also: &[
        Logout,
        Action::InvalidateCurrent,
        Action::InvalidateOld,
        Action::Reset,
        Action::Close,
        Action::Boundary,
        Action::DropHandle,
    ],
    before: &[],
};

#[test]
fn s8_a_waiter_that_is_slower_than_a_logout_gets_no_token() {
    replay(
        PLAIN,
        &[Start(0), Fly(0), Reply(0, Say::Yes), Fly(0), Logout, Poll(0)],
    );
}

#[test]
fn s7_a_waiter_that_is_slower_than_a_refusal_gets_the_next_session() {
    let refusal = Action::InvalidateCurrent;
    replay(
        PLAIN,
        &[Start(0), Fly(0), Reply(0, Say::Yes), Fly(0), refusal, Poll(0)],
    );
}

#[test]
fn s8_a_login_waits_for_the_logout_of_the_session_before_it() {
    let opened = [Start(0), Fly(0), Reply(0, Say::Yes), Fly(0), Poll(0)];
    let queued = [
        Logout,
        Start(1),
        Fly(1),
        Reply(1, Say::Down),
        Fly(1),
        PollLogout,
        Fly(2),
    ];
    replay(PLAIN, &[opened.as_slice(), &queued].concat());
}

#[test]
fn s8_a_logout_whose_caller_gives_up_is_sent_all_the_same() {
    let opened = [Start(0), Fly(0), Reply(0, Say::Yes), Fly(0), Poll(0)];
    let left = [
        Logout,
        Action::LeaveLogout,
        Fly(1),
        Reply(1, Say::Yes),
        Fly(1),
        Start(1),
        Fly(2),
    ];
    replay(PLAIN, &[opened.as_slice(), &left].concat());
}

#[test]
fn s8_a_login_that_was_given_up_unsent_counts_as_no_failure() {
    let failed = [Start(0), Fly(0), Reply(0, Say::Down), Fly(0), Poll(0)];
    replay(PLAIN, &[failed.as_slice(), &[Start(1), Logout, Poll(1)]].concat());
    let waiting = [
        Start(0),
        Fly(0),
        Action::Leave(0),
        Reply(0, Say::Down),
        Fly(0),
        Start(1),
        Logout,
        Start(2),
    ];
    replay(Setup { callers: 3, ..PLAIN }, &waiting);
}

#[test]
fn s4_a_late_logout_that_panics_does_not_hold_the_next_login() {
    let late = [
        Start(0),
        Fly(0),
        Logout,
        Start(1),
        Reply(0, Say::Yes),
        Fly(0),
        Reply(1, Say::Panic),
        Fly(0),
        Fly(1),
    ];
    replay(PLAIN, &late);
}
