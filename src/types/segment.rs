//! Which wire: what a frame reaches without a router. Two interfaces on one segment must not have one address.

use std::{fmt, str::FromStr};

use serde::Deserialize;

use super::{Invalid, PciAddress, Vlan, VlanProtocol, text_type};

/// A port of this machine, and the VLAN on it. Its text is safe as part of a file name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Segment {
    /// Where its frames leave.
    pub port: Port,
    tag: Option<Tag>,
}

text_type!(Segment);

/// Where frames leave the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Port {
    /// A physical function.
    Pci(PciAddress),
    /// An interface of the host that no PCI function is behind, by its number, which is never used again.
    Interface(u32),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Tag {
    outer: bool,
    id: u16,
}

impl Segment {
    /// What is behind `port` without a VLAN.
    pub fn untagged(port: Port) -> Self {
        Self { port, tag: None }
    }

    /// What is behind `port` in `vlan`; number 0 is none. Its priority makes no other wire of it.
    pub fn tagged(port: Port, vlan: Vlan) -> Self {
        let outer = vlan.protocol == VlanProtocol::Ieee8021Ad;
        Self { port, tag: (vlan.id != 0).then_some(Tag { outer, id: vlan.id }) }
    }

    /// Whether it is in a VLAN.
    pub fn has_tag(&self) -> bool {
        self.tag.is_some()
    }
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Port::Pci(address) => write!(f, "{address}")?,
            Port::Interface(index) => write!(f, "link{index}")?,
        }
        match self.tag {
            None => Ok(()),
            Some(Tag { outer: false, id }) => write!(f, "-vlan{id}"),
            Some(Tag { outer: true, id }) => write!(f, "-svlan{id}"),
        }
    }
}

impl FromStr for Segment {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        parse(text).ok_or_else(|| {
            Invalid::new(text, "a segment such as 0000:01:00.0, 0000:01:00.0-vlan100 or link7")
        })
    }
}

fn parse(text: &str) -> Option<Segment> {
    let (port, tag) = match text.split_once('-') {
        Some((port, tag)) => (port, Some(parse_tag(tag)?)),
        None => (text, None),
    };
    let port = match port.strip_prefix("link") {
        Some(index) => Port::Interface(number(index)?),
        None => Port::Pci(port.parse().ok()?),
    };
    Some(Segment { port, tag })
}

fn parse_tag(text: &str) -> Option<Tag> {
    let (outer, rest) = text.strip_prefix('s').map_or((false, text), |rest| (true, rest));
    let id = number(rest.strip_prefix("vlan")?)?;
    let id = u16::try_from(id).ok().filter(|id| (1..4095).contains(id))?;
    Some(Tag { outer, id })
}

fn number(text: &str) -> Option<u32> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip() {
        for text in [
            "0000:01:00.0",
            "0000:01:00.0-vlan100",
            "10000:ff:1f.7-svlan4094",
            "link7",
            "link7-vlan1",
        ] {
            assert_eq!(text.parse::<Segment>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn refuses_what_is_none() {
        for text in [
            "",
            "link",
            "link-1",
            "link7-",
            "link7-vlan0",
            "link7-vlan4095",
            "link7-vlan+1",
            "link/7",
            "eth0",
            "0000:01:00.0-vlan1/..",
        ] {
            assert!(text.parse::<Segment>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_vlan_is_its_number_and_protocol() {
        let port = Port::Interface(7);
        let vlan = |id, qos, protocol| Segment::tagged(port, Vlan { id, qos, protocol });
        assert_eq!(vlan(9, 0, VlanProtocol::Ieee8021Q), vlan(9, 7, VlanProtocol::Ieee8021Q));
        assert_ne!(vlan(9, 0, VlanProtocol::Ieee8021Q), vlan(9, 0, VlanProtocol::Ieee8021Ad));
        assert_eq!(vlan(0, 3, VlanProtocol::Ieee8021Ad), Segment::untagged(port));
    }
}
