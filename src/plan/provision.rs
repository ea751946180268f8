//! The plan that makes virtual functions. Runs at boot or by hand, never in a hook: making VFs takes seconds.

use std::collections::BTreeMap;

use super::{Plan, PlannedStep, Undo, step::Step};
use crate::{
    inventory::PhysicalFunction,
    types::{KernelText, PciAddress, SandboxId},
};

/// Why there is no plan. Nothing has been touched.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProvisionError {
    /// More than the card can make.
    #[error("{pf}: {wanted} VFs are asked for, the card makes at most {total}; lower num_vfs")]
    TooMany {
        /// The physical function.
        pf: KernelText,
        /// What the configuration says.
        wanted: u32,
        /// What the card says.
        total: u32,
    },
    /// Two pools want different numbers on one physical function.
    #[error("{pf}: one pool asks for {first} VFs and another for {second}; make num_vfs the same")]
    Contradiction {
        /// The physical function.
        pf: KernelText,
        /// One number.
        first: u32,
        /// The other.
        second: u32,
    },
    /// The number must change while a sandbox has one of the VFs.
    #[error(
        "{pf}: {device} is leased to {}, and changing {current} VFs to {wanted} would destroy it; detach it first",
        sandbox.as_ref().map_or("a sandbox whose lease cannot be read".to_owned(), ToString::to_string)
    )]
    Leased {
        /// The physical function.
        pf: KernelText,
        /// The VF.
        device: PciAddress,
        /// Who has it, where that can be read.
        sandbox: Option<SandboxId>,
        /// How many there are.
        current: u32,
        /// How many there should be.
        wanted: u32,
    },
}

/// Makes each physical function have the number beside it. `leased` are the VFs that sandboxes have, and who has each where that can be read.
pub fn provision(
    wanted: &[(PhysicalFunction, u32)],
    leased: &BTreeMap<PciAddress, Option<SandboxId>>,
) -> Result<Plan, ProvisionError> {
    let mut steps = Vec::new();
    for (position, (pf, count)) in wanted.iter().enumerate() {
        let before = &wanted[..position];
        match before.iter().find(|(other, _)| other.address == pf.address) {
            Some((_, first)) if first != count => {
                return Err(ProvisionError::Contradiction {
                    pf: pf.name.clone(),
                    first: *first,
                    second: *count,
                });
            }
            Some(_) => {}
            None => steps.extend(of_one(pf, *count, leased)?),
        }
    }
    Ok(Plan { steps })
}

fn of_one(
    pf: &PhysicalFunction,
    wanted: u32,
    leased: &BTreeMap<PciAddress, Option<SandboxId>>,
) -> Result<Vec<PlannedStep>, ProvisionError> {
    if wanted > pf.total_vfs {
        return Err(ProvisionError::TooMany { pf: pf.name.clone(), wanted, total: pf.total_vfs });
    }
    if pf.num_vfs == wanted {
        return Ok(Vec::new());
    }
    let held = pf.vfs.iter().find_map(|vf| Some((vf.address, leased.get(&vf.address)?)));
    if let Some((device, sandbox)) = held {
        return Err(ProvisionError::Leased {
            pf: pf.name.clone(),
            device,
            sandbox: sandbox.clone(),
            current: pf.num_vfs,
            wanted,
        });
    }
    let set = |count| Step::SetNumVfs { pf: pf.address, pf_name: pf.name.clone(), count };
    let mut steps = Vec::new();
    if pf.num_vfs != 0 && wanted != 0 {
        // The kernel refuses to go from one number to another directly.
        steps.push(PlannedStep::new(set(0), Undo::by(set(pf.num_vfs))));
    }
    let undo = if steps.is_empty() { set(pf.num_vfs) } else { set(0) };
    steps.push(PlannedStep::new(set(wanted), Undo::by(undo)));
    Ok(steps)
}
