//! The hardware addresses that interfaces of a lease have. Nothing is drawn here: a lease always comes to the same.

use super::chosen::{ChosenDevice, ChosenNetwork};
use crate::types::{MacAddress, Upper, digest};

/// The hardware address that the interface of network number `position` of a lease has for itself; `None` when a VF has no Ethernet one,
/// and for what shares its parent's with others.
pub fn interface_mac(serial: u64, position: usize, chosen: &ChosenNetwork) -> Option<MacAddress> {
    match &chosen.device {
        ChosenDevice::Vf(device) | ChosenDevice::Vfio(device, _) => {
            chosen.intent.mac.or(device.link.mac)
        }
        ChosenDevice::Whole(device) => device.link.mac,
        // The first that carries.
        ChosenDevice::Bond(members) => interface_mac(serial, position, members.first()?),
        ChosenDevice::Made(Upper::Ipvlan(_), _) => None,
        ChosenDevice::Made(upper, parent) if upper.has_parents_mac() => parent.mac,
        ChosenDevice::Made(..) => Some(made_mac(serial, position, chosen)),
    }
}

/// The hardware address of a device that is made: what the request chose, or one of our own.
pub(super) fn made_mac(serial: u64, position: usize, chosen: &ChosenNetwork) -> MacAddress {
    chosen.intent.mac.unwrap_or_else(|| local_mac(serial, MacRole::Network(position)))
}

/// The group of an ipvlan, a VLAN interface or a bond, by which it is known whatever it is called: it has no hardware address of its own. Not 0, which all others
/// have, and as the kernel counts them, positive.
pub(super) fn group(serial: u64, position: usize) -> u32 {
    const POSITIVE: u64 = 0x3fff_ffff;
    let number = digest(&format!("{serial}/{position}")) & POSITIVE;
    u32::try_from(number).unwrap_or_default() | OURS
}

/// What all groups of ours have.
const OURS: u32 = 0x4000_0000;

/// Whether it is one that [`group`] gives.
pub(super) fn is_group_of_ours(group: u32) -> bool {
    group & OURS != 0
}

/// What a hardware address that we make is for.
#[derive(Debug, Clone, Copy)]
pub(super) enum MacRole {
    ServiceHost,
    ServiceSandbox,
    Network(usize),
}

/// A hardware address of our own: different for each lease and role, and the same each time it is asked for.
pub(super) fn local_mac(serial: u64, role: MacRole) -> MacAddress {
    let offset = match role {
        MacRole::ServiceHost => 0,
        MacRole::ServiceSandbox => 1,
        MacRole::Network(position) => 2 + position as u64,
    };
    MacAddress::local(serial.wrapping_add(offset))
}
