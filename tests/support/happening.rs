//! What may happen on a node, drawn at random.

use nix::errno::Errno;
use proptest::{prelude::*, sample::subsequence, test_runner::TestCaseError};
use vfhook::{
    kernel::fake::{Effect, Fault},
    operation::Which,
    types::NetnsSource,
};

use super::{
    host::{VFS, parse},
    model::{NETWORKS, SLOTS, Wish, id_of},
    node::{Node, plainly},
};

/// One thing that happens on a node.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    /// A sandbox asks for networks; something may go wrong meanwhile.
    Attach(usize, Wish, Option<Fault>),
    /// A sandbox is taken back; something may go wrong meanwhile.
    Detach(usize, Option<Fault>),
    /// A sandbox is taken back that is known by its namespace.
    DetachNetns(usize),
    /// A sandbox that runs is given one network more; something may go wrong meanwhile.
    Add(usize, &'static str, Option<Fault>),
    /// One that was added is taken; something may go wrong meanwhile.
    Take(usize, &'static str, Option<Fault>),
    /// One more container asks in the same namespace.
    Join(usize),
    /// A container leaves: the one that joined, or the first.
    Leave(usize, bool),
    /// Those who live in a namespace are gone.
    End(usize),
    /// Leases are compared with the kernel.
    Reconcile,
    /// The runtime starts anew and no longer knows these sandboxes; leases are compared with what it has.
    Restart(Vec<usize>),
    /// A container gives its VF another name.
    Rename(usize),
    /// Somebody takes away a part of what a sandbox was given.
    Break(usize, Damage),
    /// A VF is chosen for a pod, or there is no pod for it any more.
    Keep(usize, bool),
    /// A sandbox asks for the VF that is kept for its pod's claim; something may go wrong meanwhile.
    Claimed(usize, usize, Option<Fault>),
    /// The VFs are taken away.
    RemoveVfs,
    /// The VFs are made.
    MakeVfs,
}

/// What somebody else on the machine, or a tenant, takes away.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Damage {
    /// Both ends of the service path.
    Pair,
    /// Routes and neighbours of the service path, on the host.
    Ways,
    /// The addresses of what was given.
    Addresses,
    /// What stands on one of the host's interfaces.
    Made,
    /// A bond, which leaves its links alone.
    Bond,
    /// The rules of all sandboxes.
    Masquerade,
}

/// Any of them; whatever there is to go wrong with is common.
pub(crate) fn any_event() -> impl Strategy<Value = Event> {
    let names = NETWORKS.map(|(name, _)| name).to_vec();
    let wish =
        move || subsequence(names.clone(), 1..=3).prop_map(|wish| wish.into_iter().collect());
    let slot = || 0..SLOTS;
    let network = || (0..NETWORKS.len()).prop_map(|which| NETWORKS[which].0);
    prop_oneof![
        8 => (slot(), wish(), fault()).prop_map(|(slot, wish, fault)| Event::Attach(slot, wish, fault)),
        4 => (slot(), fault()).prop_map(|(slot, fault)| Event::Detach(slot, fault)),
        1 => slot().prop_map(Event::DetachNetns),
        4 => (slot(), network(), fault()).prop_map(|(slot, name, fault)| Event::Add(slot, name, fault)),
        2 => (slot(), network(), fault()).prop_map(|(slot, name, fault)| Event::Take(slot, name, fault)),
        2 => slot().prop_map(Event::Join),
        2 => (slot(), any::<bool>()).prop_map(|(slot, joined)| Event::Leave(slot, joined)),
        3 => slot().prop_map(Event::End),
        1 => Just(Event::Reconcile),
        1 => subsequence((0..SLOTS).collect::<Vec<_>>(), 0..=SLOTS).prop_map(Event::Restart),
        2 => slot().prop_map(Event::Rename),
        3 => (slot(), damage()).prop_map(|(slot, damage)| Event::Break(slot, damage)),
        3 => (0..VFS, any::<bool>()).prop_map(|(number, keep)| Event::Keep(number, keep)),
        4 => (slot(), 0..VFS, fault()).prop_map(|(slot, number, fault)| Event::Claimed(slot, number, fault)),
        1 => Just(Event::RemoveVfs),
        2 => Just(Event::MakeVfs),
    ]
}

fn damage() -> impl Strategy<Value = Damage> {
    use Damage::{Addresses, Bond, Made, Masquerade, Pair, Ways};
    prop_oneof![Just(Pair), Just(Ways), Just(Addresses), Just(Made), Just(Bond), Just(Masquerade)]
}

fn fault() -> impl Strategy<Value = Option<Fault>> {
    let effect = prop_oneof![
        Just(Effect::DieBefore),
        Just(Effect::DieAfterwards),
        Just(Effect::Refuse(Errno::EBUSY)),
        Just(Effect::RefuseAfterwards(Errno::EIO)),
        Just(Effect::EndSandbox),
    ];
    prop_oneof![
        3 => Just(None),
        3 => (1..30_usize, effect).prop_map(|(step, effect)| Some(Fault::at(step, effect))),
        // The rollback fails too.
        1 => (1..30_usize).prop_map(|step| Some(Fault::from(step, Effect::Refuse(Errno::EBUSY)))),
    ]
}

/// Lets it happen; fails when what comes of it is not what the model says.
pub(crate) fn happen(node: &mut Node, event: &Event) -> Result<(), TestCaseError> {
    match event {
        Event::Attach(slot, wish, None) => node.attach(*slot, wish),
        Event::Attach(slot, wish, Some(fault)) => {
            let asked = node.ask(*slot, &id_of(*slot), &plainly(wish), Some(fault.clone()));
            node.after_fault(*slot, asked.map(|done| done.map(drop)).as_ref(), Some(wish))
        }
        Event::Detach(slot, None) => node.detach(*slot, &Which::Id(parse(&id_of(*slot)))),
        Event::Detach(slot, Some(fault)) => {
            let which = Which::Id(parse(&id_of(*slot)));
            let done = node.take_back(&which, Some(fault.clone()));
            node.after_fault(*slot, done.map(|done| done.map(drop)).as_ref(), None)
        }
        Event::DetachNetns(slot) => match node.namespaces.get(slot) {
            Some((path, _)) => node.detach(*slot, &Which::Netns(NetnsSource::Path(path.into()))),
            None => Ok(()),
        },
        Event::Add(slot, network, fault) => node.add(*slot, network, fault.clone()),
        Event::Take(slot, network, fault) => node.take(*slot, network, fault.clone()),
        Event::Join(slot) => node.join(*slot),
        Event::Leave(slot, joined) => node.leave(*slot, *joined),
        Event::End(slot) => {
            node.end(*slot);
            Ok(())
        }
        Event::Reconcile => node.reconcile(&[]),
        Event::Restart(lost) => node.reconcile(lost),
        Event::Rename(slot) => {
            node.rename(*slot);
            Ok(())
        }
        Event::Break(slot, damage) => {
            node.suffer(*slot, *damage);
            Ok(())
        }
        Event::Keep(number, keep) => node.keep(*number, *keep),
        Event::Claimed(slot, number, fault) => node.claimed(*slot, *number, fault.clone()),
        Event::RemoveVfs => node.set_vfs(true),
        Event::MakeVfs => node.set_vfs(false),
    }
}
