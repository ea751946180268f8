//! `[service_path]`: how sandboxes reach service networks, whose rules exist only in the host's stack.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use serde::Deserialize;

use super::section::Section;
use crate::types::{AddressRange, InterfaceName};

/// The service path of every sandbox that does not opt out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServicePath {
    /// What carries it.
    pub mode: ServicePathMode,
    /// Networks that are reached through the host.
    pub cidrs: Vec<IpNet>,
    /// In the sandbox: the veth's name, or the existing interface to route through.
    pub interface: Option<InterfaceName>,
    /// Addresses of the sandbox's end, one of each family that `cidrs` has.
    pub source: Vec<AddressRange>,
}

/// What carries the service path.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServicePathMode {
    /// A veth pair of our own.
    Veth,
    /// An interface that the sandbox has already.
    Existing,
    /// There is none.
    #[default]
    Off,
}

impl ServicePath {
    /// The sandbox's next hop over the veth. Link-local, and the same in every sandbox: the pair has two ends only.
    pub fn next_hop(ipv6: bool) -> IpAddr {
        if ipv6 {
            Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1).into()
        } else {
            Ipv4Addr::new(169, 254, 1, 1).into()
        }
    }
}

pub(super) fn read(section: &mut Section) -> Option<ServicePath> {
    let mode = section.required("mode");
    let path = ServicePath {
        cidrs: section.list("cidrs"),
        interface: section.optional("interface"),
        source: section.list("source"),
        mode: mode?,
    };
    if path.mode != ServicePathMode::Off {
        let needed = [("interface", path.interface.is_none()), ("cidrs", path.cidrs.is_empty())];
        for (key, _) in needed.into_iter().filter(|(_, missing)| *missing) {
            section.problem(key, "is missing or wrong, and the mode needs it");
        }
    }
    Some(path)
}
