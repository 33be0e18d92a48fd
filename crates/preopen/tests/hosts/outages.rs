//! H5: without Redis valid sessions are served and nobody logs in, unless he wants it so; and everything heals by itself.

use std::time::Duration;

use crate::host::{Do, Host};
use crate::world::{SAMCO, World, all};

/// The longest that a refusal may take: one look, and one claim.
const REFUSED: Duration = Duration::from_secs(13);

const HEALED: Duration = Duration::from_secs(15);

async fn served(hosts: &[Host], token: u64) {
    for answer in all(hosts, 3, SAMCO, Do::Call).await {
        assert_eq!(answer.token(), token);
    }
}

/// Nobody logs in while the server is gone, and everybody is told so in time.
async fn refused(hosts: &[Host]) {
    all(hosts, 3, SAMCO, Do::Invalidate).await;
    for answer in all(hosts, 3, SAMCO, Do::Token).await {
        assert_eq!(answer.error().kind, "store_unavailable", "{answer:?}");
        assert!(answer.took() < REFUSED, "{answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h5_a_killed_server_stops_logins_only_and_comes_back_with_its_data() {
    let mut world = World::start().await;
    let hosts = [world.host(), world.host(), world.host()];
    for round in 0..2 {
        let token = world.converge(&hosts, SAMCO, HEALED).await;
        served(&hosts, token).await;
        world.server.kill();
        served(&hosts, token).await;
        refused(&hosts).await;
        assert_eq!(world.logins(SAMCO), 1 + round);
        world.server.start_again();
        world.converge(&hosts, SAMCO, HEALED).await;
        assert_eq!(world.logins(SAMCO), 2 + round, "one login heals all");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h5_a_paused_server_stops_logins_only() {
    let world = World::start().await;
    let hosts = [world.host(), world.host()];
    let token = hosts[0].ask(SAMCO, 0, Do::Token).await.token();
    served(&hosts, token).await;
    world.server.pause();
    served(&hosts, token).await;
    refused(&hosts).await;
    assert_eq!(world.logins(SAMCO), 1);
    world.server.resume();
    world.converge(&hosts, SAMCO, HEALED).await;
    assert_eq!(world.logins(SAMCO), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h5_who_wants_it_so_logs_in_without_the_server_and_returns_to_it() {
    let mut world = World::start().await;
    let alone = world.host_with(0, |config| config.logs_in_without_store = true);
    let other = world.host();
    let before = other.ask(SAMCO, 0, Do::Token).await.token();
    assert_eq!(alone.ask(SAMCO, 0, Do::Token).await.token(), before);
    world.server.kill();
    // The broker ends the session: only the one who may logs in.
    world.sandbox.end_sessions(None);
    let own = alone.ask(SAMCO, 0, Do::Call).await;
    assert!(own.took() < REFUSED, "{own:?}");
    assert_eq!(
        other.ask(SAMCO, 0, Do::Call).await.error().kind,
        "store_unavailable"
    );
    assert_eq!(world.logins(SAMCO), 2);
    assert_eq!(alone.ask(SAMCO, 0, Do::Call).await.token(), own.token());
    world.server.start_again();
    let hosts = [alone, other];
    let agreed = world.converge(&hosts, SAMCO, HEALED).await;
    assert_ne!(agreed, before);
    // The login for all ended the one that was for itself.
    assert_eq!(world.logins(SAMCO), 3);
    served(&hosts, agreed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h5_a_wiped_server_begins_a_new_epoch_and_everybody_converges() {
    let world = World::start().await;
    let hosts = [world.host(), world.host(), world.host()];
    let mut logins = 0;
    for first in &hosts {
        let token = first.ask(SAMCO, 0, Do::Call).await.token();
        served(&hosts, token).await;
        logins = logins.max(1);
        world.server.ask::<()>(&["FLUSHALL"]);
        // Nobody knows of it yet.
        served(&hosts, token).await;
        first.ask(SAMCO, 1, Do::Invalidate).await;
        first.ask(SAMCO, 1, Do::Token).await;
        let agreed = world.converge(&hosts, SAMCO, HEALED).await;
        assert_ne!(agreed, token);
        served(&hosts, agreed).await;
        logins += 1;
        assert_eq!(world.logins(SAMCO), logins);
        // The new epoch goes on as the old one did.
        world.sandbox.end_sessions(None);
        world.converge(&hosts, SAMCO, HEALED).await;
        logins += 1;
        assert_eq!(world.logins(SAMCO), logins);
    }
}
