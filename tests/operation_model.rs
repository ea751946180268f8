//! Random histories of a node: sandboxes come and go, join and leave, die, processes die in the middle, steps fail,
//! VFs vanish. After each event what vfhook holds is what a small model says, nothing is given twice, and nobody
//! but the sandbox concerned notices; in the end the host is as it was.
#![cfg(test)]

mod support;

use nix::errno::Errno;
use proptest::{prelude::*, sample::subsequence, test_runner::TestCaseError};
use support::{
    host::parse,
    model::{NETWORKS, SLOTS, Wish, id_of},
    node::Node,
    seed,
};
use vfhook::{
    kernel::fake::{Effect, Fault},
    operation::Which,
    types::NetnsSource,
};

/// One thing that happens on a node.
#[derive(Debug, Clone)]
enum Event {
    Attach(usize, Wish, Option<Fault>),
    Detach(usize, Option<Fault>),
    DetachNetns(usize),
    Join(usize),
    Leave(usize, bool),
    End(usize),
    Reconcile,
    Rename(usize),
    RemoveVfs,
    MakeVfs,
}

fn any_event() -> impl Strategy<Value = Event> {
    let names = NETWORKS.map(|(name, _)| name).to_vec();
    let wish =
        move || subsequence(names.clone(), 1..=2).prop_map(|wish| wish.into_iter().collect());
    let slot = || 0..SLOTS;
    prop_oneof![
        8 => (slot(), wish(), fault()).prop_map(|(slot, wish, fault)| Event::Attach(slot, wish, fault)),
        4 => (slot(), fault()).prop_map(|(slot, fault)| Event::Detach(slot, fault)),
        1 => slot().prop_map(Event::DetachNetns),
        2 => slot().prop_map(Event::Join),
        2 => (slot(), any::<bool>()).prop_map(|(slot, joined)| Event::Leave(slot, joined)),
        3 => slot().prop_map(Event::End),
        1 => Just(Event::Reconcile),
        2 => slot().prop_map(Event::Rename),
        1 => Just(Event::RemoveVfs),
        2 => Just(Event::MakeVfs),
    ]
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
        3 => (1..20_usize, effect).prop_map(|(step, effect)| Some(Fault::at(step, effect))),
        // The rollback fails too.
        1 => (1..20_usize).prop_map(|step| Some(Fault::from(step, Effect::Refuse(Errno::EBUSY)))),
    ]
}

fn happen(node: &mut Node, event: &Event) -> Result<(), TestCaseError> {
    match event {
        Event::Attach(slot, wish, None) => node.attach(*slot, wish),
        Event::Attach(slot, wish, Some(fault)) => {
            let asked = node.ask(*slot, &id_of(*slot), wish, Some(fault.clone()));
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
        Event::Join(slot) => node.join(*slot),
        Event::Leave(slot, joined) => node.leave(*slot, *joined),
        Event::End(slot) => {
            node.end(*slot);
            Ok(())
        }
        Event::Reconcile => node.reconcile(),
        Event::Rename(slot) => {
            node.rename(*slot);
            Ok(())
        }
        Event::RemoveVfs => node.set_vfs(true),
        Event::MakeVfs => node.set_vfs(false),
    }
}

proptest! {
    #![proptest_config(seed::cases(60))]

    #[test]
    fn whatever_happens_nothing_is_given_twice_and_all_comes_back(
        events in proptest::collection::vec(any_event(), 1..40),
    ) {
        let mut node = Node::new();
        for (position, event) in events.iter().enumerate() {
            let when = |error: TestCaseError| TestCaseError::fail(format!("event {position}, {event:?}: {error}"));
            happen(&mut node, event).map_err(when)?;
            node.assert_sound().map_err(when)?;
        }
        node.finish()?;
    }
}
