//! What a network may say whose devices are made on a parent. Says nothing of pools.

use super::section::Section;
use crate::types::{Upper, VfAttributes};

/// What a macvlan or an ipvlan cannot do.
pub(super) fn check(section: &mut Section, upper: Upper, asks: bool, opens_mac: bool) {
    if asks && !upper.has_neighbours() {
        section.problem("conflict_check", format!("{upper} asks no neighbours"));
    }
    if opens_mac && upper.has_parents_mac() {
        section.problem("allow.mac", format!("{upper} has its parent's MAC address"));
    }
}

/// What a VLAN interface needs and cannot do.
pub(super) fn check_vlan(section: &mut Section, attributes: VfAttributes, opens_mac: bool) {
    if attributes.vlan.is_none_or(|vlan| vlan.id == 0) {
        section.problem(
            "vlan",
            "needed: a network of a vlan pool says which VLAN it is, vlan = { id = 1 to 4094 }",
        );
    }
    if attributes != (VfAttributes { vlan: attributes.vlan, ..VfAttributes::default() }) {
        let message = "rates, spoof_check, link_state and trust need kind = \"sriov\" or \"bond\"";
        section.problem("pool", message);
    }
    if opens_mac {
        section.problem("allow.mac", "a vlan interface has its parent's MAC address");
    }
}
