//! Takes back one network that was added to a sandbox while it ran. What the sandbox began with stays until it ends.

use super::{
    Context, Detached, OperationError, Which, add::additions, detach::claim_of, recover::release,
    verify::gives,
};
use crate::{
    kernel::Kernel,
    lease::{Claim, Lease},
    request::NetworkRequest,
    types::{Deadline, SandboxId},
};

/// Takes back what was added to a sandbox under the network, and the interface where that is said, of `asked`.
pub fn take(
    kernel: &mut impl Kernel,
    context: &Context,
    which: &Which,
    asked: &NetworkRequest,
    deadline: Deadline,
) -> Result<Detached, OperationError> {
    let claim = claim_of(kernel, which)?;
    let Some(mut first) = context.leases.reserve_existing(&claim, deadline)? else {
        return Ok(Detached::Unknown);
    };
    let Some(id) = meant(context, &first.lease, asked)? else { return Ok(Detached::Unknown) };
    if let Some(addition) = context.leases.reserve_existing(&Claim::Id(id.clone()), deadline)? {
        release(kernel, context, addition, "", deadline)?;
    }
    first.lease.additions.remove(&id);
    context.leases.update(&first.lease)?;
    Ok(Detached::Detached)
}

/// What [`take`] would take back; `None` where there is nothing of it.
pub fn addition(
    kernel: &mut impl Kernel,
    context: &Context,
    which: &Which,
    asked: &NetworkRequest,
) -> Result<Option<Which>, OperationError> {
    let claim = claim_of(kernel, which)?;
    let Some(first) = context.leases.find(&claim)? else { return Ok(None) };
    Ok(meant(context, &first, asked)?.map(Which::Id))
}

/// The one addition that is meant.
fn meant(
    context: &Context,
    first: &Lease,
    asked: &NetworkRequest,
) -> Result<Option<SandboxId>, OperationError> {
    let (id, network) = (first.id.clone(), asked.network.clone());
    let mut meant = additions(context, first)?;
    meant.retain(|addition| addition.networks.iter().any(|had| gives(had, asked)));
    match &meant[..] {
        [one] => Ok(Some(one.id.clone())),
        [] if first.networks.iter().any(|had| gives(had, asked)) => {
            Err(OperationError::BeganWith { id, network })
        }
        [] => Ok(None),
        several => {
            let had = several.iter().flat_map(|addition| &addition.networks);
            let interfaces = had.map(|had| format!("{}@{}", had.network, had.interface)).collect();
            Err(OperationError::WhichAddition { id, network, interfaces })
        }
    }
}
