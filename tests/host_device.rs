//! Devices that are given whole, on a machine in memory: what is chosen, what is refused, what becomes of them when their sandbox dies.
#![cfg(test)]

mod support;

use support::{
    host::parse,
    shape,
    stage::{Stage, in_time},
};
use vfhook::{
    doctor::{Code, Severity},
    operation::{self, ExitCode},
    types::{KernelText, PciAddress},
};

const RED: &str = "/run/netns/red";

fn device() -> PciAddress {
    parse("0000:00:06.0")
}

fn stage() -> Stage {
    Stage::of(&shape::named("host_device"))
}

/// The state of the pool's devices.
fn states(stage: &Stage) -> Vec<(PciAddress, String, String)> {
    let status = operation::status(&mut stage.host.kernel(), &stage.context).unwrap();
    let pool = &status.pools[0];
    assert_eq!((pool.name.as_str(), pool.kind), ("cloud", "host-device"));
    let all = pool.devices.iter();
    all.map(|one| (one.address, one.function.clone(), one.state.clone())).collect()
}

#[test]
fn one_device_is_one_sandboxs_and_is_known_by_its_lease_while_it_is_away() {
    let mut stage = stage();
    stage.host.with(|machine| machine.add_sandbox(RED));
    stage.before = stage.host.snapshot();
    assert_eq!(states(&stage), [(device(), "ens6".to_owned(), "free".to_owned())]);
    stage.attach([]).unwrap();
    assert_eq!(states(&stage), [(device(), "ens6".to_owned(), "leased".to_owned())]);
    let refused = stage.attach_to("red", RED, [], in_time()).unwrap_err();
    assert_eq!(refused.exit_code(), ExitCode::NothingFree);
    assert!(refused.to_string().contains("1 of 1 leased"), "{refused}");
    stage.detach([]).unwrap();
    stage.assert_untouched("after it was taken back");
}

#[test]
fn what_the_host_had_on_it_is_in_the_undo_and_comes_back_from_a_dead_namespace() {
    let stage = stage();
    stage.attach([]).unwrap();
    let lease = std::fs::read_to_string(stage.lease_file()).unwrap();
    for kept in ["10.7.0.5/24", "fd00:7::5/64", "10.20.0.0/16"] {
        assert!(lease.contains(&format!("\"what\":\"{kept}\"")), "{kept}: {lease}");
    }
    let cookie = stage.leases()[0].netns.cookie;
    stage.host.with(|machine| machine.end_sandbox(cookie));
    stage.detach([]).unwrap();
    stage.assert_host_untouched("after its sandbox died");
}

#[test]
fn the_way_out_is_refused_and_doctor_says_so() {
    let mut stage = stage();
    stage.host.with(|machine| machine.host.add_default_route("ens6", parse("10.7.0.1"), 0));
    stage.before = stage.host.snapshot();
    let refused = stage.attach([]).unwrap_err();
    assert_eq!(refused.exit_code(), ExitCode::NothingFree);
    let said = "in use: ens6: route 0.0.0.0/0 leaves by it";
    assert!(refused.to_string().contains(said), "{refused}");
    stage.assert_untouched("after it was refused");
    let config = Ok(stage.context.config.clone());
    let found = operation::doctor(&mut stage.host.kernel(), &config, &stage.state_dir()).unwrap();
    let finding = found.findings.iter().find(|one| one.code == Code::HostDeviceInUse).unwrap();
    assert_eq!(finding.severity, Severity::Error);
    assert!(finding.breaks.contains(said), "{finding:?}");
}

#[test]
fn a_pool_that_meets_nothing_is_a_finding() {
    let stage = stage();
    stage.host.with(|machine| {
        machine.host.link_mut("ens6").unwrap().facts.name = KernelText::new("ens9");
    });
    let config = Ok(stage.context.config.clone());
    let found = operation::doctor(&mut stage.host.kernel(), &config, &stage.state_dir()).unwrap();
    assert!(found.findings.iter().any(|one| one.code == Code::HostDeviceAbsent), "{found:?}");
    let refused = stage.attach([]).unwrap_err();
    assert_eq!(refused.exit_code(), ExitCode::HostUnfit);
}
