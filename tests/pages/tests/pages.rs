//! Every Rust block of the README and of `docs/` runs, each on an embedded broker of its own; `build.rs` makes the tests.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::pedantic,
    reason = "what stands here was written to be read on a page"
)]

use preopen_pages::{Broker, stand_in};
use preopen_sandbox::{Account, Options, Sandbox};

include!(concat!(env!("OUT_DIR"), "/pages.rs"));

async fn broker() -> Sandbox {
    let broker = Sandbox::start(Options::default()).await.unwrap();
    let samco = broker.accounts().iter().find_map(Account::as_samco).unwrap();
    let angel_one = broker.accounts().iter().find_map(Account::as_angelone).unwrap();
    stand_in(Broker {
        url: broker.samco_url().to_owned(),
        samco: [samco.api_key.to_string(), samco.api_secret.to_string()],
        angel_one: [
            angel_one.api_key.to_string(),
            angel_one.client_code.to_string(),
            angel_one.pin.to_string(),
            angel_one.totp_secret.to_string(),
        ],
    });
    broker
}

/// A build that found none would run none.
const _: () = assert!(BLOCKS > 5);
