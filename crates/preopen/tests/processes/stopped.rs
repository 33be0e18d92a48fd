//! A program that is stopped while it logs in: it holds the lock and does nothing.

use std::time::{Duration, Instant};

use preopen_sandbox::{Broker as Of, Fault};
use rustix::process::Signal;

use crate::world::{Broker, PATIENCE, SAMCO_LOGIN, Start, World};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p4_programs_that_wait_for_one_that_is_stopped_give_up_in_time_and_take_over_its_session() {
    let world = World::new(1.0).await;
    let slow = Fault::on(Of::Samco, SAMCO_LOGIN).delay_ms(300).times(1);
    world.sandbox.fault(slow).unwrap();
    let patient = Start {
        timeout_ms: 30_000,
        ..Start::default()
    };
    let holder = world.start(Broker::Samco, &["token"], &patient);
    let began = Instant::now();
    while world.logins(Broker::Samco) == 0 {
        assert!(began.elapsed() < PATIENCE, "no login");
        std::thread::sleep(Duration::from_millis(1));
    }
    holder.signal(Signal::STOP);
    let staying = world.start(Broker::Samco, &["token", "use"], &patient);
    let hasty = Start {
        timeout_ms: 200,
        ..Start::default()
    };
    let waiting: Vec<_> = (0..4)
        .map(|_| world.start(Broker::Samco, &["token"], &hasty))
        .collect();
    for program in waiting {
        let done = program.done("token").unwrap();
        assert_eq!(
            (&done["error"], &done["phase"]),
            (&"timeout".into(), &"lock".into()),
            "{done}"
        );
        let waited = done["ms"].as_u64().unwrap();
        assert!((2_400..10_000).contains(&waited), "{done}");
        assert!(program.end().1);
    }
    assert_eq!(world.logins(Broker::Samco), 1, "nobody logs in without the lock");
    holder.signal(Signal::CONT);
    let token = holder.done("token").unwrap();
    assert_eq!(token["generation"], 1, "{token}");
    let same = staying.done("token").unwrap();
    assert_eq!(same["token"], token["token"], "{same}");
    assert!(staying.done("use").unwrap()["error"].is_null());
    let later = world.start(Broker::Samco, &["token"], &hasty).end().0;
    assert_eq!(later.last().unwrap()["token"], token["token"]);
    assert_eq!(world.logins(Broker::Samco), 1);
}
