//! What a pool of `kind = "bond"` may say: the pools that its links come from. Says nothing of other kinds.

use super::section::Section;
use crate::types::{DeviceSelector, LinkState, Name};

/// How many links a bond has: one that carries, and one that takes over.
const LINKS: usize = 2;

/// The pools that its links come from; none for a pool of another kind.
pub(super) fn read(section: &mut Section, is_bond: bool, selector: &DeviceSelector) -> Vec<Name> {
    let members: Vec<Name> = section.list("members");
    if !is_bond {
        if !members.is_empty() {
            section.problem("members", "needs kind = \"bond\"");
        }
        return Vec::new();
    }
    if *selector != DeviceSelector::default() {
        let message = "a bond chooses by members: its pools select devices, and no selector stands beside them";
        section.problem("kind", message);
    }
    if members.len() != LINKS {
        section.problem(
            "members",
            format!("expected the names of {LINKS} pools, found {}", members.len()),
        );
    }
    members
}

/// What a network of a bond says that a bond cannot keep.
pub(super) fn check_network(section: &mut Section, link_state: Option<LinkState>, opens_mac: bool) {
    if link_state.is_some_and(|state| state != LinkState::Auto) {
        let message =
            "a bond of VFs whose carrier is not their card's never sees that a card is dead: auto";
        section.problem("link_state", message);
    }
    if opens_mac {
        section.problem("allow.mac", "a bond has the MAC address of the VF that carries");
    }
}
