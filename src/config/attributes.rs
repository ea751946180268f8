//! What a card is to enforce for a VF: the keys of a network that say it. Knows no card.

use super::section::Section;
use crate::types::{LinkState, VfAttributes, Vlan};

pub(super) fn read(section: &mut Section) -> VfAttributes {
    let vlan: Option<Vlan> = section.optional("vlan");
    if let Some(vlan) = vlan.filter(|vlan| vlan.id > 4094 || vlan.qos > 7) {
        section.problem(
            "vlan",
            format!(
                "id {} and qos {}: expected an id of 0 to 4094 and a qos of 0 to 7",
                vlan.id, vlan.qos
            ),
        );
    }
    let min: Option<u32> = section.optional("min_tx_rate");
    let max: Option<u32> = section.optional("max_tx_rate");
    let rate = (min.is_some() || max.is_some()).then(|| (min.unwrap_or(0), max.unwrap_or(0)));
    if let Some((min, max)) = rate.filter(|(min, max)| *max != 0 && min > max) {
        section.problem("min_tx_rate", format!("{min} is above max_tx_rate, which is {max}"));
    }
    VfAttributes {
        mac: None,
        vlan,
        rate,
        spoof_check: section.optional("spoof_check"),
        link_state: section.optional::<LinkState>("link_state"),
        trust: section.optional("trust"),
    }
}
