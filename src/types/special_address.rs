//! Addresses that are no host's: blocks that mean something else everywhere. Knows no configuration and no machine.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::AddressRange;

/// What the addresses of `range` that no interface on a wire may have are; `None` when there are none.
pub fn special_purpose(range: &AddressRange) -> Option<&'static str> {
    let [v4, v6] = [blocks_of_ipv4(), blocks_of_ipv6()];
    v4.into_iter().chain(v6).find(|(block, _)| range.meets(*block)).map(|(_, what)| what)
}

fn blocks_of_ipv4() -> [(IpNet, &'static str); 5] {
    let net = |a, b, c, d, length| Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), length).into();
    [
        (net(0, 0, 0, 0, 8), "unspecified"),
        (net(127, 0, 0, 0, 8), "loopback"),
        (net(169, 254, 0, 0, 16), LINK_LOCAL),
        (net(224, 0, 0, 0, 4), "multicast"),
        (net(255, 255, 255, 255, 32), "broadcast"),
    ]
}

fn blocks_of_ipv6() -> [(IpNet, &'static str); 5] {
    let net = |first, sixth, last, length| {
        Ipv6Net::new_assert(Ipv6Addr::new(first, 0, 0, 0, 0, sixth, 0, last), length).into()
    };
    [
        (net(0, 0, 0, 128), "unspecified"),
        (net(0, 0, 1, 128), "loopback"),
        (net(0, 0xffff, 0, 96), "IPv4-mapped"),
        (net(0xfe80, 0, 0, 10), LINK_LOCAL),
        (net(0xff00, 0, 0, 8), "multicast"),
    ]
}

/// What addresses that are no further known than one link are called here.
pub const LINK_LOCAL: &str = "link-local";

/// Whether `address` is no further known than one link.
pub fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_that_mean_something_else() {
        for (text, what) in [
            ("192.168.0.16-192.168.0.250/24", None),
            ("127.0.0.2-127.0.0.9/8", Some("loopback")),
            ("126.255.255.250-127.0.0.9/1", Some("loopback")),
            ("0.0.0.7/8", Some("unspecified")),
            ("224.0.0.1-224.0.0.9/4", Some("multicast")),
            ("255.255.255.255/32", Some("broadcast")),
            ("169.254.7.1/16", Some("link-local")),
            ("240.0.0.1/8", None),
            ("::/127", Some("unspecified")),
            ("::1/128", Some("loopback")),
            ("::ffff:10.0.0.1/128", Some("IPv4-mapped")),
            ("fe80::1-fe80::9/64", Some("link-local")),
            ("ff02::1/128", Some("multicast")),
            ("fd00::1-fd00::9/64", None),
        ] {
            assert_eq!(special_purpose(&text.parse().unwrap()), what, "{text}");
        }
    }
}
