//! Makes virtual functions as the pools say. What somebody has is never destroyed unasked, and nothing is given from a card whose VFs
//! are being made.

use std::collections::{BTreeMap, BTreeSet};

use super::{Context, OperationError, Preview};
use crate::{
    execute::{self, Outcome},
    inventory::{PhysicalFunction, Unusable},
    kernel::{Kernel, KernelError},
    lease::{Claim, LeaseStore},
    plan::{self, Plan, Wanted, step::Step},
    types::{Deadline, DeviceName, PciAddress, with_causes},
};

/// Makes each physical function of a pool with `num_vfs` have that many. VFs that are in use are destroyed only if `even_in_use`,
/// those that sandboxes have not even then. Returns what was done, in words.
pub fn provision(
    kernel: &mut impl Kernel,
    context: &Context,
    even_in_use: bool,
    deadline: Deadline,
) -> Result<Preview, OperationError> {
    let mut asked = ask(kernel, context)?;
    let mut plan = make_plan(kernel, context, &asked, even_in_use)?;
    // Held to the end. Other cards, and sandboxes without VFs, do not wait for a driver.
    let mut withheld = BTreeMap::new();
    while !cards_of(&plan).iter().all(|card| withheld.contains_key(card)) {
        withheld.clear();
        for card in cards_of(&plan) {
            withheld.insert(card, context.leases.withhold(card)?);
        }
        asked = ask(kernel, context)?;
        wait_for_lookers(context, &asked, deadline)?;
        // Until now a sandbox could be given one of their VFs.
        plan = make_plan(kernel, context, &asked, even_in_use)?;
    }
    asked.tell();
    match execute::run(&plan, kernel, deadline) {
        // Who is there has its VFs; a boot unit tries again for the rest.
        Outcome::Applied { .. } => match asked.missing.into_iter().next() {
            Some(missing) => Err(missing.into()),
            None => Ok(Preview::of_plan(&plan)),
        },
        Outcome::Failed { failure, undone } if undone.is_clean() => {
            Err(OperationError::RolledBack { verb: "provisioning", source: failure })
        }
        Outcome::Failed { failure, undone } => Err(OperationError::NeedsCleanup {
            what: format!("provisioning failed ({})", with_causes(&failure)),
            failures: undone.reasons(),
        }),
    }
}

/// What [`provision`] would do.
pub fn preview_provision(
    kernel: &mut impl Kernel,
    context: &Context,
    even_in_use: bool,
) -> Result<Preview, OperationError> {
    let asked = ask(kernel, context)?;
    let plan = make_plan(kernel, context, &asked, even_in_use)?;
    asked.tell();
    Ok(Preview::of_plan(&plan))
}

/// Waits until whoever looks at a VF that is to be made anew has recorded it or let go of it.
fn wait_for_lookers(
    context: &Context,
    asked: &Asked,
    deadline: Deadline,
) -> Result<(), OperationError> {
    let changing = asked.wanted.iter().filter(|one| one.changes());
    for vf in changing.flat_map(|one| &one.function.vfs) {
        context.leases.wait_for(vf.address, deadline)?;
    }
    Ok(())
}

/// What pools ask of physical functions.
struct Asked {
    /// Of those that are there.
    wanted: Vec<Wanted>,
    /// Why others are not.
    missing: Vec<KernelError>,
}

impl Asked {
    /// Says what of it an operator may have to mend.
    fn tell(&self) {
        for error in &self.missing {
            tracing::warn!(error = %with_causes(error), "left out");
        }
        for one in self.wanted.iter().filter(|one| one.changes() && one.is_down && !one.up) {
            let pf = &one.function.name;
            tracing::warn!(%pf, "it is down: some drivers make no VFs then, and VFs have no carrier; `up = true` in the pool brings it up");
        }
    }
}

fn cards_of(plan: &Plan) -> BTreeSet<PciAddress> {
    let cards = plan.steps().iter().filter_map(|planned| match &planned.step {
        Step::SetNumVfs { pf, .. } => Some(*pf),
        _ => None,
    });
    cards.collect()
}

/// Looks for the physical functions that pools ask something of.
fn ask(kernel: &mut impl Kernel, context: &Context) -> Result<Asked, OperationError> {
    let pools = context.config.pools.values().filter_map(|pool| Some((pool, pool.num_vfs?)));
    let (mut wanted, mut missing) = (Vec::new(), Vec::new());
    for (pool, count) in pools {
        let functions = kernel.physical_functions(&pool.selector);
        missing.extend(functions.missing);
        for function in functions.found {
            wanted.push(asked(kernel, function, count, pool.up));
        }
    }
    if wanted.is_empty() {
        let why = missing.into_iter().next();
        return Err(why.map_or(OperationError::NothingToProvision, OperationError::from));
    }
    Ok(Asked { wanted, missing })
}

/// The plan for the physical functions that are there.
fn make_plan(
    kernel: &mut impl Kernel,
    context: &Context,
    asked: &Asked,
    even_in_use: bool,
) -> Result<Plan, OperationError> {
    let mut occupied = BTreeMap::new();
    for one in asked.wanted.iter().filter(|one| one.changes()) {
        occupied.extend(occupied_of(kernel, Some(&context.leases), &one.function, even_in_use)?);
    }
    Ok(plan::provision(&asked.wanted, &occupied)?)
}

fn asked(kernel: &mut impl Kernel, function: PhysicalFunction, count: u32, up: bool) -> Wanted {
    // One without an interface here is in another namespace, or has none: its driver will say.
    let link = kernel.observe_link(&DeviceName::Address(function.address));
    let driver = kernel.binding(function.address).driver;
    Wanted { function, count, up, is_down: link.is_ok_and(|link| !link.up), driver }
}

/// The VFs of a physical function that would be missed: those that sandboxes have, and those that anybody uses unless that is
/// `even_in_use` no matter.
pub(super) fn occupied_of(
    kernel: &mut impl Kernel,
    leases: Option<&LeaseStore>,
    function: &PhysicalFunction,
    even_in_use: bool,
) -> Result<BTreeMap<PciAddress, String>, OperationError> {
    let mut occupied = BTreeMap::new();
    for vf in &function.vfs {
        let claim = Claim::Device(vf.address);
        if let Some(leases) = leases.filter(|leases| leases.is_taken(&claim)) {
            occupied.insert(vf.address, format!("leased to {}", holder(leases, vf.address)));
        } else if !even_in_use {
            let unusable = kernel.observe_device(vf, false)?.err();
            let use_of_it = unusable.filter(Unusable::is_use);
            occupied.extend(use_of_it.map(|why| (vf.address, why.to_string())));
        }
    }
    Ok(occupied)
}

fn holder(leases: &LeaseStore, device: PciAddress) -> String {
    let lease = leases.find(&Claim::Device(device)).ok().flatten();
    lease.map_or("a sandbox whose lease cannot be read".to_owned(), |lease| lease.id.to_string())
}
