//! A bond: a VF of each of two cards, one interface in the sandbox, and both home again. That it is put back from every fault and every death
//! is in the tests of all shapes.
#![cfg(test)]

mod support;

use support::{
    host::{parse, vf},
    shape,
    stage::{Stage, event, in_time},
};
use vfhook::{
    kernel::fake::{LinkKind, Namespace},
    lease::Lease,
    operation::{self, ExitCode, Mended, Retry},
    types::PciAddress,
};

fn staged() -> Stage {
    Stage::of(&shape::named("bond"))
}

fn other() -> PciAddress {
    parse("0000:02:10.0")
}

/// What the sandbox of the only lease has.
fn inside<T>(stage: &Stage, work: impl FnOnce(&mut Namespace) -> T) -> T {
    let cookie = stage.leases()[0].netns.cookie;
    stage.host.with(|machine| work(machine.sandbox(cookie).unwrap()))
}

fn reconcile(stage: &Stage) -> Vec<operation::Finding> {
    let nobody = |_: &Lease| false;
    let mut kernel = stage.host.kernel();
    operation::reconcile(&mut kernel, &stage.context, nobody, Retry::Now, false, in_time()).unwrap()
}

#[test]
fn a_vf_of_each_card_is_a_link_and_both_come_home() {
    let stage = staged();
    let report = stage.attach([]).unwrap();
    let [ha] = &report.networks[..] else { panic!("{report:?}") };
    assert_eq!((ha.interface.as_str(), ha.device, ha.members.len()), ("net1", None, 2));
    let links: Vec<_> =
        ha.members.iter().map(|link| (link.interface.as_str(), link.device)).collect();
    assert_eq!(links, [("net1_a", Some(vf(0))), ("net1_b", Some(other()))]);
    assert_eq!(report.device(ha), "bond 0000:01:10.0 0000:02:10.0");
    assert_eq!(report.mtu(&ha.interface), Some(1400));
    inside(&stage, |inside| {
        let bond = inside.link("net1").unwrap();
        assert_eq!((&bond.kind, bond.facts.up, bond.facts.mac), (&LinkKind::Bond, true, ha.mac));
        assert_eq!(bond.facts.addresses.len(), 2);
        for name in ["net1_a", "net1_b"] {
            let link = inside.link(name).unwrap();
            assert_eq!(
                (link.facts.master, link.facts.mtu),
                (Some(bond.facts.index), 1400),
                "{name}"
            );
        }
    });
    // Nobody else is given either, and both addresses are held on both wires.
    let claims = stage.leases()[0].claims();
    assert_eq!(ha.segments.len(), 2);
    for device in [vf(0), other()] {
        assert!(claims.contains(&vfhook::lease::Claim::Device(device)), "{claims:?}");
    }
    let status = operation::status(&mut stage.host.kernel(), &stage.context).unwrap();
    assert_eq!(status.attention, [""; 0]);
    let held = status.pools.iter().flat_map(|pool| &pool.devices);
    let held: Vec<_> = held.filter(|device| device.state == "leased").collect();
    assert_eq!(held.len(), 2, "{held:?}");
    stage.detach([]).unwrap();
    stage.assert_untouched("detached");
}

#[test]
fn where_one_card_has_no_vf_neither_is_given() {
    let stage = staged();
    stage.host.with(|machine| machine.set_num_vfs(parse("0000:02:00.0"), 0).unwrap());
    let before = stage.host.snapshot();
    let error = stage.attach([]).unwrap_err();
    assert_eq!(error.exit_code(), ExitCode::HostUnfit, "{error}");
    assert!(error.to_string().contains("pool other"), "{error}");
    assert_eq!(before.changes(&stage.host.snapshot()), [""; 0]);
    assert!(stage.leases().is_empty());
}

#[test]
fn a_link_that_a_tenant_takes_out_is_a_link_again() {
    let stage = staged();
    stage.attach([]).unwrap();
    let given = stage.host.snapshot();
    inside(&stage, |inside| inside.link_mut("net1_b").unwrap().facts.master = None);
    let found = reconcile(&stage);
    let [finding] = &found[..] else { panic!("{found:?}") };
    assert_eq!(finding.what, "net1_b is no link of bond net1");
    assert_eq!(finding.outcome, Mended::Applied);
    assert_eq!(given.changes(&stage.host.snapshot()), [""; 0]);
}

#[test]
fn a_bond_that_a_tenant_deletes_is_made_anew_of_the_same_links() {
    let stage = staged();
    stage.attach([]).unwrap();
    inside(&stage, |inside| {
        inside.take_link("net1").unwrap();
        for name in ["net1_a", "net1_b"] {
            inside.link_mut(name).unwrap().facts.master = None;
        }
    });
    let found = reconcile(&stage);
    assert!(found.iter().all(|finding| finding.outcome == Mended::Applied), "{found:?}");
    assert_eq!(reconcile(&stage), []);
    stage.detach([]).unwrap();
    stage.assert_untouched("detached");
}

#[test]
fn two_bonds_have_four_vfs_and_a_third_none() {
    let stage = staged();
    for id in ["one", "two"] {
        let path = format!("/run/netns/{id}");
        stage.host.with(|machine| machine.add_sandbox(&path));
        stage.attach_to(id, &path, [], in_time()).unwrap();
    }
    stage.host.with(|machine| machine.add_sandbox("/run/netns/three"));
    let three = event("three", "/run/netns/three", &stage.requests);
    let refused = operation::attach(&mut stage.host.kernel(), &stage.context, &three, in_time());
    assert_eq!(refused.unwrap_err().exit_code(), ExitCode::NothingFree);
    let devices: std::collections::BTreeSet<_> =
        stage.leases().iter().flat_map(|lease| lease.devices().collect::<Vec<_>>()).collect();
    assert_eq!(devices.len(), 4);
}
