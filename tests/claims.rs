//! Devices that a scheduler gave to claims: they are kept for their pods alone, whoever else wants them.
#![cfg(test)]

mod support;

use support::{
    host::{BLUE, parse, vf},
    shape,
    stage::{Stage, claim, event, in_time},
};
use vfhook::{
    config,
    lease::{ClaimedDevice, PreparedClaim},
    operation::{self, ClaimError, OperationError},
    request::NetworkRequest,
    types::Allotted,
};

const CONFIG: &str = r#"version = 1
[[pool]]
name = "fast"
kind = "sriov"
pf = ["ens1f0"]
publish = "dra"
[[network]]
name = "storage"
pool = "fast"
interface = "net1"
"#;

/// A host with three VFs that claims are for, and two sandboxes, of which none has anything.
fn stage() -> Stage {
    let mut stage = Stage::of(&shape::everything());
    stage.context.config = config::parse(CONFIG).unwrap();
    stage.host.with(|machine| machine.add_sandbox("/run/netns/red"));
    stage
}

fn prepare(stage: &Stage, claim: &PreparedClaim) -> Result<(), ClaimError> {
    operation::prepare_claim(&mut stage.host.kernel(), &stage.context, claim)
}

/// Gives a sandbox the network: the VF of this number, which was chosen for it, or any.
fn attach(
    stage: &Stage,
    id: &str,
    path: &str,
    chosen: Option<usize>,
) -> Result<(), OperationError> {
    let device = chosen.map(|number| Allotted::Vf(vf(number)));
    let request = NetworkRequest { device, ..NetworkRequest::plain(parse("storage")) };
    let event = event(id, path, &[request]);
    operation::attach(&mut stage.host.kernel(), &stage.context, &event, in_time()).map(drop)
}

const SHARED: &str = r#"version = 1
[[pool]]
name = "slow"
kind = "macvlan"
pf = ["ens1f0"]
publish = "dra"
shares = 8
[[pool]]
name = "fast"
kind = "sriov"
pf = ["ens1f0"]
publish = "dra"
"#;

fn refusal(done: Result<(), ClaimError>) -> String {
    done.unwrap_err().to_string()
}

#[test]
fn a_claims_devices_are_its_pods_alone() {
    let stage = stage();
    let one = claim("c1", &[0, 2]);
    for _ in 0..2 {
        prepare(&stage, &one).unwrap();
    }
    let said = refusal(prepare(&stage, &claim("c2", &[2])));
    assert!(said.contains("0000:01:10.2") && said.contains("kept for another pod"), "{said}");
    // Whoever asks without a claim gets the third, and then none.
    attach(&stage, "red", "/run/netns/red", None).unwrap();
    assert_eq!(stage.leases()[0].networks[0].device, Some(vf(1)));
    let error = attach(&stage, "blue", BLUE, None).unwrap_err().to_string();
    assert!(error.contains("0000:01:10.0 is kept for a pod"), "{error}");
    attach(&stage, "blue", BLUE, Some(2)).unwrap();
    // Kubelet that was started again asks again, whatever the pod has by then.
    prepare(&stage, &one).unwrap();
    operation::unprepare_claim(&stage.context, &one.uid).unwrap();
    let said = refusal(prepare(&stage, &claim("c2", &[2])));
    assert!(said.contains("sandbox blue has it"), "{said}");
    stage.detach([]).unwrap();
    prepare(&stage, &claim("c2", &[2, 0])).unwrap();
}

#[test]
fn a_share_is_anybodys_while_its_parent_is_up() {
    let mut stage = stage();
    stage.context.config = config::parse(SHARED).unwrap();
    let sharing = |uid: &str, pool: &str, number: u8| {
        let mut claim = claim(uid, &[0]);
        claim.devices[0].pool = parse(pool);
        claim.devices[0].device = ClaimedDevice::Share(parse(&format!("share-{number}")));
        claim
    };
    let offered = operation::offer_parent(&mut stage.host.kernel(), &stage.context, &parse("slow"));
    let parent = offered.unwrap();
    assert_eq!(
        (parent.name.to_string(), parent.shares.get(), parent.withheld),
        ("ens1f0".into(), 8, None)
    );
    // It has no VF of its parent's, whatever card that is.
    assert!(
        operation::offer(&mut stage.host.kernel(), &stage.context, &parse("slow"))
            .unwrap()
            .is_empty()
    );
    for number in 0..3 {
        prepare(&stage, &sharing(&format!("c{number}"), "slow", number)).unwrap();
    }
    // A scheduler that knew an older configuration chose what there is not.
    let error = prepare(&stage, &sharing("c4", "fast", 4)).unwrap_err();
    assert!(!error.may_pass() && error.to_string().contains("pool fast has VFs"), "{error}");
    let mut vf_of_parent = claim("c5", &[0]);
    vf_of_parent.devices[0].pool = parse("slow");
    let error = prepare(&stage, &vf_of_parent).unwrap_err();
    assert!(error.to_string().contains("pool slow has shares of a parent"), "{error}");
    stage.host.with(|machine| machine.host.link_mut("ens1f0").unwrap().facts.up = false);
    let error = prepare(&stage, &sharing("c6", "slow", 6)).unwrap_err();
    assert!(error.may_pass() && error.to_string().contains("ip link set ens1f0 up"), "{error}");
}

#[test]
fn what_cannot_be_had_is_not_prepared_and_waiting_may_help() {
    let stage = stage();
    stage.host.with(|machine| {
        machine
            .host
            .link_mut("ens1f0v1")
            .unwrap()
            .facts
            .addresses
            .push("10.9.9.9/24".parse().unwrap());
    });
    let error = prepare(&stage, &claim("c1", &[0, 1])).unwrap_err();
    assert!(error.may_pass() && error.to_string().contains("10.9.9.9/24"), "{error}");
    // Nor is the one that could be had.
    assert!(!stage.context.leases.is_allocated(vf(0)));
    let error = prepare(&stage, &claim("c1", &[7])).unwrap_err();
    assert!(error.to_string().contains("no VF 0000:01:10.7 in pool fast"), "{error}");
    let mut other = claim("c1", &[0]);
    other.devices[0].pool = parse("slow");
    let error = prepare(&stage, &other).unwrap_err();
    assert!(!error.may_pass() && error.to_string().contains("publish = \"dra\""), "{error}");
    assert_eq!(stage.context.leases.all_prepared().unwrap(), []);
}
