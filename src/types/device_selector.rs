//! Which devices a pool is made of.

use std::{fmt, str::FromStr};

use serde::Deserialize;

use super::{DeviceName, Invalid, MacAddress, PciAddress, text_type};

/// What must all hold of a device; an empty list asks nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeviceSelector {
    /// Physical functions (or the parent of devices that are made), each by a name or its address.
    pub pf: Vec<DeviceName>,
    /// The interfaces of devices that are given whole, each by a name or its address.
    pub interface: Vec<DeviceName>,
    /// MAC addresses of their interfaces.
    pub mac: Vec<MacAddress>,
    /// Indexes of virtual functions on their physical function.
    pub vf: Vec<IndexRange>,
    /// PCI addresses of the devices themselves.
    pub pci: Vec<PciAddress>,
    /// PCI vendor ids, such as `0x8086`.
    pub vendor: Vec<u16>,
    /// PCI device ids.
    pub device: Vec<u16>,
    /// Names of bound drivers.
    pub driver: Vec<String>,
    /// NUMA nodes.
    pub numa_node: Vec<i32>,
}

impl DeviceSelector {
    /// Whether VF number `index` is wanted.
    pub fn wants_index(&self, index: u32) -> bool {
        self.vf.is_empty() || self.vf.iter().any(|range| range.contains(index))
    }

    /// Whether the device at `address` is wanted.
    pub fn wants_address(&self, address: PciAddress) -> bool {
        self.pci.is_empty() || self.pci.contains(&address)
    }

    /// Whether a VF of this number at this address is wanted, as far as a listing shows.
    pub fn wants(&self, index: u32, address: PciAddress) -> bool {
        self.wants_index(index) && self.wants_address(address)
    }
}

/// Numbers `first` to `last`, both among them: `3` or `0-5`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct IndexRange {
    first: u32,
    last: u32,
}

text_type!(IndexRange);

impl IndexRange {
    /// Whether `index` is among the numbers.
    pub fn contains(self, index: u32) -> bool {
        (self.first..=self.last).contains(&index)
    }

    /// Whether a number is in both.
    pub fn meets(self, other: Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }
}

impl fmt::Display for IndexRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            write!(f, "{}", self.first)
        } else {
            write!(f, "{}-{}", self.first, self.last)
        }
    }
}

impl FromStr for IndexRange {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let invalid = || Invalid::new(text, "a VF index such as 3, or a range such as 0-5");
        let number = |part: &str| {
            let digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            digits.then(|| part.parse().ok()).flatten().ok_or_else(invalid)
        };
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let range = Self { first: number(first)?, last: number(last)? };
        if range.first > range.last {
            return Err(invalid());
        }
        Ok(range)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn index_ranges() {
        let range: IndexRange = "0-5".parse().unwrap();
        assert!(range.contains(0) && range.contains(5) && !range.contains(6));
        let meets = |other: &str| range.meets(other.parse().unwrap());
        assert!(meets("5-9") && meets("2") && !meets("6-9"));
        for text in ["", "5-0", "-1", "a", "1-", "+1"] {
            assert!(text.parse::<IndexRange>().is_err(), "{text}");
        }
    }
}
