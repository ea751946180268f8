//! A range of IP addresses that may be handed out, with the prefix length they are configured with.

use std::{fmt, net::IpAddr, str::FromStr};

use ipnet::IpNet;
use serde::Deserialize;

use super::{
    Invalid,
    address_number::{address, number},
    kept_by_network, text_type,
};

/// `FIRST-LAST/LEN`, `ADDRESS/LEN` for one address, or `NETWORK/LEN` for all hosts of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct AddressRange {
    first: IpAddr,
    last: IpAddr,
    prefix: u8,
}

text_type!(AddressRange);

impl AddressRange {
    /// Whether the range is of IPv6 addresses.
    pub fn is_ipv6(&self) -> bool {
        self.first.is_ipv6()
    }

    /// How many addresses there are, `u128::MAX` at most.
    pub fn size(&self) -> u128 {
        (number(self.last) - number(self.first)).saturating_add(1)
    }

    /// Address number `index`, with the prefix length; `None` past the end.
    pub fn nth(&self, index: u128) -> Option<IpNet> {
        let wanted =
            number(self.first).checked_add(index).filter(|wanted| *wanted <= number(self.last))?;
        IpNet::new(address(wanted, self.is_ipv6())?, self.prefix).ok()
    }

    /// Whether `wanted` lies in the range and has its prefix length.
    pub fn contains(&self, wanted: IpNet) -> bool {
        wanted.addr().is_ipv6() == self.is_ipv6()
            && wanted.prefix_len() == self.prefix
            && (number(self.first)..=number(self.last)).contains(&number(wanted.addr()))
    }

    /// Whether `wanted` is in the range, whatever its prefix length.
    pub fn contains_address(&self, wanted: IpAddr) -> bool {
        wanted.is_ipv6() == self.is_ipv6()
            && (number(self.first)..=number(self.last)).contains(&number(wanted))
    }

    /// The first and the last address.
    pub fn ends(&self) -> (IpAddr, IpAddr) {
        (self.first, self.last)
    }

    /// Whether an address is in both.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.contains_address(other.first) || other.contains_address(self.first)
    }

    /// Whether the range has an address of `block`.
    pub fn meets(&self, block: IpNet) -> bool {
        block.addr().is_ipv6() == self.is_ipv6()
            && number(self.first) <= number(block.broadcast())
            && number(block.network()) <= number(self.last)
    }

    /// Whether the range has an address that a host may have and that is not among `others`.
    pub fn has_any_but(&self, others: &[IpAddr]) -> bool {
        let usable = |address: IpNet| {
            kept_by_network(address).is_none() && !others.contains(&address.addr())
        };
        // Each of the others, and both ends of the network, can be in the way once.
        let tries = others.len() as u128 + 3;
        (0..self.size().min(tries)).filter_map(|index| self.nth(index)).any(usable)
    }

    /// The network that the addresses are on.
    pub fn network(&self) -> Option<IpNet> {
        IpNet::new(self.first, self.prefix).ok().map(|net| net.trunc())
    }
}

impl From<IpNet> for AddressRange {
    /// The one address of `net`.
    fn from(net: IpNet) -> Self {
        Self { first: net.addr(), last: net.addr(), prefix: net.prefix_len() }
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            write!(f, "{}/{}", self.first, self.prefix)
        } else {
            write!(f, "{}-{}/{}", self.first, self.last, self.prefix)
        }
    }
}

impl FromStr for AddressRange {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        parse(text).ok_or_else(|| {
            Invalid::new(text, "FIRST-LAST/LEN on one network, ADDRESS/LEN or NETWORK/LEN, such as 192.168.0.16-192.168.0.250/24")
        })
    }
}

fn parse(text: &str) -> Option<AddressRange> {
    let (addresses, prefix) = text.split_once('/')?;
    let prefix: u8 = prefix.parse().ok()?;
    let Some((first, last)) = addresses.split_once('-') else {
        return Some(hosts_of(IpNet::new(addresses.parse().ok()?, prefix).ok()?));
    };
    let (first, last): (IpAddr, IpAddr) = (first.parse().ok()?, last.parse().ok()?);
    let network = IpNet::new(first, prefix).ok()?;
    let on_one_network = first.is_ipv6() == last.is_ipv6() && network.contains(&last);
    (on_one_network && number(first) <= number(last)).then_some(AddressRange {
        first,
        last,
        prefix,
    })
}

/// One address when host bits are set; otherwise every host of the network, without the network's own and the
/// broadcast address where the family and the length have such.
fn hosts_of(net: IpNet) -> AddressRange {
    let prefix = net.prefix_len();
    let reserved = net.max_prefix_len() - prefix >= 2;
    if net.addr() != net.network() || net.max_prefix_len() == prefix {
        return AddressRange { first: net.addr(), last: net.addr(), prefix };
    }
    let (low, high) = (number(net.network()), number(net.broadcast()));
    let edge = u128::from(reserved);
    let at = |value| address(value, net.addr().is_ipv6()).unwrap_or(net.addr());
    AddressRange { first: at(low + edge), last: at(high - edge), prefix }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(text: &str) -> AddressRange {
        text.parse().unwrap()
    }

    #[test]
    fn a_range_has_its_ends() {
        let range = range("192.168.0.16-192.168.0.250/24");
        assert_eq!(range.size(), 235);
        assert_eq!(range.nth(0).unwrap().to_string(), "192.168.0.16/24");
        assert_eq!(range.nth(234).unwrap().to_string(), "192.168.0.250/24");
        assert_eq!(range.nth(235), None);
        assert!(range.contains("192.168.0.40/24".parse().unwrap()));
        assert!(!range.contains("192.168.0.40/16".parse().unwrap()));
        assert!(!range.contains("192.168.0.15/24".parse().unwrap()));
    }

    #[test]
    fn a_network_means_its_hosts_and_an_address_itself() {
        assert_eq!(range("169.254.96.0/20").size(), 4094);
        assert_eq!(range("169.254.96.0/20").nth(0).unwrap().to_string(), "169.254.96.1/20");
        assert_eq!(range("10.0.0.7/24").size(), 1);
        assert_eq!(range("10.0.0.0/31").size(), 2);
        assert_eq!(range("10.0.0.0/32").size(), 1);
        assert_eq!(range("::/0").size(), u128::MAX - 1);
    }

    #[test]
    fn a_range_may_have_nothing_for_a_host() {
        let gateways: Vec<IpAddr> = vec!["10.0.0.1".parse().unwrap(), "fd00::1".parse().unwrap()];
        for (text, any) in [
            ("10.0.0.1/24", false),
            ("10.0.0.0-10.0.0.1/24", false),
            ("10.0.0.0-10.0.0.2/24", true),
            ("10.0.0.255/24", false),
            ("10.0.0.0/30", true),
            ("10.0.0.0-10.0.0.3/30", true),
            ("10.0.0.0/31", true),
            ("10.0.0.1/32", false),
            ("10.0.0.9/32", true),
            ("fd00::-fd00::1/64", false),
            ("fd00::/127", true),
            ("fd00::-fd00::2/64", true),
        ] {
            assert_eq!(range(text).has_any_but(&gateways), any, "{text}");
        }
    }

    #[test]
    fn refuses_what_is_not_one_network() {
        for text in [
            "",
            "10.0.0.1",
            "10.0.0.9-10.0.0.1/24",
            "10.0.0.1-10.0.1.1/24",
            "10.0.0.1-fd00::1/24",
            "10.0.0.1/33",
            "a/24",
        ] {
            assert!(text.parse::<AddressRange>().is_err(), "{text}");
        }
    }
}
