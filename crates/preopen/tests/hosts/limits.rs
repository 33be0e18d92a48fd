//! H8: what the broker refused, and how long it wants to be left alone, holds on all hosts, whatever their clocks say.

use std::time::{Duration, Instant};

use preopen::ErrorKind;
use preopen_sandbox::{Broker, Fault};

use crate::host::{Account, Answer, Config, Do, Host};
use crate::world::{ANGEL, ANGEL_LOGIN, SAMCO, SAMCO_LOGIN, World, all};

const COPIES: usize = 14;

fn refused(answers: &[Answer]) {
    assert!(answers.len() >= 40);
    for answer in answers {
        assert_eq!(
            answer.error().kind,
            ErrorKind::CredentialsRejected.as_str(),
            "{answer:?}"
        );
    }
}

fn wrong_pin(config: &mut Config) {
    if let Account::AngelOne { pin, .. } = &mut config.accounts[ANGEL] {
        "9999".clone_into(pin);
    }
    config.copies = COPIES;
}

fn wrong_totp(config: &mut Config) {
    if let Account::AngelOne { totp, .. } = &mut config.accounts[ANGEL] {
        "JBSWY3DPEHPK3PXPJBSWY3DPEH".clone_into(totp);
    }
    config.copies = COPIES;
}

async fn forty_pods(world: &World, wrong: fn(&mut Config), cost: u64) {
    let hosts: Vec<Host> = (0..3).map(|_| world.host_with(0, wrong)).collect();
    refused(&all(&hosts, COPIES, ANGEL, Do::Token).await);
    assert_eq!(world.logins(ANGEL), cost);
    // They ask again, and are started again.
    refused(&all(&hosts, COPIES, ANGEL, Do::Token).await);
    drop(hosts);
    let hosts: Vec<Host> = (0..3).map(|_| world.host_with(0, wrong)).collect();
    refused(&all(&hosts, COPIES, ANGEL, Do::Token).await);
    assert_eq!(world.logins(ANGEL), cost);
    // The right credentials are another matter.
    assert!(world.host().ask(ANGEL, 0, Do::Call).await.result.is_ok());
    assert_eq!(world.logins(ANGEL), cost + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h8_forty_pods_with_a_wrong_pin_cost_one_login() {
    forty_pods(&World::with(20.0).await, wrong_pin, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h8_forty_pods_with_a_wrong_code_cost_two_logins() {
    forty_pods(&World::with(20.0).await, wrong_totp, 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h8_forty_pods_with_a_wrong_secret_cost_one_login() {
    let world = World::start().await;
    let wrong = |config: &mut Config| {
        if let Account::Samco { secret, .. } = &mut config.accounts[SAMCO] {
            "a wrong secret".clone_into(secret);
        }
        config.copies = COPIES;
    };
    let hosts: Vec<Host> = [0, 170, -170]
        .into_iter()
        .map(|ahead| world.host_with(ahead, wrong))
        .collect();
    refused(&all(&hosts, COPIES, SAMCO, Do::Token).await);
    refused(&all(&hosts, COPIES, SAMCO, Do::Token).await);
    assert_eq!(world.logins(SAMCO), 1);
}

/// When the logins reached the broker, by its own clock, in milliseconds.
fn arrivals(world: &World, broker: Broker, path: &str) -> Vec<i64> {
    let report = world.sandbox.requests(Some(broker), Some(path));
    report
        .requests
        .iter()
        .map(|request| request.at.as_millis())
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h8_retry_after_holds_on_all_hosts() {
    let world = World::start().await;
    world
        .sandbox
        .fault(
            Fault::on(Broker::Samco, SAMCO_LOGIN)
                .status(429)
                .body("slow down")
                .header("retry-after", "4")
                .times(1),
        )
        .unwrap();
    // One that is behind waits until its own clock says so, for as long as asked at a time.
    let hosts = [world.host(), world.host(), world.skewed_host(-120)];
    let limited = Instant::now();
    for answer in all(&hosts, 3, SAMCO, Do::Token).await {
        assert_eq!(answer.error().kind, ErrorKind::RateLimited.as_str(), "{answer:?}");
    }
    assert_eq!(world.logins(SAMCO), 1);
    while limited.elapsed() < Duration::from_secs(6) {
        drop(all(&hosts, 3, SAMCO, Do::Token).await);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let arrived = arrivals(&world, Broker::Samco, SAMCO_LOGIN);
    assert_eq!(arrived.len(), 2, "{arrived:?}");
    assert!(arrived[1] - arrived[0] >= 4_000, "{arrived:?}");
}

/// Each host logs in by itself: the sessions are ended in between, and SmartAPI takes one login a second.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h8_one_login_a_second_whatever_the_clocks_say() {
    let world = World::start().await;
    world.sandbox.switch("angelone_login_rate", 1).unwrap();
    world.sandbox.switch("totp_window_steps", 10).unwrap();
    // Codes of different steps, all of which the broker takes: nothing but the rate holds the logins apart.
    let hosts = [
        world.host(),
        world.skewed_host(-95),
        world.skewed_host(95),
        world.skewed_host(-190),
    ];
    for host in &hosts {
        host.ask(ANGEL, 0, Do::Logout).await;
        let answer = host.ask(ANGEL, 0, Do::Token).await;
        answer.token();
        // The next one finds a session, which is ended for all.
        host.ask(ANGEL, 0, Do::Logout).await;
    }
    let arrived = arrivals(&world, Broker::AngelOne, ANGEL_LOGIN);
    assert_eq!(arrived.len(), hosts.len(), "{arrived:?}");
    for pair in arrived.windows(2) {
        assert!(pair[1] - pair[0] >= 1_000, "{arrived:?}");
    }
}

/// A step is the same on all hosts, so a code is not sent twice, and no host is locked out by another one's clock.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h8_no_code_is_sent_twice_whatever_the_clocks_say() {
    let world = World::with(30.0).await;
    let hosts = [world.host(), world.skewed_host(20), world.skewed_host(-20)];
    for _ in 0..2 {
        for host in &hosts {
            host.ask(ANGEL, 0, Do::Logout).await;
            host.ask(ANGEL, 0, Do::Token).await.token();
            host.ask(ANGEL, 0, Do::Call).await.token();
        }
    }
    // The broker refuses a code that it has seen: a login more for each that was.
    assert_eq!(world.logins(ANGEL), 6);
    // Minutes off: its first code is refused, and the second one is made for the broker's time.
    let off = world.skewed_host(200);
    off.ask(ANGEL, 0, Do::Logout).await;
    off.ask(ANGEL, 0, Do::Token).await.token();
    assert_eq!(world.logins(ANGEL), 8);
    world.converge(&hosts, ANGEL, Duration::from_secs(20)).await;
}
