//! A node on which sandboxes come and go, beside the model of it: each thing that can happen, and what must come of
//! it.

use std::collections::{BTreeMap, BTreeSet};

use proptest::{prelude::*, test_runner::TestCaseError};
use tempfile::TempDir;
use vfhook::{
    config,
    kernel::fake::{FakeHost, FakeLink, Fault, LinkKind, Namespace, Snapshot},
    lease::{Attached, Claim, Lease, LeaseState, LeaseStore},
    operation::{
        self, Context, Detached, ExitCode, Finding, How, Mended, OperationError, Retry, Which,
    },
    request::NetworkRequest,
    types::KernelText,
};

use super::{
    crash::survive,
    happening::Damage,
    host::{CARD, VFS, parse, vf},
    model::{CONFIG, DRIVEN, Expected, Held, Model, NETWORKS, SLOTS, Wish, id_of, joiner_of},
    shape::of_each_kind,
    stage::{event, in_time, on_tmpfs},
    table,
};

/// A node with the model of it.
pub(crate) struct Node {
    pub(crate) host: FakeHost,
    pub(crate) context: Context,
    pub(crate) start: Snapshot,
    pub(crate) model: Model,
    /// The namespace of each sandbox that has one: its path and cookie.
    pub(crate) namespaces: BTreeMap<usize, (String, u64)>,
    /// Cookies of those from whom something was taken away, and who were not seen to have it again.
    pub(crate) robbed: BTreeSet<u64>,
    made: usize,
    _directory: TempDir,
}

impl Node {
    pub(crate) fn new() -> Self {
        let directory = on_tmpfs();
        let leases = LeaseStore::open(&directory.path().join("state")).unwrap();
        let witness = table::must_be_free(&directory.path().join("state"));
        let host = FakeHost::new(of_each_kind()).watched(witness);
        Self {
            start: host.snapshot(),
            host,
            context: Context { config: config::parse(CONFIG).unwrap(), leases },
            model: Model::default(),
            namespaces: BTreeMap::new(),
            robbed: BTreeSet::new(),
            made: 0,
            _directory: directory,
        }
    }

    /// A container asks; `None` when the process died. A slot without a namespace gets one.
    pub(crate) fn ask(
        &mut self,
        slot: usize,
        id: &str,
        requests: &[NetworkRequest],
        fault: Option<Fault>,
    ) -> Option<Result<How, OperationError>> {
        let made = &mut self.made;
        let host = &self.host;
        let (path, _) = self.namespaces.entry(slot).or_insert_with(|| {
            *made += 1;
            let path = format!("/run/netns/{made}");
            let cookie = host.with(|machine| machine.add_sandbox(&path));
            (path, cookie)
        });
        let event = event(id, path, requests);
        survive(|| {
            let mut kernel = self.host.kernel_with(fault);
            operation::attach(&mut kernel, &self.context, &event, in_time()).map(|done| done.how)
        })
    }

    pub(crate) fn take_back(
        &self,
        which: &Which,
        fault: Option<Fault>,
    ) -> Option<Result<Detached, OperationError>> {
        survive(|| {
            let mut kernel = self.host.kernel_with(fault);
            operation::detach(&mut kernel, &self.context, which, in_time())
        })
    }

    pub(crate) fn attach(&mut self, slot: usize, wish: &Wish) -> Result<(), TestCaseError> {
        let expected = self.model.attach(slot, wish, self.kept_from(slot));
        self.attach_as(slot, wish, &plainly(wish), expected)
    }

    /// The sandbox asks in these words for what it wishes, and this comes of it.
    pub(crate) fn attach_as(
        &mut self,
        slot: usize,
        wish: &Wish,
        requests: &[NetworkRequest],
        expected: Expected,
    ) -> Result<(), TestCaseError> {
        // A namespace that is not there yet is made for the asking.
        let (whole, lacks_device) = (self.has_all(slot), self.lacks_device(slot));
        let came = self.ask(slot, &id_of(slot), requests, None).unwrap();
        if matches!(expected, Expected::Already) && !whole {
            // What is no more cannot be given again; what came back can.
            if lacks_device {
                let missed = matches!(came, Err(OperationError::Missing { .. }));
                prop_assert!(missed, "it was taken for whole: {came:?}");
                return Ok(());
            }
            prop_assert!(self.has_all(slot), "it was not mended: {came:?}");
            self.no_longer_robbed(slot);
        }
        let agrees = agrees(&came, expected);
        prop_assert!(agrees, "slot {slot} {wish:?}: expected {expected:?}, came {came:?}");
        match expected {
            Expected::Given => self.model.attached(slot, wish, true),
            Expected::Already => {
                self.model.held.get_mut(&slot).unwrap().holders.insert(id_of(slot));
            }
            Expected::Conflict => {}
            Expected::Refused { .. } => {
                self.model.held.remove(&slot);
            }
        }
        Ok(())
    }

    pub(crate) fn detach(&mut self, slot: usize, which: &Which) -> Result<(), TestCaseError> {
        // A lease that belongs to a namespace before this one is not this one's.
        let here = match which {
            Which::Netns(_) => self.lease_of(slot).map(|lease| lease.netns.cookie),
            _ => None,
        };
        let other = here.is_some_and(|cookie| self.namespaces[&slot].1 != cookie);
        let expected = if self.model.held.contains_key(&slot) && !other {
            self.model.held.remove(&slot);
            Detached::Detached
        } else {
            Detached::Unknown
        };
        let came = self.take_back(which, None).unwrap();
        prop_assert!(matches!(&came, Ok(done) if *done == expected), "{expected:?}: {came:?}");
        Ok(())
    }

    pub(crate) fn join(&mut self, slot: usize) -> Result<(), TestCaseError> {
        let Some(had) = self.model.held.get(&slot).filter(|had| had.whole && had.alive) else {
            return Ok(());
        };
        let wish = had.wish.clone();
        let (whole, lacks_device) = (self.has_all(slot), self.lacks_device(slot));
        let came = self.ask(slot, &joiner_of(slot), &plainly(&wish), None).unwrap();
        if !whole {
            // What is no more cannot be given again; what came back can.
            if lacks_device {
                let missed = matches!(came, Err(OperationError::Missing { .. }));
                prop_assert!(missed, "it was taken for whole: {came:?}");
                return Ok(());
            }
            prop_assert!(self.has_all(slot), "it was not mended: {came:?}");
            self.no_longer_robbed(slot);
        }
        prop_assert!(matches!(came, Ok(How::Already)), "{came:?}");
        self.model.held.get_mut(&slot).unwrap().holders.insert(joiner_of(slot));
        Ok(())
    }

    /// Whether everything that the slot's lease gave is there, by whatever name, with its addresses, and so is its service path.
    fn has_all(&self, slot: usize) -> bool {
        self.lease_of(slot).is_some_and(|lease| self.is_given(&lease))
    }

    /// The same for one lease.
    pub(crate) fn is_given(&self, lease: &Lease) -> bool {
        let sandbox = self.host.with(|machine| machine.sandbox(lease.netns.cookie).cloned());
        let Some(sandbox) = sandbox else { return false };
        let is_served = self.host.with(|machine| {
            let pair = pair_of(&sandbox).and_then(|name| machine.host.link(&name));
            let leads = |end: &FakeLink| !end.routes.is_empty() && !end.neighbours.is_empty();
            !machine.masquerade.is_empty() && pair.is_some_and(leads)
        });
        is_served
            && lease.interfaces().filter(|had| had.pool.as_str() != DRIVEN).all(|had| {
                link_of(&sandbox, had).is_some_and(|link| link.facts.addresses == had.addresses)
            })
    }

    /// Whether a VF that the slot's lease gave is no more, so that nobody can give it again.
    fn lacks_device(&self, slot: usize) -> bool {
        self.lease_of(slot).is_some_and(|lease| self.lacks(&lease))
    }

    fn lacks(&self, lease: &Lease) -> bool {
        let is_gone = |device| (0..VFS).map(vf).any(|gone| gone == device);
        self.model.vfs_gone && lease.devices().any(is_gone)
    }

    /// The slot was seen to have everything again, if what was added to it is there too.
    fn no_longer_robbed(&mut self, slot: usize) {
        let leases = self.leases_of(slot);
        if leases.iter().all(|lease| self.is_given(lease)) {
            self.robbed.remove(&leases[0].netns.cookie);
        }
    }

    pub(crate) fn leave(&mut self, slot: usize, joined: bool) -> Result<(), TestCaseError> {
        let id = if joined { joiner_of(slot) } else { id_of(slot) };
        let came = self.take_back(&Which::Holder(parse(&id)), None).unwrap();
        let expected = match self.model.held.get_mut(&slot) {
            // The first container's id stays the sandbox's name, also after it left.
            Some(had) if had.holders.contains(&id) || !joined => {
                let others = had.holders.iter().any(|holder| *holder != id);
                if had.whole && others {
                    had.holders.remove(&id);
                    Detached::StillShared
                } else {
                    self.model.held.remove(&slot);
                    Detached::Detached
                }
            }
            _ => Detached::Unknown,
        };
        prop_assert!(matches!(&came, Ok(done) if *done == expected), "{expected:?}: {came:?}");
        Ok(())
    }

    pub(crate) fn end(&mut self, slot: usize) {
        if let Some((_, cookie)) = self.namespaces.remove(&slot) {
            self.host.with(|machine| machine.end_sandbox(cookie));
        }
        if let Some(had) = self.model.held.get_mut(&slot) {
            had.alive = false;
        }
    }

    /// Leases are compared with the kernel, and with a runtime that no longer knows the sandboxes in `lost`.
    pub(crate) fn reconcile(&mut self, lost: &[usize]) -> Result<(), TestCaseError> {
        let stays = |slot: usize, had: &Held| had.whole && had.alive && !lost.contains(&slot);
        let mut gone = BTreeSet::new();
        for lease in self.leases() {
            let slot = slot_of(&lease);
            let whole = lease.state == LeaseState::Attached;
            if !whole || !self.model.held.get(&slot).is_some_and(|had| stays(slot, had)) {
                gone.insert(lease.id.clone());
            }
        }
        self.model.held.retain(|slot, had| stays(*slot, had));
        self.model.held.values_mut().for_each(|had| had.added.retain(|_, whole| *whole));
        self.model.left.clear();
        let lost: Vec<String> = lost.iter().copied().map(id_of).collect();
        let is_gone = |lease: &Lease| lost.iter().any(|id| id == lease.id.as_str());
        let mut kernel = self.host.kernel();
        let (context, deadline) = (&self.context, in_time());
        let found =
            operation::reconcile(&mut kernel, context, is_gone, Retry::Now, false, deadline);
        let found = found.map_err(|error| TestCaseError::fail(format!("{error:?}")))?;
        let (released, others): (Vec<_>, Vec<_>) =
            found.iter().partition(|finding| finding.outcome == Mended::Released);
        let told: BTreeSet<_> = released.iter().filter_map(|finding| finding.id.clone()).collect();
        // What was added goes with its sandbox, which may be told for both.
        let must_be_told = gone.iter().filter(|id| {
            let first = id.as_str().split('.').next();
            !gone.iter().any(|other| other != *id && Some(other.as_str()) == first)
        });
        prop_assert!(told.is_subset(&gone), "{:?} but {:?}", gone, found);
        prop_assert!(
            must_be_told.clone().all(|id| told.contains(id)),
            "{:?} but {:?}",
            gone,
            found
        );
        prop_assert!(others.iter().all(|finding| self.is_of_robbed(finding)), "{:?}", found);
        for slot in self.model.held.keys().copied().collect::<Vec<_>>() {
            for lease in self.leases_of(slot).iter().filter(|lease| !self.lacks(lease)) {
                prop_assert!(self.is_given(lease), "{} was not mended: {:?}", lease.id, found);
            }
            self.no_longer_robbed(slot);
        }
        Ok(())
    }

    /// What somebody took away for good is told, what came back is given again, and nothing else is wrong.
    fn is_of_robbed(&self, finding: &Finding) -> bool {
        let Some(id) = finding.id.clone() else { return false };
        let Some(lease) = self.context.leases.find(&Claim::Id(id)).unwrap() else { return false };
        let lacks = self.lacks(&lease);
        let outcome = match &finding.outcome {
            Mended::LeftAlone | Mended::Failed(_) => lacks,
            outcome => *outcome == Mended::Applied && !lacks,
        };
        let told = !lacks || finding.what.contains("missing: ");
        outcome && told && self.robbed.contains(&lease.netns.cookie)
    }

    /// A container gives its VF another name, and has it in its own hands from then on: what was mended by half stays so. That is
    /// not tried.
    pub(crate) fn rename(&self, slot: usize) {
        let Some((_, cookie)) = self.namespaces.get(&slot) else { return };
        if self.robbed.contains(cookie) {
            return;
        }
        self.host.with(|machine| {
            let sandbox = machine.sandbox(*cookie).unwrap();
            if let Some(link) = sandbox.link_mut("net1") {
                link.facts.name = KernelText::new("mine");
            }
        });
    }

    /// Somebody takes away a part of what a sandbox was given.
    pub(crate) fn suffer(&mut self, slot: usize, damage: Damage) {
        let whole = self.model.held.get(&slot).is_some_and(|had| had.whole && had.alive);
        let Some(lease) = self.lease_of(slot).filter(|_| whole) else { return };
        let cookie = lease.netns.cookie;
        self.host.with(|machine| {
            let pair = machine.sandbox(cookie).and_then(|sandbox| pair_of(sandbox));
            let pair = pair.unwrap_or_default();
            match damage {
                Damage::Pair => {
                    machine.host.take_link(&pair);
                    machine.sandbox(cookie).and_then(|sandbox| sandbox.take_link("svc0"));
                }
                Damage::Ways => {
                    if let Some(end) = machine.host.link_mut(&pair) {
                        end.routes.clear();
                        end.neighbours.clear();
                    }
                }
                Damage::Addresses => {
                    let names = lease.networks.iter().map(|had| had.interface.as_str());
                    for name in names {
                        let sandbox = machine.sandbox(cookie);
                        if let Some(link) = sandbox.and_then(|sandbox| sandbox.link_mut(name)) {
                            link.facts.addresses.clear();
                        }
                    }
                }
                Damage::Made | Damage::Bond => {
                    let made: &[&str] =
                        if let Damage::Bond = damage { &["ha1"] } else { &["lan1", "tag1"] };
                    for name in made {
                        machine.sandbox(cookie).and_then(|sandbox| sandbox.take_link(name));
                    }
                }
                Damage::Masquerade => machine.masquerade.clear(),
            }
        });
        if let Damage::Masquerade = damage {
            self.robbed.extend(self.namespaces.values().map(|(_, cookie)| *cookie));
        }
        self.robbed.insert(cookie);
    }

    /// Somebody takes the VFs away, or makes them anew.
    pub(crate) fn set_vfs(&mut self, gone: bool) -> Result<(), TestCaseError> {
        let (card, cookies) = (parse(CARD), self.namespaces.values().map(|(_, cookie)| *cookie));
        let count = if gone { 0 } else { VFS.try_into().unwrap_or_default() };
        if gone {
            self.robbed.extend(cookies);
        }
        let done = self.host.with(|machine| machine.set_num_vfs(card, count));
        prop_assert_eq!(done, Ok(()));
        self.model.vfs_gone = gone;
        Ok(())
    }

    /// Something failed in the middle: the sandbox has what it had, what it asked for, or nothing; in part, unless
    /// the operation says that it was done.
    pub(crate) fn after_fault(
        &mut self,
        slot: usize,
        came: Option<&Result<(), OperationError>>,
        wish: Option<&Wish>,
    ) -> Result<(), TestCaseError> {
        let cookie = self.namespaces.get(&slot).map(|(_, cookie)| *cookie);
        if cookie.is_some_and(|cookie| self.host.with(|machine| machine.sandbox(cookie).is_none()))
        {
            self.end(slot);
        }
        let had = self.model.held.remove(&slot);
        let added = had.as_ref().map(|had| had.added.clone()).unwrap_or_default();
        self.note_left(slot, &added)?;
        let Some(lease) = self.lease_of(slot) else {
            let done = matches!(came, Some(Ok(())));
            prop_assert!(wish.is_none() || !done, "attached without a lease");
            return Ok(());
        };
        let has = wish_of(&lease);
        let is_asked = wish.is_some_and(|wish| *wish == has);
        let is_old = had.as_ref().is_some_and(|had| had.wish == has);
        prop_assert!(is_asked || is_old, "{has:?} was neither had ({had:?}) nor asked for");
        let whole = lease.state == LeaseState::Attached;
        if let Some(Ok(())) = came {
            prop_assert!(whole && is_asked, "done, and the lease is {:?}", lease.state);
            let ended = !self.namespaces.contains_key(&slot);
            prop_assert!(ended || self.has_all(slot), "done, and it has not all");
            self.no_longer_robbed(slot);
        }
        if let Some(Err(error)) = came {
            let told = error.exit_code() == ExitCode::NeedsCleanup;
            prop_assert!(told || whole, "{error:?} leaves {:?}", lease.state);
        }
        let alive = self.host.with(|machine| machine.sandbox(lease.netns.cookie).is_some());
        let holders = lease.holders.iter().map(ToString::to_string).collect();
        let had = added;
        let added = self.added_to(slot);
        prop_assert!(added.keys().all(|name| had.contains_key(name)), "{added:?} but {had:?}");
        self.model.held.insert(slot, Held { wish: has, holders, whole, alive, added });
        Ok(())
    }

    pub(crate) fn lease_of(&self, slot: usize) -> Option<Lease> {
        self.context.leases.find(&Claim::Id(parse(&id_of(slot)))).unwrap()
    }

    /// The lease of what a sandbox began with, and those of what was added.
    pub(crate) fn leases_of(&self, slot: usize) -> Vec<Lease> {
        let mut leases = self.leases();
        leases.retain(|lease| slot_of(lease) == slot);
        leases.sort_by_key(|lease| lease.added_to.is_some());
        leases
    }

    /// Every lease.
    pub(crate) fn leases(&self) -> Vec<Lease> {
        let (leases, errors) = self.context.leases.all().unwrap();
        assert!(errors.is_empty(), "{errors:?}");
        leases
    }

    /// Everything goes, and the host is as it was.
    pub(crate) fn finish(&mut self) -> Result<(), TestCaseError> {
        self.set_vfs(false)?;
        self.reconcile(&[])?;
        for slot in 0..SLOTS {
            self.detach(slot, &Which::Id(parse(&id_of(slot))))?;
            self.end(slot);
        }
        let changes = self.start.changes(&self.host.snapshot());
        prop_assert!(changes.is_empty(), "{}", changes.join("\n"));
        prop_assert_eq!(self.leases(), []);
        (0..VFS).try_for_each(|number| self.keep(number, false))?;
        prop_assert_eq!(self.kept_from(SLOTS), 0);
        Ok(())
    }
}

/// Whether what came of asking is what must.
pub(crate) fn agrees(came: &Result<How, OperationError>, expected: Expected) -> bool {
    match (came, expected) {
        (Ok(How::Attached), Expected::Given) | (Ok(How::Already), Expected::Already) => true,
        (Err(error), Expected::Conflict) => error.exit_code() == ExitCode::Usage,
        (Err(error), Expected::Refused { exhausted, no_devices }) => match error.exit_code() {
            ExitCode::NothingFree => exhausted,
            ExitCode::HostUnfit => no_devices,
            _ => false,
        },
        _ => false,
    }
}

/// A request for each network, which chooses nothing.
pub(crate) fn plainly(wish: &Wish) -> Vec<NetworkRequest> {
    wish.iter().map(|name| parse(name)).collect()
}

/// The name of the host's end of a sandbox's service path.
fn pair_of(sandbox: &Namespace) -> Option<String> {
    match &sandbox.link("svc0")?.kind {
        LinkKind::Veth(name) => Some(name.clone()),
        _ => None,
    }
}

/// What was given for a network, also where its container calls it otherwise, as it may call a VF.
pub(crate) fn link_of<'a>(sandbox: &'a Namespace, had: &Attached) -> Option<&'a FakeLink> {
    let renamed = || sandbox.link("mine").filter(|_| had.device.is_some());
    sandbox.link(had.interface.as_str()).or_else(renamed)
}

/// The sandbox that a lease is of.
pub(crate) fn slot_of(lease: &Lease) -> usize {
    let id = lease.added_to.as_ref().unwrap_or(&lease.id);
    (0..SLOTS).find(|slot| id_of(*slot) == id.as_str()).unwrap()
}

/// The networks of a lease.
pub(crate) fn wish_of(lease: &Lease) -> Wish {
    let had = |name: &str| lease.networks.iter().any(|had| had.network.as_str() == name);
    NETWORKS.map(|(name, _)| name).into_iter().filter(|name| had(name)).collect()
}
