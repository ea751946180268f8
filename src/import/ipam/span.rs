//! Arithmetic on addresses of one family as numbers. Knows no format.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::types::{AddressRange, address, number};

/// The addresses `first` to `last` of a network, both among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    first: u128,
    last: u128,
    prefix: u8,
    ipv6: bool,
}

impl Span {
    /// From one address to another, if both are on `network` and in order.
    pub(super) fn new(first: IpAddr, last: IpAddr, network: IpNet) -> Option<Self> {
        let inside = network.contains(&first) && network.contains(&last);
        let (first, last) = (number(first), number(last));
        let (prefix, ipv6) = (network.prefix_len(), network.addr().is_ipv6());
        (inside && first <= last).then_some(Self { first, last, prefix, ipv6 })
    }

    /// What is left of the span without `excluded`, in order.
    pub(super) fn without(self, excluded: &[IpNet]) -> Vec<Self> {
        let mut blocks: Vec<(u128, u128)> = excluded
            .iter()
            .filter(|block| block.addr().is_ipv6() == self.ipv6)
            .map(|block| (number(block.network()), number(block.broadcast())))
            .collect();
        blocks.sort_unstable();
        let (mut left, mut next) = (Vec::new(), Some(self.first));
        for (low, high) in blocks {
            let Some(first) = next.filter(|first| *first <= self.last) else { break };
            if high < first || low > self.last {
                continue;
            }
            if low > first {
                left.push(Self { first, last: low - 1, ..self });
            }
            next = high.checked_add(1);
        }
        left.extend(next.filter(|first| *first <= self.last).map(|first| Self { first, ..self }));
        left
    }

    /// Whether these are addresses of IPv6.
    pub(super) fn is_ipv6(&self) -> bool {
        self.ipv6
    }

    /// As the configuration has it.
    pub(super) fn range(self) -> Option<AddressRange> {
        let (first, last) = (address(self.first, self.ipv6)?, address(self.last, self.ipv6)?);
        format!("{first}-{last}/{}", self.prefix).parse().ok()
    }
}

/// The first and the last address of `network` that CNI gives to hosts: without its own and, in IPv4, the broadcast address.
pub(super) fn hosts(network: IpNet) -> Option<(IpAddr, IpAddr)> {
    let ipv6 = network.addr().is_ipv6();
    let (low, high) = (number(network.network()), number(network.broadcast()));
    if network.max_prefix_len() - network.prefix_len() < 2 {
        return Some((address(low, ipv6)?, address(high, ipv6)?));
    }
    Some((address(low + 1, ipv6)?, address(high - u128::from(!ipv6), ipv6)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(first: &str, last: &str, network: &str, excluded: &[&str]) -> Vec<String> {
        let parse = |text: &str| text.parse().unwrap();
        let span = Span::new(parse(first), parse(last), network.parse().unwrap()).unwrap();
        let excluded: Vec<IpNet> = excluded.iter().map(|text| text.parse().unwrap()).collect();
        span.without(&excluded).into_iter().map(|span| span.range().unwrap().to_string()).collect()
    }

    #[test]
    fn what_is_excluded_is_left_out() {
        let of = |excluded: &[&str]| left("10.0.0.1", "10.0.0.20", "10.0.0.0/24", excluded);
        assert_eq!(of(&[]), ["10.0.0.1-10.0.0.20/24"]);
        assert_eq!(of(&["10.0.0.0/29"]), ["10.0.0.8-10.0.0.20/24"]);
        assert_eq!(
            of(&["10.0.0.20/32", "10.0.0.4/31"]),
            ["10.0.0.1-10.0.0.3/24", "10.0.0.6-10.0.0.19/24"]
        );
        assert_eq!(
            of(&["10.0.0.4/30", "10.0.0.5/32"]),
            ["10.0.0.1-10.0.0.3/24", "10.0.0.8-10.0.0.20/24"]
        );
        assert!(of(&["10.0.0.0/8"]).is_empty());
        assert_eq!(of(&["fd00::/8", "11.0.0.0/8"]), ["10.0.0.1-10.0.0.20/24"]);
        assert!(left("::", "ffff::", "::/0", &["::/0"]).is_empty());
        assert_eq!(
            left("255.255.255.254", "255.255.255.255", "255.255.255.0/24", &["255.255.255.255/32"]),
            ["255.255.255.254/24"]
        );
    }

    #[test]
    fn hosts_of_networks() {
        let of = |text: &str| {
            let (first, last) = hosts(text.parse().unwrap()).unwrap();
            format!("{first} {last}")
        };
        assert_eq!(of("10.0.0.0/24"), "10.0.0.1 10.0.0.254");
        assert_eq!(of("10.0.0.0/31"), "10.0.0.0 10.0.0.1");
        assert_eq!(of("fd00::/126"), "fd00::1 fd00::3");
        assert_eq!(of("0.0.0.0/0"), "0.0.0.1 255.255.255.254");
    }
}
