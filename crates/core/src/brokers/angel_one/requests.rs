//! SmartAPI's requests: the login body and the common headers. What each call does is in the catalogue.

use std::net::IpAddr;

use super::catalogue::ENTRIES;
use crate::broker::Tokens;
use crate::catalogue;
use crate::error::{Error, Result};
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

pub(super) fn login(
    api_key: &Secret,
    about: &About,
    client_code: &str,
    pin: &Secret,
    code: Option<OneTimeCode>,
    state: Option<&str>,
) -> Request {
    let code = code.map_or_else(|| Secret::new(""), OneTimeCode::spend);
    let mut fields = vec![
        ("clientcode", client_code),
        ("password", pin.expose()),
        ("totp", code.expose()),
    ];
    fields.extend(state.map(|state| ("state", state)));
    Request::new(endpoint(Method::Post, LOGIN))
        .headers(common_headers(api_key, about))
        .json_texts(&fields)
}

/// Renews within the day (documented; staff say that the next day needs a login). The documents' sample sends the
/// current bearer too.
pub(super) fn refresh(api_key: &Secret, about: &About, tokens: &Tokens) -> Option<Request> {
    let token = tokens.get("refresh")?;
    let request = Request::new(endpoint(Method::Post, REFRESH)).headers(headers(api_key, about, tokens));
    Some(request.json_texts(&[("refreshToken", token.expose())]))
}

/// The common headers and the bearer. A `Bearer ` that is already there is dropped: doubled, it is a well
/// known cause of AG8001 (inferred from the official SDK's code).
pub(super) fn headers(api_key: &Secret, about: &About, tokens: &Tokens) -> Vec<(String, Secret)> {
    let mut headers = common_headers(api_key, about);
    headers.push(("Authorization".to_owned(), bearer(tokens)));
    headers
}

fn bearer(tokens: &Tokens) -> Secret {
    let access = tokens.access();
    Secret::format(format_args!("Bearer {}", without_bearer(access.expose())))
}

/// The market stream, by its path (documented).
pub(super) const MARKET_STREAM: &str = "smart-stream";
/// The stream of order updates, by its path (documented).
pub(super) const ORDER_STREAM: &str = "smart-order-update";

/// The handshake's headers. The market stream wants four (documented), of which `Authorization` is the bare token: the
/// documents name no scheme, and SDKs send it with and without one (sdk code). Order updates want a bearer (documented).
pub(super) fn stream_headers(
    stream: &str,
    api_key: &Secret,
    client_code: &str,
    tokens: &Tokens,
) -> Option<Vec<(String, Secret)>> {
    let named = |headers: Vec<(&str, Secret)>| {
        let owned = headers.into_iter();
        owned.map(|(name, value)| (name.to_owned(), value)).collect()
    };
    if stream == ORDER_STREAM {
        return Some(named(vec![("Authorization", bearer(tokens))]));
    }
    let access = Secret::new(without_bearer(tokens.access().expose()));
    Some(named(vec![
        ("Authorization", access),
        ("x-api-key", api_key.clone()),
        ("x-client-code", Secret::new(client_code)),
        ("x-feed-token", tokens.get("feed")?.clone()),
    ]))
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

/// What the `X-` headers say of the program and its machine. All five are documented as required; the broker does not
/// look at addresses (observed), so that the defaults say no more than is true of any host, and nothing is looked up.
#[derive(Clone, Debug)]
pub(super) struct About {
    pub(super) user_type: String,
    pub(super) source_id: String,
    pub(super) local_ip: String,
    pub(super) public_ip: String,
    pub(super) mac_address: String,
}

impl Default for About {
    fn default() -> Self {
        Self {
            user_type: "USER".to_owned(),
            source_id: "WEB".to_owned(),
            local_ip: "127.0.0.1".to_owned(),
            public_ip: "127.0.0.1".to_owned(),
            mac_address: "00:00:00:00:00:00".to_owned(),
        }
    }
}

impl About {
    /// Takes in the variables that are set.
    pub(super) fn learn(&mut self, set: impl Fn(&str) -> Option<String>) {
        for (name, field) in [
            ("ANGELONE_LOCAL_IP", &mut self.local_ip),
            ("ANGELONE_PUBLIC_IP", &mut self.public_ip),
            ("ANGELONE_MAC_ADDRESS", &mut self.mac_address),
        ] {
            if let Some(value) = set(name) {
                value.trim().clone_into(field);
            }
        }
    }

    /// Errors: `InvalidInput` with the field.
    pub(super) fn validate(&self) -> Result<()> {
        for (field, address) in [("local_ip", &self.local_ip), ("public_ip", &self.public_ip)] {
            if address.parse::<IpAddr>().is_err() {
                return Err(Error::invalid_input(
                    field,
                    "is not an IP address, for example 192.168.1.20",
                ));
            }
        }
        let separator = self
            .mac_address
            .chars()
            .find(|c| matches!(c, ':' | '-'))
            .unwrap_or(':');
        let octets: Vec<_> = self.mac_address.split(separator).collect();
        let octet = |text: &&str| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if octets.len() != 6 || !octets.iter().all(octet) {
            let problem = "is not a MAC address, for example 02:00:5e:10:00:01";
            return Err(Error::invalid_input("mac_address", problem));
        }
        for (field, name) in [("user_type", &self.user_type), ("source_id", &self.source_id)] {
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
            if name.is_empty() || name.len() > 32 || !name.chars().all(plain) {
                return Err(Error::invalid_input(
                    field,
                    "must be 1 to 32 letters, digits, _ or -",
                ));
            }
        }
        Ok(())
    }
}

fn common_headers(api_key: &Secret, about: &About) -> Vec<(String, Secret)> {
    let open = [
        ("Content-Type", "application/json"),
        ("Accept", "application/json"),
        ("X-UserType", &about.user_type),
        ("X-SourceID", &about.source_id),
        ("X-ClientLocalIP", &about.local_ip),
        ("X-ClientPublicIP", &about.public_ip),
        ("X-MACAddress", &about.mac_address),
    ];
    let mut headers: Vec<(String, Secret)> = open
        .into_iter()
        .map(|(name, value)| (name.to_owned(), Secret::new(value)))
        .collect();
    headers.push(("X-PrivateKey".to_owned(), api_key.clone()));
    headers
}

#[cfg(test)]
mod tests {
    use super::{
        About, MARKET_STREAM, ORDER_STREAM, common_headers, endpoint, stream_headers, without_bearer,
    };
    use crate::broker::Tokens;
    use crate::secret::Secret;
    use crate::wire::{CallClass, Method};

    fn shown(headers: &[(String, Secret)]) -> Vec<(&str, &str)> {
        let shown = headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.expose()));
        shown
            .filter(|(name, _)| !matches!(*name, "Content-Type" | "Accept"))
            .collect()
    }

    type Edit = fn(&mut About, &str);

    #[test]
    fn what_the_headers_say_of_a_machine_is_the_caller_s_or_true_of_any() {
        let key = Secret::new("key");
        let about = About::default();
        about.validate().unwrap();
        assert_eq!(
            shown(&common_headers(&key, &about)),
            [
                ("X-UserType", "USER"),
                ("X-SourceID", "WEB"),
                ("X-ClientLocalIP", "127.0.0.1"),
                ("X-ClientPublicIP", "127.0.0.1"),
                ("X-MACAddress", "00:00:00:00:00:00"),
                ("X-PrivateKey", "key"),
            ]
        );
        let cases: [(&str, Edit, &[&str], &[&str]); 5] = [
            (
                "local_ip",
                |a, v| v.clone_into(&mut a.local_ip),
                &["192.168.1.7", "fe80::1"],
                &["", "host", "1.2.3"],
            ),
            (
                "public_ip",
                |a, v| v.clone_into(&mut a.public_ip),
                &["203.0.113.9"],
                &["1.2.3.4:80", "a\r\nb"],
            ),
            (
                "mac_address",
                |a, v| v.clone_into(&mut a.mac_address),
                &["02:00:5e:10:00:01", "02-00-5E-10-00-01"],
                &[
                    "",
                    "02:00:5e:10:00",
                    "02:00:5e:10:00:0g",
                    "02005e100001",
                    "02:00:5e:10-00:01",
                ],
            ),
            (
                "user_type",
                |a, v| v.clone_into(&mut a.user_type),
                &["USER"],
                &["", "U SER", "u\n"],
            ),
            (
                "source_id",
                |a, v| v.clone_into(&mut a.source_id),
                &["WEB"],
                &["", "W\u{fc}B"],
            ),
        ];
        for (field, edit, good, bad) in cases {
            for (value, ok) in good
                .iter()
                .map(|v| (v, true))
                .chain(bad.iter().map(|v| (v, false)))
            {
                let mut about = About::default();
                edit(&mut about, value);
                let refused = about
                    .validate()
                    .err()
                    .and_then(|error| error.field().map(str::to_owned));
                assert_eq!(refused.as_deref(), (!ok).then_some(field), "{field} {value:?}");
            }
        }
    }

    #[test]
    fn each_stream_has_its_own_headers_and_no_doubled_scheme() {
        let key = Secret::new("key");
        let tokens = Tokens::new("Bearer jwt").with("feed", Some(Secret::new("feed")));
        let market = stream_headers(MARKET_STREAM, &key, "C1", &tokens).unwrap();
        assert_eq!(
            shown(&market),
            [
                ("Authorization", "jwt"),
                ("x-api-key", "key"),
                ("x-client-code", "C1"),
                ("x-feed-token", "feed")
            ]
        );
        let orders = stream_headers(ORDER_STREAM, &key, "C1", &tokens).unwrap();
        assert_eq!(shown(&orders), [("Authorization", "Bearer jwt")]);
        let bare = Tokens::new("jwt");
        assert!(
            stream_headers(MARKET_STREAM, &key, "C1", &bare).is_none(),
            "without a feed token"
        );
        assert!(stream_headers(ORDER_STREAM, &key, "C1", &bare).is_some());
    }

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
