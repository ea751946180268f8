//! VFs that are not as their leases say, or have none: each is found and told apart, what vfhook may mend is mended, and
//! what is somebody else's is left as it is.
#![cfg(test)]

mod support;

use support::{
    host::{CARD, parse, vf},
    shape,
    stage::{Stage, in_time},
};
use vfhook::{
    inventory::Link,
    kernel::fake::Machine,
    lease::Lease,
    operation::{self, Finding, Mended, Retry},
    types::{KernelText, Vlan, VlanProtocol},
};

fn audit(stage: &Stage, dry_run: bool) -> Vec<Finding> {
    let mut kernel = stage.host.kernel();
    let nobody = |_: &Lease| false;
    let mut found =
        operation::reconcile(&mut kernel, &stage.context, nobody, Retry::Now, dry_run, in_time())
            .unwrap();
    found.extend(operation::audit(&mut kernel, &stage.context, dry_run, in_time()).unwrap());
    found
}

fn change<T>(stage: &Stage, change: impl FnOnce(&mut Machine) -> T) -> T {
    stage.host.with(change)
}

/// Changes the interface of a VF that is on the host.
fn at_home(stage: &Stage, name: &str, edit: impl FnOnce(&mut Link)) {
    change(stage, |machine| edit(&mut machine.host.link_mut(name).unwrap().facts));
}

/// One thing is found, about the VF of this number; nothing changes when it is only asked for.
fn only_finding(stage: &Stage, number: usize, what: &str, dry: &Mended) -> Finding {
    let before = stage.host.snapshot();
    let found = audit(stage, true);
    assert_eq!(before.changes(&stage.host.snapshot()), [""; 0]);
    let [finding] = &found[..] else { panic!("{found:?}") };
    assert!(finding.what.starts_with(what), "{}", finding.what);
    assert_eq!((finding.device, &finding.outcome), (Some(vf(number)), dry));
    finding.clone()
}

#[test]
fn what_is_as_it_was_given_has_no_finding() {
    for shape in shape::all() {
        let stage = Stage::of(&shape);
        assert_eq!(audit(&stage, false), [], "{}: nothing is attached", shape.name);
        stage.attach([]).unwrap();
        let attached = stage.host.snapshot();
        assert_eq!(audit(&stage, false), [], "{}", shape.name);
        assert_eq!(attached.changes(&stage.host.snapshot()), [""; 0], "{}", shape.name);
    }
}

#[test]
fn a_vf_whose_lease_was_lost_is_free_again() {
    let stage = Stage::of(&shape::named("vf_plain"));
    at_home(&stage, "ens1f0v0", |link| link.alias = Some(KernelText::new("vfhook:lost")));
    let finding = only_finding(&stage, 0, "orphaned: ", &Mended::WouldRelease);
    assert_eq!((finding.id, finding.since), (None, None));
    assert_eq!(audit(&stage, false)[0].outcome, Mended::Released);
    assert_eq!(stage.before.changes(&stage.host.snapshot()), [""; 0]);
    assert_eq!(audit(&stage, false), []);
}

#[test]
fn a_vf_whose_lease_was_lost_and_that_the_host_uses_is_left_alone() {
    let stage = Stage::of(&shape::named("vf_plain"));
    at_home(&stage, "ens1f0v0", |link| {
        link.alias = Some(KernelText::new("vfhook:lost"));
        link.addresses = vec![parse("192.0.2.1/24")];
    });
    only_finding(&stage, 0, "orphaned: ", &Mended::LeftAlone);
    let used = stage.host.snapshot();
    audit(&stage, false);
    assert_eq!(used.changes(&stage.host.snapshot()), [""; 0]);
}

#[test]
fn somebody_elses_vf_is_no_finding() {
    let stage = Stage::of(&shape::named("vf_plain"));
    at_home(&stage, "ens1f0v0", |link| link.alias = Some(KernelText::new("the storage team's")));
    at_home(&stage, "ens1f0v1", |link| link.addresses = vec![parse("192.0.2.1/24")]);
    assert_eq!(audit(&stage, false), []);
}

#[test]
fn what_the_card_enforces_is_put_back_when_somebody_changed_it() {
    let stage = Stage::of(&shape::named("vf_set_up"));
    stage.attach([]).unwrap();
    let attached = stage.host.snapshot();
    let elsewhere = Vlan { id: 7, qos: 0, protocol: VlanProtocol::Ieee8021Q };
    change(&stage, |machine| {
        let card = machine.cards.get_mut(&parse(CARD)).unwrap();
        let found = card.vfs.iter_mut().find(|found| found.address == vf(0)).unwrap();
        found.attributes.vlan = Some(elsewhere);
    });
    let finding = only_finding(&stage, 0, "drifted: vlan changed", &Mended::WouldApply);
    assert!(finding.id.is_some() && finding.since.is_some());
    assert_eq!(audit(&stage, false)[0].outcome, Mended::Applied);
    assert_eq!(attached.changes(&stage.host.snapshot()), [""; 0]);
}

#[test]
fn a_vf_that_is_on_the_host_while_its_sandbox_lives_goes_in_again() {
    for shape in ["vf_plain", "vf_set_up"] {
        let stage = Stage::of(&shape::named(shape));
        stage.attach([]).unwrap();
        let attached = stage.host.snapshot();
        let cookie = stage.leases()[0].netns.cookie;
        // As a driver that is loaded anew leaves it.
        change(&stage, |machine| {
            let mut link = machine.sandbox(cookie).unwrap().take_link("net1").unwrap();
            link.come_anew("ens1f0v0");
            machine.host.put_link(link);
        });
        only_finding(&stage, 0, "missing: it is on the host", &Mended::WouldApply);
        assert_eq!(audit(&stage, false)[0].outcome, Mended::Applied, "{shape}");
        assert_eq!(attached.changes(&stage.host.snapshot()), [""; 0], "{shape}");
        assert_eq!(audit(&stage, false), [], "{shape}");
    }
}

#[test]
fn a_vf_that_somebody_took_out_of_its_sandbox_is_missing_there() {
    let stage = Stage::of(&shape::named("vf_plain"));
    stage.attach([]).unwrap();
    let cookie = stage.leases()[0].netns.cookie;
    change(&stage, |machine| machine.sandbox(cookie).unwrap().take_link("net1"));
    only_finding(&stage, 0, "missing: it is no longer in its sandbox", &Mended::LeftAlone);
}

#[test]
fn vfs_that_were_destroyed_under_their_sandboxes_are_missing() {
    let stage = Stage::of(&shape::named("vf_plain"));
    stage.attach([]).unwrap();
    change(&stage, |machine| machine.set_num_vfs(parse(CARD), 0)).unwrap();
    only_finding(&stage, 0, "missing: its card no longer has it", &Mended::LeftAlone);
}

#[test]
fn two_vfs_of_a_card_with_one_mac_are_duplicates() {
    let stage = Stage::of(&shape::named("vf_plain"));
    for name in ["ens1f0v1", "ens1f0v2"] {
        at_home(&stage, name, |link| link.mac = Some(parse("02:00:5e:00:53:07")));
    }
    let found = audit(&stage, false);
    let devices: Vec<_> = found.iter().map(|finding| finding.device).collect();
    assert_eq!(devices, [Some(vf(1)), Some(vf(2))]);
    assert!(found.iter().all(|finding| finding.what.starts_with("duplicate: ")), "{found:?}");
    assert!(found.iter().all(|finding| finding.outcome == Mended::LeftAlone), "{found:?}");
}

#[test]
fn a_vf_without_a_driver_is_told() {
    let stage = Stage::of(&shape::named("vf_plain"));
    change(&stage, |machine| {
        machine.host.take_link("ens1f0v1").unwrap();
        let card = machine.cards.get_mut(&parse(CARD)).unwrap();
        card.vfs.iter_mut().find(|found| found.address == vf(1)).unwrap().driver = None;
    });
    only_finding(&stage, 1, "driverless: ", &Mended::LeftAlone);
}

#[test]
fn what_somebody_works_on_is_left_alone() {
    let stage = Stage::of(&shape::named("vf_plain"));
    stage.attach([]).unwrap();
    let cookie = stage.leases()[0].netns.cookie;
    change(&stage, |machine| machine.sandbox(cookie).unwrap().take_link("net1"));
    let lease = stage.leases().remove(0);
    let held = stage.context.leases.reserve_idle(&lease).unwrap().unwrap();
    assert_eq!(audit(&stage, false), []);
    drop(held);
    assert_eq!(audit(&stage, false).len(), 1);
}
