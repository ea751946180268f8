//! Makes virtual functions as the pools say.

use super::{Context, OperationError, Preview};
use crate::{
    execute::{self, Outcome},
    inventory::PhysicalFunction,
    kernel::Kernel,
    lease::Claim,
    plan::{self, Plan},
    types::{Deadline, PciAddress, SandboxId},
};

/// Makes each physical function of a pool with `num_vfs` have that many. Returns what was done, in words.
pub fn provision(
    kernel: &mut impl Kernel,
    context: &Context,
    deadline: Deadline,
) -> Result<Preview, OperationError> {
    // Held to the end: nothing may be leased from a card whose VFs are being made anew.
    let _table = context.leases.lock(deadline)?;
    let plan = make_plan(kernel, context)?;
    match execute::run(&plan, kernel, deadline) {
        Outcome::Applied => Ok(Preview::of_plan(&plan)),
        Outcome::Failed { failure, undone } if undone.is_clean() => {
            Err(OperationError::RolledBack { verb: "provisioning", source: failure })
        }
        Outcome::Failed { failure, undone } => {
            let failures =
                undone.failures.iter().map(|(step, error)| format!("{step}: {error}")).collect();
            Err(OperationError::NeedsCleanup {
                what: format!("provisioning failed ({failure})"),
                failures,
            })
        }
    }
}

/// What [`provision`] would do.
pub fn preview_provision(
    kernel: &mut impl Kernel,
    context: &Context,
) -> Result<Preview, OperationError> {
    Ok(Preview::of_plan(&make_plan(kernel, context)?))
}

fn make_plan(kernel: &mut impl Kernel, context: &Context) -> Result<Plan, OperationError> {
    let pools =
        context.config.pools.values().filter_map(|pool| Some((&pool.selector, pool.num_vfs?)));
    let mut wanted: Vec<(PhysicalFunction, u32)> = Vec::new();
    for (selector, count) in pools {
        wanted.extend(
            kernel
                .physical_functions(selector)
                .some()?
                .into_iter()
                .map(|function| (function, count)),
        );
    }
    if wanted.is_empty() {
        return Err(OperationError::NothingToProvision);
    }
    let all = wanted.iter().flat_map(|(function, _)| &function.vfs).map(|vf| vf.address);
    let taken = all.filter(|address| context.leases.is_taken(&Claim::Device(*address)));
    let leased = taken.map(|address| (address, holder(context, address))).collect();
    Ok(plan::provision(&wanted, &leased)?)
}

fn holder(context: &Context, device: PciAddress) -> Option<SandboxId> {
    Some(context.leases.find(&Claim::Device(device)).ok()??.id)
}
