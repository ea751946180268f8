//! Judges one VF by what was seen of it beside its lease: whether it is as it must be, and the one step that mends it where one does. What is
//! somebody else's gets no step.

use super::{
    Plan,
    step::{ConfigureVf, ReturnDevice, Step},
};
use crate::{
    inventory::{Candidate, Device, Link, SandboxFacts, Unusable},
    types::{InterfaceName, MacAddress, OwnerTag, PciAddress, VfAttribute, VfAttributes},
};

/// A VF as seen.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// Which.
    pub candidate: &'a Candidate,
    /// Its interface in the host's namespace, or why it is not to be had there.
    pub home: &'a Result<Device, Unusable>,
    /// The lease that holds it.
    pub held: Option<Held<'a>>,
    /// A MAC address that it shares with another VF of its card.
    pub twin: Option<(MacAddress, PciAddress)>,
}

/// What a finished lease says of a VF, and where that was looked for.
#[derive(Debug, Clone, Copy)]
pub struct Held<'a> {
    /// What was done for the sandbox.
    pub plan: &'a Plan,
    /// The interface's name in the sandbox.
    pub interface: &'a InterfaceName,
    /// Its MAC address there.
    pub mac: Option<MacAddress>,
    /// What is in the sandbox; `None` when it could not be found.
    pub inside: Option<&'a SandboxFacts>,
    /// What the card enforces now, where somebody looked.
    pub card: Option<&'a VfAttributes>,
}

/// What is wrong with a VF.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// In words.
    pub what: String,
    /// What mends it; `None` where vfhook must not or cannot.
    pub step: Option<Step>,
}

impl Remark {
    fn only(what: impl Into<String>) -> Self {
        Self { what: what.into(), step: None }
    }
}

/// What is wrong with the VF; the gravest, where several things are.
pub fn audit(seen: &Seen) -> Option<Remark> {
    let own = match &seen.held {
        Some(held) => missing(seen, held).or_else(|| drifted(seen, held)),
        None => unheld(seen),
    };
    own.or_else(|| {
        let (mac, other) = seen.twin?;
        Some(Remark::only(format!("duplicate: it has the MAC {mac}, and so has {other}")))
    })
}

fn missing(seen: &Seen, held: &Held) -> Option<Remark> {
    let inside = held.inside?;
    if !matches!(seen.home, Err(Unusable::NoDriver | Unusable::NoInterface { .. })) {
        return Some(Remark::only("missing: it is on the host, and its sandbox lives"));
    }
    let is_there =
        inside.has(held.interface) || held.mac.is_some_and(|mac| inside.macs.contains(&mac));
    (!is_there).then(|| Remark::only("missing: it is no longer in its sandbox"))
}

/// What the card enforces is the tenant's wall: it is put back as the lease has it.
fn drifted(seen: &Seen, held: &Held) -> Option<Remark> {
    let card = held.card?;
    let asked = held.plan.steps.iter().filter_map(|planned| match &planned.step {
        Step::ConfigureVf(step) if step.device.address == seen.candidate.address => Some(step),
        _ => None,
    });
    // What was only wished for may never have been taken.
    let strict = asked.filter(|step| !step.forgiving);
    let (asked, differing) = strict
        .map(|step| (step, step.attributes.differing(card)))
        .find(|(_, differing)| !differing.is_empty())?;
    let attributes = VfAttribute::ALL
        .into_iter()
        .filter(|which| !differing.contains(which))
        .fold(asked.attributes, VfAttributes::without);
    let names: Vec<String> = differing.iter().map(ToString::to_string).collect();
    let step = ConfigureVf {
        device: seen.candidate.clone(),
        attributes,
        interface_mac: None,
        permanent_mac: None,
        ..asked.clone()
    };
    Some(Remark {
        what: format!("drifted: {} changed on the card", names.join(", ")),
        step: Some(Step::ConfigureVf(step)),
    })
}

fn unheld(seen: &Seen) -> Option<Remark> {
    match seen.home {
        Err(Unusable::Tagged(link)) => orphaned(seen.candidate, link),
        Err(Unusable::NoDriver) => Some(Remark::only("driverless: no driver is bound to it")),
        // The rest is free, or somebody's.
        _ => None,
    }
}

/// Ours by its tag, and nobody's by the leases: they were lost. It was moved home by the kernel when its namespace died.
fn orphaned(candidate: &Candidate, link: &Link) -> Option<Remark> {
    let tag = OwnerTag::parse(link.alias.as_ref()?)?;
    let what = format!("orphaned: it has the tag {tag}, and no lease");
    if link.master.is_some() || !link.addresses.is_empty() {
        return Some(Remark::only(format!("{what}; the host uses it")));
    }
    // How it was before is not known any more: as it is now, without the tag.
    let baseline = Link { alias: None, up: false, ..link.clone() };
    let step = ReturnDevice { device: candidate.address, inside: link.name.clone(), baseline };
    Some(Remark { what, step: Some(Step::ReturnDevice(step)) })
}
