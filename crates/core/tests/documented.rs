//! The replies that the brokers' documentation shows, where the folder with them lies beside the repository: each is read
//! as a reply or as a classified refusal of the call that it belongs to. The vectors hold the same shapes with values of our
//! own.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::HashMap;
use std::path::Path;

use preopen_core::ErrorKind;
use preopen_core::broker::Adapter;
use preopen_core::brokers::{AngelOne, Samco, TABLES};
use preopen_core::envelope::Reply;
use preopen_core::wire::{Endpoint, Method, RawReply};
use serde_json::Value;

/// Whether a documented body is a reply to a call: not a request, nor what a stream or a webhook delivers, nor one item of
/// a list.
fn is_reply(name: &str, body: &Value) -> bool {
    let other = name.ends_with("request")
        || ["request-body", "webhook", "websocket", "streaming"]
            .iter()
            .any(|kind| name.contains(kind));
    let keys = ["status", "success", "serverTime"];
    !other && keys.iter().any(|key| body.get(key).is_some())
}

/// Which call each file belongs to, where the index says it.
fn calls(samples: &Path) -> HashMap<String, String> {
    let index = std::fs::read_to_string(samples.join("INDEX.tsv")).unwrap();
    let rows = index
        .lines()
        .skip(1)
        .map(|line| line.split('\t').collect::<Vec<_>>());
    rows.map(|row| (row[1].to_owned(), row[2].to_owned())).collect()
}

fn endpoint(adapter: &dyn Adapter, call: &str) -> Endpoint {
    let (method, path) = call.split_once(' ').unwrap_or(("GET", "/documented"));
    adapter.endpoint(Method::parse(method).unwrap(), path)
}

fn read_all(adapter: &dyn Adapter, samples: &Path, broker: &str) -> usize {
    let calls = calls(samples);
    let mut replies = 0;
    for entry in std::fs::read_dir(samples.join(broker)).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let Ok(body) = serde_json::from_slice::<Value>(&std::fs::read(&path).unwrap()) else {
            continue;
        };
        if !is_reply(path.file_stem().unwrap().to_str().unwrap(), &body) {
            continue;
        }
        replies += 1;
        let endpoint = endpoint(adapter, calls.get(&name).map_or("", String::as_str));
        let text = body.to_string();
        for status in [200, 400] {
            match Reply::read(adapter, &endpoint, RawReply::new(status, text.as_str())) {
                Ok(reply) => assert_eq!(reply.text(), text),
                Err(error) => assert!(
                    !matches!(
                        error.kind(),
                        ErrorKind::MalformedResponse | ErrorKind::OutcomeUnknown
                    ),
                    "{name}: {error}"
                ),
            }
        }
    }
    replies
}

#[test]
fn documented_replies_have_known_shapes_where_they_are_at_hand() {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/protocol/samples");
    if samples.is_dir() {
        assert!(read_all(&Samco::new("k", "s"), &samples, "samco") > 90);
        let angel = AngelOne::new("k", "C1", "0000", "JBSWY3DPEHPK3PXPJBSWY3DPEH");
        assert!(read_all(&angel, &samples, "angelone") > 20);
    }
}

/// Every path that the index of samples names stands in the catalogue.
#[test]
fn the_catalogue_knows_every_documented_path_where_they_are_at_hand() {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/protocol/samples");
    if !samples.is_dir() {
        return;
    }
    let known = |call: &str| {
        let (method, path) = call.split_once(' ').unwrap();
        let method = Method::parse(method).unwrap();
        let path = path.replace("{orderNumber}", "1");
        TABLES
            .iter()
            .any(|one| one.endpoints.iter().any(|entry| entry.is(method, &path)))
    };
    let unknown: Vec<String> = calls(&samples)
        .into_values()
        .filter(|call| !call.is_empty() && !known(call))
        .collect();
    assert!(unknown.is_empty(), "{unknown:#?}");
}
