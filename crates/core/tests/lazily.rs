//! A reply that is read lazily is the reply that is read at once: same data, same envelope, same errors, whatever the body.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::path::Path;

use preopen_core::broker::Adapter;
use preopen_core::brokers::{AngelOne, Samco};
use preopen_core::envelope::{DataPlace, Reply};
use preopen_core::error::Error;
use preopen_core::wire::{Body, Endpoint, Method, RawReply};
use serde_json::Value;

const STATUSES: [u16; 3] = [200, 307, 401];

fn adapters() -> [Box<dyn Adapter>; 2] {
    [
        Box::new(Samco::new("key", "secret")),
        Box::new(AngelOne::new("key", "D1", "0000", "JBSWY3DPEHPK3PXPJBSWY3DPEH")),
    ]
}

/// A read, a POST and a call whose reply holds a secret.
fn endpoints(adapter: &dyn Adapter) -> Vec<Endpoint> {
    let mut secret = adapter.endpoint(Method::Get, "/quote/getQuote");
    secret.sensitive = true;
    vec![
        adapter.endpoint(Method::Get, "/quote/getQuote"),
        adapter.endpoint(Method::Post, "/order/placeOrder"),
        secret,
    ]
}

fn told(error: &Error) -> String {
    format!("{error:?} {:?} {:?}", error.context(), error.causes())
}

/// Compares both ways, and tells how the lazy one found the data, if there is any.
fn compare(
    adapter: &dyn Adapter,
    endpoint: &Endpoint,
    status: u16,
    bytes: &[u8],
) -> Result<Option<DataPlace>, Error> {
    let mut body = Body::with_capacity(bytes.len(), endpoint.sensitive);
    body.push(bytes);
    let raw = RawReply::new(status, body);
    let at_once = Reply::read(adapter, endpoint, raw.clone());
    let lazily = Reply::read_lazily(adapter, endpoint, raw);
    let shown = String::from_utf8_lossy(bytes);
    match (at_once, lazily) {
        (Ok(at_once), Ok(lazily)) => {
            let place = lazily.data_place();
            let read: Value = lazily.deserialize().unwrap();
            assert_eq!(read.to_string(), at_once.data().to_string(), "{shown}");
            assert_eq!(lazily, at_once, "{shown}");
            assert_eq!(
                lazily.data().to_string(),
                at_once.data().to_string(),
                "with the order of its names: {shown}"
            );
            assert_eq!(at_once.data_place(), None);
            assert_eq!(lazily.into_data(), *at_once.data());
            Ok(place)
        }
        (Err(at_once), Err(lazily)) => {
            assert_eq!(told(&lazily), told(&at_once), "{shown}");
            Err(lazily)
        }
        (at_once, lazily) => panic!("{shown}: {lazily:?} in place of {at_once:?}"),
    }
}

fn bodies() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors");
    let mut bodies: Vec<Vec<u8>> = Vec::new();
    for broker in ["samco", "angelone"] {
        for entry in std::fs::read_dir(folder.join(broker)).unwrap() {
            let text = std::fs::read(entry.unwrap().path()).unwrap();
            let vector: Value = serde_json::from_slice(&text).unwrap();
            let reply = &vector["reply"];
            bodies.push(match reply["text"].as_str() {
                Some(text) => text.into(),
                None => reply["body"].to_string().into(),
            });
        }
    }
    bodies
}

#[test]
fn every_vector_is_the_same_both_ways() {
    let bodies = bodies();
    assert!(bodies.len() > 200);
    let mut left_in_the_text = 0;
    for adapter in &adapters() {
        for endpoint in &endpoints(adapter.as_ref()) {
            for status in STATUSES {
                for body in &bodies {
                    let place = compare(adapter.as_ref(), endpoint, status, body);
                    left_in_the_text += usize::from(matches!(place, Ok(Some(_))));
                }
            }
        }
    }
    assert!(left_in_the_text > 200, "{left_in_the_text}");
}

#[test]
fn a_body_that_is_cut_or_changed_anywhere_is_the_same_both_ways() {
    for (adapter, body) in adapters().iter().zip([
        r#"{"serverTime":"01/01/26 10:00:00","msgId":"x","status":"Success","a":[1,-2.5e3,"\u00e9\n",{"b":null}],"c":{}} "#,
        r#"{"status":true,"message":"SUCCESS","data":{"fetched":[1,{"x":"\ud83d\ude00"}],"unfetched":[{"message":"no"}]}}"#,
    ]) {
        for endpoint in &endpoints(adapter.as_ref())[..2] {
            for at in 0..body.len() {
                drop(compare(adapter.as_ref(), endpoint, 200, &body.as_bytes()[..at]));
                for byte in *b"{]\",\\0e\n\xff" {
                    let mut changed = body.as_bytes().to_vec();
                    changed[at] = byte;
                    drop(compare(adapter.as_ref(), endpoint, 200, &changed));
                    changed.insert(at, b'"');
                    drop(compare(adapter.as_ref(), endpoint, 200, &changed));
                }
            }
        }
    }
}

#[test]
fn where_the_data_is_left() {
    let [samco, angel_one] = adapters();
    let without = DataPlace::Without(&["serverTime", "msgId", "status", "statusMessage"]);
    let member = DataPlace::Member("data");
    for (adapter, method, body, place) in [
        (
            &samco,
            Method::Get,
            r#"{"status":"Success","a":1}"#,
            Some(without),
        ),
        (
            &samco,
            Method::Get,
            r#"{"status":"Success","data":1,"a":1}"#,
            Some(without),
        ),
        (
            &samco,
            Method::Get,
            r#"{"status":"Success","data":{"a":1},"message":"m"}"#,
            Some(member),
        ),
        (&samco, Method::Get, r#"{"status":"Success","a":1,"a":2}"#, None),
        // What a POST did is in its data.
        (&samco, Method::Post, r#"{"status":"Success","a":1}"#, None),
        (
            &angel_one,
            Method::Get,
            r#"{"status":true,"data":{"a":1}}"#,
            Some(member),
        ),
        (
            &angel_one,
            Method::Post,
            r#"{"status":true,"data":{"a":1,"a":2}}"#,
            Some(member),
        ),
        (&angel_one, Method::Get, r#"{"status":true}"#, Some(member)),
        (
            &angel_one,
            Method::Get,
            r#"{"status":true,"data":1,"data":2}"#,
            None,
        ),
    ] {
        let endpoint = adapter.endpoint(method, "/x");
        assert_eq!(
            compare(adapter.as_ref(), &endpoint, 200, body.as_bytes()).ok(),
            Some(place),
            "{body}"
        );
        let mut secret = endpoint;
        secret.sensitive = true;
        assert_eq!(
            compare(adapter.as_ref(), &secret, 200, body.as_bytes()).ok(),
            Some(None),
            "{body}"
        );
    }
}
