//! The stylesheet, the one script and the icon: files of this crate, served as they are.

use http::{HeaderValue, Method, StatusCode, header};

use super::frame::secured;
use super::{not_allowed, refuse};
use crate::wire::{Reply, Request};

const STYLE: &str = include_str!("../../templates/assets/sandbox.css");
const SCRIPT: &str = include_str!("../../templates/assets/sandbox.js");
const ICON: &str = include_str!("../../templates/assets/sandbox.svg");

/// Answers requests for assets; `None` for all others.
pub(super) fn answer(request: &Request) -> Option<Reply> {
    let (kind, text) = match request.path.as_str() {
        "/assets/sandbox.css" => ("text/css; charset=utf-8", STYLE),
        "/assets/sandbox.js" => ("text/javascript; charset=utf-8", SCRIPT),
        "/assets/sandbox.svg" | "/favicon.ico" => ("image/svg+xml", ICON),
        path if path.starts_with("/assets/") => {
            return Some(refuse(StatusCode::NOT_FOUND, "There is no such file."));
        }
        _ => return None,
    };
    if request.method != Method::GET && request.method != Method::HEAD {
        return Some(not_allowed("GET, HEAD"));
    }
    let reply = Reply::new(StatusCode::OK, HeaderValue::from_static(kind), text);
    // Another build of the sandbox may answer on this port tomorrow: nothing is kept longer than the visit.
    let reply = secured(reply, "'none'");
    Some(reply.with_header(header::CACHE_CONTROL, HeaderValue::from_static("no-cache")))
}
