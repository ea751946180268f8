//! A Kubernetes cluster whose kubelet counts VFs: a pod too many waits until one is free, each has the VF that kubelet chose, whoever is
//! killed, and nothing is left.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::guest::command::eventually;
use crate::guest::containerd::{Containerd, Edition, PodNetwork};
use crate::guest::failure::Failure;
use crate::guest::kubernetes::{self, NODE, get, kubectl};
use crate::guest::peer::{self, GATEWAY};
use crate::guest::serve::Serve;
use crate::guest::{Guest, configure, vfhook};
use crate::verdict::OCI_IMAGE_NAME;

use super::Scenario;

pub(super) const SCENARIO: Scenario = Scenario::new(
    "device_plugin",
    1500,
    "a Kubernetes cluster counts VFs by kubelet's device plugin API: the fourth pod of three VFs waits",
    run,
)
.prepared(prepare)
.in_cluster()
.vfs(3, 0)
.by_name();

const CONFIG: &str = r#"version = 1

[[pool]]
name = "fast"
kind = "sriov"
pf = ["ens1f0"]
publish = "device-plugin"

[[network]]
name = "storage"
pool = "fast"
interface = "net1"
addresses = ["192.168.0.16-192.168.0.250/24"]

[service_path]
mode = "veth"
cidrs = ["10.96.0.0/12"]
interface = "svc0"
source = ["169.254.96.0/20"]
"#;
const RESOURCE: &str = "vfhook.dev/fast";

/// A pod takes about ten seconds here, from being made to running.
const POD_SECONDS: u64 = 180;

fn prepare(guest: &mut Guest) -> Result<(), Failure> {
    guest.step("start a cluster");
    start_cluster()
}

/// A node with a published pool, and the cluster that it is of.
pub(crate) fn start_cluster() -> Result<(), Failure> {
    configure(CONFIG)?;
    peer::gateway()?;
    Containerd::handle(Edition::Two).prepare(PodNetwork::Ptp)?;
    Serve::handle().start()?;
    kubernetes::control_plane()?;
    kubernetes::start_kubelet()
}

fn run(guest: &mut Guest) -> Result<(), Failure> {
    guest.step("the scheduler knows of three VFs");
    counts(guest, 3)?;
    guest.step("four pods ask for one each: three have it, the fourth waits");
    kubernetes::apply(&deployment(4))?;
    let running = runs(guest, 3)?;
    let waiting = waiting()?;
    guest.check("one waits", waiting.len() == 1, format!("{waiting:?}"))?;
    let said = waiting.first().map_or("", |(_, said)| said);
    guest.check("it is told why", said.contains(&format!("Insufficient {RESOURCE}")), said)?;
    guest.step("one goes, and the fourth has its VF");
    let gone = running.first().map_or("", String::as_str);
    kubectl(&format!("delete pod {gone} --wait=false")).ok()?;
    eventually("another pod runs", POD_SECONDS, || {
        let now = running_pods()?;
        let is_other = now.len() == 3 && !now.contains(gone);
        if is_other { Ok(()) } else { Err(Failure::unmet("three others", format!("{now:?}"))) }
    })?;
    each_has_a_vf(guest, 3)?;
    guest.step("kubelet and vfhook are killed under running pods");
    kubernetes::kill_kubelet()?;
    Serve::handle().kill()?;
    Serve::handle().start()?;
    kubernetes::start_kubelet()?;
    counts(guest, 3)?;
    each_has_a_vf(guest, 3)?;
    without_its_vf(guest)?;
    guest.step("all go");
    kubectl("scale deployment vf --replicas 0").ok()?;
    eventually("no pod is left", POD_SECONDS, || {
        let left = get("pods")?["items"].as_array().map_or(1, Vec::len);
        if left == 0 { Ok(()) } else { Err(Failure::unmet("no pod", left)) }
    })?;
    counts(guest, 3)?;
    guest.step("every VF is free, for whoever asks");
    eventually("three free VFs", 60, || {
        let status = vfhook("status --json").ok()?.json()?;
        let free = status["pools"][0]["free"] == 3;
        if free { Ok(()) } else { Err(Failure::unmet("three are free", &status["pools"])) }
    })
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
    counts(guest, 3)?;
    each_has_a_vf(guest, 3)
}

/// What kubelet says of a pod's only container.
fn container(pod: &str) -> Result<Value, Failure> {
    Ok(get(&format!("pod {pod}"))?["status"]["containerStatuses"][0].clone())
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Pods that ask for one VF each by their limits, and for nothing by an annotation.
fn deployment(replicas: u32) -> Value {
    let container = json!({
        "name": "main", "image": OCI_IMAGE_NAME, "imagePullPolicy": "Never",
        "command": ["sleep", "100000"], "resources": {"limits": {RESOURCE: "1"}}
    });
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "vf"},
        "spec": {
            "replicas": replicas, "selector": {"matchLabels": {"app": "vf"}},
            "template": {
                "metadata": {"labels": {"app": "vf"}},
                "spec": {
                    "automountServiceAccountToken": false, "terminationGracePeriodSeconds": 1,
                    "containers": [container]
                }
            }
        }
    })
}

/// The scheduler has so many VFs to give on the node.
fn counts(guest: &mut Guest, wanted: u32) -> Result<(), Failure> {
    guest.count();
    eventually(&format!("{wanted} VFs are allocatable"), 120, || {
        let node = get(&format!("node {NODE}"))?;
        let allocatable = &node["status"]["allocatable"];
        let counted = allocatable[RESOURCE].as_str() == Some(&wanted.to_string());
        if counted { Ok(()) } else { Err(Failure::unmet("so many", allocatable)) }
    })
}

/// Waits until so many pods run, each with a VF of its own.
fn runs(guest: &mut Guest, wanted: usize) -> Result<BTreeSet<String>, Failure> {
    eventually(&format!("{wanted} pods run"), POD_SECONDS, || {
        let running = running_pods()?;
        if running.len() == wanted {
            return Ok(());
        }
        Err(Failure::unmet("so many run", get("pods")?["items"].to_string()))
    })?;
    each_has_a_vf(guest, wanted)?;
    running_pods()
}

fn running_pods() -> Result<BTreeSet<String>, Failure> {
    let pods = get("pods")?;
    let items = pods["items"].as_array().cloned().unwrap_or_default();
    let runs = |pod: &&Value| {
        pod["status"]["phase"] == "Running" && pod["metadata"]["deletionTimestamp"].is_null()
    };
    let names = items.iter().filter(runs).filter_map(|pod| pod["metadata"]["name"].as_str());
    Ok(names.map(str::to_owned).collect())
}

/// The pods that wait for a node, with what is said of each.
fn waiting() -> Result<Vec<(String, String)>, Failure> {
    let pods = get("pods")?;
    let items = pods["items"].as_array().cloned().unwrap_or_default();
    let waits = |pod: &&Value| pod["status"]["phase"] == "Pending";
    let told = |pod: &Value| {
        let name = pod["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        (name, pod["status"]["conditions"].to_string())
    };
    Ok(items.iter().filter(waits).map(told).collect())
}

/// So many VFs are with a pod each, no two with one, and each reaches the wire.
fn each_has_a_vf(guest: &mut Guest, wanted: usize) -> Result<(), Failure> {
    let status = vfhook("status --json").ok()?.json()?;
    let leases = status["leases"].as_array().cloned().unwrap_or_default();
    let devices: BTreeSet<String> =
        leases.iter().map(|lease| lease["networks"][0]["device"].to_string()).collect();
    let all = devices.len() == wanted && leases.len() == wanted;
    guest.check("each has a VF of its own", all, &status)?;
    for pod in running_pods()? {
        guest.expect(kubectl(&format!("exec {pod} -- ping -c 1 -w 20 {}", GATEWAY[0])).ok())?;
    }
    Ok(())
}
