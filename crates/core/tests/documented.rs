//! The replies that the brokers' documentation shows, where the folder with them lies beside the repository:
//! none may be a shape that the readers do not know. The vectors hold the same shapes with values of our own.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::path::Path;

use preopen_core::ErrorKind;
use preopen_core::broker::Adapter;
use preopen_core::brokers::{AngelOne, Samco};
use preopen_core::wire::{Method, RawReply};
use serde_json::Value;

/// Whether a documented body is a reply to a call: not a request, nor what a stream or a webhook delivers.
fn is_reply(path: &Path, body: &Value) -> bool {
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    let other = name.ends_with("request")
        || name.contains("request-body")
        || ["webhook", "websocket", "streaming"]
            .iter()
            .any(|kind| name.contains(kind));
    !other
        && ["status", "success", "serverTime"]
            .iter()
            .any(|key| body.get(key).is_some())
}

fn read_all(adapter: &dyn Adapter, folder: &Path) -> usize {
    let mut replies = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let Ok(body) = serde_json::from_slice::<Value>(&std::fs::read(&path).unwrap()) else {
            continue;
        };
        if !is_reply(&path, &body) {
            continue;
        }
        replies += 1;
        let endpoint = adapter.endpoint(Method::Get, "/documented");
        if let Err(error) = adapter.read(&endpoint, &RawReply::new(200, body.to_string())) {
            assert_ne!(
                error.kind(),
                ErrorKind::MalformedResponse,
                "{}: {error}",
                path.display()
            );
        }
    }
    replies
}

#[test]
fn documented_replies_have_known_shapes_where_they_are_at_hand() {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/protocol/samples");
    if samples.is_dir() {
        assert!(read_all(&Samco::new("k", "s"), &samples.join("samco")) > 50);
        let angel = AngelOne::new("k", "C1", "0000", "JBSWY3DPEHPK3PXPJBSWY3DPEH");
        assert!(read_all(&angel, &samples.join("angelone")) > 10);
    }
}
