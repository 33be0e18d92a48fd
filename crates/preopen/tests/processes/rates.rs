//! What the broker allows an account, kept by several programs together: one login a second, each one-time code once.

use std::time::Duration;

use crate::world::{ANGEL_LOGIN, Broker, Start, World};

const REFRESH: &str = "/rest/auth/angelbroking/jwt/v1/generateTokens";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p10_programs_one_after_another_keep_the_login_rate_together() {
    let world = World::new(1.0).await;
    world.sandbox.switch("angelone_login_rate", 1).unwrap();
    let mut generation = 0;
    for work in [
        &["token"][..],
        &["token", "renew"],
        &["token", "renew"],
        &["token", "renew"],
    ] {
        let (said, whole) = world.start(Broker::Angel, work, &Start::default()).end();
        assert!(whole);
        generation += 1;
        let last = said.last().unwrap();
        assert_eq!(last["generation"], generation, "{last}");
    }
    let requests = world.sandbox.requests(None, None).requests;
    let of = |path| requests.iter().filter(move |request| request.path == path);
    assert_eq!(
        (of(ANGEL_LOGIN).count(), of(REFRESH).count()),
        (1, 3),
        "{requests:#?}"
    );
    for pair in requests.windows(2) {
        let apart = pair[1].at.since(pair[0].at);
        println!("{} ms apart", apart.as_millis());
        assert!(apart >= Duration::from_secs(1), "{requests:#?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p9_the_second_program_waits_for_the_next_code() {
    // A step lasts for two seconds.
    let world = World::new(15.0).await;
    for generation in 1..=3 {
        world.sandbox.end_sessions(None);
        let program = world.start(Broker::Angel, &["token", "use", "token"], &Start::default());
        assert!(program.done("use").unwrap()["error"].is_null());
        assert_eq!(program.done("token").unwrap()["generation"], generation);
    }
    let steps = world.front.seen.steps();
    assert!(
        steps.len() == 3 && steps.is_sorted_by(|one, other| one < other),
        "{steps:?}"
    );
}
