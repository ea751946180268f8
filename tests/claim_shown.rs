//! What containers are shown of a claim's devices (KEP-5304) is whole at every moment, and has their interfaces before the sandbox counts as
//! attached: whoever dies, and whatever is in the way.
#![cfg(test)]

mod support;

use std::{env, fs, path::Path, process::Command};

use serde_json::Value;
use support::{
    host::{BLUE, vf},
    shape,
    stage::{Stage, claim, event, in_time, on_tmpfs},
};
use vfhook::{
    config::Publish,
    lease::{LeaseState, LeaseStore},
    operation::{self, OperationError},
    request::NetworkRequest,
    types::{Allotted, Name},
};

/// The test, which is also what a child of it does until it dies.
const TEST: &str = "whoever_dies_over_an_attachment_leaves_a_whole_file_and_none_attached_without";

/// A stage whose pool is for claims, with this state directory.
fn stage(root: &Path) -> Stage {
    let mut stage = Stage::of(&shape::named("vf_plain"));
    for pool in stage.context.config.pools.values_mut() {
        pool.publish = Some(Publish::Dra);
    }
    stage.context.leases = LeaseStore::open(root).unwrap();
    stage
}

/// Attaches a pod that was given the third VF by a claim.
fn attach(stage: &Stage) -> Result<(), OperationError> {
    let asked = stage.requests.iter().cloned();
    let asked: Vec<NetworkRequest> =
        asked.map(|one| NetworkRequest { device: Some(Allotted::Vf(vf(2))), ..one }).collect();
    let event = event("blue", BLUE, &asked);
    operation::attach(&mut stage.host.kernel(), &stage.context, &event, in_time()).map(drop)
}

/// The objects of the one request's file.
fn shown(leases: &LeaseStore) -> Vec<Value> {
    let request: Name = "nic".parse().unwrap();
    let text = fs::read_to_string(leases.shown(&"c1".parse().unwrap(), &request)).unwrap();
    serde_json::Deserializer::from_str(&text).into_iter().map(Result::unwrap).collect()
}

fn network(object: &Value) -> Value {
    object["requests"][0]["devices"][0]["networkData"].clone()
}

#[test]
fn a_sandbox_whose_containers_cannot_be_shown_what_it_has_is_given_nothing() {
    let directory = on_tmpfs();
    let root = directory.path().join("state");
    let stage = stage(&root);
    let leases = &stage.context.leases;
    leases.keep(&claim("c1", &[2])).unwrap();
    let shown_at = root.join("metadata/c1");
    fs::rename(&shown_at, root.join("metadata/away")).unwrap();
    fs::write(&shown_at, "in the way").unwrap();
    let refused = attach(&stage).unwrap_err().to_string();
    assert!(refused.contains("metadata/c1: is not a directory"), "{refused}");
    let changes = stage.before.changes(&stage.host.snapshot());
    assert_eq!((changes, leases.all().unwrap().0), (Vec::<String>::new(), Vec::new()));
    fs::remove_file(&shown_at).unwrap();
    fs::rename(root.join("metadata/away"), &shown_at).unwrap();
    attach(&stage).unwrap();
    let objects = shown(leases);
    assert_eq!(network(&objects[0])["interfaceName"], "net1");
    assert_eq!(objects[0]["metadata"]["generation"], 2);
    assert_eq!(network(&objects[0]), network(&objects[1]));
    // Who prepares it again says nothing less.
    leases.keep(&claim("c1", &[2])).unwrap();
    assert_eq!(shown(leases), objects);
}

#[test]
fn whoever_dies_over_an_attachment_leaves_a_whole_file_and_none_attached_without() {
    if let Some(root) = env::var_os("SHOWN_STATE") {
        return attach(&stage(Path::new(&root))).unwrap();
    }
    let (mut before, mut after) = (0, 0);
    for at in 1.. {
        let directory = on_tmpfs();
        let root = directory.path().join("state");
        let leases = LeaseStore::open(&root).unwrap();
        leases.keep(&claim("c1", &[2])).unwrap();
        let mut child = Command::new(env::current_exe().unwrap());
        child.args(["--exact", TEST]).env("SHOWN_STATE", &root);
        let output = child.env("VFHOOK_KILL_AT", at.to_string()).output().unwrap();
        assert!(output.status.success() || output.status.code().is_none(), "{output:?}");
        let objects = shown(&leases);
        let has = objects.iter().filter(|object| network(object).is_object()).count();
        assert!(objects.len() == 2 && (has == 0 || has == 2), "{at}: {objects:?}");
        let lease = leases.all().unwrap().0.pop();
        let is_attached = lease.is_some_and(|lease| lease.state == LeaseState::Attached);
        assert!(has == 2 || !is_attached, "{at}: attached, and shown {objects:?}");
        before += u32::from(has == 0);
        after += u32::from(has == 2 && !is_attached);
        leases.let_go(&"c1".parse().unwrap()).unwrap();
        assert_eq!(fs::read_dir(root.join("metadata")).unwrap().count(), 0, "{at}");
        if output.status.success() {
            break;
        }
    }
    assert!(before > 5 && after > 0, "{before} deaths before, {after} between");
}
