//! Hosts that lose the server while the broker is in reach: whoever is cut off publishes nothing, and no dead token stays
//! in use (H2, H3, H5).

use std::time::Duration;

use preopen_sandbox::{Broker, Fault};

use crate::host::{Do, Host};
use crate::proxy::Way;
use crate::world::{LEASE, SAMCO, SAMCO_LOGIN, World};

const SOON: Duration = Duration::from_secs(25);

/// The host that logs in loses the server while its login is on the wire, for longer than its lease.
async fn cut_off_during_its_login(way: Way) {
    let world = World::start().await.short_lease();
    let (first, proxy) = world.host_behind(|_| {}).await;
    let hosts = [first, world.host(), world.host()];
    world
        .sandbox
        .fault(Fault::on(Broker::Samco, SAMCO_LOGIN).delay_ms(1_000).times(1))
        .unwrap();
    let cut_off = hosts[0].give(SAMCO, 0, Do::Token);
    world.until_logins(SAMCO, 1).await;
    proxy.set(way);
    let newer = hosts[1].ask(SAMCO, 0, Do::Call).await;
    assert!(newer.took() < LEASE + Duration::from_secs(3), "{newer:?}");
    assert_eq!(world.logins(SAMCO), 2);
    let alone = cut_off.await.unwrap();
    assert!(alone.took() < Duration::from_secs(10), "{alone:?}");
    let published: Vec<String> = world.server.ask(&["KEYS", "preopen:{*}"]);
    let session = || -> Option<String> { world.server.ask(&["HGET", &published[0], "session"]) };
    let before = session();
    assert_eq!(hosts[2].ask(SAMCO, 0, Do::Call).await.token(), newer.token());
    proxy.set(Way::Open);
    let agreed = world.converge(&hosts, SAMCO, SOON).await;
    let logins = world.logins(SAMCO);
    assert!(logins <= 3, "at most one extra login: {logins}");
    if agreed == newer.token() {
        assert_eq!(session(), before, "what was cut off publishes nothing");
    }
    stays(&world, &hosts, agreed).await;
}

async fn stays(world: &World, hosts: &[Host], token: u64) {
    let logins = world.logins(SAMCO);
    for host in hosts {
        for copy in 0..3 {
            assert_eq!(host.ask(SAMCO, copy, Do::Call).await.token(), token);
        }
    }
    assert_eq!(world.logins(SAMCO), logins);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h3_a_host_that_is_cut_off_during_its_login_does_not_publish() {
    cut_off_during_its_login(Way::Cut).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h3_a_host_that_is_blocked_during_its_login_does_not_publish() {
    cut_off_during_its_login(Way::Blocked).await;
}

/// What it is told arrives, and what it says does not: it publishes, and does not learn of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h2_a_publication_whose_answer_is_lost_leaves_no_dead_token_in_use() {
    let world = World::start().await.short_lease();
    let (first, proxy) = world.host_behind(|_| {}).await;
    let hosts = [first, world.host(), world.host()];
    world
        .sandbox
        .fault(Fault::on(Broker::Samco, SAMCO_LOGIN).delay_ms(600).times(1))
        .unwrap();
    let deaf = hosts[0].give(SAMCO, 0, Do::Token);
    world.until_logins(SAMCO, 1).await;
    proxy.set(Way::Deaf);
    let adopted = hosts[1].ask(SAMCO, 0, Do::Call).await.token();
    assert_eq!(deaf.await.unwrap().token(), adopted, "it serves its own login");
    assert_eq!(world.logins(SAMCO), 1);
    // The session is ended by the broker while that host hears nothing.
    world.sandbox.end_sessions(None);
    let newer = hosts[1].ask(SAMCO, 0, Do::Call).await.token();
    assert_ne!(newer, adopted);
    proxy.set(Way::Open);
    let agreed = world.converge(&hosts, SAMCO, SOON).await;
    assert_eq!(agreed, newer);
    assert_eq!(world.logins(SAMCO), 2);
    stays(&world, &hosts, agreed).await;
}

/// The same, but nobody else notices that the session has ended before the host does that did not learn that it published.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h2_a_host_does_not_take_its_own_dead_token_back_from_the_store() {
    let world = World::start().await.short_lease();
    let (first, proxy) = world.host_behind(|_| {}).await;
    world
        .sandbox
        .fault(Fault::on(Broker::Samco, SAMCO_LOGIN).delay_ms(600).times(1))
        .unwrap();
    let deaf = first.give(SAMCO, 0, Do::Token);
    world.until_logins(SAMCO, 1).await;
    proxy.set(Way::Deaf);
    let own = deaf.await.unwrap().token();
    proxy.set(Way::Open);
    tokio::time::sleep(LEASE).await;
    world.sandbox.end_sessions(None);
    let next = first.ask(SAMCO, 0, Do::Call).await;
    assert_ne!(next.token(), own);
    assert_eq!(world.logins(SAMCO), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h5_a_host_that_is_cut_off_serves_its_session_and_heals() {
    let world = World::start().await;
    let (first, proxy) = world.host_behind(|_| {}).await;
    let hosts = [first, world.host()];
    let token = hosts[0].ask(SAMCO, 0, Do::Token).await.token();
    proxy.set(Way::Cut);
    assert_eq!(hosts[0].ask(SAMCO, 0, Do::Call).await.token(), token);
    world.sandbox.end_sessions(None);
    let refused = hosts[0].ask(SAMCO, 0, Do::Call).await;
    assert_eq!(refused.error().kind, "store_unavailable");
    let newer = hosts[1].ask(SAMCO, 0, Do::Call).await.token();
    assert_eq!(world.logins(SAMCO), 2);
    proxy.set(Way::Open);
    assert_eq!(world.converge(&hosts, SAMCO, SOON).await, newer);
    assert_eq!(world.logins(SAMCO), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h1_a_slow_way_to_the_server_costs_no_login() {
    let world = World::start().await;
    let (first, proxy) = world.host_behind(|_| {}).await;
    proxy.set(Way::Slow(Duration::from_millis(150)));
    let hosts = [first, world.host()];
    let answers = crate::world::all(&hosts, 3, SAMCO, Do::Token).await;
    let token = answers[0].token();
    assert!(answers.iter().all(|answer| answer.token() == token));
    assert_eq!(world.logins(SAMCO), 1);
}
