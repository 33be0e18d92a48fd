//! Which addresses a broker can register: public IPv4, and what is wrong with every other text.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::error::{Error, Result};

/// Why an address cannot be registered as a static IP.
///
/// ```
/// use preopen_core::static_ip::public_ipv4;
///
/// let why = public_ipv4("10.0.0.1").unwrap_err();
/// println!("{}", why.as_str());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NotPublic {
    /// No IPv4 address in the usual form of four numbers.
    NotAnAddress,
    /// An IPv6 address: Samco registers IPv4 alone (documented), and nobody has seen SmartAPI take another (inferred).
    Ipv6,
    /// An IPv4 address in IPv6 form, `::ffff:1.2.3.4`.
    Mapped,
    /// `0.0.0.0/8`.
    ThisNetwork,
    /// `10.0.0.0/8`, `172.16.0.0/12`, `192.168.0.0/16`.
    Private,
    /// `100.64.0.0/10`: shared by many customers of a provider.
    CarrierNat,
    /// `127.0.0.0/8`.
    Loopback,
    /// `169.254.0.0/16`.
    LinkLocal,
    /// `192.0.0.0/24` and the old relay range `192.88.99.0/24`.
    SpecialPurpose,
    /// `192.0.2.0/24`, `198.51.100.0/24`, `203.0.113.0/24`.
    Documentation,
    /// `198.18.0.0/15`.
    Benchmarking,
    /// `224.0.0.0/4`.
    Multicast,
    /// `240.0.0.0/4`.
    Reserved,
    /// `255.255.255.255`.
    Broadcast,
}

impl NotPublic {
    /// Every reason.
    pub const ALL: &'static [Self] = &[
        Self::NotAnAddress,
        Self::Ipv6,
        Self::Mapped,
        Self::ThisNetwork,
        Self::Private,
        Self::CarrierNat,
        Self::Loopback,
        Self::LinkLocal,
        Self::SpecialPurpose,
        Self::Documentation,
        Self::Benchmarking,
        Self::Multicast,
        Self::Reserved,
        Self::Broadcast,
    ];

    /// What is wrong and what to give instead; completes the sentence that begins with the field's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotAnAddress => "is not an IPv4 address: give four numbers, for example 1.2.3.4",
            Self::Ipv6 => {
                "is an IPv6 address: brokers register IPv4 alone, so give the address that this host has for IPv4"
            }
            Self::Mapped => "is an IPv4 address in IPv6 form: give the four numbers at its end",
            Self::ThisNetwork => "is in 0.0.0.0/8, which names no host",
            Self::Private => {
                "is a private address: the broker sees the public one of the router or gateway before this host"
            }
            Self::CarrierNat => {
                "is a carrier's shared address (100.64.0.0/10): ask the provider for a static public one"
            }
            Self::Loopback => "is a loopback address, which is seen on its own machine only",
            Self::LinkLocal => "is a link-local address, which is seen in its own network only",
            Self::SpecialPurpose => "is in a range that is set aside for protocols",
            Self::Documentation => "is an address for documentation, which no host has",
            Self::Benchmarking => "is an address for benchmarks, which no host has on the internet",
            Self::Multicast => "is a multicast address, which no host sends from",
            Self::Reserved => "is in a range that is reserved (240.0.0.0/4)",
            Self::Broadcast => "is the broadcast address, which no host has",
        }
    }
}

/// Reads a public IPv4 address, the only kind that a broker registers (Samco: documented).
///
/// ```
/// use preopen_core::static_ip::{NotPublic, public_ipv4};
/// assert!(public_ipv4("1.1.1.1").is_ok());
/// assert_eq!(public_ipv4("10.0.0.7"), Err(NotPublic::Private));
/// assert_eq!(public_ipv4("2606:4700::1111"), Err(NotPublic::Ipv6));
/// ```
pub fn public_ipv4(text: &str) -> std::result::Result<Ipv4Addr, NotPublic> {
    match text.trim().parse() {
        Ok(IpAddr::V4(address)) => not_public(address).map_or(Ok(address), Err),
        Ok(IpAddr::V6(address)) if address.to_ipv4_mapped().is_some() => Err(NotPublic::Mapped),
        Ok(IpAddr::V6(_)) => Err(NotPublic::Ipv6),
        Err(_) => Err(NotPublic::NotAnAddress),
    }
}

/// The same, with an `InvalidInput` that names `field`.
///
/// ```
/// use preopen_core::static_ip::check_public;
///
/// assert!(check_public("primary", " 8.8.8.8 ").is_ok());
/// assert_eq!(check_public("primary", "10.0.0.1").unwrap_err().field(), Some("primary"));
/// ```
pub fn check_public(field: &str, text: &str) -> Result<Ipv4Addr> {
    public_ipv4(text).map_err(|problem| Error::invalid_input(field, problem.as_str()))
}

/// Whether a text is an IPv6 address, mapped IPv4 aside: what a broker tells when a host left by IPv6.
pub fn is_ipv6(text: &str) -> bool {
    text.trim()
        .parse::<Ipv6Addr>()
        .is_ok_and(|address| address.to_ipv4_mapped().is_none())
}

/// Why no host on the internet sends from this address; `None` for a public one.
const fn not_public(address: Ipv4Addr) -> Option<NotPublic> {
    Some(match address.octets() {
        [0, ..] => NotPublic::ThisNetwork,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => NotPublic::Private,
        [100, 64..=127, ..] => NotPublic::CarrierNat,
        [127, ..] => NotPublic::Loopback,
        [169, 254, ..] => NotPublic::LinkLocal,
        [192, 0, 0, _] | [192, 88, 99, _] => NotPublic::SpecialPurpose,
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => NotPublic::Documentation,
        [198, 18..=19, ..] => NotPublic::Benchmarking,
        [224..=239, ..] => NotPublic::Multicast,
        [255, 255, 255, 255] => NotPublic::Broadcast,
        [240..=255, ..] => NotPublic::Reserved,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::{NotPublic, is_ipv6, public_ipv4};

    #[test]
    fn x7_only_public_ipv4_can_be_registered() {
        // Both ends of every range, and the addresses just outside of it.
        let refused = [
            ("0.0.0.0", "0.255.255.255", NotPublic::ThisNetwork),
            ("10.0.0.0", "10.255.255.255", NotPublic::Private),
            ("172.16.0.0", "172.31.255.255", NotPublic::Private),
            ("192.168.0.0", "192.168.255.255", NotPublic::Private),
            ("100.64.0.0", "100.127.255.255", NotPublic::CarrierNat),
            ("127.0.0.0", "127.255.255.255", NotPublic::Loopback),
            ("169.254.0.0", "169.254.255.255", NotPublic::LinkLocal),
            ("192.0.0.0", "192.0.0.255", NotPublic::SpecialPurpose),
            ("192.88.99.0", "192.88.99.255", NotPublic::SpecialPurpose),
            ("192.0.2.0", "192.0.2.255", NotPublic::Documentation),
            ("198.51.100.0", "198.51.100.255", NotPublic::Documentation),
            ("203.0.113.0", "203.0.113.255", NotPublic::Documentation),
            ("198.18.0.0", "198.19.255.255", NotPublic::Benchmarking),
            ("224.0.0.0", "239.255.255.255", NotPublic::Multicast),
            ("240.0.0.0", "255.255.255.254", NotPublic::Reserved),
            ("255.255.255.255", "255.255.255.255", NotPublic::Broadcast),
        ];
        for (first, last, problem) in refused {
            assert_eq!(public_ipv4(first), Err(problem), "{first}");
            assert_eq!(public_ipv4(last), Err(problem), "{last}");
        }
        for public in [
            "1.0.0.0",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "191.255.255.255",
            "192.0.1.0",
            "192.0.3.0",
            "192.88.98.255",
            "192.88.100.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "198.51.99.255",
            "198.51.101.0",
            "203.0.112.255",
            "203.0.114.0",
            "223.255.255.255",
            " 1.1.1.1\n",
        ] {
            let read = public_ipv4(public).map(|address| address.to_string());
            assert_eq!(read.as_deref(), Ok(public.trim()), "{public}");
        }
    }

    #[test]
    fn other_texts_are_told_apart() {
        for (text, problem) in [
            ("", NotPublic::NotAnAddress),
            ("1.1.1", NotPublic::NotAnAddress),
            ("1.1.1.1/32", NotPublic::NotAnAddress),
            ("1.1.1.1:443", NotPublic::NotAnAddress),
            ("01.1.1.1", NotPublic::NotAnAddress),
            ("256.1.1.1", NotPublic::NotAnAddress),
            ("example.com", NotPublic::NotAnAddress),
            ("2606:4700:4700::1111", NotPublic::Ipv6),
            ("::1", NotPublic::Ipv6),
            ("::ffff:1.1.1.1", NotPublic::Mapped),
            ("::ffff:10.0.0.1", NotPublic::Mapped),
        ] {
            assert_eq!(public_ipv4(text), Err(problem), "{text:?}");
        }
        assert!(is_ipv6("2606:4700::1") && !is_ipv6("::ffff:1.1.1.1") && !is_ipv6("1.1.1.1") && !is_ipv6(""));
    }

    #[test]
    fn every_problem_has_its_own_words() {
        let words: std::collections::BTreeSet<_> = NotPublic::ALL.iter().map(|one| one.as_str()).collect();
        assert_eq!(words.len(), NotPublic::ALL.len());
    }
}
