//! Whether the VFs of pools that give them to programs can be given so: vfio-pci is there, and an IOMMU keeps each apart.

use super::{Code, Facts, Finding};
use crate::{
    config::Config,
    inventory::{CardFacts, NotVfio},
    types::{Name, PciAddress},
};

/// What keeps VFs from being given.
pub(super) fn given(facts: &Facts, config: &Config) -> Vec<Finding> {
    let of_pools = facts.cards.iter().filter(|card| !card.vfio.is_empty());
    of_pools.flat_map(|card| of_card(card, config)).collect()
}

fn of_card(card: &CardFacts, config: &Config) -> Vec<Finding> {
    let vfio = config.pools.get(&card.pool).and_then(|pool| pool.vfio);
    let noiommu = vfio.is_some_and(|vfio| vfio.noiommu);
    let refused = |(vf, facts): (&PciAddress, &crate::inventory::VfioFacts)| {
        Some((*vf, facts.refusal(noiommu)?))
    };
    let refused: Vec<(PciAddress, NotVfio)> = card.vfio.iter().filter_map(refused).collect();
    let has = |is_it: fn(&NotVfio) -> bool| refused.iter().any(|(_, why)| is_it(why));
    let subject = card.name.as_ref().map_or_else(|| card.pool.to_string(), ToString::to_string);
    let mut findings = Vec::new();
    if has(|why| *why == NotVfio::NoDriver) {
        let breaks = format!("pool {} gives VFs by vfio-pci, which is not loaded", card.pool);
        findings.push(
            Finding::error(Code::VfioNotLoaded, "vfio-pci", breaks)
                .run(["modprobe vfio-pci".to_owned()]),
        );
    }
    if has(|why| matches!(why, NotVfio::NoIommu | NotVfio::NoIommuRefused)) {
        findings.push(without_iommu(&card.pool, noiommu));
    }
    let shared = refused.iter().filter(|(_, why)| matches!(why, NotVfio::Shared(_)));
    let shared: Vec<String> = shared.map(|(vf, why)| format!("{vf} {why}")).collect();
    if !shared.is_empty() {
        let breaks = format!("VFs of pool {} are not given: {}", card.pool, shared.join("; "));
        let advice =
            "put the card into a slot whose bridges have ACS, or leave these VFs out of the pool";
        let all = shared.len() == card.vfio.len();
        let finding = if all { Finding::error } else { Finding::warning };
        findings.push(finding(Code::IommuGroupShared, subject, breaks).advise(advice));
    }
    findings
}

fn without_iommu(pool: &Name, noiommu: bool) -> Finding {
    let breaks = format!("pool {pool} gives VFs by vfio-pci, and there is no IOMMU group for them");
    let advice = if noiommu {
        "noiommu = true is said; write Y to /sys/module/vfio/parameters/enable_unsafe_noiommu_mode too, or start the kernel with an IOMMU"
    } else {
        "start the kernel with intel_iommu=on or amd_iommu=on, with the IOMMU on in the firmware"
    };
    Finding::error(Code::VfioWithoutIommu, "IOMMU", breaks).advise(advice)
}
