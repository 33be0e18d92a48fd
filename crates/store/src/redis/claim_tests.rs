//! Tests of what a claim's settings do that no program can set.

use std::sync::Arc;
use std::time::Duration;

use super::{Call, RedisClaim, Terms};
use crate::redis::RedisStore;
use crate::redis::hub::Hub;
use crate::redis::scripts::{CLAIM, Keys};
use crate::store::Store as _;
use preopen_core::seal::SealKey;

/// Fence, session, guard.
type Granted = Option<(u64, Option<String>, Option<String>)>;

#[path = "../../tests/common/redis.rs"]
mod server;

#[tokio::test]
async fn a_claim_is_not_renewed_for_ever() {
    let server = server::Server::start();
    let key = SealKey::generate().unwrap();
    let store = RedisStore::new(server.url()).unwrap().with_key(key);
    let lease = Duration::from_secs(1);
    let hub = Hub::current().unwrap();
    let terms = Terms {
        pool: hub.pool(&store.address),
        keys: Keys::new("preopen", "hung"),
        owner: "hung".to_owned(),
        lease,
        ttl: Duration::from_hours(1),
        renewed_for: Duration::from_secs(2),
    };
    let call = Call::new(&terms.keys, CLAIM, ["hung", "1000", "3600000"]);
    let asking = RedisClaim::ask(Arc::clone(&hub), terms, call);
    let hung = hub.run(asking).await.unwrap().unwrap().unwrap();
    tokio::time::sleep(Duration::from_millis(1700)).await;
    assert!(hung.claim.good_for() > Duration::ZERO, "it is renewed");
    assert!(store.claim("hung").await.unwrap().is_none());
    tokio::time::sleep(Duration::from_millis(1800)).await;
    assert_eq!(hung.claim.good_for(), Duration::ZERO);
    assert!(store.claim("hung").await.unwrap().is_some(), "others go on");
}

#[tokio::test]
async fn a_claim_that_is_asked_for_twice_is_granted_twice_to_its_owner_only() {
    let server = server::Server::start();
    let store = RedisStore::new(server.url()).unwrap();
    let hub = Hub::current().unwrap();
    let pool = hub.pool(&store.address);
    let keys = Keys::new("preopen", "twice");
    // As when the connection breaks between the script and its answer.
    for (owner, granted) in [("one", true), ("one", true), ("other", false), ("one", true)] {
        let (pool, call) = (
            Arc::clone(&pool),
            Call::new(&keys, CLAIM, [owner, "30000", "3600000"]),
        );
        let answer = hub.run(async move { pool.ask::<Granted>(&call).await });
        assert_eq!(answer.await.unwrap().unwrap().is_some(), granted, "{owner}");
    }
}
