//! H2, H3 and H4: a holder that is stopped past its lease overwrites nothing, and no dead token stays in use.

use std::time::Duration;

use preopen_sandbox::{Broker, Fault};

use crate::host::Do;
use crate::world::{ANGEL, ANGEL_LOGIN, LEASE, SAMCO, SAMCO_LOGIN, World};

/// The longest that everybody may take to agree again.
const SOON: Duration = Duration::from_secs(20);

fn delayed(account: usize, ms: u64) -> Fault {
    let fault = match account {
        SAMCO => Fault::on(Broker::Samco, SAMCO_LOGIN),
        _ => Fault::on(Broker::AngelOne, ANGEL_LOGIN),
    };
    fault.delay_ms(ms).times(1)
}

/// The host that logs in is stopped meanwhile, and goes on when another one has logged in. Its own login reaches the
/// broker before that one, or after it: then it has ended the session that all others use.
async fn a_stopped_holder(account: usize, rate: f64, late: bool) {
    let world = World::with(rate).await.short_lease();
    let hosts = [world.host(), world.host(), world.host()];
    // The others have been there before.
    let old = hosts[1].ask(account, 0, Do::Token).await.token();
    hosts[0].ask(account, 0, Do::Token).await;
    hosts[2].ask(account, 1, Do::Token).await;
    let before = world.logins(account);
    if account == ANGEL {
        // A code that was long on its way is still good.
        world.sandbox.switch("totp_window_steps", 10).unwrap();
        // A logout takes the refresh token away.
        hosts[1].ask(account, 0, Do::Logout).await;
    } else {
        world.sandbox.end_sessions(None);
    }
    let after_the_other = u64::try_from(LEASE.as_millis()).unwrap() + 1_500;
    world
        .sandbox
        .fault(delayed(account, if late { after_the_other } else { 400 }))
        .unwrap();
    hosts[0].ask(account, 0, Do::Invalidate).await;
    let stopped = hosts[0].give(account, 0, Do::Token);
    world.until_logins(account, before + 1).await;
    hosts[0].pause();
    let newer = hosts[1].ask(account, 0, Do::Call).await;
    assert!(
        newer.took() > Duration::from_secs(2),
        "it waited for the lease: {newer:?}"
    );
    assert_eq!(world.logins(account), before + 2);
    assert_ne!(newer.token(), old);
    assert_eq!(hosts[2].ask(account, 0, Do::Token).await.token(), newer.token());
    if late {
        tokio::time::sleep(Duration::from_millis(2_500)).await;
    }
    let guarded = world.server.ask::<Vec<String>>(&["KEYS", "preopen:{*}"]);
    let session = || -> String { world.server.ask(&["HGET", &guarded[0], "session"]) };
    let published = session();
    hosts[0].resume();
    let token = stopped.await.unwrap();
    // Either it has the newest session, or it says that its login took too long.
    if let Err(error) = &token.result {
        assert_eq!(error.kind, "timeout", "{error:?}");
    }
    let agreed = world.converge(&hosts, account, SOON).await;
    assert_ne!(agreed, newer.token(), "the newer generation is given up");
    assert_ne!(session(), published);
    assert_eq!(world.logins(account), before + 3, "one extra login");
    // And it stays so.
    for (nth, host) in hosts.iter().enumerate() {
        for copy in 0..3 {
            assert_eq!(
                host.ask(account, copy, Do::Call).await.token(),
                agreed,
                "{nth}.{copy}"
            );
        }
    }
    assert_eq!(world.logins(account), before + 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h2_a_stopped_holder_whose_login_came_first_overwrites_nothing() {
    a_stopped_holder(SAMCO, 1.0, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h2_a_stopped_holder_whose_login_came_last_leaves_no_dead_token_in_use() {
    a_stopped_holder(SAMCO, 1.0, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h2_a_stopped_smartapi_holder_leaves_no_dead_token_in_use() {
    a_stopped_holder(ANGEL, 20.0, true).await;
}

/// Without a call to the broker nobody would be told that his token is dead: the one who ended it has to say so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h2_those_who_only_ask_for_tokens_are_told_of_the_dead_one() {
    let world = World::start().await.short_lease();
    let hosts = [world.host(), world.host()];
    world
        .sandbox
        .fault(delayed(SAMCO, u64::try_from(LEASE.as_millis()).unwrap() + 1_500))
        .unwrap();
    let stopped = hosts[0].give(SAMCO, 0, Do::Token);
    world.until_logins(SAMCO, 1).await;
    hosts[0].pause();
    let dead = hosts[1].ask(SAMCO, 0, Do::Token).await.token();
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    hosts[0].resume();
    drop(stopped.await);
    crate::server::until(SOON, "the dead token is replaced", async || {
        let answer = hosts[1].ask(SAMCO, 0, Do::Token).await;
        answer.token() != dead
    })
    .await;
    let live = hosts[1].ask(SAMCO, 0, Do::Call).await.token();
    assert_eq!(hosts[0].ask(SAMCO, 0, Do::Call).await.token(), live);
    assert_eq!(world.logins(SAMCO), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h3_a_login_that_outlives_the_first_lease_is_published() {
    // Ten seconds for the whole login: the one-time code is refused once, and the next step is waited for.
    let world = World::with(6.0).await.short_lease();
    world.sandbox.switch("totp_window_steps", 0).unwrap();
    let hosts = [world.host(), world.host()];
    // The code of this step is spent for the broker, and nobody else knows.
    world
        .sandbox
        .fault(
            Fault::on(Broker::AngelOne, ANGEL_LOGIN)
                .status(200)
                .body(r#"{"status":false,"message":"Invalid totp","errorcode":"AB1050","data":null}"#)
                .times(1),
        )
        .unwrap();
    let answers = crate::world::all(&hosts, 3, ANGEL, Do::Token).await;
    let token = answers[0].token();
    assert!(answers.iter().all(|answer| answer.token() == token));
    assert_eq!(world.logins(ANGEL), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h4_a_stopped_holder_releases_nobody_else_s_claim() {
    let world = World::start().await.short_lease();
    let hosts = [world.host(), world.host(), world.host()];
    world.sandbox.fault(delayed(SAMCO, 300)).unwrap();
    let stopped = hosts[0].give(SAMCO, 0, Do::Token);
    world.until_logins(SAMCO, 1).await;
    hosts[0].pause();
    // The next one is in the middle of its login when the first one wakes and gives back what it has not any more.
    tokio::time::sleep(LEASE + Duration::from_millis(300)).await;
    world.sandbox.fault(delayed(SAMCO, 1_500)).unwrap();
    let second = hosts[1].give(SAMCO, 0, Do::Token);
    world.until_logins(SAMCO, 2).await;
    let claim = || -> Option<String> {
        let keys: Vec<String> = world.server.ask(&["KEYS", "preopen:*:claim"]);
        world.server.ask(&["GET", keys.first()?])
    };
    let owner = claim();
    assert!(owner.is_some());
    hosts[0].resume();
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert_eq!(claim(), owner);
    drop((stopped.await, second.await));
    let agreed = world.converge(&hosts, SAMCO, SOON).await;
    assert_eq!(hosts[2].ask(SAMCO, 1, Do::Call).await.token(), agreed);
    assert!(world.logins(SAMCO) <= 3, "{}", world.logins(SAMCO));
}
