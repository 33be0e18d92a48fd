//! SmartAPI's requests: the login body and the common headers. What each call does is in the catalogue.

use super::catalogue::ENTRIES;
use crate::broker::Tokens;
use crate::catalogue;
use crate::secret::Secret;
use crate::totp::OneTimeCode;
use crate::wire::{Endpoint, Method, Request};

pub(super) const LOGIN: &str = "/rest/auth/angelbroking/user/v1/loginByPassword";
pub(super) const REFRESH: &str = "/rest/auth/angelbroking/jwt/v1/generateTokens";
pub(super) const PROFILE: &str = "/rest/secure/angelbroking/user/v1/getProfile";
pub(super) const LOGOUT: &str = "/rest/secure/angelbroking/user/v1/logout";

pub(super) fn endpoint(method: Method, path: &str) -> Endpoint {
    catalogue::endpoint(ENTRIES, method, path)
}

pub(super) fn login(api_key: &Secret, client_code: &str, pin: &Secret, code: Option<OneTimeCode>) -> Request {
    let code = code.map_or_else(|| Secret::new(""), OneTimeCode::spend);
    Request::new(endpoint(Method::Post, LOGIN))
        .headers(common_headers(api_key))
        .json_texts(&[
            ("clientcode", client_code),
            ("password", pin.expose()),
            ("totp", code.expose()),
        ])
}

/// Renews within the day (documented; staff say that the next day needs a login). The documents' sample sends the
/// current bearer too.
pub(super) fn refresh(api_key: &Secret, tokens: &Tokens) -> Option<Request> {
    let token = tokens.get("refresh")?;
    let request = Request::new(endpoint(Method::Post, REFRESH)).headers(headers(api_key, tokens));
    Some(request.json_texts(&[("refreshToken", token.expose())]))
}

/// The common headers and the bearer. A `Bearer ` that is already there is dropped: doubled, it is a well
/// known cause of AG8001 (inferred from the official SDK's code).
pub(super) fn headers(api_key: &Secret, tokens: &Tokens) -> Vec<(String, Secret)> {
    let mut headers = common_headers(api_key);
    let access = tokens.access();
    headers.push((
        "Authorization".to_owned(),
        Secret::format(format_args!("Bearer {}", without_bearer(access.expose()))),
    ));
    headers
}

pub(super) fn without_bearer(token: &str) -> &str {
    let mut token = token.trim();
    while let Some((scheme, rest)) = token.split_once(' ')
        && scheme.eq_ignore_ascii_case("bearer")
    {
        token = rest.trim_start();
    }
    token
}

/// Documented as required. The address and MAC headers are not checked by the broker (observed); their values
/// here say no more than is true of any host, and nothing is looked up.
fn common_headers(api_key: &Secret) -> Vec<(String, Secret)> {
    let fixed = [
        ("Content-Type", "application/json"),
        ("Accept", "application/json"),
        ("X-UserType", "USER"),
        ("X-SourceID", "WEB"),
        ("X-ClientLocalIP", "127.0.0.1"),
        ("X-ClientPublicIP", "127.0.0.1"),
        ("X-MACAddress", "00:00:00:00:00:00"),
    ];
    let mut headers: Vec<(String, Secret)> = fixed
        .into_iter()
        .map(|(name, value)| (name.to_owned(), Secret::new(value)))
        .collect();
    headers.push(("X-PrivateKey".to_owned(), api_key.clone()));
    headers
}

#[cfg(test)]
mod tests {
    use super::{endpoint, without_bearer};
    use crate::wire::{CallClass, Method};

    #[test]
    fn a_bearer_is_never_doubled() {
        for text in ["jwt", "Bearer jwt", "bearer  Bearer jwt", " BEARER jwt "] {
            assert_eq!(without_bearer(text), "jwt", "{text:?}");
        }
    }

    #[test]
    fn an_unknown_post_is_a_write() {
        let class = |path| endpoint(Method::Post, path).class;
        assert_eq!(
            class("/rest/secure/angelbroking/order/v1/getLtpData"),
            CallClass::Read
        );
        assert_eq!(
            class("/rest/secure/angelbroking/order/v1/placeOrder"),
            CallClass::Write
        );
        assert_eq!(
            class("/rest/secure/angelbroking/gtt/v1/createRule"),
            CallClass::Write
        );
    }
}
