//! What a physical function's driver enforces for one of its virtual functions.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::MacAddress;

/// The attributes of `IFLA_VFINFO_LIST` that vfhook sets. `None` means: leave as it is.
///
/// A VF's baseline and a network's wish are both of this type, so that the undo of one is the other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VfAttributes {
    /// The administrative MAC address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac: Option<AdminMac>,
    /// VLAN id, priority and protocol; id 0 is "no VLAN".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vlan: Option<Vlan>,
    /// Lowest and highest transmit rate in Mbit/s; 0 is "none".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<(u32, u32)>,
    /// Whether frames with a foreign source MAC are dropped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spoof_check: Option<bool>,
    /// What link the VF is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link_state: Option<LinkState>,
    /// Whether the VF may change its own MAC and receive everything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trust: Option<bool>,
}

/// The MAC address that the physical function's driver holds for a VF.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AdminMac {
    /// None (all zero on the wire): the VF chooses its own.
    Unassigned,
    /// This one.
    #[serde(untagged)]
    Assigned(MacAddress),
}

impl AdminMac {
    /// The address in these bytes; all zero, or one that no VF could have, is `Unassigned`.
    pub fn from_bytes(bytes: [u8; 6]) -> Self {
        MacAddress::from_bytes(bytes).map_or(Self::Unassigned, Self::Assigned)
    }

    /// The six bytes in wire order.
    pub fn bytes(self) -> [u8; 6] {
        match self {
            Self::Unassigned => [0; 6],
            Self::Assigned(mac) => mac.bytes(),
        }
    }
}

/// A VLAN tag that the card puts on and takes off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vlan {
    /// 0 (none) to 4094.
    pub id: u16,
    /// Priority, 0 to 7.
    #[serde(default)]
    pub qos: u8,
    /// The tag's `EtherType`.
    #[serde(default)]
    pub protocol: VlanProtocol,
}

/// The `EtherType` of a VLAN tag.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum VlanProtocol {
    /// 0x8100
    #[default]
    #[serde(rename = "802.1q")]
    Ieee8021Q,
    /// 0x88a8, for the outer tag of two
    #[serde(rename = "802.1ad")]
    Ieee8021Ad,
}

/// What link state the card shows a VF.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkState {
    /// That of the physical function.
    Auto,
    /// Always up.
    Enable,
    /// Always down.
    Disable,
}

/// The name of one attribute, in the order in which the kernel's `do_setvfinfo` sets them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VfAttribute {
    /// The administrative MAC address.
    Mac,
    /// VLAN id, priority and protocol.
    Vlan,
    /// Lowest and highest transmit rate.
    Rate,
    /// Spoof check.
    SpoofCheck,
    /// Link state.
    LinkState,
    /// Trust.
    Trust,
}

impl VfAttribute {
    /// Every attribute, in the kernel's order.
    pub const ALL: [Self; 6] =
        [Self::Mac, Self::Vlan, Self::Rate, Self::SpoofCheck, Self::LinkState, Self::Trust];
}

impl fmt::Display for VfAttribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mac => "mac",
            Self::Vlan => "vlan",
            Self::Rate => "rate",
            Self::SpoofCheck => "spoof_check",
            Self::LinkState => "link_state",
            Self::Trust => "trust",
        })
    }
}

/// As `ip link set ... vf` spells them, one after the other; nothing where nothing is asked.
impl fmt::Display for VfAttributes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let on_off = |on: bool| if on { "on" } else { "off" };
        let mac = self.mac.map(|mac| match mac {
            AdminMac::Assigned(mac) => format!("mac {mac}"),
            AdminMac::Unassigned => "mac none".to_owned(),
        });
        let vlan = self.vlan.map(|vlan| {
            let outer =
                if vlan.protocol == VlanProtocol::Ieee8021Ad { " proto 802.1ad" } else { "" };
            format!("vlan {} qos {}{outer}", vlan.id, vlan.qos)
        });
        let rate = self.rate.map(|(min, max)| format!("min_tx_rate {min} max_tx_rate {max}"));
        let spoof_check = self.spoof_check.map(|on| format!("spoof_check {}", on_off(on)));
        let link_state =
            self.link_state.map(|state| format!("link_state {state:?}").to_lowercase());
        let trust = self.trust.map(|on| format!("trust {}", on_off(on)));
        let all = [mac, vlan, rate, spoof_check, link_state, trust];
        f.write_str(&all.into_iter().flatten().collect::<Vec<_>>().join(" "))
    }
}

impl VfAttributes {
    /// Whether nothing is asked.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Only attribute `which` of these.
    #[must_use]
    pub fn only(&self, which: VfAttribute) -> Self {
        let none = Self::default();
        match which {
            VfAttribute::Mac => Self { mac: self.mac, ..none },
            VfAttribute::Vlan => Self { vlan: self.vlan, ..none },
            VfAttribute::Rate => Self { rate: self.rate, ..none },
            VfAttribute::SpoofCheck => Self { spoof_check: self.spoof_check, ..none },
            VfAttribute::LinkState => Self { link_state: self.link_state, ..none },
            VfAttribute::Trust => Self { trust: self.trust, ..none },
        }
    }

    /// These without attribute `which`.
    #[must_use]
    pub fn without(mut self, which: VfAttribute) -> Self {
        match which {
            VfAttribute::Mac => self.mac = None,
            VfAttribute::Vlan => self.vlan = None,
            VfAttribute::Rate => self.rate = None,
            VfAttribute::SpoofCheck => self.spoof_check = None,
            VfAttribute::LinkState => self.link_state = None,
            VfAttribute::Trust => self.trust = None,
        }
        self
    }

    /// The values of `self` for exactly those attributes that `asked` sets.
    #[must_use]
    pub fn masked_by(&self, asked: &Self) -> Self {
        VfAttribute::ALL
            .into_iter()
            .filter(|which| asked.only(*which).is_empty())
            .fold(*self, Self::without)
    }

    /// The attributes asked for here whose value in `found` is another, in the kernel's order.
    pub fn differing(&self, found: &Self) -> Vec<VfAttribute> {
        VfAttribute::ALL
            .into_iter()
            .filter(|which| {
                !self.only(*which).is_empty() && self.only(*which) != found.only(*which)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: VfAttributes = VfAttributes {
        mac: None,
        vlan: Some(Vlan { id: 7, qos: 0, protocol: VlanProtocol::Ieee8021Q }),
        rate: Some((0, 100)),
        spoof_check: Some(false),
        link_state: Some(LinkState::Auto),
        trust: Some(true),
    };

    #[test]
    fn an_undo_covers_exactly_what_was_asked() {
        let asked =
            VfAttributes { trust: Some(false), spoof_check: Some(true), ..VfAttributes::default() };
        let undo = BASE.masked_by(&asked);
        assert_eq!(
            undo,
            VfAttributes { trust: Some(true), spoof_check: Some(false), ..VfAttributes::default() }
        );
    }

    #[test]
    fn an_unassigned_mac_can_be_put_back_and_is_readable() {
        let text = |mac| serde_json::to_string(&mac).unwrap();
        assert_eq!(text(AdminMac::Unassigned), "\"unassigned\"");
        assert_eq!(text(AdminMac::from_bytes([2, 0, 0, 0, 0, 1])), "\"02:00:00:00:00:01\"");
        let back: AdminMac = serde_json::from_str("\"02:00:00:00:00:01\"").unwrap();
        assert_eq!(back.bytes(), [2, 0, 0, 0, 0, 1]);
    }

    #[test]
    fn differences_are_only_of_what_was_asked() {
        let asked =
            VfAttributes { trust: Some(false), rate: Some((0, 100)), ..VfAttributes::default() };
        assert_eq!(asked.differing(&BASE), vec![VfAttribute::Trust]);
    }
}
