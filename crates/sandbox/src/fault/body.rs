//! The replies that faults put in place of real ones.

use std::io::Write as _;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{HeaderValue, StatusCode, header};
use serde_json::Value;

use super::spec::{BodyKind, Fault};
use crate::wire::Reply;

const PAGE: &str = "<!DOCTYPE html><html><head><title>Request Rejected</title></head>\
    <body><h1>Bad gateway</h1><p>The sandbox was asked to answer with a page.</p></body></html>\n";

/// The reply of a fault that has one of its own. It is made once, when the fault is added.
pub(super) fn of(fault: &Fault) -> Option<Reply> {
    if !fault.replaces_reply() {
        return None;
    }
    let status = |default| {
        fault
            .status
            .and_then(|status| StatusCode::from_u16(status).ok())
            .unwrap_or(default)
    };
    if let Some(address) = &fault.redirect_to {
        let reply = Reply::text(status(StatusCode::TEMPORARY_REDIRECT), "");
        return HeaderValue::from_str(address)
            .ok()
            .map(|to| reply.with_header(header::LOCATION, to));
    }
    let ok = status(StatusCode::OK);
    Some(match (&fault.body, fault.body_kind) {
        (Some(Value::String(text)), _) => {
            if serde_json::from_str::<Value>(text).is_ok_and(|value| value.is_object() || value.is_array()) {
                Reply {
                    body: text.clone().into(),
                    ..Reply::json(ok, &Value::Null)
                }
            } else if text.trim_start().starts_with('<') {
                Reply::html(ok, text.clone())
            } else {
                Reply::text(ok, text.clone())
            }
        }
        (Some(value), _) => Reply::json(ok, value),
        (None, Some(BodyKind::Html)) => Reply::html(status(StatusCode::BAD_GATEWAY), PAGE),
        (None, Some(BodyKind::Large)) => {
            let size = fault.size.unwrap_or(10 << 20);
            let frame = r#"{"status":"Success","padding":""}"#.len();
            let padding = "x".repeat(size.saturating_sub(frame));
            let body = format!(r#"{{"status":"Success","padding":"{padding}"}}"#);
            Reply {
                body: body.into(),
                ..Reply::json(ok, &Value::Null)
            }
        }
        (None, Some(BodyKind::GzipBomb)) => {
            let reply = Reply {
                body: zeros(fault.size.unwrap_or(32 << 20)),
                ..Reply::json(ok, &Value::Null)
            };
            reply.with_header(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"))
        }
        (None, Some(BodyKind::Malformed)) => Reply {
            body: r#"{"status":"Success","statusMessage":"cut sho"#.into(),
            ..Reply::json(ok, &Value::Null)
        },
        (None, Some(BodyKind::Empty | BodyKind::Truncated) | None) => {
            let mut reply = Reply::text(ok, "");
            if fault.body_kind == Some(BodyKind::Empty) {
                reply.headers.clear();
            }
            reply
        }
    })
}

fn zeros(size: usize) -> Bytes {
    let chunk = [0_u8; 8 << 10];
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(1));
    let mut left = size;
    while left > 0 {
        let part = left.min(chunk.len());
        // Writing to memory cannot fail; a shorter bomb is still one.
        if encoder.write_all(&chunk[..part]).is_err() {
            break;
        }
        left -= part;
    }
    encoder.finish().unwrap_or_default().into()
}
