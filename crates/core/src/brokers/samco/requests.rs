//! Samco's requests: the login body and the session header. What each call does is in the catalogue.

use std::sync::LazyLock;

use super::catalogue::ENTRIES;
use crate::broker::Tokens;
use crate::catalogue;
use crate::secret::Secret;
use crate::wire::{CallClass, Endpoint, Method, Request, same_path};

pub(super) const LOGIN: &str = "/session/token";
pub(super) const WHOAMI: &str = "/ip/whoami";
pub(super) const LOGIN_CODE: &str = "/webSecretCode";
pub(super) const LOGOUT: &str = "/logout";

pub(super) fn endpoint(method: Method, path: &str) -> Endpoint {
    catalogue::endpoint(ENTRIES, method, path)
}

/// Whether the session makes this call itself. Samco has other calls that open or end sessions; those are their
/// callers' own.
pub(super) fn is_own(endpoint: &Endpoint) -> bool {
    match endpoint.class {
        CallClass::Login => same_path(&endpoint.path, LOGIN),
        CallClass::Logout => same_path(&endpoint.path, LOGOUT),
        _ => false,
    }
}

pub(super) fn login(api_key: &Secret, api_secret: &Secret) -> Request {
    Request::new(endpoint(Method::Post, LOGIN))
        .headers(content_headers())
        .json_texts(&[("apiKey", api_key.expose()), ("apiSecret", api_secret.expose())])
}

/// The session header is `x-session-token` (documented, and in every official SDK); there is no bearer.
pub(super) fn headers(tokens: &Tokens) -> Vec<(String, Secret)> {
    let mut headers = content_headers();
    headers.push(session_header(tokens));
    headers
}

/// The one WebSocket, `wss://stream.samco.in` (documented).
pub(super) const STREAM: &str = "stream";

pub(super) fn session_header(tokens: &Tokens) -> (String, Secret) {
    ("x-session-token".to_owned(), tokens.access().clone())
}

pub(super) fn content_headers() -> Vec<(String, Secret)> {
    static JSON: LazyLock<Secret> = LazyLock::new(|| Secret::new("application/json"));
    // With room for the session's.
    let mut headers = Vec::with_capacity(3);
    headers.extend(["Content-Type", "Accept"].map(|name| (name.to_owned(), JSON.clone())));
    headers
}

#[cfg(test)]
mod tests {
    use super::endpoint;
    use crate::wire::{CallClass, Method};

    #[test]
    fn an_unknown_post_is_a_write() {
        let class = |method, path| endpoint(method, path).class;
        assert_eq!(class(Method::Post, "/quote/multiQuote"), CallClass::Read);
        assert_eq!(class(Method::Post, "/order/placeOrder"), CallClass::Write);
        assert_eq!(class(Method::Post, "/not/known"), CallClass::Write);
        assert_eq!(class(Method::Delete, "/order/cancelOrder"), CallClass::Write);
        assert_eq!(class(Method::Get, "/order/orderBook"), CallClass::Read);
    }
}
