//! F2 and F9: only a listed refusal is terminal for a login, whatever comes over the wire.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests"
)]

#[path = "verdicts/bodies.rs"]
mod bodies;
mod common;

use std::sync::LazyLock;

use preopen_core::broker::Adapter;
use preopen_core::brokers::{AngelOne, Samco};
use preopen_core::error::{Credential, Error};
use preopen_core::skew::Skew;
use preopen_core::wire::RawReply;
use proptest::prelude::*;
use serde_json::{Value, json};

use bodies::{bodies, content_type, status};
use common::cases;

/// A broker, and the refusals that end its logins: a code, and how the text begins. Written down a second time, from
/// the documents.
struct Broker {
    adapter: Box<dyn Adapter>,
    terminal: &'static [(&'static str, &'static str)],
    /// Refusals that are easily taken for one of those.
    harmless: &'static [(&'static str, &'static str)],
}

static BROKERS: LazyLock<[Broker; 2]> = LazyLock::new(|| {
    let samco = Broker {
        adapter: Box::new(Samco::new("the-key", "the-secret")),
        terminal: &[
            ("EOAUTH001", ""),
            ("EOAUTH008", ""),
            ("EOAUTH999", ""),
            ("", "unable to start your trading session"),
            ("", "user not subscribed"),
            ("", "user account is blocked"),
        ],
        harmless: &[
            ("EOAUTH009", "The IP is not the registered static IP"),
            ("EOAUTH002", "Invalid request"),
            ("EOAUTH030", "Please wait"),
            ("", "Sorry: user account is blocked, said the gateway"),
            ("", "java.lang.NullPointerException: user not subscribed"),
        ],
    };
    let angel_one = Broker {
        adapter: Box::new(AngelOne::new(
            "the-key",
            "CODE1",
            "0000",
            "JBSWY3DPEHPK3PXPJBSWY3DPEH",
        )),
        terminal: &[
            ("AG8004", ""),
            ("AB1053", ""),
            ("AB1050", ""),
            ("AB1007", "login id or password is invalid"),
            ("AB1000", ""),
            ("AB1001", ""),
            ("AB1002", ""),
            ("AB1031", ""),
            ("AB1032", ""),
            ("AB1006", ""),
        ],
        harmless: &[
            ("AB1007", "AMX Error"),
            ("AB1004", "Something Went Wrong, Please Try After Sometime"),
            ("AB2001", "Internal Error"),
            ("AB1010", "AMX Session Expired"),
            ("AG8001", "Invalid Token"),
            ("AB8050", "Invalid Refresh Token"),
            ("AB1021", "Too many requests"),
            ("", "Invalid totp"),
            ("", "LoginId or Password is invalid"),
        ],
    };
    [samco, angel_one]
});

impl Broker {
    fn read(&self, raw: &RawReply) -> Option<Error> {
        let endpoint = self.adapter.login(None).endpoint;
        self.adapter.read_login(&endpoint, raw).err()
    }

    /// Whether a row that ends logins stands anywhere in the body, as it is or as JSON reads it.
    fn names_a_row(&self, body: &[u8]) -> bool {
        let plain = String::from_utf8_lossy(body).to_lowercase();
        let read =
            serde_json::from_slice(body).map_or(String::new(), |json: Value| json.to_string().to_lowercase());
        [plain, read].iter().any(|text| {
            let stands =
                |(code, start): &(&str, &str)| text.contains(&code.to_lowercase()) && text.contains(start);
            self.terminal.iter().any(stands)
        })
    }

    fn refusal(&self, code: &str, text: &str) -> Value {
        match self.adapter.policy().broker {
            "samco" => json!({
                "serverTime": "22/11/26 12:00:00", "msgId": "m", "status": "Failure", "errorCode": code,
                "statusMessage": text,
            }),
            _ => json!({"status": false, "message": text, "errorcode": code, "data": null}),
        }
    }
}

fn check(broker: &Broker, raw: &RawReply) -> Result<(), TestCaseError> {
    let Some(error) = broker.read(raw) else {
        return Ok(());
    };
    if !error.is_terminal_for_login() {
        return Ok(());
    }
    let body = String::from_utf8_lossy(&raw.body);
    prop_assert!(
        broker.names_a_row(&raw.body),
        "{error:?} for HTTP {} {body}",
        raw.status
    );
    prop_assert!(
        raw.status < 500,
        "a broken server knows nothing: {error:?} for HTTP {}",
        raw.status
    );
    prop_assert!(
        serde_json::from_slice::<Value>(&raw.body).is_ok_and(|json| json.is_object()),
        "nothing but an envelope is terminal: {error:?} for {body}"
    );
    Ok(())
}

#[test]
fn f2_every_listed_refusal_is_terminal_and_its_neighbours_are_not() {
    for broker in BROKERS.iter() {
        for status in [200, 400, 401, 403] {
            for (code, text) in broker.terminal {
                let raw = RawReply::new(status, broker.refusal(code, text).to_string());
                let error = broker.read(&raw).expect("an error");
                assert!(error.is_terminal_for_login(), "{error:?}");
            }
            for (code, text) in broker.harmless {
                let raw = RawReply::new(status, broker.refusal(code, text).to_string());
                let error = broker.read(&raw).expect("an error");
                assert!(!error.is_terminal_for_login(), "{error:?}");
            }
        }
    }
}

#[test]
fn f2_what_is_torn_or_of_a_gateway_is_not_terminal() {
    for broker in BROKERS.iter() {
        for (code, text) in broker.terminal {
            let whole = broker.refusal(code, text).to_string();
            for end in 0..whole.len() {
                let error = broker.read(&RawReply::new(401, &whole[..end])).expect("an error");
                assert!(!error.is_terminal_for_login(), "{error:?} for {}", &whole[..end]);
            }
            for wrapped in [
                format!("<html>{whole}</html>"),
                format!("[{whole}]"),
                format!("{text} {code}"),
                format!("\"{code} {text}\""),
            ] {
                let error = broker
                    .read(&RawReply::new(401, wrapped.clone()))
                    .expect("an error");
                assert!(!error.is_terminal_for_login(), "{error:?} for {wrapped}");
            }
            for status in [500, 502, 503, 504, 301, 302] {
                let error = broker
                    .read(&RawReply::new(status, whole.clone()))
                    .expect("an error");
                assert!(!error.is_terminal_for_login(), "{error:?} for HTTP {status}");
            }
        }
    }
}

#[test]
fn f9_a_skewed_clock_is_named_before_the_secret_is_doubted() {
    let [_, angel_one] = &*BROKERS;
    let raw = RawReply::new(200, angel_one.refusal("AB1050", "Invalid totp").to_string());
    let refused = angel_one.read(&raw).expect("an error");
    assert_eq!(refused.context().credential, Some(Credential::Totp));
    let named = refused.clone().suspecting_clock(Some(Skew::from_millis(-20_000)));
    let sentence =
        "this machine's clock is 20 s ahead of the broker's: set it before you doubt the TOTP secret";
    assert!(named.message().contains(sentence), "{named}");
    assert!(
        named.is_terminal_for_login(),
        "it still is not sent again by itself"
    );
    let near = refused.clone().suspecting_clock(Some(Skew::from_millis(14_999)));
    assert_eq!(near.message(), refused.message(), "half a step off is no suspect");
}

proptest! {
    #![proptest_config(cases(2000))]

    #[test]
    fn f2_only_a_listed_refusal_is_terminal(
        (broker, body) in (0_usize..2).prop_flat_map(|broker| {
            let rows = BROKERS[broker].terminal.iter().chain(BROKERS[broker].harmless);
            (Just(broker), bodies(rows.copied()))
        }),
        status in status(), content_type in content_type(),
    ) {
        let mut raw = RawReply::new(status, body);
        raw.content_type = content_type;
        check(&BROKERS[broker], &raw)?;
    }
}
