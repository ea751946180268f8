//! An Ethernet hardware address.

use std::{fmt, str::FromStr};

use serde::Deserialize;

use super::{Invalid, text_type};

/// A unicast address other than all zero, written as six hexadecimal bytes with colons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct MacAddress([u8; 6]);

text_type!(MacAddress);

impl MacAddress {
    /// The address in these bytes; `None` for a multicast address or all zero.
    pub fn from_bytes(bytes: [u8; 6]) -> Option<Self> {
        (bytes != [0; 6] && bytes[0] & 1 == 0).then_some(Self(bytes))
    }

    /// A locally administered unicast address made from 40 bits of `seed`: the same seed gives the same address.
    pub fn local(seed: u64) -> Self {
        let mut bytes = [0x02; 6];
        bytes[1..].copy_from_slice(&seed.to_be_bytes()[3..]);
        Self(bytes)
    }

    /// The six bytes in wire order.
    pub fn bytes(self) -> [u8; 6] {
        self.0
    }
}

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, others @ ..] = self.0;
        write!(f, "{first:02x}")?;
        others.iter().try_for_each(|byte| write!(f, ":{byte:02x}"))
    }
}

impl FromStr for MacAddress {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let invalid = || Invalid::new(text, "a unicast MAC address such as 02:00:5e:00:53:01");
        let mut bytes = [0; 6];
        let mut parts = text.split(':');
        for byte in &mut bytes {
            let part = parts.next().filter(|part| part.len() == 2 && !part.starts_with('+'));
            *byte = part.and_then(|part| u8::from_str_radix(part, 16).ok()).ok_or_else(invalid)?;
        }
        if parts.next().is_some() {
            return Err(invalid());
        }
        Self::from_bytes(bytes).ok_or_else(invalid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip() {
        assert_eq!(
            "02:AB:cd:00:01:ff".parse::<MacAddress>().unwrap().to_string(),
            "02:ab:cd:00:01:ff"
        );
    }

    #[test]
    fn refuses_multicast_zero_and_nonsense() {
        for text in [
            "",
            "00:00:00:00:00:00",
            "01:00:00:00:00:00",
            "02:00:00:00:00",
            "02:00:00:00:00:00:00",
            "02-00-00-00-00-01",
            "+2:00:00:00:00:01",
        ] {
            assert!(text.parse::<MacAddress>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_local_address_is_unicast_and_locally_administered() {
        let first = MacAddress::local(u64::MAX).bytes()[0];
        assert_eq!(first & 3, 2);
    }
}
