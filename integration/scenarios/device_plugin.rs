//! A Kubernetes cluster whose kubelet counts VFs: a pod too many waits until one is free, each has the VF that kubelet chose, whoever is
//! killed, and nothing is left. And a pool that was another device plugin's gives its VFs as `vfhook import` wrote it.

use serde_json::{Value, json};

use crate::guest::command::eventually;
use crate::guest::containerd::{Containerd, Edition};
use crate::guest::failure::Failure;
use crate::guest::kubernetes::{self, NODE, get, kubectl};
use crate::guest::serve::Serve;
use crate::guest::{Guest, configure, vfhook};

use super::Scenario;
use super::cluster_scene::{
    self, POD_SECONDS, a_pod_too_many_waits, are_free, each_has_a_vf, no_pod_is_left, pod_spec,
    published, running_pods, scale, text,
};
use super::imported;

pub(super) const SCENARIO: Scenario = Scenario::new(
    "device_plugin",
    1500,
    "a Kubernetes cluster counts VFs by kubelet's device plugin API: the fourth pod of three VFs waits",
    run,
)
.prepared(prepare)
.in_cluster()
.vfs(3, 0);

const RESOURCE: &str = "vfhook.dev/fast";

fn prepare(guest: &mut Guest) -> Result<(), Failure> {
    guest.step("start a cluster");
    cluster_scene::start(&published("device-plugin"))
}

fn run(guest: &mut Guest) -> Result<(), Failure> {
    guest.step("the scheduler knows of three VFs");
    counts(guest, RESOURCE, 3)?;
    a_pod_too_many_waits(guest, RESOURCE, &format!("Insufficient {RESOURCE}"))?;
    guest.step("kubelet and vfhook are killed under running pods");
    kubernetes::kill_kubelet()?;
    Serve::handle().kill()?;
    Serve::handle().start()?;
    kubernetes::start_kubelet()?;
    counts(guest, RESOURCE, 3)?;
    each_has_a_vf(guest, 3)?;
    without_its_vf(guest)?;
    guest.step("all go");
    scale(0)?;
    no_pod_is_left(POD_SECONDS)?;
    counts(guest, RESOURCE, 3)?;
    guest.step("every VF is free, for whoever asks");
    are_free(3)?;
    as_imported(guest)
}

/// The pool of another device plugin's `ConfigMap` is counted as that was, and a pod says all but the resource in the words that it had.
fn as_imported(guest: &mut Guest) -> Result<(), Failure> {
    const IMPORTED: &str = "vfhook.dev/intel-fast";
    guest.step("the configuration is what `vfhook import` makes of another device plugin's");
    let file = imported::DEVICE_PLUGIN.replace("10.30.0.", "192.168.0.");
    let text = imported::imported(&[("plugin.yaml", &file)])?;
    let heard = "version = 1\naccept_annotations = [\"multus\"]\n";
    configure(&text.replacen("version = 1\n", heard, 1))?;
    Serve::handle().reload()?;
    counts(guest, IMPORTED, 3)?;
    let mut pod = json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "moved" } });
    pod["metadata"]["annotations"] = json!({ "k8s.v1.cni.cncf.io/networks": "red" });
    pod["spec"] = pod_spec(&json!({ "limits": { IMPORTED: "1" } }));
    kubernetes::apply(&pod)?;
    eventually("the pod runs", POD_SECONDS, || {
        if running_pods()?.len() == 1 { Ok(()) } else { Err(Failure::unmet("one", get("pods")?)) }
    })?;
    each_has_a_vf(guest, 1)?;
    kubectl("delete pod moved").ok()?;
    counts(guest, IMPORTED, 3)?;
    are_free(3)
}

/// A pod that lost its VF while nobody looked starts no container, and does once vfhook is back.
fn without_its_vf(guest: &mut Guest) -> Result<(), Failure> {
    guest.step(
        "a VF is taken from its pod while vfhook is dead: its container does not start again",
    );
    let status = vfhook("status --json").ok()?.json()?;
    let lease = &status["leases"][0];
    let (id, pod) = (text(&lease["id"]), text(&lease["pod"]));
    let device = text(&lease["networks"][0]["device"]);
    Serve::handle().kill()?;
    vfhook(&format!("detach --id {id}")).ok()?;
    let container = container(&pod)?;
    let running = text(&container["containerID"]);
    let cri = Containerd::handle(Edition::Two).cri;
    cri.stop(running.trim_start_matches("containerd://"))?;
    eventually("the container is kept from starting", POD_SECONDS, || {
        let state = self::container(&pod)?.to_string();
        let told = state.contains(&device) && state.contains("was not attached");
        if told { Ok(()) } else { Err(Failure::unmet("it is told why", state)) }
    })?;
    guest.step("vfhook is back, and so is the VF");
    Serve::handle().start()?;
    eventually("the container runs", POD_SECONDS, || {
        let container = self::container(&pod)?;
        let runs = container["state"]["running"].is_object();
        if runs { Ok(()) } else { Err(Failure::unmet("it runs", &container)) }
    })?;
    counts(guest, RESOURCE, 3)?;
    each_has_a_vf(guest, 3)
}

/// What kubelet says of a pod's only container.
fn container(pod: &str) -> Result<Value, Failure> {
    Ok(get(&format!("pod {pod}"))?["status"]["containerStatuses"][0].clone())
}

/// The scheduler has so many VFs to give on the node.
fn counts(guest: &mut Guest, resource: &str, wanted: u32) -> Result<(), Failure> {
    guest.count();
    eventually(&format!("{wanted} VFs are allocatable"), 120, || {
        let node = get(&format!("node {NODE}"))?;
        let allocatable = &node["status"]["allocatable"];
        let counted = allocatable[resource].as_str() == Some(&wanted.to_string());
        if counted { Ok(()) } else { Err(Failure::unmet("so many", allocatable)) }
    })
}
