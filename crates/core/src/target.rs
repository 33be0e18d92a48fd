//! Where requests go: the base URL, checked so that credentials cannot be sent to another host or in clear,
//! and the environment that follows from it.

use std::fmt;
use std::net::IpAddr;

use url::{Host, Position, Url};

use crate::broker::Policy;
use crate::error::{Error, Result};
use crate::wire::Request;

/// What kind of broker a session talks to.
///
/// ```
/// assert_eq!(preopen_core::target::Environment::Sandbox.as_str(), "sandbox");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Environment {
    /// The broker's own hosts, over https.
    Live,
    /// A loopback address: the embedded broker. Plain http is allowed.
    Sandbox,
    /// A host that the user allowed by name, over https.
    Custom,
}

impl Environment {
    /// The stable text of this value, the same in every language.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Sandbox => "sandbox",
            Self::Custom => "custom",
        }
    }
}

/// A checked base URL.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    base: Url,
    environment: Environment,
}

impl Target {
    /// Checks `base_url`, or takes the broker's own.
    ///
    /// A loopback host makes a sandbox session. Any other host must be https and either the broker's or in
    /// `allowed_hosts`. Errors: `InvalidInput` (`base_url`).
    pub fn resolve(policy: &Policy, base_url: Option<&str>, allowed_hosts: &[String]) -> Result<Self> {
        let bad = |problem: &str| Error::invalid_input("base_url", problem);
        let text = base_url.unwrap_or(policy.base_url).trim();
        let mut base = Url::parse(text).map_err(|error| {
            bad(&format!(
                "is not a URL ({error}); give for example {}",
                policy.base_url
            ))
        })?;
        if !matches!(base.scheme(), "http" | "https") {
            return Err(bad("must begin with https://"));
        }
        if !base.username().is_empty() || base.password().is_some() {
            return Err(bad("must not hold a user name or password"));
        }
        if base.query().is_some() || base.fragment().is_some() {
            return Err(bad("must not hold a query or fragment"));
        }
        let path = base.path().trim_end_matches('/').to_owned();
        base.set_path(&path);
        let host = base.host_str().unwrap_or_default().to_owned();
        let named = |known: &str| known.trim().eq_ignore_ascii_case(&host);
        let environment = if is_loopback(&base) {
            Environment::Sandbox
        } else if policy.hosts.iter().any(|known| named(known)) {
            Environment::Live
        } else if allowed_hosts.iter().any(|known| named(known)) {
            Environment::Custom
        } else {
            return Err(bad(&format!(
                "names {host}, which is not a host of {}: add it to allowed_hosts if you mean to send credentials there",
                policy.broker
            )));
        };
        if environment != Environment::Sandbox && base.scheme() != "https" {
            return Err(bad(
                "must be https: credentials are never sent in clear, except to a loopback sandbox",
            ));
        }
        Ok(Self { base, environment })
    }

    /// What kind of broker this is.
    pub fn environment(&self) -> Environment {
        self.environment
    }

    /// The base URL without a trailing slash.
    pub fn base_url(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// Host and, if it is named, port.
    pub fn authority(&self) -> &str {
        self.base.authority()
    }

    /// The host as an address, when it is one.
    pub fn ip(&self) -> Option<IpAddr> {
        match self.base.host()? {
            Host::Ipv4(ip) => Some(ip.into()),
            Host::Ipv6(ip) => Some(ip.into()),
            Host::Domain(_) => None,
        }
    }

    /// The full URL of a request, query encoded.
    pub fn url(&self, request: &Request) -> Result<Url> {
        let mut url = self.base.clone();
        match self.base.path().trim_end_matches('/') {
            "" => url.set_path(&request.endpoint.path),
            base => url.set_path(&format!("{base}{}", request.endpoint.path)),
        }
        if !request.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&request.query);
        }
        // Scheme, host and port.
        if url[..Position::BeforePath] == self.base[..Position::BeforePath] {
            Ok(url)
        } else {
            Err(Error::invalid_input("path", "names another host"))
        }
    }
}

impl Target {
    /// Path and query of a full URL, relative to the base. It must name the same scheme, host and port, and a path below the
    /// base's: whatever is sent there gets a token along. Errors: `InvalidInput` (`url`).
    pub fn relative(&self, url: &str) -> Result<(String, Vec<(String, String)>)> {
        let bad = |problem: &str| Err(Error::invalid_input("url", problem));
        // Parsers differ over these, and the one that sends it must mean the same host.
        if url.contains(|c: char| c == '\\' || c.is_control() || c.is_whitespace()) {
            return bad("must not hold spaces, backslashes or control characters");
        }
        // Clients resolve these in their own ways, and some not at all.
        let path = url.split(['?', '#']).next().unwrap_or_default();
        let dotted = |part: &str| matches!(part, "." | "..") || part.to_ascii_lowercase().contains("%2e");
        let dotted = path.split('/').any(dotted);
        let as_written = self.is_written_in(url);
        let Ok(url) = Url::parse(url) else {
            return bad(&format!(
                "is not a full URL: it must begin with {}",
                self.base_url()
            ));
        };
        if url.origin() != self.base.origin() || !url.username().is_empty() || url.password().is_some() {
            let host = url.host_str().unwrap_or_default();
            return bad(&format!(
                "goes to {}://{host}, but this session is for {}: the token is sent nowhere else; use another client for \
                 other hosts, or give the session this one as base_url",
                url.scheme(),
                self.base_url()
            ));
        }
        if !as_written {
            return bad(&format!(
                "must write the host as {}: other ways to write it are not the same host for every client",
                self.authority()
            ));
        }
        if dotted {
            return bad("must not hold `.` or `..` segments");
        }
        let base = self.base.path().trim_end_matches('/');
        match url.path().strip_prefix(base) {
            Some(path) if path.starts_with('/') => {
                let query = url.query_pairs().into_owned().collect();
                Ok((path.to_owned(), query))
            }
            _ => bad(&format!("is not below {}", self.base_url())),
        }
    }

    /// Whether scheme and host stand in a URL as text. An encoded host, one with a dot at its end, or another form of an
    /// address is decoded by one parser and looked up as it is by another.
    fn is_written_in(&self, url: &str) -> bool {
        let Some((scheme, rest)) = url.split_once("://") else {
            return false;
        };
        let given = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let own = self.authority();
        let with_port = match (self.base.port(), self.base.port_or_known_default()) {
            (None, Some(port)) => format!("{own}:{port}"),
            _ => own.to_owned(),
        };
        scheme.eq_ignore_ascii_case(self.base.scheme())
            && (given.eq_ignore_ascii_case(own) || given.eq_ignore_ascii_case(&with_port))
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({}, {})", self.environment.as_str(), self.base_url())
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{Environment, Target};
    use crate::broker::Adapter as _;
    use crate::brokers::{AngelOne, Samco};
    use crate::wire::{CallClass, Endpoint, Method, Request};

    fn resolve(url: Option<&str>, allowed: &[&str]) -> crate::Result<Target> {
        let allowed: Vec<String> = allowed.iter().map(|&host| host.to_owned()).collect();
        Target::resolve(Samco::new("k", "s").policy(), url, &allowed)
    }

    #[test]
    fn x3_credentials_stay_on_known_hosts_and_off_plain_http() {
        assert_eq!(resolve(None, &[]).unwrap().environment(), Environment::Live);
        for ok in [
            "http://127.0.0.1:8800",
            "http://localhost:1",
            "http://[::1]:9/",
            "https://127.0.0.1:4",
        ] {
            assert_eq!(
                resolve(Some(ok), &[]).unwrap().environment(),
                Environment::Sandbox,
                "{ok}"
            );
        }
        assert_eq!(
            resolve(Some("https://proxy.example/x/"), &["Proxy.Example"])
                .unwrap()
                .environment(),
            Environment::Custom
        );
        for bad in [
            "http://tradeapi.samco.in",
            "https://evil.example",
            "https://tradeapi.samco.in.evil.example",
            "https://user:pw@tradeapi.samco.in",
            "https://tradeapi.samco.in/?a=b",
            "ftp://127.0.0.1",
            "127.0.0.1:80",
            "http://127.0.0.1.evil.example",
            "",
        ] {
            assert_eq!(
                resolve(Some(bad), &[]).unwrap_err().field(),
                Some("base_url"),
                "{bad}"
            );
        }
    }

    #[test]
    fn x3_each_broker_has_its_own_hosts_and_each_world_its_own_scheme() {
        let samco = Samco::new("k", "s");
        let angel_one = AngelOne::new("k", "C", "0000", "JBSWY3DPEHPK3PXPJBSWY3DPEH");
        let policies = [samco.policy(), angel_one.policy()];
        for (own, other) in [(0, 1), (1, 0)] {
            let (own, other) = (policies[own], policies[other]);
            for host in own.hosts {
                let url = |scheme: &str| format!("{scheme}://{host}");
                let live = Target::resolve(own, Some(&url("https")), &[]).unwrap();
                assert_eq!(live.environment(), Environment::Live, "{host}");
                // No list makes it the other broker's live host, and none makes plain http of it.
                assert!(
                    Target::resolve(other, Some(&url("https")), &[]).is_err(),
                    "{host}"
                );
                let named = [(*host).to_owned()];
                let custom = Target::resolve(other, Some(&url("https")), &named).unwrap();
                assert_eq!(custom.environment(), Environment::Custom, "{host}");
                for policy in [own, other] {
                    assert!(
                        Target::resolve(policy, Some(&url("http")), &named).is_err(),
                        "{host}"
                    );
                }
            }
        }
    }

    #[test]
    fn x3_a_foreign_url_must_be_below_the_base() {
        let target = resolve(Some("http://127.0.0.1:8800/base/"), &[]).unwrap();
        let query = vec![("a b".to_owned(), "c&d".to_owned())];
        assert_eq!(
            target
                .relative("http://127.0.0.1:8800/base/quote/getQuote?a+b=c%26d#x")
                .unwrap(),
            ("/quote/getQuote".to_owned(), query)
        );
        for bad in [
            "http://127.0.0.1:8800/other",
            "http://127.0.0.1:8800/base",
            "http://127.0.0.1:8800/basement/x",
            "http://127.0.0.1:8800/base/../x",
            "http://127.0.0.1:8800/base/y/../x",
            "http://127.0.0.1:8800/base/order/%2E%2e/x",
            "https://127.0.0.1:8800/base/x",
            "http://127.0.0.1:8801/base/x",
            "http://127.0.0.1/base/x",
            "http://localhost:8800/base/x",
            "http://127.0.0.1:8800@evil.example/base/x",
            "http://evil@127.0.0.1:8800/base/x",
            "http://127.0.0.1:8800\\@evil.example/base/x",
            "http://127.0.0.1:8800/base/x\n",
            "http://%3127.0.0.1:8800/base/x",
            "http://127.0.0.1.:8800/base/x",
            "http://127.1:8800/base/x",
            "http://0x7f.1:8800/base/x",
            "http://2130706433:8800/base/x",
            "http://\u{ff11}27.0.0.1:8800/base/x",
            "http:127.0.0.1:8800/base/x",
            "http:///127.0.0.1:8800/base/x",
            "http:127.0.0.1:8800/base/x://127.0.0.1:8800/base/x",
            "/quote/getQuote",
            "",
        ] {
            assert_eq!(target.relative(bad).unwrap_err().field(), Some("url"), "{bad:?}");
        }
        let live = resolve(None, &[]).unwrap();
        assert!(live.relative("https://TRADEAPI.samco.in:443/x").is_ok());
        assert!(live.relative("HTTPS://tradeapi.samco.in/?x").is_ok());
        assert!(live.relative("https://tradeapi.samco.in./x").is_err());
        assert!(live.relative("https://tradeapi%2Esamco.in/x").is_err());
        assert!(live.relative("http://tradeapi.samco.in/x").is_err());
        assert!(live.relative("https://tradeapi.samco.in.evil.example/x").is_err());
    }

    #[test]
    fn urls_keep_the_base_and_encode_the_query() {
        let target = resolve(Some("http://127.0.0.1:8800/base/"), &[]).unwrap();
        let mut request = Request::new(Endpoint::new(Method::Get, "/quote/getQuote", CallClass::Read));
        request.query = vec![("symbolName".into(), "M&M = x".into())];
        assert_eq!(
            target.url(&request).unwrap().as_str(),
            "http://127.0.0.1:8800/base/quote/getQuote?symbolName=M%26M+%3D+x"
        );
        assert_eq!(target.authority(), "127.0.0.1:8800");
        let named = resolve(Some("https://TradeAPI.samco.in:443/"), &[]).unwrap();
        assert_eq!(named.authority(), "tradeapi.samco.in");
    }
}
