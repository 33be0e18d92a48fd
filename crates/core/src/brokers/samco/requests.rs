//! Samco's requests: the login body, the session header, and which calls only read.

use crate::broker::Tokens;
use crate::secret::Secret;
use crate::wire::{CallClass, Endpoint, Method, Request, same_path};

pub(super) const LOGIN: &str = "/session/token";
pub(super) const WHOAMI: &str = "/ip/whoami";
pub(super) const LOGOUT: &str = "/logout";

/// POST calls that only read (documented as look-ups or calculators). Any other POST is a write.
const POST_READS: &[&str] = &[
    "/marketDepth",
    "/contractsAnalyser",
    "/quote/multiQuote",
    "/spanMargin",
    "/basket/spanCalculator",
    "/tradeview/analyticsSummary",
    "/tradeview/analyticsDetails",
    "/tradeview/gainLoss",
];

/// Calls other than the login whose replies hold tokens or codes (documented).
const REVEALING: &[&str] = &[
    "/login",
    "/accessToken/token",
    "/webSecretCode",
    "/webSecretCodeValidation",
    "/oauth/token",
    "/oauth/authenticate",
];

pub(super) fn endpoint(method: Method, path: &str) -> Endpoint {
    let class = match method {
        Method::Post if same_path(path, LOGIN) => CallClass::Login,
        Method::Delete if same_path(path, LOGOUT) => CallClass::Logout,
        Method::Get => CallClass::Read,
        Method::Post if POST_READS.contains(&path) => CallClass::Read,
        _ => CallClass::Write,
    };
    Endpoint::new(method, path, class).sensitive(REVEALING.iter().any(|known| same_path(path, known)))
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

fn content_headers() -> Vec<(String, Secret)> {
    ["Content-Type", "Accept"]
        .map(|name| (name.to_owned(), Secret::new("application/json")))
        .into()
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
