//! Addresses that a network keeps for itself. Knows no ranges and no machine.

use ipnet::IpNet;

/// What `address` is on its own network, if it is no host's there.
///
/// A network of two addresses keeps none for itself (RFC 3021, RFC 6164), and one of a single address has no more to keep.
pub fn kept_by_network(address: IpNet) -> Option<&'static str> {
    if address.max_prefix_len() - address.prefix_len() < 2 {
        return None;
    }
    match address {
        IpNet::V4(net) if net.addr() == net.network() => Some("the network's own address"),
        IpNet::V4(net) if net.addr() == net.broadcast() => Some("the broadcast address"),
        // RFC 4291, section 2.6.1.
        IpNet::V6(net) if net.addr() == net.network() => Some("the subnet-router anycast address"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_network_keeps() {
        for (text, kept) in [
            ("10.0.0.0/24", Some("the network's own address")),
            ("10.0.0.255/24", Some("the broadcast address")),
            ("10.0.0.1/24", None),
            ("10.0.1.0/23", None),
            ("10.0.0.255/23", None),
            ("10.0.0.3/30", Some("the broadcast address")),
            ("10.0.0.0/31", None),
            ("10.0.0.1/31", None),
            ("10.0.0.0/32", None),
            ("fd00::/64", Some("the subnet-router anycast address")),
            ("fd00::ffff:ffff:ffff:ffff/64", None),
            ("fd00::/127", None),
            ("fd00::1/127", None),
            ("fd00::/128", None),
        ] {
            assert_eq!(kept_by_network(text.parse().unwrap()), kept, "{text}");
        }
    }
}
