//! The address of a PCI function: the one name of a VF that never changes while it exists.

use std::{fmt, str::FromStr};

use serde::Deserialize;

use super::{Invalid, text_type};

/// `domain:bus:device.function`, as sysfs spells it (`0000:01:10.0`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct PciAddress {
    domain: u32,
    bus: u8,
    device: u8,
    function: u8,
}

text_type!(PciAddress);

impl PciAddress {
    /// Whether both are functions of one device: a card's ports are, for most cards.
    pub fn shares_device(self, other: Self) -> bool {
        (self.domain, self.bus, self.device) == (other.domain, other.bus, other.device)
    }

    /// A number that no other address has; 48 bits at most.
    pub fn number(self) -> u64 {
        let Self { domain, bus, device, function } = self;
        u64::from(domain) << 16 | u64::from(bus) << 8 | u64::from(device) << 3 | u64::from(function)
    }
}

impl fmt::Display for PciAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04x}:{:02x}:{:02x}.{:x}", self.domain, self.bus, self.device, self.function)
    }
}

impl FromStr for PciAddress {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        parse(text).ok_or_else(|| Invalid::new(text, "a PCI address such as 0000:01:10.0"))
    }
}

fn parse(text: &str) -> Option<PciAddress> {
    let (rest, function) = text.rsplit_once('.')?;
    let mut parts = rest.split(':');
    let (domain, bus, device) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || !(4..=8).contains(&domain.len()) || bus.len() != 2 {
        return None;
    }
    let all_hex = [domain, bus, device, function]
        .iter()
        .all(|part| part.bytes().all(|byte| byte.is_ascii_hexdigit()));
    if !all_hex || device.len() != 2 || function.len() != 1 {
        return None;
    }
    let address = PciAddress {
        domain: u32::from_str_radix(domain, 16).ok()?,
        bus: u8::from_str_radix(bus, 16).ok()?,
        device: u8::from_str_radix(device, 16).ok()?,
        function: u8::from_str_radix(function, 16).ok()?,
    };
    (address.device < 32 && address.function < 8).then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip() {
        for text in ["0000:01:10.0", "10000:ff:1f.7"] {
            assert_eq!(text.parse::<PciAddress>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn refuses_what_is_not_an_address() {
        for text in
            ["", "01:10.0", "0000:01:20.0", "0000:01:10.8", "0000:01:10.0/../..", "0000:+1:10.0"]
        {
            assert!(text.parse::<PciAddress>().is_err(), "{text}");
        }
    }
}
