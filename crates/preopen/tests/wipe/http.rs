//! Sessions over the real transport, against an embedded broker on threads that nobody watches.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use preopen::{Session, SessionBuilder};
use preopen_sandbox::{Broker, Fault, Options, Sandbox};

use crate::allocator::{alone, stop_watching, unwatched, watch};
use crate::canaries::{self, FEED};

/// Runs an embedded broker on its own threads while `work` runs.
fn with_broker(tls: bool, work: impl FnOnce(&Sandbox)) {
    let (started, broker) = mpsc::channel();
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let thread = std::thread::spawn(move || {
        stop_watching();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .on_thread_start(stop_watching)
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut options = Options::default();
            options.tls = tls;
            let sandbox = Arc::new(Sandbox::start(options).await.unwrap());
            let login = canaries::angel_login(&format!("\"{FEED}\""));
            for fault in [
                Fault::on(Broker::Samco, "/session/token")
                    .times(2)
                    .body(&canaries::samco_login()),
                Fault::on(Broker::Samco, "/quote/*").body(r#"{"status":"Success","x":1}"#),
                Fault::on(Broker::AngelOne, "/rest/auth/angelbroking/user/*").body(&login),
                Fault::on(Broker::AngelOne, "/rest/auth/angelbroking/jwt/*").body(&login),
                Fault::on(Broker::AngelOne, "/rest/secure/*").body(r#"{"status":true,"data":{"x":1}}"#),
            ] {
                sandbox.fault(fault.status(200)).unwrap();
            }
            started.send(sandbox).unwrap();
            drop(ended.await);
        });
    });
    let sandbox = broker.recv().unwrap();
    work(&sandbox);
    unwatched(|| drop(sandbox));
    drop(end);
    thread.join().unwrap();
}

/// What a session over the real transport leaves: a login, a call, and at SmartAPI a refresh.
fn found(tls: bool, builder: fn() -> SessionBuilder, url: fn(&Sandbox) -> &str, path: &str) -> Vec<String> {
    watch(&canaries::all(), || {
        with_broker(tls, |sandbox| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let mut builder = builder().base_url(url(sandbox)).clock(sandbox.clock());
                if let Some(file) = sandbox.ca_file() {
                    builder = builder.ca_file(file);
                }
                let session = builder.build().unwrap();
                let generation = session.token().await.unwrap().generation();
                session.get(path).send().await.unwrap();
                session.invalidate(generation);
                session.token().await.unwrap();
            });
        });
        // The background thread sees that its connection ended, and drops it.
        std::thread::sleep(Duration::from_millis(200));
    })
}

/// SECURITY.md lists these. The names of types are read from a debug build's symbols.
#[test]
fn x2_over_http_only_the_libraries_own_buffers_are_left() {
    let _alone = alone();
    for tls in [false, true] {
        let samco = || Session::builder(canaries::samco());
        let angel_one = || Session::builder(canaries::angel_one());
        let profile = "/rest/secure/angelbroking/user/v1/getProfile";
        for left in [
            found(tls, samco, Sandbox::samco_url, "/quote/getQuote"),
            found(tls, angel_one, Sandbox::angelone_url, profile),
        ] {
            let known =
                |find: &String| find.ends_with("by hyper::") || (tls && find.ends_with("by rustls::"));
            assert!(left.iter().all(known), "tls {tls}: {left:#?}");
        }
    }
}
