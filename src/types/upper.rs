//! What a device is that is made on an interface of the host, and how it stands on it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Vlan, VlanProtocol};

/// A device that is made on a parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Upper {
    /// One with a hardware address of its own.
    Macvlan(MacvlanMode),
    /// One that shares the parent's hardware address.
    Ipvlan(IpvlanMode),
    /// What the parent gets in one VLAN, with its hardware address.
    Vlan(Vlan),
}

/// Whom a macvlan reaches on its own parent (`MACVLAN_MODE_*` of `linux/if_link.h`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MacvlanMode {
    /// All others there.
    #[default]
    Bridge,
    /// Nobody.
    Private,
    /// Others, by a switch outside that sends back what it gets.
    Vepa,
    /// There are no others: it has the parent for itself, and its hardware address.
    Passthru,
}

/// What the parent does for all ipvlans on it (`IPVLAN_MODE_*` of `linux/if_link.h`): the mode is the parent's, and a second one would
/// change it for those that are there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IpvlanMode {
    /// It switches: neighbours are asked for, broadcasts arrive.
    #[default]
    L2,
    /// It routes: no broadcast and no neighbour, so the network outside must know the way to this host.
    L3,
}

impl Upper {
    /// What it is called.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Macvlan(_) => "macvlan",
            Self::Ipvlan(_) => "ipvlan",
            Self::Vlan(_) => "vlan",
        }
    }

    /// Whether its hardware address is the parent's.
    pub fn has_parents_mac(self) -> bool {
        !matches!(self, Self::Macvlan(mode) if mode != MacvlanMode::Passthru)
    }

    /// Whether its wire of the parent is its own: nobody else is given one there.
    pub fn is_alone(self) -> bool {
        matches!(self, Self::Macvlan(MacvlanMode::Passthru) | Self::Vlan(_))
    }

    /// Whether it asks neighbours for their hardware addresses, and can tell them its own.
    pub fn has_neighbours(self) -> bool {
        self != Self::Ipvlan(IpvlanMode::L3)
    }

    /// Whether the kernel lets both stand on one parent, each as it is.
    pub fn may_stand_beside(self, other: Self) -> bool {
        match (self, other) {
            (Self::Macvlan(_), Self::Macvlan(_)) => !self.is_alone() && !other.is_alone(),
            (Self::Ipvlan(one), Self::Ipvlan(another)) => one == another,
            (Self::Vlan(one), Self::Vlan(another)) => {
                (one.id, one.protocol) != (another.id, another.protocol)
            }
            // Frames with a tag never come to the others (`vlan_do_receive` is before them).
            (Self::Vlan(_), _) | (_, Self::Vlan(_)) => true,
            _ => false,
        }
    }
}

impl fmt::Display for Upper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Macvlan(mode) => write!(f, "macvlan in mode {}", mode.as_str()),
            Self::Ipvlan(mode) => write!(f, "ipvlan in mode {}", mode.as_str()),
            Self::Vlan(Vlan { id, protocol: VlanProtocol::Ieee8021Q, .. }) => {
                write!(f, "vlan {id}")
            }
            Self::Vlan(Vlan { id, .. }) => write!(f, "vlan {id} (802.1ad)"),
        }
    }
}

impl MacvlanMode {
    /// What it is called.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bridge => "bridge",
            Self::Private => "private",
            Self::Vepa => "vepa",
            Self::Passthru => "passthru",
        }
    }
}

impl IpvlanMode {
    /// What it is called.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::L2 => "l2",
            Self::L3 => "l3",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_share_a_parent() {
        let (bridge, private) =
            (Upper::Macvlan(MacvlanMode::Bridge), Upper::Macvlan(MacvlanMode::Private));
        let passthru = Upper::Macvlan(MacvlanMode::Passthru);
        let (l2, l3) = (Upper::Ipvlan(IpvlanMode::L2), Upper::Ipvlan(IpvlanMode::L3));
        assert!(bridge.may_stand_beside(private) && l3.may_stand_beside(l3));
        for (one, another) in
            [(bridge, passthru), (passthru, passthru), (l2, l3), (bridge, l2), (passthru, l2)]
        {
            assert!(!one.may_stand_beside(another), "{one}, {another}");
            assert!(!another.may_stand_beside(one), "{another}, {one}");
        }
        let vlan = |id, protocol| Upper::Vlan(Vlan { id, qos: 0, protocol });
        let (inner, outer) = (VlanProtocol::Ieee8021Q, VlanProtocol::Ieee8021Ad);
        assert!(!vlan(5, inner).may_stand_beside(vlan(5, inner)));
        for other in [vlan(6, inner), vlan(5, outer), bridge, passthru, l2] {
            assert!(
                other.may_stand_beside(vlan(5, inner)) && vlan(5, inner).may_stand_beside(other)
            );
        }
    }
}
