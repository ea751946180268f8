//! `bind` of a pool: its devices are given to programs that drive them themselves, and have no interface then. Says what of a pool and
//! of its networks means nothing without one.

use serde::Deserialize;

use super::section::Section;

/// How a device is given that is driven by a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vfio {
    /// Whether one is given that no IOMMU keeps from the rest of the machine's memory.
    pub noiommu: bool,
}

/// The drivers that hand a device to a program.
#[derive(Clone, Copy, Deserialize)]
enum Driver {
    #[serde(rename = "vfio-pci")]
    VfioPci,
}

/// What of a network needs an interface.
const NEEDS_INTERFACE: [&str; 11] = [
    "mtu",
    "addresses",
    "gateway",
    "default_route",
    "metric",
    "routes",
    "source_routing",
    "sysctls",
    "accept_ra",
    "conflict_check",
    "host_access",
];

const NO_INTERFACE: &str = "its pool has bind = \"vfio-pci\": a program drives the device, and there is no interface for this";

/// The keys of a pool; `None` for one of interfaces.
pub(super) fn read(section: &mut Section) -> Option<Vfio> {
    let driver: Option<Driver> = section.optional("bind");
    let noiommu: Option<bool> = section.optional("noiommu");
    if noiommu.is_some() && driver.is_none() {
        section.problem("noiommu", "needs bind = \"vfio-pci\"");
    }
    driver.map(|Driver::VfioPci| Vfio { noiommu: noiommu.unwrap_or(false) })
}

/// What else a pool says that does not go with it.
pub(super) fn check_pool(section: &mut Section, is_sriov: bool, resets: bool, is_for_claims: bool) {
    if !is_sriov {
        section.problem("bind", "needs kind = \"sriov\": what is made has no driver to change");
    }
    if resets {
        let message = "means nothing with bind = \"vfio-pci\": its driver begins anew each time";
        section.problem("reset", message);
    }
    if is_for_claims {
        let message = "a claim has no way for a device's node yet: with bind = \"vfio-pci\" kubelet counts devices, \"device-plugin\"";
        section.problem("publish", message);
    }
}

/// What a network of such a pool says that needs an interface, and `allow.addresses`.
pub(super) fn check_network(section: &mut Section, said: &[&'static str], allows_addresses: bool) {
    for key in said {
        section.problem(key, NO_INTERFACE);
    }
    if allows_addresses {
        section.problem("allow.addresses", NO_INTERFACE);
    }
}

/// The keys of a network section that need an interface and are there.
pub(super) fn said(section: &Section) -> Vec<&'static str> {
    NEEDS_INTERFACE.into_iter().filter(|key| section.has(key)).collect()
}
