//! Which addresses an endpoint may have: those that anybody on the internet may be sent to.
//!
//! The registries of special addresses of IANA (RFC 6890 and what came after it) decide. An IPv6 address that stands for
//! an IPv4 address is what that one is, since a translator on the way would lead there.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What an address is, where it is not one of the internet's; None where it is.
pub(super) const fn special(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => special_v4(address),
        IpAddr::V6(address) => special_v6(address),
    }
}

const fn special_v4(address: Ipv4Addr) -> Option<&'static str> {
    Some(match address.octets() {
        [0, ..] => "unspecified",
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => "private",
        [100, 64..=127, ..] => "shared by customers of a provider",
        [127, ..] => "loopback",
        [169, 254, ..] => "link-local",
        [192, 0, 0, _] => "for protocols",
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => "for documentation",
        [192, 88, 99, _] => "a relay of 6to4",
        [198, 18..=19, ..] => "for benchmarks",
        [224..=239, ..] => "multicast",
        [240..=255, ..] => "reserved",
        _ => return None,
    })
}

/// The IPv4 address in two groups of an IPv6 address.
const fn embedded(high: u16, low: u16) -> Option<&'static str> {
    let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
    special_v4(Ipv4Addr::new(a, b, c, d))
}

const fn special_v6(address: Ipv6Addr) -> Option<&'static str> {
    Some(match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => "unspecified",
        [0, 0, 0, 0, 0, 0, 0, 1] => "loopback",
        // Mapped (RFC 4291), and the prefix of NAT64 (RFC 6052).
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            return embedded(high, low);
        }
        // 6to4 (RFC 3056).
        [0x2002, high, low, ..] => return embedded(high, low),
        [0x2001, 0, ..] => "a tunnel of Teredo",
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => "for documentation",
        [0x2001, 0x1..=0x1ff, ..] => "for protocols",
        [0xfc00..=0xfdff, ..] => "private",
        [0xfe80..=0xfebf, ..] => "link-local",
        [0xfec0..=0xfeff, ..] => "site-local",
        [0xff00..=0xffff, ..] => "multicast",
        [0x2000..=0x3fff, ..] => return None,
        // All that was not given to anybody, addresses that are compatible with IPv4 and NAT64's of local use included.
        _ => "reserved",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUBLIC: &[&str] = &[
        "1.1.1.1",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "128.0.0.1",
        "169.253.255.255",
        "172.15.255.255",
        "172.32.0.0",
        "192.0.1.1",
        "192.167.255.255",
        "192.169.0.0",
        "198.17.255.255",
        "198.20.0.0",
        "223.255.255.255",
        "2606:4700::1111",
        "2a00:1450:4001:80b::200e",
        "2001:200::1",
        "::ffff:1.1.1.1",
        "64:ff9b::1.1.1.1",
        "2002:101:101::1",
        "3ffe::1",
    ];

    const REFUSED: &[(&str, &str)] = &[
        ("0.0.0.0", "unspecified"),
        ("0.1.2.3", "unspecified"),
        ("10.0.0.1", "private"),
        ("100.64.0.1", "shared by customers of a provider"),
        ("100.127.255.255", "shared by customers of a provider"),
        ("127.0.0.1", "loopback"),
        ("127.255.255.254", "loopback"),
        ("169.254.169.254", "link-local"),
        ("172.16.0.1", "private"),
        ("172.31.255.255", "private"),
        ("192.0.0.8", "for protocols"),
        ("192.0.2.1", "for documentation"),
        ("192.88.99.1", "a relay of 6to4"),
        ("192.168.1.1", "private"),
        ("198.18.0.1", "for benchmarks"),
        ("198.19.255.255", "for benchmarks"),
        ("198.51.100.7", "for documentation"),
        ("203.0.113.9", "for documentation"),
        ("224.0.0.1", "multicast"),
        ("239.255.255.250", "multicast"),
        ("240.0.0.1", "reserved"),
        ("255.255.255.255", "reserved"),
        ("::", "unspecified"),
        ("::1", "loopback"),
        ("::127.0.0.1", "reserved"),
        ("::ffff:127.0.0.1", "loopback"),
        ("::ffff:10.1.2.3", "private"),
        ("::ffff:169.254.169.254", "link-local"),
        ("::ffff:0:127.0.0.1", "reserved"),
        ("64:ff9b::10.0.0.1", "private"),
        ("64:ff9b:1::10.0.0.1", "reserved"),
        ("64:ff9b:1::1.1.1.1", "reserved"),
        ("2002:7f00:1::1", "loopback"),
        ("2002:a00:1::1", "private"),
        ("2002:c0a8:101::1", "private"),
        ("2001::1", "a tunnel of Teredo"),
        ("2001:0:4136:e378:8000:63bf:3fff:fdd2", "a tunnel of Teredo"),
        ("2001:2::1", "for protocols"),
        ("2001:10::1", "for protocols"),
        ("2001:20::1", "for protocols"),
        ("2001:db8::1", "for documentation"),
        ("3fff::1", "for documentation"),
        ("3fff:fff::1", "for documentation"),
        ("fc00::1", "private"),
        ("fd12:3456::1", "private"),
        ("fe80::1", "link-local"),
        ("febf::1", "link-local"),
        ("fec0::1", "site-local"),
        ("ff02::1", "multicast"),
        ("100::1", "reserved"),
        ("5f00::1", "reserved"),
        ("4000::1", "reserved"),
        ("1fff::1", "reserved"),
    ];

    #[test]
    fn addresses_of_the_internet_are_told_from_all_others() {
        for text in PUBLIC {
            assert_eq!(special(text.parse().unwrap()), None, "{text}");
        }
        for (text, why) in REFUSED {
            assert_eq!(special(text.parse().unwrap()), Some(*why), "{text}");
        }
    }
}
