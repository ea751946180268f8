//! What sysfs tells of a device that is to be driven by a program: its IOMMU group, the driver it is bound to alone, and the nodes by which
//! a program opens it.

use std::{collections::BTreeSet, fs, path::Path};

use super::function::Sysfs;
use crate::{
    inventory::{IommuGroup, Node, VFIO, VfioFacts},
    types::PciAddress,
};

/// What stands in `driver_override` of a device that any driver may have.
const ANY: &str = "(null)";

/// The class of a bridge, but for its programming interface.
const BRIDGE: &str = "0x06";

/// The name of a group that vfio made for a device that no IOMMU has.
const NOIOMMU: &str = "vfio-noiommu";

/// Where vfio's nodes are.
const NODES: &str = "/dev/vfio";

impl Sysfs {
    /// What is known of the device.
    pub(crate) fn vfio(&self, device: PciAddress) -> VfioFacts {
        let parameter = self.root.join("module/vfio/parameters/enable_unsafe_noiommu_mode");
        VfioFacts {
            group: self.iommu_group(device),
            driver_override: self.driver_override(device),
            has_driver: self.driver_directory(VFIO).exists(),
            gives_noiommu: text(&parameter).is_some_and(|said| said == "Y"),
        }
    }

    /// The only driver that the device may be bound to; `None` for any.
    pub(crate) fn driver_override(&self, device: PciAddress) -> Option<String> {
        let found = text(&self.device(device).join("driver_override"))?;
        Some(found).filter(|found| found != ANY && !found.is_empty())
    }

    fn iommu_group(&self, device: PciAddress) -> Option<IommuGroup> {
        let group = self.device(device).join("iommu_group");
        let number = fs::read_link(&group).ok()?.file_name()?.to_str()?.parse().ok()?;
        let is_noiommu = text(&group.join("name")).is_some_and(|name| name == NOIOMMU);
        let entries = fs::read_dir(group.join("devices")).into_iter().flatten().flatten();
        let members = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let others: BTreeSet<PciAddress> =
            members.filter(|other| *other != device && !self.is_bridge(*other)).collect();
        Some(IommuGroup { number, is_noiommu, others })
    }

    fn is_bridge(&self, device: PciAddress) -> bool {
        let class = text(&self.device(device).join("class"));
        class.is_some_and(|class| class.starts_with(BRIDGE))
    }

    /// The node of a device's group, once vfio has it.
    pub(crate) fn vfio_group(&self, device: PciAddress) -> Option<Node> {
        let group = self.iommu_group(device)?;
        let prefix = if group.is_noiommu { "noiommu-" } else { "" };
        let name = format!("{prefix}{}", group.number);
        node(&self.root.join("class/vfio").join(name), NODES)
    }

    /// The node that all groups are used by.
    pub(crate) fn vfio_container(&self) -> Option<Node> {
        node(&self.root.join("class/misc/vfio"), NODES)
    }
}

/// The character device that sysfs shows in `directory`, by the node of its name below `folder`.
pub(super) fn node(directory: &Path, folder: &str) -> Option<Node> {
    let numbers = text(&directory.join("dev"))?;
    let (major, minor) = numbers.split_once(':')?;
    let path = Path::new(folder).join(directory.file_name()?);
    Some(Node { path, major: major.parse().ok()?, minor: minor.parse().ok()? })
}

pub(super) fn text(path: &Path) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim_end().to_owned())
}
