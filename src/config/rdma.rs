//! Whether a network gives the RDMA device behind its interface. Says nothing of other nodes.

use super::{Pool, PoolKind, section::Section};

/// Reads it; a bond is of two devices, and what a program drives it drives by itself.
pub(super) fn read(section: &mut Section, given_by: Option<&Pool>) -> bool {
    let rdma = section.optional("rdma").unwrap_or(false);
    let refuses = given_by.is_some_and(|pool| pool.kind == PoolKind::Bond || pool.vfio.is_some());
    if rdma && refuses {
        section.problem(
            "rdma",
            "needs an interface on one device: neither a bond nor bind = \"vfio-pci\"",
        );
    }
    rdma
}
