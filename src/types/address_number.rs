//! Addresses of one family as numbers, to count on them. Knows no range and no network.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The address as a number: 32 bits of it in IPv4, 128 in IPv6.
pub(crate) fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(u32::from(v4)),
        IpAddr::V6(v6) => u128::from(v6),
    }
}

/// The address of this number; `None` where IPv4 has none.
pub(crate) fn address(number: u128, ipv6: bool) -> Option<IpAddr> {
    if ipv6 {
        return Some(Ipv6Addr::from(number).into());
    }
    u32::try_from(number).ok().map(|number| Ipv4Addr::from(number).into())
}
