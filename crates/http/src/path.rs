//! How requests leave this host by a transport's settings, told in the core's words. It decides nothing: see `client`.

use hyper_util::client::proxy::matcher::Matcher;
use preopen_core::static_ip::{Family, NetworkPath, Proxy};
use preopen_core::target::{Environment, Target};

use crate::options::{HttpOptions, IpVersion};

/// The path of requests to `target`. The system's settings are read as the client reads them.
pub(crate) fn path(options: &HttpOptions, target: &Target) -> NetworkPath {
    let mut path = NetworkPath::new(match (options.source_ip.or(target.ip()), options.ip_version) {
        (Some(address), _) if address.is_ipv4() => Family::V4,
        (Some(_), _) | (None, IpVersion::V6) => Family::V6,
        (None, IpVersion::V4) => Family::V4,
        (None, IpVersion::Any) => Family::Any,
    });
    path.source_ip = options.source_ip;
    path.proxy = match &options.proxy {
        Some(proxy) => Some(Proxy::new(false, authority(proxy.expose()))),
        None if target.environment() == Environment::Sandbox => None,
        None => system_proxy(&Matcher::from_system(), target.base_url()),
    };
    path
}

fn system_proxy(settings: &Matcher, url: &str) -> Option<Proxy> {
    let found = settings.intercept(&url.parse().ok()?)?;
    Some(Proxy::new(true, authority(&found.uri().to_string())))
}

/// Host and port of a proxy's URL, without the user and password that it may have.
fn authority(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let bare = authority.rsplit_once('@').map_or(authority, |(_, bare)| bare);
    bare.to_owned()
}

#[cfg(test)]
mod tests {
    use super::{authority, path, system_proxy};
    use crate::options::{HttpOptions, IpVersion};
    use hyper_util::client::proxy::matcher::Matcher;
    use preopen_core::broker::Adapter as _;
    use preopen_core::brokers::Samco;
    use preopen_core::static_ip::{Family, Proxy};
    use preopen_core::target::Target;

    fn target(url: Option<&str>) -> Target {
        Target::resolve(Samco::new("k", "s").policy(), url, &[]).unwrap()
    }

    #[test]
    fn the_family_is_that_of_the_source_address_the_target_or_the_setting() {
        let of = |source: Option<&str>, version, url| {
            let options = HttpOptions {
                source_ip: source.map(|address| address.parse().unwrap()),
                ip_version: version,
                ..HttpOptions::default()
            };
            path(&options, &target(url)).family
        };
        let named = Some("http://localhost:1");
        assert_eq!(of(None, IpVersion::V4, named), Family::V4);
        assert_eq!(of(None, IpVersion::V6, named), Family::V6);
        assert_eq!(of(None, IpVersion::Any, named), Family::Any);
        assert_eq!(of(None, IpVersion::V6, Some("http://127.0.0.1:1")), Family::V4);
        assert_eq!(of(None, IpVersion::V4, Some("http://[::1]:1")), Family::V6);
        assert_eq!(of(Some("10.0.0.5"), IpVersion::Any, named), Family::V4);
        assert_eq!(of(Some("2001:db8::5"), IpVersion::V4, named), Family::V6);
    }

    #[test]
    fn a_proxy_is_named_without_its_password() {
        let options = HttpOptions {
            proxy: Some("http://me:CANARY@10.0.0.1:3128/".into()),
            ..HttpOptions::default()
        };
        let told = path(&options, &target(None));
        assert_eq!(told.proxy, Some(Proxy::new(false, "10.0.0.1:3128")));
        assert_eq!(
            authority("http://me:p@ss@[2001:db8::1]:3128?x"),
            "[2001:db8::1]:3128"
        );
        assert_eq!(
            path(&HttpOptions::default(), &target(Some("http://127.0.0.1:1"))).proxy,
            None
        );
    }

    #[test]
    fn the_system_s_proxy_is_the_one_that_the_client_takes() {
        let settings = Matcher::builder()
            .https("http://me:CANARY@10.0.0.1:3128")
            .no("example.com,.samco.in")
            .build();
        let found = |url| system_proxy(&settings, url).map(|proxy| proxy.authority);
        assert_eq!(found("https://tradeapi.samco.in"), None);
        assert_eq!(
            found("https://apiconnect.angelone.in").as_deref(),
            Some("10.0.0.1:3128")
        );
        assert_eq!(
            found("http://apiconnect.angelone.in"),
            None,
            "there is none for plain http"
        );
    }
}
