//! Leases as earlier versions of vfhook wrote them, kept in `tests/data/lease`: a node is upgraded while sandboxes run, so each must be
//! understood and be taken back as far as its plan says. A file is added when what is written changes, and none is ever edited.
#![cfg(test)]

use std::{fs, path::Path};

use vfhook::{
    inventory::Setting,
    lease::{Claim, Lease, LeaseState},
    plan::{self, step::Step},
    types::Reset,
};

fn lease(name: &str) -> Lease {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/lease").join(name);
    let text = fs::read_to_string(path).unwrap();
    let lease: Lease = serde_json::from_str(&text).unwrap();
    let again = serde_json::to_string(&lease).unwrap();
    assert_eq!(lease, serde_json::from_str(&again).unwrap(), "{name}: written anew it is the same");
    lease
}

/// What takes back a VF with a service path, in this order.
fn is_whole_undo(steps: &[Step]) -> bool {
    let [Step::ReturnDevice(device), Step::DeleteLink(veth)] = steps else { return false };
    device.device.to_string() == "0000:01:10.0"
        && device.baseline.name == *"ens1f0v0"
        && veth.name.as_str() == "vfh03c59a1d88c4"
}

#[test]
fn an_attached_lease_of_version_1() {
    let lease = lease("v1-attached.json");
    assert_eq!(lease.state, LeaseState::Attached);
    let undo = plan::detach(&lease.plan);
    assert!(is_whole_undo(&undo), "{undo:#?}");
    let device = lease.networks[0].device.unwrap();
    assert!(lease.claims().contains(&Claim::Device(device)));
    // Its id, its namespace, its VF, an address and two sources.
    assert_eq!(lease.claims().len(), 6, "{:?}", lease.claims());
}

#[test]
fn a_lease_of_version_1_that_says_which_wire_it_is_on() {
    let lease = lease("v1-attached-on-a-wire.json");
    let claims: Vec<String> = lease.claims().iter().map(ToString::to_string).collect();
    assert_eq!(claims.len(), 8, "{claims:?}");
    for on_wire in
        ["wire.0000:01:00.0-vlan100.192.168.0.228", "mac.0000:01:00.0-vlan100.02:7a:dc:7c:fd:b7"]
    {
        assert!(claims.iter().any(|claim| claim == on_wire), "{claims:?}");
    }
}

#[test]
fn a_pods_lease_of_version_1_says_whose_it_is() {
    let (pod, nobodys) = (lease("v1-pod.json"), lease("v1-attached.json"));
    assert_eq!((pod.pod.as_deref(), pod.namespace.as_deref()), (Some("web-0"), Some("team-a")));
    assert_eq!(Lease { pod: None, namespace: None, ..pod }, nobodys);
}

#[test]
fn a_lease_of_version_1_that_needs_cleanup_is_due_at_once() {
    let lease = lease("v1-needs-cleanup.json");
    assert!(lease.state.is_due(lease.created));
    let LeaseState::NeedsCleanup { remaining, tries, .. } = &lease.state else {
        panic!("{:?}", lease.state);
    };
    assert!(is_whole_undo(remaining), "{remaining:#?}");
    assert_eq!(*tries, 0, "nobody counted");
}

#[test]
fn a_lease_of_version_1_that_puts_routes_of_the_sandbox_back() {
    let undo = plan::detach(&lease("v1-routes-put-back.json").plan);
    let back = undo.iter().filter_map(|step| match step {
        Step::AddRoute { route, .. } => Some(route),
        _ => None,
    });
    let back: Vec<_> = back.collect();
    assert!(back.iter().all(|route| !route.is_ours()), "{back:#?}");
    let by: Vec<String> = back.iter().map(|route| route.interface.to_string()).collect();
    assert_eq!(by, ["eth0", "é", "lo"]);
    // The MTU that the route had.
    assert_eq!(back[1].other, [(8, vec![8, 0, 2, 0, 20, 5, 0, 0])]);
}

#[test]
fn a_lease_of_version_1_with_all_of_the_baseline() {
    let lease = lease("v1-whole-baseline.json");
    let undo = plan::detach(&lease.plan);
    assert!(is_whole_undo(&undo), "{undo:#?}");
    let Some(Step::ReturnDevice(device)) = undo.first() else { panic!("{undo:#?}") };
    assert_eq!((device.reset, device.driver.as_str()), (Reset::Driver, "igbvf"));
    assert_eq!((device.sysctls.0.len(), device.features.len()), (4, 2));
    let settings = device.baseline.settings.as_ref().unwrap();
    assert_eq!(settings.numbers[&Setting::GsoMaxSize], 65536);
}
