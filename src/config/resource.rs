//! `resource` of a pool: what charts that were written for the SR-IOV device plugin call its devices. Tells nobody of them.

use super::{PoolKind, section::Section};
use crate::types::ResourceName;

/// Reads it; what is made on a parent, and what is made of the devices of other pools, has no device to name.
pub(super) fn read(section: &mut Section, kind: Option<PoolKind>) -> Option<ResourceName> {
    let resource = section.optional("resource");
    let has_devices = |kind: PoolKind| matches!(kind, PoolKind::Sriov | PoolKind::HostDevice);
    if resource.is_some() && !kind.is_none_or(has_devices) {
        let message = "needs kind = \"sriov\" or \"host-device\": its variables name devices, and only these have one of their own";
        section.problem("resource", message);
    }
    resource
}
