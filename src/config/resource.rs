//! `resource` of a pool: what charts that were written for the SR-IOV device plugin call its devices. Tells nobody of them.

use super::section::Section;
use crate::types::ResourceName;

/// Reads it; what is made on a parent, and what is made of the devices of other pools, has no device to name.
pub(super) fn read(section: &mut Section, has_devices: bool) -> Option<ResourceName> {
    let resource = section.optional("resource");
    if resource.is_some() && !has_devices {
        let message = "needs kind = \"sriov\" or \"host-device\": its variables name devices, and only these have one of their own";
        section.problem("resource", message);
    }
    resource
}
