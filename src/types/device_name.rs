//! What an operator calls a device of the host: its interface's name, or its PCI address.

use std::{fmt, str::FromStr};

use serde::Deserialize;

use super::{InterfaceName, Invalid, KernelText, PciAddress, interface_name, text_type};

/// The longest alternative name of an interface, in bytes.
const LONGEST: usize = 127;

/// A physical function, or the parent of macvlans.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub enum DeviceName {
    /// By the name of its interface, main or alternative.
    Interface(KernelText),
    /// By the address of its PCI function, which no renaming changes.
    Address(PciAddress),
}

text_type!(DeviceName);

impl From<InterfaceName> for DeviceName {
    fn from(name: InterfaceName) -> Self {
        Self::Interface(name.into())
    }
}

impl fmt::Display for DeviceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interface(name) => name.fmt(f),
            Self::Address(address) => address.fmt(f),
        }
    }
}

impl FromStr for DeviceName {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        // No interface's name has a colon.
        if let Ok(address) = text.parse() {
            return Ok(Self::Address(address));
        }
        if interface_name::is_safe(text, LONGEST) {
            return Ok(Self::Interface(KernelText::new(text)));
        }
        Err(Invalid::new(
            text,
            "an interface's name, main or alternative, or a PCI address such as 0000:01:00.0",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_or_an_address() {
        let long = "a".repeat(LONGEST);
        for text in ["ens1f0", "enp1s0f0np0-and-more", "0000:01:00.0", "10000:ff:1f.7", &long] {
            let name: DeviceName = text.parse().unwrap();
            assert_eq!(name.to_string(), text);
            assert_eq!(matches!(name, DeviceName::Address(_)), text.contains(':'), "{text}");
        }
    }

    #[test]
    fn neither() {
        let long = "a".repeat(LONGEST + 1);
        for text in ["", "lo", "..", "a/b", "a b", "01:00.0", "0000:01:00.8", "net%d", &long] {
            assert!(text.parse::<DeviceName>().is_err(), "{text}");
        }
    }
}
