//! What a request is addressed to: its path and host, and the targets that no server of origin has.

use http::request::Parts;
use http::{HeaderValue, Method, StatusCode, Uri, Version, header};

/// What is wrong with where a request goes, if anything is.
pub(super) fn problem(head: &Parts) -> Option<(StatusCode, &'static str)> {
    if head.method == Method::CONNECT {
        return Some((
            StatusCode::METHOD_NOT_ALLOWED,
            "this is no proxy: CONNECT is not served\n",
        ));
    }
    if !head.uri.path().starts_with('/') {
        return Some((
            StatusCode::BAD_REQUEST,
            "the request must name a path that begins with /\n",
        ));
    }
    if head.version == Version::HTTP_11 {
        let mut hosts = head.headers.get_all(header::HOST).iter();
        if hosts.next().is_none() || hosts.next().is_some() {
            return Some((
                StatusCode::BAD_REQUEST,
                "the request must have one Host header, not none and not several\n",
            ));
        }
    }
    None
}

/// The authority of an absolute address counts, whatever the header says (RFC 9112, 3.2.2).
pub(super) fn settle_host(head: &mut Parts) {
    if let Some(authority) = head.uri.authority()
        && let Ok(host) = HeaderValue::from_str(authority.as_str())
    {
        head.headers.insert(header::HOST, host);
    }
}

/// The path without slashes at its end.
pub(super) fn path(uri: &Uri) -> &str {
    match uri.path().trim_end_matches('/') {
        "" => "/",
        path => path,
    }
}
