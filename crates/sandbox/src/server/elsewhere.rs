//! Requests that a web page from elsewhere makes somebody's browser send to the brokers' endpoints. Those ask for nothing
//! that such a page could not know: the accounts of a sandbox are made up, and printed in its documents.

use url::{Host, Url};

use crate::pages;
use crate::wire::Request;

/// What is said to it.
pub(super) const REFUSAL: &str = "requests of web pages from elsewhere are refused (Origin, Sec-Fetch-Site)";

/// Whether a page of another machine's sent it. Programs send neither header; the pages that apps send browsers to look
/// after themselves.
pub(super) fn is_from_elsewhere(request: &Request) -> bool {
    if pages::is_brokers(&request.path) {
        return false;
    }
    match request.headers.get("origin") {
        Some(origin) => !origin.to_str().is_ok_and(is_loopback),
        None => request.header("sec-fetch-site") == "cross-site",
    }
}

/// A developer's own pages may call their own sandbox.
fn is_loopback(origin: &str) -> bool {
    let Ok(url) = Url::parse(origin) else {
        return false;
    };
    matches!(url.scheme(), "http" | "https")
        && match url.host() {
            Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(Host::Ipv4(ip)) => ip.is_loopback(),
            Some(Host::Ipv6(ip)) => ip.is_loopback(),
            None => false,
        }
}

#[cfg(test)]
mod tests {
    use super::is_loopback;

    #[test]
    fn only_pages_of_this_machine_are_at_home() {
        for own in [
            "http://localhost:3000",
            "http://127.0.0.1:8765",
            "https://[::1]:8443",
            "http://app.localhost",
            "http://localhost",
        ] {
            assert!(is_loopback(own), "{own}");
        }
        for other in [
            "https://evil.example",
            "http://localhost.evil.example",
            "http://127.0.0.1.evil.example:80",
            "http://localhost@evil.example",
            "http://198.51.100.7",
            "file://localhost",
            "null",
            "",
        ] {
            assert!(!is_loopback(other), "{other}");
        }
    }
}
