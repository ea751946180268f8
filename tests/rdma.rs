//! The RDMA device behind an interface: given by its nodes where a network says so, refused where there is none, asked for when a container
//! starts, and gone with the lease.
#![cfg(test)]

mod support;

use std::{collections::BTreeSet, path::PathBuf};

use support::{
    host::{BLUE, parse, vf},
    shape,
    stage::Stage,
};
use vfhook::{
    operation::{self, ExitCode},
    types::{KernelText, NetnsSource, SandboxId},
};

fn stage() -> Stage {
    let mut stage = Stage::of(&shape::everything());
    for network in stage.context.config.networks.values_mut() {
        network.rdma = true;
    }
    stage
}

/// As `rdma link` names them: one of each VF.
fn with_devices(stage: &Stage) {
    stage.host.with(|machine| {
        for number in 0..3 {
            let name = KernelText::new(format!("mlx5_{number}"));
            machine.rdma.insert(vf(number).to_string(), name);
        }
    });
}

#[test]
fn without_one_nothing_is_given() {
    let stage = stage();
    let refused = stage.attach([]).unwrap_err();
    assert_eq!(refused.exit_code(), ExitCode::HostUnfit, "{refused}");
    assert!(refused.to_string().contains("no RDMA device can be given"), "{refused}");
    stage.assert_untouched("refused");
}

#[test]
fn its_nodes_are_those_of_the_vf_that_was_chosen_and_a_container_must_have_them() {
    let stage = stage();
    with_devices(&stage);
    let report = stage.attach([]).unwrap();
    let had = &report.networks[0];
    let chosen = stage.host.with(|machine| machine.rdma[&had.device.unwrap().to_string()].clone());
    assert_eq!(had.rdma.as_ref(), Some(&chosen));
    let driving = report.driving();
    let paths: BTreeSet<PathBuf> = driving.nodes.iter().map(|node| node.path.clone()).collect();
    assert!(paths.contains(&PathBuf::from("/dev/infiniband/rdma_cm")), "{paths:?}");
    assert_eq!(paths.len(), driving.nodes.len(), "each once");
    assert_eq!(driving.environment["VFHOOK_RDMA_STORAGE"], chosen.to_string());
    let (id, netns): (SandboxId, _) = (parse("blue"), NetnsSource::Path(BLUE.into()));
    let mut kernel = stage.host.kernel();
    let needs = operation::verify(&mut kernel, &stage.context, &id, &netns, &[], None).unwrap();
    assert_eq!(needs, driving);
    operation::require_nodes(&id, &needs, &paths).unwrap();
    let lacks = operation::require_nodes(&id, &needs, &BTreeSet::new()).unwrap_err();
    assert!(lacks.to_string().contains("/dev/infiniband/uverbs"), "{lacks}");
    assert!(stage.leases()[0].networks.iter().all(|had| had.rdma.is_some()));
    stage.detach([]).unwrap();
    stage.assert_untouched("detached");
}
