//! H1 and H6: without faults there is one login for each generation, and whoever waits for a host that died goes on.

use std::time::{Duration, Instant};

use preopen_sandbox::{Broker, Fault};

use crate::host::{Answer, Do, Host};
use crate::world::{ANGEL, LEASE, SAMCO, SAMCO_LOGIN, World, all};

const COPIES: usize = 4;

/// The clock of each host differs from the broker's by so many seconds.
const SKEWS: [i64; 3] = [0, 140, -170];

fn hosts(world: &World) -> Vec<Host> {
    let host = |ahead| world.host_with(ahead, |config| config.copies = COPIES);
    SKEWS.into_iter().map(host).collect()
}

#[track_caller]
fn same(answers: &[Answer]) -> u64 {
    let token = answers[0].token();
    assert!(
        answers.iter().all(|answer| answer.token() == token),
        "{answers:#?}"
    );
    token
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h1_three_hosts_log_in_once_for_each_generation() {
    let world = World::start().await;
    let hosts = hosts(&world);
    let mut tokens = vec![same(&all(&hosts, COPIES, SAMCO, Do::Token).await)];
    assert_eq!(world.logins(SAMCO), 1);
    for round in 0..6 {
        if round % 3 == 2 {
            // The next day, for every clock.
            world.sandbox.advance_to("08:30 IST").unwrap();
            for (host, ahead) in hosts.iter().zip(SKEWS) {
                host.set_clock(world.wall() + ahead * 1_000).await;
            }
        } else {
            // The broker ends the session: all are told, more or less at the same time.
            world.sandbox.end_sessions(None);
        }
        let answers = all(&hosts, COPIES, SAMCO, Do::Call).await;
        let token = same(&answers);
        assert_eq!(world.logins(SAMCO), 2 + round, "round {round}: {answers:#?}");
        assert!(!tokens.contains(&token));
        tokens.push(token);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h1_smartapi_hosts_log_in_or_renew_once_for_each_generation() {
    let world = World::with(20.0).await;
    let hosts: Vec<Host> = (0..3)
        .map(|_| world.host_with(0, |config| config.copies = COPIES))
        .collect();
    let requests = || {
        world.logins(ANGEL)
            + world
                .sandbox
                .requests(
                    Some(Broker::AngelOne),
                    Some("/rest/auth/angelbroking/jwt/v1/generateTokens"),
                )
                .count
    };
    let mut tokens = vec![same(&all(&hosts, COPIES, ANGEL, Do::Token).await)];
    assert_eq!(requests(), 1);
    for round in 0..3 {
        let before = requests();
        all(&hosts, COPIES, ANGEL, Do::Invalidate).await;
        let token = same(&all(&hosts, COPIES, ANGEL, Do::Call).await);
        assert_eq!(requests(), before + 1, "round {round}");
        assert!(!tokens.contains(&token));
        tokens.push(token);
    }
}

/// A host dies with its login on the wire. Those who wait go on when its lease is over, told of it or not.
async fn a_holder_dies(told: bool) {
    let world = World::start().await.short_lease();
    if !told {
        // Nobody may listen, so that everybody looks for himself.
        world.server.user(
            "default",
            "",
            "nopass ~* resetchannels +@all -subscribe -psubscribe -publish",
        );
    }
    let (mut dies, waits) = (world.host(), world.host());
    world
        .sandbox
        .fault(Fault::on(Broker::Samco, SAMCO_LOGIN).delay_ms(60_000).times(1))
        .unwrap();
    let dying = dies.give(SAMCO, 0, Do::Token);
    world.until_logins(SAMCO, 1).await;
    let waiting: Vec<_> = (0..3).map(|copy| waits.give(SAMCO, copy, Do::Token)).collect();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(world.logins(SAMCO), 1, "they wait");
    dies.kill();
    let killed = Instant::now();
    assert!(dying.await.is_none());
    let mut tokens = Vec::new();
    for answer in waiting {
        tokens.push(answer.await.unwrap().token());
    }
    let took = killed.elapsed();
    assert!(took < LEASE + Duration::from_secs(2), "{took:?}");
    assert!(tokens.iter().all(|token| *token == tokens[0]));
    assert_eq!(world.logins(SAMCO), 2);
    assert_eq!(waits.ask(SAMCO, 1, Do::Call).await.token(), tokens[0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h6_waiters_go_on_when_the_holder_dies() {
    a_holder_dies(true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h6_waiters_go_on_when_nobody_may_tell_them() {
    a_holder_dies(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h6_waiters_get_what_was_published_and_need_no_claim() {
    let world = World::start().await;
    let hosts = [world.host(), world.host(), world.host()];
    world
        .sandbox
        .fault(Fault::on(Broker::Samco, SAMCO_LOGIN).delay_ms(1_500).times(1))
        .unwrap();
    let first = hosts[0].give(SAMCO, 0, Do::Token);
    world.until_logins(SAMCO, 1).await;
    // A claim that is asked for would raise the fence of the record.
    let account: Vec<String> = world.server.ask(&["KEYS", "preopen:{*}"]);
    let fence = || -> u64 { world.server.ask(&["HGET", &account[0], "fence"]) };
    let before = fence();
    let answers = all(&hosts[1..], 3, SAMCO, Do::Token).await;
    assert_eq!(same(&answers), first.await.unwrap().token());
    assert_eq!((world.logins(SAMCO), fence()), (1, before));
}
