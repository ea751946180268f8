//! One lease: what a sandbox has, how it came to have it, and how that is undone.

use std::collections::BTreeSet;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::Claim;
use crate::{
    plan::{Plan, Undo, step::Step},
    types::{
        InterfaceName, KernelText, MacAddress, MemoryLock, Name, NetnsIdentity, NetnsNumber,
        NoticeName, Origin, PciAddress, ResourceName, SandboxId, Segment,
    },
};

/// The format of a lease file.
pub const VERSION: u32 = 1;

/// What is on disk for one sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The format: [`VERSION`].
    pub version: u32,
    /// The sandbox.
    pub id: SandboxId,
    /// Who told of the sandbox.
    #[serde(default)]
    pub origin: Origin,
    /// The pod's name, where whoever told of the sandbox knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<String>,
    /// The pod's Kubernetes namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// A number of its own, never used again.
    pub serial: u64,
    /// How far it is.
    pub state: LeaseState,
    /// When it was made, in seconds since 1970; for people only.
    pub created: u64,
    /// The namespace.
    pub netns: NetnsIdentity,
    /// The number that the host has for the namespace, by which its end is seen.
    #[serde(default)]
    pub number: Option<NetnsNumber>,
    /// The run of the machine that it was given in; no namespace outlives that.
    #[serde(default)]
    pub boot: Option<String>,
    /// Every container that shares it; the last one to leave gives it back.
    pub holders: BTreeSet<SandboxId>,
    /// Containers that came or went last: a claim of theirs may be there without their holding the lease.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub passing: BTreeSet<SandboxId>,
    /// The sandbox that it was added to while that ran, and with which it goes; `None` for what a sandbox began with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub added_to: Option<SandboxId>,
    /// What was added to it, each a lease of its own. One of them may be gone by itself, or not have come to be.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub additions: BTreeSet<SandboxId>,
    /// Where its containers are told what was given.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub notices: BTreeSet<NoticeName>,
    /// What was given.
    pub networks: Vec<Attached>,
    /// Source addresses of the service path; empty without one, or over an existing interface.
    #[serde(default)]
    pub service_sources: Vec<std::net::IpAddr>,
    /// Networks reached over the service path.
    #[serde(default)]
    pub service_cidrs: Vec<IpNet>,
    /// The interface that the service path uses in the sandbox.
    #[serde(default)]
    pub service_interface: Option<InterfaceName>,
    /// Why services do not become backends inside, where the configuration would have them so; for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outside: Option<String>,
    /// What was found last that did not hold, if anything was since it was attached; for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift: Option<Drift>,
    /// What was done, with what undoes it.
    pub plan: Plan,
}

/// What was given and did not hold, at some look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drift {
    /// What did not hold; where it was not mended, also why not.
    pub what: String,
    /// Whether all of it was given again.
    pub mended: bool,
    /// When that was seen first, in seconds since 1970.
    pub seen: u64,
}

/// How far a lease is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeaseState {
    /// Recorded; being attached, or the process died while doing it.
    Reserved,
    /// All of it was done.
    Attached,
    /// Being taken back, or the process died while doing it.
    Releasing,
    /// Taking it back failed in part.
    NeedsCleanup {
        /// The undo steps that failed.
        remaining: Vec<Step>,
        /// What they said.
        failures: Vec<String>,
        /// How often it was tried.
        #[serde(default)]
        tries: u32,
        /// When it was tried last, in seconds since 1970.
        #[serde(default)]
        tried: u64,
    },
}

/// How long the first try to clean up is followed by none, in seconds; each next one waits twice as long.
const FIRST_WAIT: u64 = 30;
/// The longest wait.
const LONGEST_WAIT: u64 = 3600;

impl LeaseState {
    /// Whether cleaning up should be tried again by itself at `now` (seconds since 1970). A clock that was set back makes no wait longer.
    pub fn is_due(&self, now: u64) -> bool {
        let Self::NeedsCleanup { tries, tried, .. } = self else { return true };
        let doubled = FIRST_WAIT.saturating_mul(2_u64.saturating_pow(tries.saturating_sub(1)));
        let since = now.checked_sub(*tried);
        since.is_none_or(|since| since >= doubled.min(LONGEST_WAIT))
    }
}

/// One network that a sandbox was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attached {
    /// The network's name.
    pub network: Name,
    /// The pool's name.
    pub pool: Name,
    /// The interface's name in the sandbox.
    pub interface: InterfaceName,
    /// The device; `None` where one was made.
    pub device: Option<PciAddress>,
    /// The interface's MAC address in the sandbox.
    pub mac: Option<MacAddress>,
    /// Its addresses.
    pub addresses: Vec<IpNet>,
    /// The wires that its network is on, where its addresses and MAC are nobody else's. Empty in a lease of a version that held
    /// addresses for their network alone.
    #[serde(default)]
    pub segments: Vec<Segment>,
    /// For how many milliseconds nobody is given its addresses when it is over, where they are the whole cluster's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rest: Option<u32>,
    /// The RDMA device whose nodes its programs may use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rdma: Option<KernelText>,
    /// How much memory its containers may lock; `None` leaves that to their runtime.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memlock: Option<MemoryLock>,
    /// By which of the SR-IOV device plugin's variables they are told of the device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<ResourceName>,
    /// The links that it is made of, where it is a bond: each with a device of its own, and without addresses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<Attached>,
}

impl Attached {
    /// It, and the links that it is made of.
    pub fn each(&self) -> impl Iterator<Item = &Self> {
        std::iter::once(self).chain(&self.members)
    }
}

impl Lease {
    /// Every interface that was given: of a bond its links too.
    pub fn interfaces(&self) -> impl Iterator<Item = &Attached> {
        self.networks.iter().flat_map(Attached::each)
    }

    /// Every device that it holds.
    pub fn devices(&self) -> impl Iterator<Item = PciAddress> {
        self.interfaces().filter_map(|had| had.device)
    }

    /// Remembers what was found at `now`; `false` where just that is remembered already, so that what comes and goes all the time is
    /// written once.
    pub fn drifts(&mut self, what: String, mended: bool, now: u64) -> bool {
        let known = self.drift.as_ref();
        if known.is_some_and(|known| known.what == what && known.mended == mended) {
            return false;
        }
        self.drift = Some(Drift { what, mended, seen: now });
        true
    }

    /// Everything that the lease holds.
    pub fn claims(&self) -> BTreeSet<Claim> {
        let ids = self.holders.iter().chain([&self.id]).cloned().map(Claim::Id);
        let networks = self.interfaces().flat_map(|attached| {
            let address =
                |address: &IpNet| Claim::Address(attached.network.clone(), address.addr());
            attached
                .device
                .map(Claim::Device)
                .into_iter()
                .chain(attached.addresses.iter().map(address))
                .chain(self.on_wires(attached))
        });
        let view = self.plan.view().map(|(_, reach)| Claim::View(reach.view(), self.serial));
        // The namespace is that of what it was added to.
        let netns = self.added_to.is_none().then_some(Claim::Netns(self.netns.cookie));
        ids.chain(netns)
            .chain(networks)
            .chain(self.service_sources.iter().copied().map(Claim::Source))
            .chain(view)
            .collect()
    }

    /// Whether it is of a version that held addresses for their network alone, and says nothing of wires.
    pub fn is_older(&self) -> bool {
        self.networks.iter().any(|attached| attached.segments.is_empty())
    }

    /// What a network's interface has on each of its wires.
    fn on_wires(&self, attached: &Attached) -> Vec<Claim> {
        let macs = self.macs_of(attached);
        let claims = attached.segments.iter().flat_map(|segment| {
            let on_wire = |address: &IpNet| Claim::OnWire(*segment, address.addr());
            let addresses = attached.addresses.iter().map(on_wire);
            addresses.chain(macs.iter().map(|mac| Claim::Mac(*segment, *mac)))
        });
        claims.collect()
    }

    /// The MAC that an interface has, and those that its device was to have and is to have again.
    fn macs_of(&self, attached: &Attached) -> BTreeSet<MacAddress> {
        let mut macs: BTreeSet<MacAddress> = attached.mac.into_iter().collect();
        for planned in self.plan.steps() {
            let undo = if let Undo::By(undo) = &planned.undo { Some(&**undo) } else { None };
            for step in [Some(&planned.step), undo].into_iter().flatten() {
                if let Step::ConfigureVf(step) = step {
                    let is_its = Some(step.device.address) == attached.device;
                    macs.extend(step.interface_mac.filter(|_| is_its));
                }
            }
        }
        macs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(tries: u32, last: u64) -> LeaseState {
        let (remaining, failures) = (Vec::new(), Vec::new());
        LeaseState::NeedsCleanup { remaining, failures, tries, tried: last }
    }

    #[test]
    fn what_comes_and_goes_is_another_mark_only_when_it_is_other() {
        let text = include_str!("../../tests/data/lease/v1-pod.json");
        let mut lease: Lease = serde_json::from_str(text).unwrap();
        assert_eq!(lease.drift, None);
        assert!(lease.drifts("svc0 is down".to_owned(), true, 10));
        assert!(!lease.drifts("svc0 is down".to_owned(), true, 20));
        assert_eq!(lease.drift.as_ref().unwrap().seen, 10);
        assert!(lease.drifts("svc0 is down".to_owned(), false, 30));
        let again: Lease = serde_json::from_str(&serde_json::to_string(&lease).unwrap()).unwrap();
        assert_eq!(again, lease);
    }

    #[test]
    fn each_try_waits_twice_as_long_up_to_an_hour() {
        for (tries, wait) in [(1, 30), (2, 60), (5, 480), (9, 3600), (64, 3600), (200, 3600)] {
            assert!(!failed(tries, 1000).is_due(1000 + wait - 1), "{tries}");
            assert!(failed(tries, 1000).is_due(1000 + wait), "{tries}");
        }
    }

    #[test]
    fn a_clock_that_was_set_back_is_no_reason_to_wait() {
        assert!(failed(9, 1_000_000).is_due(10));
    }
}
