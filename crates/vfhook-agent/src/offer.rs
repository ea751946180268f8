//! A device of a pool, of whatever kind the pool is. Looks only.

use vfhook::{
    kernel::LinuxKernel,
    operation::{self, Context, Offered, OfferedParent, OperationError},
    types::{Allotted, Name},
};

/// What a pool has to offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Offer {
    /// A VF, for one pod.
    Vf(Offered),
    /// The parent of macvlan devices, of which many pods have a share.
    Parent(OfferedParent),
}

impl Offer {
    /// What a pod has of it that was given it.
    pub(crate) fn allotted(&self) -> Allotted {
        match self {
            Self::Vf(offered) => Allotted::Vf(offered.vf.address),
            Self::Parent(_) => Allotted::Share,
        }
    }

    /// Why it cannot be had.
    pub(crate) fn withheld(&self) -> Option<&str> {
        match self {
            Self::Vf(offered) => offered.withheld.as_deref(),
            Self::Parent(parent) => parent.withheld.as_deref(),
        }
    }
}

/// What a pool has to offer now.
pub(crate) fn of_pool(
    kernel: &mut LinuxKernel,
    context: &Context,
    pool: &Name,
) -> Result<Vec<Offer>, OperationError> {
    if let Some(parent) = operation::offer_parent(kernel, context, pool) {
        return Ok(vec![Offer::Parent(parent)]);
    }
    Ok(operation::offer(kernel, context, pool)?.into_iter().map(Offer::Vf).collect())
}
