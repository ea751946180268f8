//! Whatever a tenant did to its VF, and whatever it put on it: the next one gets none of that, and the host finds its interface as it was.
#![cfg(test)]

mod support;

use support::{
    host::{BLUE, parse, vf},
    shape,
    stage::{Stage, in_time},
};
use vfhook::{
    config::PoolKind,
    inventory::{Setting, XdpMode},
    kernel::fake::FakeLink,
    operation::Detached,
    types::{PciAddress, Reset},
};

const OTHER: &str = "/run/netns/other";

/// Something that a tenant does to the interface of its VF.
type Deed = (&'static str, fn(&mut FakeLink));

const DEEDS: [Deed; 9] = [
    ("group", |link| number(link, Setting::Group, 77)),
    ("gso", |link| number(link, Setting::GsoMaxSize, 16384)),
    ("gso of IPv4", |link| number(link, Setting::GsoIpv4MaxSize, 16384)),
    ("gro", |link| number(link, Setting::GroMaxSize, 9000)),
    ("flags", |link| link.facts.settings.as_mut().unwrap().flags ^= 0x1080),
    ("broadcast", |link| link.facts.settings.as_mut().unwrap().broadcast = Some([1; 6])),
    ("xdp", |link| link.facts.settings.as_mut().unwrap().xdp = [(XdpMode::Native, 9)].into()),
    ("features", |link| link.features = vec![0]),
    ("sysctls", |link| drop(link.sysctls.insert("ipv4/rp_filter".to_owned(), "0".to_owned()))),
];

fn number(link: &mut FakeLink, setting: Setting, value: u32) {
    link.facts.settings.as_mut().unwrap().numbers.insert(setting, value);
}

/// A tenant has the VF; then `deed` is done to it.
fn attached(shape: &str, deed: impl FnOnce(&mut FakeLink)) -> (Stage, u64) {
    let stage = Stage::of(&shape::named(shape));
    stage.attach([]).unwrap();
    let cookie = stage.leases()[0].netns.cookie;
    stage.host.with(|machine| {
        deed(machine.sandbox(cookie).unwrap().link_mut("net1").unwrap());
    });
    (stage, cookie)
}

#[test]
fn a_vf_comes_back_as_it_was_whatever_was_done_to_it() {
    for shape in ["vf_plain", "vf_strange", "everything"] {
        for (what, deed) in DEEDS {
            let (stage, cookie) = attached(shape, deed);
            assert_eq!(stage.detach([]).unwrap(), Detached::Detached);
            stage.assert_untouched(&format!("{shape}: {what}"));

            // Once more, and the namespace dies before.
            stage.attach([]).unwrap();
            stage.host.with(|machine| {
                deed(machine.sandbox(cookie).unwrap().link_mut("net1").unwrap());
                machine.end_sandbox(cookie);
            });
            stage.detach([]).unwrap();
            stage.assert_host_untouched(&format!("{shape}: {what}, and the end of the sandbox"));
        }
    }
}

#[test]
fn what_a_tenant_put_on_its_vf_is_deleted_wherever_it_is() {
    let (stage, cookie) = attached("vf_plain", |_| {});
    stage.host.with(|machine| {
        machine.sandbox(cookie).unwrap().add_upper(&parse("vlan5"), vf(0));
        let other = machine.add_sandbox(OTHER);
        machine.sandbox(other).unwrap().add_upper(&parse("sniffer"), vf(0));
    });
    stage.detach([]).unwrap();
    let left: Vec<String> = stage.host.with(|machine| {
        machine.namespaces().flat_map(vfhook::kernel::fake::Namespace::names).collect()
    });
    assert!(!left.iter().any(|name| name == "vlan5" || name == "sniffer"), "{left:?}");
}

#[test]
fn who_still_listens_on_a_vf_keeps_it_from_being_given() {
    let (stage, _) = attached("vf_plain", |link| {
        // As a macvlan in passthru mode does that stands on it in a namespace which nobody here knows.
        link.facts.settings.as_mut().unwrap().promiscuity = 1;
    });
    let error = stage.detach([]).unwrap_err();
    let message = vfhook::types::with_causes(&error);
    assert!(message.contains("listeners to all packets 1, were 0"), "{message}");
    let next = stage.attach_to("red", BLUE, [], in_time());
    assert!(
        next.is_err() || stage.leases().iter().all(|lease| lease.networks[0].device != Some(vf(0)))
    );
}

/// The host of a shape whose pool resets its devices.
fn resetting(shape: &str, how: Reset) -> Stage {
    let mut stage = Stage::of(&shape::named(shape));
    for pool in stage.context.config.pools.values_mut().filter(|pool| pool.kind == PoolKind::Sriov)
    {
        pool.reset = how;
    }
    stage
}

#[test]
fn a_pool_that_resets_its_devices_has_them_as_before_and_nothing_on_them() {
    for (shape, how) in [("vf_plain", Reset::Driver), ("vf_strange", Reset::Function)] {
        let stage = resetting(shape, how);
        stage.attach([]).unwrap();
        let cookie = stage.leases()[0].netns.cookie;
        // The sandbox is gone, so nothing tells of what its tenant had put elsewhere.
        let other = stage.host.with(|machine| {
            machine.end_sandbox(cookie);
            let other = machine.add_sandbox(OTHER);
            machine.sandbox(other).unwrap().add_upper(&parse("sniffer"), vf(0));
            other
        });
        stage.detach([]).unwrap();
        stage.assert_host_untouched(shape);
        let left = stage.host.with(|machine| machine.sandbox(other).unwrap().names());
        assert_eq!(left, [""; 0], "{shape}");
    }
}

#[test]
fn a_reset_that_ended_half_way_is_done_to_its_end() {
    let stage = resetting("vf_strange", Reset::Driver);
    stage.attach([]).unwrap();
    // As when vfhook dies between letting the driver go and binding it.
    stage.host.with(|machine| machine.unbind(vf(0)));
    stage.detach([]).unwrap();
    stage.assert_untouched("after half a reset");
}

#[test]
fn vfs_are_given_in_turn() {
    let stage = Stage::of(&shape::named("vf_plain"));
    stage.host.with(|machine| machine.add_sandbox(OTHER));
    let given = |id: &str, path: &str| {
        stage.attach_to(id, path, [], in_time()).unwrap();
        let leases = stage.leases();
        let lease = leases.iter().find(|lease| lease.id.to_string() == id).unwrap();
        lease.networks[0].device.unwrap()
    };
    // One that stays takes none out of the turn of the others.
    assert_eq!(given("stays", OTHER), vf(0));
    let turns: Vec<PciAddress> = (0..4)
        .map(|_| {
            let had = given("blue", BLUE);
            stage.detach([]).unwrap();
            // Longer than the clock of files stands still.
            std::thread::sleep(std::time::Duration::from_millis(20));
            had
        })
        .collect();
    assert_eq!(turns, [vf(1), vf(2), vf(1), vf(2)]);
}
