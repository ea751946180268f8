//! Whether the pools that a bond names can give it links. Reads nothing of the file.

use super::{
    Pool, PoolKind,
    section::{Named, Section},
};
use crate::types::Name;

/// Each link is a VF that nobody counts and that has an interface.
pub(super) fn check(section: &mut Section, pools: &[Named<Pool>]) {
    for (index, bond) in pools.iter().enumerate() {
        let members = bond.value.iter().flat_map(|pool| &pool.members);
        for (number, member) in members.enumerate() {
            if let Some(problem) = unfit(member, pools) {
                section.problem(&format!("pool[{index}].members[{number}]"), problem);
            }
        }
    }
}

fn unfit(member: &Name, pools: &[Named<Pool>]) -> Option<String> {
    let Some(pool) = pools.iter().find(|pool| pool.name.as_ref() == Some(member)) else {
        return Some(format!("there is no pool \"{member}\""));
    };
    // One that is wrong in itself is told already.
    let pool = pool.value.as_ref()?;
    if pool.kind != PoolKind::Sriov || pool.vfio.is_some() {
        return Some(format!("{member} gives no VF with an interface, and a bond is made of such"));
    }
    let counted = "is published, and a bond's VFs are counted by nobody: leave publish out, or take another pool";
    pool.publish.map(|_| format!("{member} {counted}"))
}
