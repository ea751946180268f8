//! The plan that makes virtual functions. Runs at boot or by hand, never in a hook: making VFs takes seconds.

use std::{collections::BTreeMap, fmt};

use super::{Plan, PlannedStep, Undo, step::Step};
use crate::{
    inventory::PhysicalFunction,
    types::{KernelText, PciAddress},
};

/// The driver of cards that make no VFs while their physical function is down.
const NEEDS_UP: &str = "bnxt_en";

/// What a pool asks of a physical function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Which one.
    pub function: PhysicalFunction,
    /// How many VFs it is to have.
    pub count: u32,
    /// Whether it is to be brought up if it is down.
    pub up: bool,
    /// Whether it is down.
    pub is_down: bool,
    /// Its driver.
    pub driver: Option<String>,
}

impl Wanted {
    /// Whether the number of VFs must change.
    pub fn changes(&self) -> bool {
        self.function.num_vfs != self.count
    }
}

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
    /// The number must change while somebody has VFs.
    #[error("another number of VFs would destroy those that there are: {}", list(.0))]
    InUse(Vec<Occupied>),
    /// The card makes no VFs in the state that it is in.
    #[error(
        "{pf} is down, and its driver {NEEDS_UP} makes no VFs then; `ip link set {pf} up`, or up = true in the pool"
    )]
    Down {
        /// The physical function.
        pf: KernelText,
    },
}

/// A VF that somebody has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Occupied {
    /// Its physical function.
    pub pf: KernelText,
    /// Which one.
    pub vf: PciAddress,
    /// Who, or what for.
    pub why: String,
}

impl fmt::Display for Occupied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ({})", self.pf, self.vf, self.why)
    }
}

fn list(occupied: &[Occupied]) -> String {
    occupied.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// Makes each physical function have the number that is asked for. `occupied` are the VFs that would be missed, and who has each or
/// what for.
pub fn provision(
    wanted: &[Wanted],
    occupied: &BTreeMap<PciAddress, String>,
) -> Result<Plan, ProvisionError> {
    let mut steps = Vec::new();
    let mut destroyed = Vec::new();
    for (position, one) in wanted.iter().enumerate() {
        let mut before = wanted[..position].iter();
        match before.find(|other| other.function.address == one.function.address) {
            Some(other) if other.count != one.count => {
                return Err(ProvisionError::Contradiction {
                    pf: one.function.name.clone(),
                    first: other.count,
                    second: one.count,
                });
            }
            Some(_) => {}
            None => {
                steps.extend(of_one(one)?);
                destroyed.extend(destroyed_by(one, occupied));
            }
        }
    }
    if destroyed.is_empty() { Ok(Plan::new(steps)) } else { Err(ProvisionError::InUse(destroyed)) }
}

fn destroyed_by<'a>(
    wanted: &'a Wanted,
    occupied: &'a BTreeMap<PciAddress, String>,
) -> impl Iterator<Item = Occupied> + 'a {
    let vfs = wanted.function.vfs.iter().filter(|_| wanted.changes());
    vfs.filter_map(|vf| {
        let (pf, why) = (wanted.function.name.clone(), occupied.get(&vf.address)?.clone());
        Some(Occupied { pf, vf: vf.address, why })
    })
}

fn of_one(wanted: &Wanted) -> Result<Vec<PlannedStep>, ProvisionError> {
    let (pf, count) = (&wanted.function, wanted.count);
    if count > pf.total_vfs {
        let pf_name = pf.name.clone();
        return Err(ProvisionError::TooMany { pf: pf_name, wanted: count, total: pf.total_vfs });
    }
    let mut steps = Vec::new();
    if wanted.is_down && wanted.up {
        let set = |up| Step::SetFunctionUp { pf: pf.address, pf_name: pf.name.clone(), up };
        steps.push(PlannedStep::new(set(true), Undo::by(set(false))));
    }
    if !wanted.changes() {
        return Ok(steps);
    }
    if wanted.is_down && !wanted.up && wanted.driver.as_deref() == Some(NEEDS_UP) {
        return Err(ProvisionError::Down { pf: pf.name.clone() });
    }
    let set = |count| Step::SetNumVfs { pf: pf.address, pf_name: pf.name.clone(), count };
    let through_none = pf.num_vfs != 0 && count != 0;
    if through_none {
        // The kernel refuses to go from one number to another directly.
        steps.push(PlannedStep::new(set(0), Undo::by(set(pf.num_vfs))));
    }
    let undo = if through_none { set(0) } else { set(pf.num_vfs) };
    steps.push(PlannedStep::new(set(count), Undo::by(undo)));
    Ok(steps)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{inventory::Candidate, plan::sentence};

    fn wanted(has: u32, count: u32) -> Wanted {
        let address: PciAddress = "0000:01:00.0".parse().unwrap();
        let vf = |index: u32| Candidate {
            address: format!("0000:01:10.{index}").parse().unwrap(),
            index,
            pf_address: address,
            pf_name: KernelText::new("p0"),
        };
        let function = PhysicalFunction {
            address,
            name: KernelText::new("p0"),
            total_vfs: 8,
            num_vfs: has,
            vfs: (0..has).map(vf).collect(),
        };
        Wanted { function, count, up: false, is_down: false, driver: None }
    }

    fn said(wanted: &Wanted, occupied: &[(&str, &str)]) -> Result<Vec<String>, String> {
        let occupied = occupied.iter().map(|(vf, why)| (vf.parse().unwrap(), (*why).to_owned()));
        match provision(std::slice::from_ref(wanted), &occupied.collect()) {
            Ok(plan) => Ok(plan.steps().iter().map(|planned| sentence(&planned.step)).collect()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn every_vf_that_somebody_has_is_named() {
        let occupied = [("0000:01:10.0", "leased to blue"), ("0000:01:10.2", "has an address")];
        let refused = said(&wanted(3, 6), &occupied).unwrap_err();
        for words in ["p0 0000:01:10.0 (leased to blue)", "p0 0000:01:10.2 (has an address)"] {
            assert!(refused.contains(words), "{refused}");
        }
        assert_eq!(said(&wanted(3, 3), &occupied), Ok(Vec::new()));
        assert_eq!(said(&wanted(3, 6), &[]).unwrap().len(), 2);
    }

    #[test]
    fn a_card_that_is_down_is_brought_up_first_or_told() {
        let mut down = Wanted { is_down: true, ..wanted(0, 4) };
        assert_eq!(said(&down, &[]).unwrap().len(), 1);
        down.driver = Some("bnxt_en".to_owned());
        assert!(said(&down, &[]).unwrap_err().contains("p0 is down"));
        down.up = true;
        assert_eq!(said(&down, &[]).unwrap()[0], "set p0 up");
        let made = Wanted { is_down: true, up: true, ..wanted(4, 4) };
        assert_eq!(said(&made, &[]), Ok(vec!["set p0 up".to_owned()]));
    }
}
