//! What stands in the way of taking back: names that somebody took meanwhile, namespaces that will not die, two
//! devices that come back under one name. Nobody else's things are touched, what remains is told, and the next try
//! finishes.
#![cfg(test)]

mod support;

use std::time::Duration;

use nix::errno::Errno;
use support::{
    host::{CARD, VFS, parse, vf},
    shape::{self, Shape},
    stage::{Stage, in_time},
};
use vfhook::{
    inventory::Route,
    kernel::fake::{Effect, Fault, Machine, Snapshot},
    lease::Lease,
    operation::{self, Detached, ExitCode, Which},
    plan::{
        Plan, Undo,
        step::{Place, Step},
    },
    types::{AdminMac, Deadline, InterfaceName, KernelText},
};

/// The cookie of the only lease's namespace.
fn cookie(stage: &Stage) -> u64 {
    stage.leases()[0].netns.cookie
}

fn end(stage: &Stage) {
    let cookie = cookie(stage);
    stage.host.with(|machine| machine.end_sandbox(cookie));
}

/// Somebody puts a link of this name on the host.
fn take_name(machine: &mut Machine, name: &str) {
    let name: InterfaceName = parse(name);
    machine.host.add_link(&name, [parse("203.0.113.9/24")]);
}

fn give_up_name(machine: &mut Machine, name: &str) {
    machine.host.remove_link(name);
}

/// Detaching says that something is left, and names it.
fn assert_left(stage: &Stage, expected: &str, when: &str) {
    let error = stage.detach([]).unwrap_err();
    assert_eq!(error.exit_code(), ExitCode::NeedsCleanup, "{when}: {error}");
    assert!(error.to_string().contains(expected), "{when}: {error}");
}

/// Both shapes of name, alive and ended: the VF comes home, the other link stays as it is, and once it is gone all
/// is well.
fn name_taken(shape: &Shape, name: &str, ended: bool) {
    let when = format!("{} {name} ended {ended}", shape.name);
    let stage = Stage::of(shape);
    stage.attach([]).unwrap();
    stage.host.with(|machine| take_name(machine, name));
    let theirs = stage.host.with(|machine| machine.host.link(name).cloned().unwrap());
    if ended {
        end(&stage);
    }
    assert_left(&stage, "EEXIST", &when);
    assert_eq!(stage.host.with(|machine| machine.host.link(name).cloned().unwrap()), theirs);
    stage.host.with(|machine| give_up_name(machine, name));
    assert_eq!(stage.detach([]).unwrap(), Detached::Detached, "{when}");
    if ended {
        stage.assert_host_untouched(&when);
    } else {
        stage.assert_untouched(&when);
    }
}

#[test]
fn a_name_that_somebody_took_is_theirs() {
    for shape in [shape::named("vf_strange"), shape::everything()] {
        for name in ["ens1f0v0", "strange0"] {
            for ended in [false, true] {
                name_taken(&shape, name, ended);
            }
        }
    }
}

#[test]
fn a_device_whose_name_is_taken_is_home_all_the_same() {
    let stage = Stage::of(&shape::named("vf_plain"));
    stage.attach([]).unwrap();
    stage.host.with(|machine| take_name(machine, "ens1f0v0"));
    assert_left(&stage, "EEXIST", "taken");
    let home = stage.host.with(|machine| {
        machine.host.names().into_iter().any(|name| {
            machine.host.link(&name).is_some_and(|link| link.facts.parent == Some(vf(0)))
        })
    });
    assert!(home);
}

#[test]
fn a_namespace_that_something_holds_open_is_waited_for_and_then_told() {
    for shape in &shape::all() {
        let stage = Stage::of(shape);
        stage.attach([]).unwrap();
        // What is made for a sandbox goes with it.
        if stage.leases()[0].networks.iter().all(|had| had.device.is_none()) {
            continue;
        }
        let cookie = cookie(&stage);
        stage.host.with(|machine| machine.hold(cookie));
        end(&stage);
        assert_left(&stage, "holds the sandbox's namespace open", shape.name);
        stage.host.with(|machine| machine.let_go(cookie));
        assert_eq!(stage.detach([]).unwrap(), Detached::Detached, "{}", shape.name);
        stage.assert_host_untouched(shape.name);
    }
}

#[test]
fn a_device_that_takes_longer_than_there_is_time_is_brought_back_by_the_next_try() {
    let stage = Stage::of(&shape::everything());
    stage.attach([]).unwrap();
    end(&stage);
    let which = Which::Id(parse("blue"));
    let no_time = Deadline::after(Duration::ZERO);
    let error =
        operation::detach(&mut stage.host.kernel(), &stage.context, &which, no_time).unwrap_err();
    assert_eq!(error.exit_code(), ExitCode::NeedsCleanup, "{error}");
    assert_eq!(stage.detach([]).unwrap(), Detached::Detached);
    stage.assert_host_untouched("next try");
}

/// The kernel gives the second `net1` back as `dev` and its number.
#[test]
fn devices_that_come_back_under_one_name_are_told_apart() {
    let shape = shape::named("vf_plain");
    let stage = Stage::of(&shape);
    let before: Snapshot = stage.before.outside();
    let mut cookies = Vec::new();
    for sandbox in 0..VFS {
        let path = format!("/run/netns/{sandbox}");
        cookies.push(stage.host.with(|machine| shape.add_sandbox(machine, &path)));
        stage.attach_to(&format!("id-{sandbox}"), &path, [], in_time()).unwrap();
    }
    stage.host.with(|machine| {
        for cookie in &cookies {
            machine.end_sandbox(*cookie);
        }
        machine.settle();
    });
    let names = stage.host.with(|machine| machine.host.names());
    assert!(names.iter().any(|name| name == "net1"), "{names:?}");
    assert_eq!(names.iter().filter(|name| name.starts_with("dev")).count(), VFS - 1, "{names:?}");
    for sandbox in (0..VFS).rev() {
        let which = Which::Id(parse(&format!("id-{sandbox}")));
        let done = operation::detach(&mut stage.host.kernel(), &stage.context, &which, in_time());
        assert_eq!(done.unwrap(), Detached::Detached);
    }
    let changes = before.changes(&stage.host.snapshot().outside());
    assert!(changes.is_empty(), "{}", changes.join("\n"));
}

#[test]
fn a_table_that_could_not_be_removed_stays_for_who_came_meanwhile() {
    let shape = shape::all().into_iter().find(|shape| shape.name == "service_path_veth");
    let stage = Stage::of(&shape.unwrap());
    stage.attach([]).unwrap();
    let refused = Fault::on(&Step::RemoveMasquerade, Effect::RefuseAfterwards(Errno::EIO));
    assert_eq!(stage.detach([refused]).unwrap_err().exit_code(), ExitCode::NeedsCleanup);
    let red = "/run/netns/red";
    stage.host.with(|machine| machine.add_sandbox(red));
    stage.attach_to("red", red, [], in_time()).unwrap();
    let table = || stage.host.with(|machine| machine.masquerade.clone());
    let relied_on = table();
    assert!(!relied_on.is_empty());
    assert_eq!(stage.detach([]).unwrap(), Detached::Detached);
    assert_eq!(table(), relied_on, "it went with a lease that was not the last");
}

/// A driver that learns what the card assigned when it goes up has learned it in the sandbox, and may use nothing else.
#[test]
fn a_mac_that_the_card_assigned_and_nobody_used_before_stays() {
    for shape in ["vf_plain", "vf_set_up"] {
        let stage = Stage::of(&shape::named(shape));
        let assigned = parse("02:00:00:00:0b:07");
        stage.host.with(|machine| {
            let card = machine.cards.get_mut(&parse(CARD)).unwrap();
            card.vfs[0].attributes.mac = Some(AdminMac::Assigned(assigned));
        });
        stage.attach([]).unwrap();
        assert_eq!(stage.detach([]).unwrap(), Detached::Detached, "{shape}");
        assert!(stage.leases().is_empty(), "{shape}");
        let home = stage.host.with(|machine| machine.host.link("ens1f0v0").cloned().unwrap());
        assert_eq!(home.facts.mac, Some(assigned), "{shape}");
    }
}

/// What an earlier version would have recorded: it took the place of the sandbox's default route, and puts it back.
fn as_replaced(stage: &Stage) {
    let file = stage.lease_file();
    let mut lease: Lease = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    let mut steps = lease.plan.steps().to_vec();
    for planned in &mut steps {
        if let Step::AddRoute { place: Place::Sandbox, route } = &planned.step {
            let (via, metric) =
                if route.to.addr().is_ipv6() { ("fd00:88::1", 1024) } else { ("10.88.0.1", 0) };
            let theirs = Route {
                via: Some(parse(via)),
                interface: KernelText::new("eth0"),
                metric,
                protocol: 3,
                ..route.clone()
            };
            let back = Step::AddRoute { place: Place::Sandbox, route: theirs };
            planned.undo = Undo::By(Box::new(back));
        }
    }
    lease.plan = Plan::new(steps);
    std::fs::write(&file, serde_json::to_string(&lease).unwrap()).unwrap();
}

#[test]
fn what_an_earlier_version_replaced_is_put_back() {
    let stage = Stage::of(&shape::named("default_route_beside"));
    stage.attach([]).unwrap();
    as_replaced(&stage);
    let cookie = cookie(&stage);
    stage.host.with(|machine| {
        machine.sandbox(cookie).unwrap().link_mut("eth0").unwrap().routes.clear();
    });
    assert_eq!(stage.detach([]).unwrap(), Detached::Detached);
    let routes = stage
        .host
        .with(|machine| machine.sandbox(cookie).unwrap().link("eth0").unwrap().routes.clone());
    let mut ways: Vec<String> =
        routes.iter().map(|route| format!("{} {:?}", route.to, route.via.unwrap())).collect();
    ways.sort();
    assert_eq!(ways, ["0.0.0.0/0 10.88.0.1", "::/0 fd00:88::1"]);
}

/// Its workload took the interface down that the route left by: that is no reason to hold a VF and addresses back.
#[test]
fn what_a_sandbox_made_impossible_to_put_back_is_its_own_affair() {
    let stage = Stage::of(&shape::named("default_route_beside"));
    stage.attach([]).unwrap();
    as_replaced(&stage);
    let cookie = cookie(&stage);
    stage.host.with(|machine| {
        machine.sandbox(cookie).unwrap().link_mut("eth0").unwrap().facts.up = false;
    });
    assert_eq!(stage.detach([]).unwrap(), Detached::Detached);
    stage.assert_host_untouched("down");
}
