//! A cell: one place of the absolute grid of an address space, and the name that its object has. It knows no range.

use std::{fmt, net::IpAddr};

/// All addresses that share their first bits. Ranges may grow, shrink and move: a cell is where it is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cell {
    first: IpAddr,
    prefix: u8,
}

impl Cell {
    /// The cell of 2^(width - `prefix`) addresses that `address` is in. A prefix longer than an address is the address's own.
    pub fn around(address: IpAddr, prefix: u8) -> Self {
        let prefix = prefix.min(width(address));
        let first = number(address) >> host_bits(address, prefix) << host_bits(address, prefix);
        Self { first: numbered(first, address.is_ipv6()), prefix }
    }

    /// Its first address.
    pub fn first(&self) -> IpAddr {
        self.first
    }

    /// Its last address.
    pub fn last(&self) -> IpAddr {
        let below = (1_u128 << host_bits(self.first, self.prefix)) - 1;
        numbered(number(self.first) | below, self.first.is_ipv6())
    }

    /// How many bits its addresses share.
    pub fn prefix(&self) -> u8 {
        self.prefix
    }

    /// Whether `address` is in it.
    pub fn has(&self, address: IpAddr) -> bool {
        address.is_ipv6() == self.first.is_ipv6() && Self::around(address, self.prefix) == *self
    }

    /// What its object is called in a network's name: the first address in hexadecimal digits, and the prefix. `c0a80010-28`.
    pub fn name(&self) -> String {
        match self.first {
            IpAddr::V4(first) => format!("{:08x}-{}", u32::from(first), self.prefix),
            IpAddr::V6(first) => format!("{:032x}-{}", u128::from(first), self.prefix),
        }
    }

    /// The cell that an object of this name (without its network's) is for; `None` where it is the name of none.
    pub fn named(name: &str) -> Option<Self> {
        let (digits, prefix) = name.split_once('-')?;
        let ipv6 = match digits.len() {
            8 => false,
            32 => true,
            _ => return None,
        };
        let first = numbered(u128::from_str_radix(digits, 16).ok()?, ipv6);
        let cell = Self::around(first, prefix.parse().ok()?);
        (cell.name() == name).then_some(cell)
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.prefix)
    }
}

impl fmt::Debug for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Bits of an address of this family.
fn width(address: IpAddr) -> u8 {
    if address.is_ipv6() { 128 } else { 32 }
}

/// Bits that tell addresses of one cell apart, at most 127: the whole of IPv6 is no block.
fn host_bits(address: IpAddr, prefix: u8) -> u32 {
    u32::from(width(address) - prefix).min(127)
}

/// An address as a number.
pub(crate) fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u32::from(address).into(),
        IpAddr::V6(address) => address.into(),
    }
}

/// The address of this number. An IPv4 address has the last 32 bits alone.
pub(crate) fn numbered(number: u128, ipv6: bool) -> IpAddr {
    if ipv6 {
        IpAddr::V6(number.into())
    } else {
        let [.., a, b, c, d] = number.to_be_bytes();
        IpAddr::V4([a, b, c, d].into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_cell_is_named_after_where_it_is() {
        let cell = Cell::around(address("192.168.0.29"), 28);
        assert_eq!((cell.first(), cell.last()), (address("192.168.0.16"), address("192.168.0.31")));
        assert_eq!(cell.name(), "c0a80010-28");
        assert!(cell.has(address("192.168.0.16")) && !cell.has(address("192.168.0.32")));
        assert!(!cell.has(address("::c0a8:10")));
        let six = Cell::around(address("fd00:10::1ff"), 116);
        assert_eq!(six.name(), "fd000010000000000000000000000000-116");
        assert_eq!(six.last(), address("fd00:10::fff"));
        for cell in [cell, six, Cell::around(address("10.0.0.1"), 32)] {
            assert_eq!(Cell::named(&cell.name()), Some(cell));
        }
    }

    #[test]
    fn what_is_no_name_of_a_cell_is_refused() {
        for name in
            ["", "c0a80010", "c0a80011-28", "C0A80010-28", "c0a80010-028", "c0a80010-33", "a-28"]
        {
            assert_eq!(Cell::named(name), None, "{name}");
        }
    }
}
