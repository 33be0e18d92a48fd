//! Registered redirect addresses: which ones the brokers take, and how an answer is put into their query.

use url::{Host, Url};

use crate::state::State;
use crate::switch::Switch;

/// The longest address that is taken.
const LENGTH: usize = 2000;

/// What is wrong with an address as such; `None` for an absolute http(s) one without a fragment.
pub(crate) fn problem(address: &str) -> Option<&'static str> {
    parse(address).is_none().then_some(
        "must be an absolute http or https URL of printable ASCII, without user, password or fragment",
    )
}

fn parse(address: &str) -> Option<Url> {
    let url = Url::parse(address).ok()?;
    let sound = address.len() <= LENGTH
        && address.bytes().all(|b| b.is_ascii_graphic())
        && matches!(url.scheme(), "http" | "https")
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none()
        // Nothing that would mean something in a header which names the host.
        && url.host_str().is_some_and(|host| {
            host.bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b))
        });
    sound.then_some(url)
}

/// What Samco has against an address: it takes https, and http on 127.0.0.1.
pub(crate) fn samco_problem(state: &State, address: &str) -> Option<&'static str> {
    let Some(url) = parse(address) else {
        return problem(address);
    };
    let fits = match url.host_str() {
        _ if url.scheme() == "https" => true,
        Some("127.0.0.1") => true,
        Some("localhost") => state.switches.is_on(Switch::OauthLocalhostRedirect),
        _ => false,
    };
    (!fits).then_some("must be https, or http on 127.0.0.1")
}

/// Whether SmartAPI sends a browser to an address: https, and a host with a name that is not this machine's.
pub(crate) fn publisher_accepts(address: &str) -> bool {
    parse(address).is_some_and(|url| {
        let named = match url.host() {
            Some(Host::Domain(name)) => {
                let name = name.trim_end_matches('.');
                name != "localhost" && !name.ends_with(".localhost")
            }
            _ => false,
        };
        url.scheme() == "https" && named
    })
}

/// Scheme, host and port, for a content security policy; `None` when the address is none that is taken.
pub(crate) fn origin(address: &str) -> Option<String> {
    parse(address).map(|url| url.origin().ascii_serialization())
}

/// The address with these parameters added to its query.
pub(crate) fn with_query(address: &str, parameters: &[(&str, &str)]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(parameters);
    let joint = if address.contains('?') { '&' } else { '?' };
    format!("{address}{joint}{}", query.finish())
}

#[cfg(test)]
mod tests {
    use super::{origin, problem, publisher_accepts, with_query};

    #[test]
    fn addresses_are_judged() {
        for good in [
            "https://a.example/cb",
            "http://127.0.0.1:8765/callback",
            "https://a.example:8443/?x=1",
        ] {
            assert_eq!(problem(good), None, "{good}");
        }
        for bad in [
            "",
            "/cb",
            "javascript:alert(1)",
            "https://a.example/#x",
            "https://u:p@a.example/",
            "https://a.example/\r\nX: 1",
            "my-app://cb",
            "https://a.example/ b",
            "https://a;b.example/",
        ] {
            assert!(problem(bad).is_some(), "{bad}");
            assert_eq!(origin(bad), None);
        }
    }

    #[test]
    fn a_publisher_needs_a_name_and_https() {
        assert!(publisher_accepts("https://strategy.example/callback"));
        for bad in [
            "http://strategy.example/callback",
            "https://localhost/callback",
            "https://app.localhost/callback",
            "https://localhost./callback",
            "https://127.0.0.1/callback",
            "https://203.0.113.10/callback",
            "https://[2001:db8::1]/callback",
            "undefined",
        ] {
            assert!(!publisher_accepts(bad), "{bad}");
        }
    }

    #[test]
    fn answers_go_into_the_query() {
        assert_eq!(
            with_query("https://a.example/cb", &[("code", "x y"), ("state", "&=")]),
            "https://a.example/cb?code=x+y&state=%26%3D"
        );
        assert_eq!(
            with_query("https://a.example/?k=1", &[("s", "")]),
            "https://a.example/?k=1&s="
        );
    }
}
