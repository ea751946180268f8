//! The way of a sandbox: what was done to it, what it was given by which steps, and which of them hold now. Looks only.

use std::{collections::BTreeMap, io};

use ipnet::IpNet;
use serde::Serialize;

use super::{OperationError, chronicle::of_lease, recall::recall};
use crate::{
    history::{Entry, History, Subject, What},
    inventory::{Link, Scene},
    kernel::Kernel,
    lease::{Attached, Lease, LeaseStore},
    plan::{self, Held, sentence, undo_sentence},
    types::{InterfaceName, with_causes},
};

/// One sandbox that has something.
#[derive(Debug, Serialize)]
pub struct Explained {
    /// What it was given.
    pub lease: Lease,
    /// By which steps, in their order.
    pub steps: Vec<ExplainedStep>,
    /// Why its steps could not be judged, where they could not.
    pub unseen: Option<String>,
    /// Addresses of global scope that its interfaces have and were not given: by routers, where the network believes them, or by the workload.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub besides: BTreeMap<InterfaceName, Vec<IpNet>>,
}

/// One step.
#[derive(Debug, Serialize)]
pub struct ExplainedStep {
    /// What was done.
    pub what: String,
    /// How it is undone.
    pub undo: String,
    /// Whether it holds; `None` where nobody could look.
    pub holds: Option<bool>,
    /// Why it does not.
    pub why: Option<String>,
}

/// Whom `subject` means among those that have something, and all that the history tells of it.
pub fn explain(
    kernel: &mut impl Kernel,
    leases: Option<&LeaseStore>,
    history: &History,
    subject: &Subject,
) -> Result<(Vec<Explained>, io::Result<Vec<Entry>>), OperationError> {
    let mut explained = Vec::new();
    if let Some(leases) = leases {
        for lease in leases.each()? {
            let lease = match lease {
                Ok(lease) => lease,
                Err(error) => {
                    tracing::warn!(error = %with_causes(&error), "a lease is left out");
                    continue;
                }
            };
            let is = of_lease(Entry::now(What::Attached, history.by()), &lease);
            if subject.is_of(&is) {
                explained.push(one(kernel, lease));
            }
        }
    }
    let told = recall(history, Some(subject), None).map(|(told, _)| told);
    Ok((explained, told))
}

fn one(kernel: &mut impl Kernel, lease: Lease) -> Explained {
    let scene = match kernel.reopen_sandbox(&lease.netns) {
        Ok(true) => kernel.observe_scene(&lease.plan).map_err(|error| error.to_string()),
        Ok(false) => Err("its network namespace is not where it was".to_owned()),
        Err(error) => Err(error.to_string()),
    };
    let step = |planned: &plan::PlannedStep| {
        let held = scene.as_ref().ok().map(|scene| plan::holds(&lease.plan, planned, scene));
        let why = match &held {
            Some(Held::No(why) | Held::Lost(why)) => Some(why.clone()),
            Some(Held::Yes) | None => None,
        };
        let holds = held.map(|held| held == Held::Yes);
        ExplainedStep {
            what: sentence(&planned.step),
            undo: undo_sentence(&planned.undo),
            holds,
            why,
        }
    };
    let steps = lease.plan.steps().iter().map(step).collect();
    let besides = scene.as_ref().map(|scene| besides(&lease, scene)).unwrap_or_default();
    let unseen = scene.err();
    Explained { lease, steps, unseen, besides }
}

fn besides(lease: &Lease, scene: &Scene) -> BTreeMap<InterfaceName, Vec<IpNet>> {
    let sight = &scene.sandbox;
    let of = |had: &Attached| {
        let named = |link: &&Link| link.name.as_bytes() == had.interface.as_str().as_bytes();
        let link = sight.links.iter().find(named)?;
        let its = sight.addresses.iter().filter(|(index, _)| *index == link.index);
        let others = its.map(|(_, address)| *address);
        let others: Vec<IpNet> =
            others.filter(|address| !had.addresses.contains(address)).collect();
        (!others.is_empty()).then(|| (had.interface.clone(), others))
    };
    lease.networks.iter().filter_map(of).collect()
}
