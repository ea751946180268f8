//! `[[network]]`: what a sandbox may have.

use std::{collections::BTreeSet, net::IpAddr};

use super::{Allow, allow, section::Section};
use crate::types::{AddressRange, InterfaceName, LinkState, Name, VfAttribute, VfAttributes, Vlan};

/// A device of a pool, and how it is set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// The pool that the device comes from.
    pub pool: Name,
    /// Its name in the sandbox, when the request does not choose one.
    pub interface: InterfaceName,
    /// Its MTU in bytes; `None` leaves the device's own.
    pub mtu: Option<u32>,
    /// What the card shall enforce; only what is set is touched.
    pub attributes: VfAttributes,
    /// Attributes that a driver may refuse without failing the attachment.
    pub best_effort: BTreeSet<VfAttribute>,
    /// One address is taken from the ranges of each family.
    pub addresses: Vec<AddressRange>,
    /// Next hops of the default route, one of a family at most.
    pub gateway: Vec<IpAddr>,
    /// Whether the sandbox's default route goes out here.
    pub default_route: bool,
    /// What a request may choose.
    pub allow: Allow,
}

pub(super) fn read(section: &mut Section) -> Option<(Name, Network)> {
    let name = section.required("name");
    let pool = section.required("pool");
    let interface = section.required("interface");
    let network = Network {
        mtu: section.optional("mtu"),
        attributes: attributes(section),
        best_effort: section.list("best_effort").into_iter().collect(),
        addresses: section.list("addresses"),
        gateway: section.list("gateway"),
        default_route: section.optional("default_route").unwrap_or(false),
        allow: section.table("allow", allow::read).unwrap_or_default(),
        pool: pool?,
        interface: interface?,
    };
    Some((name?, network))
}

fn attributes(section: &mut Section) -> VfAttributes {
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
