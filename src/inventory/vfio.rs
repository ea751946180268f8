//! What is known of a device that is to be driven by a program, and whether it can be given so. Facts, and what follows from them alone.

use std::{collections::BTreeSet, fmt, path::PathBuf};

use serde::Serialize;

use crate::types::PciAddress;

/// The driver that hands a device to a program.
pub const VFIO: &str = "vfio-pci";

/// A device, as one asks who is to be given all of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VfioFacts {
    /// Its IOMMU group; `None` where no IOMMU has it.
    pub group: Option<IommuGroup>,
    /// The only driver that it may be bound to; `None` for any that knows it.
    pub driver_override: Option<String>,
    /// Whether the kernel has vfio-pci, loaded.
    pub has_driver: bool,
    /// Whether vfio gives devices that have no IOMMU (its parameter `enable_unsafe_noiommu_mode`).
    pub gives_noiommu: bool,
}

/// What an IOMMU keeps apart from the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IommuGroup {
    /// Its number.
    pub number: u32,
    /// Whether it is one in name alone, made by vfio for a device that no IOMMU has.
    pub is_noiommu: bool,
    /// The other devices in it that could be somebody's; a bridge is nobody's.
    pub others: BTreeSet<PciAddress>,
}

/// Why a device cannot be given to a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotVfio {
    /// The kernel has no vfio-pci, or has not loaded it.
    NoDriver,
    /// No IOMMU has the device, and its pool does not say that it may be given nevertheless.
    NoIommu,
    /// Its pool says so, and vfio does not.
    NoIommuRefused,
    /// It is in one group with these.
    Shared(BTreeSet<PciAddress>),
}

impl VfioFacts {
    /// Why it cannot be given; `None` when it can. `noiommu`: whether it may be where no IOMMU has it.
    pub fn refusal(&self, noiommu: bool) -> Option<NotVfio> {
        let group = self.group.as_ref().filter(|group| !group.is_noiommu);
        match group {
            _ if !self.has_driver => Some(NotVfio::NoDriver),
            Some(group) if !group.others.is_empty() => Some(NotVfio::Shared(group.others.clone())),
            None if !noiommu => Some(NotVfio::NoIommu),
            None if !self.gives_noiommu => Some(NotVfio::NoIommuRefused),
            Some(_) | None => None,
        }
    }
}

impl fmt::Display for NotVfio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoDriver => f.write_str("cannot be bound to vfio-pci: `modprobe vfio-pci` first"),
            Self::NoIommu => f.write_str(
                "is in no IOMMU group: start the kernel with intel_iommu=on or amd_iommu=on, with the IOMMU on in the firmware; or, where \
                 its program may reach all memory of this machine, say noiommu = true in the pool",
            ),
            Self::NoIommuRefused => f.write_str(
                "is in no IOMMU group, and vfio gives no such device: write Y to \
                 /sys/module/vfio/parameters/enable_unsafe_noiommu_mode (a kernel without CONFIG_VFIO_NOIOMMU has no such file)",
            ),
            Self::Shared(others) => {
                let others: Vec<String> = others.iter().map(ToString::to_string).collect();
                write!(
                    f,
                    "is in one IOMMU group with {}: whoever has one reaches all of them, so the card must be in a slot whose bridges have \
                     ACS",
                    others.join(" ")
                )
            }
        }
    }
}

/// A character device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Node {
    /// Where it is, on the host as in a container.
    pub path: PathBuf,
    /// Its major number.
    pub major: u32,
    /// Its minor number.
    pub minor: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> VfioFacts {
        let group = IommuGroup { number: 7, is_noiommu: false, others: BTreeSet::new() };
        let group = Some(group);
        VfioFacts { group, driver_override: None, has_driver: true, gives_noiommu: false }
    }

    #[test]
    fn a_device_alone_in_its_group_is_given() {
        assert_eq!(facts().refusal(false), None);
        assert_eq!(facts().refusal(true), None);
        let driverless = VfioFacts { has_driver: false, ..facts() };
        assert_eq!(driverless.refusal(true), Some(NotVfio::NoDriver));
    }

    #[test]
    fn a_group_is_nobody_elses() {
        let other: PciAddress = "0000:01:10.2".parse().unwrap();
        let group = facts().group.map(|group| IommuGroup { others: [other].into(), ..group });
        let refusal = VfioFacts { group, ..facts() }.refusal(true).unwrap();
        assert!(refusal.to_string().contains("0000:01:10.2"), "{refusal}");
    }

    #[test]
    fn without_an_iommu_both_the_operator_and_the_kernel_must_say_so() {
        let group = facts().group.map(|group| IommuGroup { is_noiommu: true, ..group });
        for group in [None, group] {
            let bare = VfioFacts { group, ..facts() };
            assert_eq!(bare.refusal(false), Some(NotVfio::NoIommu));
            assert_eq!(bare.refusal(true), Some(NotVfio::NoIommuRefused));
            let open = VfioFacts { gives_noiommu: true, ..bare };
            assert_eq!(open.refusal(true), None);
            assert_eq!(open.refusal(false), Some(NotVfio::NoIommu));
        }
    }
}
