//! Looking up a host's addresses: once for all connections that want them at the same moment. Each look-up of the
//! system takes a thread, and two thousand sessions that log in at once must not take one each.

use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, WeakShared};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// The addresses, or the system's message: its error cannot be given to several.
type Found = Result<Vec<SocketAddr>, String>;

/// The look-ups of one client. It serves one host, so that there is one name (the host's or its proxy's).
#[derive(Default)]
pub(crate) struct Names(Mutex<Option<(String, WeakShared<BoxFuture<'static, Found>>)>>);

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        // No fork can leave this lock held: a client is used in the process that made it only.
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let joined = running
            .as_ref()
            .filter(|(known, _)| known == name.as_str())
            .and_then(|(_, lookup)| lookup.upgrade());
        let lookup = joined.unwrap_or_else(|| {
            let lookup = look_up(name.as_str().to_owned()).boxed().shared();
            *running = lookup
                .downgrade()
                .map(|lookup| (name.as_str().to_owned(), lookup));
            lookup
        });
        async move {
            let found = lookup.await?;
            Ok(Box::new(found.into_iter()) as Addrs)
        }
        .boxed()
    }
}

async fn look_up(host: String) -> Found {
    match tokio::net::lookup_host((host, 0)).await {
        Ok(found) => Ok(found.collect()),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::{Names, look_up};
    use reqwest::dns::Resolve as _;

    #[tokio::test]
    async fn a_name_has_addresses_each_time_it_is_asked_for() {
        let names = Names::default();
        for _ in 0..2 {
            let found = names.resolve("localhost".parse().unwrap()).await.unwrap();
            assert!(found.into_iter().all(|address| address.ip().is_loopback()));
        }
    }

    #[tokio::test]
    async fn what_cannot_be_looked_up_says_why() {
        assert!(!look_up("no host".to_owned()).await.unwrap_err().is_empty());
    }
}
