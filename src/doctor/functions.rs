//! The VFs of SR-IOV pools that no lease holds: bound to a driver that makes an interface, and what that does not need.

use super::{Code, Facts, Finding, cards::found};
use crate::{
    config::Config,
    inventory::{Binding, CardFacts, PhysicalFunction},
    types::PciAddress,
};

/// The driver that hands a device to virtual machines.
const VFIO: &str = "vfio-pci";

/// Whether each VF of a pool could be given away.
pub(super) fn usable(facts: &Facts, _: &Config) -> Vec<Finding> {
    let made = found(facts).filter(|(_, function)| function.num_vfs > 0);
    made.flat_map(|(card, function)| of_card(card, function)).collect()
}

fn of_card(card: &CardFacts, function: &PhysicalFunction) -> Vec<Finding> {
    let subject = function.name.to_string();
    if card.wanted == 0 {
        let breaks = format!("pool {} wants none of its {} VFs", card.pool, function.num_vfs);
        let advice =
            format!("correct the selectors of pool {}; `vfhook status` lists VFs", card.pool);
        return vec![Finding::error(Code::NoVfWanted, subject, breaks).advise(advice)];
    }
    let (mut driverless, mut virtual_machines, mut elsewhere, mut in_use) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (address, binding) in &card.idle {
        match binding {
            Binding { driver: None, .. } => driverless.push(*address),
            Binding { driver: Some(driver), .. } if driver == VFIO => {
                virtual_machines.push(*address);
            }
            Binding { interface: None, .. } => elsewhere.push(*address),
            Binding { .. } if card.occupied.contains_key(address) => in_use.push(*address),
            Binding { .. } => {}
        }
    }
    let worthless = [&driverless, &virtual_machines, &elsewhere, &in_use];
    let worthless = worthless.map(Vec::len).iter().sum::<usize>() == card.wanted;
    let finding = |code: Code, vfs: &[PciAddress], what: &str| {
        let breaks =
            format!("{} of the {} VFs of pool {} {what}", vfs.len(), card.wanted, card.pool);
        if worthless {
            Finding::error(code, &subject, breaks)
        } else {
            Finding::warning(code, &subject, breaks)
        }
    };
    let mut findings = Vec::new();
    if !driverless.is_empty() {
        let what = "have no driver, so no interface to give";
        findings.push(
            finding(Code::VfWithoutDriver, &driverless, what)
                .run([each(&driverless, "echo $vf > /sys/bus/pci/drivers_probe")]),
        );
    }
    if !virtual_machines.is_empty() {
        let what = "are bound to vfio-pci, for virtual machines: they have no interface to give";
        // No command: it would take the device from a machine that runs.
        findings.push(finding(Code::VfOfVirtualMachines, &virtual_machines, what).advise(format!(
            "leave them to virtual machines with the pool's vf or pci; or stop the machines that have {}, empty driver_override, \
             unbind them from vfio-pci and write them to /sys/bus/pci/drivers_probe",
            list(&virtual_machines)
        )));
    }
    if !in_use.is_empty() {
        findings.push(finding(Code::VfInUse, &in_use, &used_by(card, &in_use)).advise(format!(
            "leave them out with `vf` of pool {}, or take away what uses them",
            card.pool
        )));
    }
    if !elsewhere.is_empty() {
        let what = "have a driver and no interface on this host: they are in a namespace that vfhook did not put them into";
        findings.push(finding(Code::VfElsewhere, &elsewhere, what).advise(
            "`vfhook status` names them; `lsns -t net` lists namespaces: take them back there with `ip link set NAME netns 1`",
        ));
    }
    findings
}

fn used_by(card: &CardFacts, vfs: &[PciAddress]) -> String {
    let shown = vfs.iter().filter_map(|vf| Some(format!("{vf} {}", card.occupied.get(vf)?)));
    format!("are not to be given: {}", shown.collect::<Vec<_>>().join("; "))
}

/// One line of shell that does `what` with each of `vfs`.
fn each(vfs: &[PciAddress], what: &str) -> String {
    format!("for vf in {}; do {what}; done", list(vfs))
}

fn list(vfs: &[PciAddress]) -> String {
    let all: Vec<String> = vfs.iter().map(ToString::to_string).collect();
    all.join(" ")
}

/// Whether somebody configures VFs as if they were the host's cards: one with an address is in use, and is not given.
pub(super) fn lent_addresses(facts: &Facts, _: &Config) -> Vec<Finding> {
    let made = found(facts).filter(|(_, function)| function.num_vfs > 0);
    made.filter_map(|(card, function)| {
        let lent: Vec<String> = card.idle.values().filter_map(|vf| lent(facts, vf)).collect();
        if lent.is_empty() {
            return None;
        }
        let breaks = format!(
            "{} of the {} VFs of pool {} have an address by DHCP or from a router, as if they were the host's own cards, and are not \
             given: {}",
            lent.len(),
            card.wanted,
            card.pool,
            lent.join(", ")
        );
        let subject = function.name.to_string();
        let finding = if lent.len() == card.wanted {
            Finding::error(Code::VfAddressLent, subject, breaks)
        } else {
            Finding::warning(Code::VfAddressLent, subject, breaks)
        };
        Some(finding.advise(
            "keep NetworkManager, systemd-networkd and others off VFs with the files of host-files/ (its README says how), then \
             `ip address flush dev NAME` for each that the host does not need",
        ))
    })
    .collect()
}

/// The interface of a VF with the first address that it was lent.
fn lent(facts: &Facts, vf: &Binding) -> Option<String> {
    let name = vf.interface.as_ref()?;
    let link = facts.host.links.iter().find(|link| &link.name == name)?;
    Some(format!("{name} {}", facts.host.lent.get(&link.index)?.first()?))
}

/// Whether an IOMMU is missing where somebody seems to want one. vfhook gives interfaces, and they need none.
pub(super) fn iommu(facts: &Facts, _: &Config) -> Vec<Finding> {
    // Pools that give VFs to programs have findings of their own.
    let cards = facts.cards.iter().filter(|card| card.vfio.is_empty());
    let mut bindings = cards.flat_map(|card| card.idle.values());
    let is_vfio = |binding: &Binding| binding.driver.as_deref() == Some(VFIO);
    let asked = ["intel_iommu=on", "amd_iommu=on"];
    let switched_on = facts.host.command_line.split_whitespace().any(|word| asked.contains(&word));
    if facts.host.iommu_groups || switched_on || !bindings.any(is_vfio) {
        return Vec::new();
    }
    let breaks = "there are no IOMMU groups: virtual machines cannot have the VFs that are bound to vfio-pci; \
                  containers do not need it";
    let advice = "for virtual machines, start the kernel with intel_iommu=on or amd_iommu=on";
    vec![Finding::info(Code::NoIommu, "IOMMU", breaks).advise(advice)]
}
