//! A node with VFs and the cluster that it is of, for scenarios whose devices a scheduler counts. It must not know who counts them.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::guest::command::eventually;
use crate::guest::containerd::{Containerd, Edition, PodNetwork};
use crate::guest::failure::Failure;
use crate::guest::kubernetes::{self, get, items, kubectl};
use crate::guest::peer::{self, GATEWAY};
use crate::guest::serve::Serve;
use crate::guest::{Guest, configure, vfhook};
use crate::verdict::OCI_IMAGE_NAME;

/// A pod takes about ten seconds here, from being made to running.
pub(super) const POD_SECONDS: u64 = 180;

/// A pool of VFs that nobody counts, a network, a service path.
pub(crate) const CONFIG: &str = r#"version = 1

[[pool]]
name = "fast"
kind = "sriov"
pf = ["ens1f0"]

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

/// The same, published in this way.
pub(crate) fn published(way: &str) -> String {
    let pf = "pf = [\"ens1f0\"]\n";
    CONFIG.replacen(pf, &format!("{pf}publish = \"{way}\"\n"), 1)
}

/// Starts a node with this configuration, and the cluster that it is of.
pub(crate) fn start(config: &str) -> Result<(), Failure> {
    start_with(config, PodNetwork::Ptp)
}

/// The same with this for the pods' first interface.
pub(super) fn start_with(config: &str, network: PodNetwork) -> Result<(), Failure> {
    configure(config)?;
    peer::gateway()?;
    Containerd::handle(Edition::Two).prepare(network)?;
    Serve::handle().start()?;
    kubernetes::join()?;
    kubernetes::start_kubelet()
}

pub(super) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Pods that ask for one VF each by their limits, and for nothing by an annotation.
fn deployment(resource: &str, replicas: u32) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "vf"},
        "spec": {
            "replicas": replicas, "selector": {"matchLabels": {"app": "vf"}},
            "template": {
                "metadata": {"labels": {"app": "vf"}},
                "spec": pod_spec(&json!({"limits": {resource: "1"}}))
            }
        }
    })
}

/// A pod's one container, which sleeps and has these resources.
pub(super) fn pod_spec(resources: &Value) -> Value {
    json!({
        "automountServiceAccountToken": false, "terminationGracePeriodSeconds": 1,
        "containers": [{
            "name": "main", "image": OCI_IMAGE_NAME, "imagePullPolicy": "Never",
            "command": ["sleep", "100000"], "resources": resources
        }]
    })
}

/// Four such pods of three VFs: the fourth waits and is told why, until one goes.
pub(super) fn a_pod_too_many_waits(
    guest: &mut Guest,
    resource: &str,
    why: &str,
) -> Result<(), Failure> {
    guest.step("four pods ask for one VF each by a limit: three have it, the fourth waits");
    kubernetes::apply(&deployment(resource, 4))?;
    let running = runs(guest, 3)?;
    let waiting = waiting()?;
    guest.check("one waits", waiting.len() == 1, format!("{waiting:?}"))?;
    let said = waiting.first().map_or("", |(_, said)| said);
    guest.check("it is told why", said.contains(why), said)?;
    guest.step("one goes, and the fourth has its VF");
    let gone = running.first().map_or("", String::as_str);
    kubectl(&format!("delete pod {gone} --wait=false")).ok()?;
    eventually("another pod runs", POD_SECONDS, || {
        let now = running_pods()?;
        let is_other = now.len() == 3 && !now.contains(gone);
        if is_other { Ok(()) } else { Err(Failure::unmet("three others", format!("{now:?}"))) }
    })?;
    each_has_a_vf(guest, 3)
}

/// Wants so many of them.
pub(super) fn scale(replicas: u32) -> Result<(), Failure> {
    kubectl(&format!("scale deployment vf --replicas {replicas}")).ok().map(drop)
}

/// Waits until no pod is left.
pub(super) fn no_pod_is_left(seconds: u64) -> Result<(), Failure> {
    eventually("no pod is left", seconds, || {
        let left = items("pods")?.len();
        if left == 0 { Ok(()) } else { Err(Failure::unmet("no pod", left)) }
    })
}

/// Waits until so many VFs are free, for whoever asks.
pub(super) fn are_free(wanted: u32) -> Result<(), Failure> {
    eventually(&format!("{wanted} free VFs"), 60, || {
        let status = vfhook("status --json").ok()?.json()?;
        let free = status["pools"][0]["free"] == wanted;
        if free { Ok(()) } else { Err(Failure::unmet("so many are free", &status["pools"])) }
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

pub(super) fn running_pods() -> Result<BTreeSet<String>, Failure> {
    let pods = items("pods")?;
    let runs = |pod: &&Value| {
        pod["status"]["phase"] == "Running" && pod["metadata"]["deletionTimestamp"].is_null()
    };
    let names = pods.iter().filter(runs).filter_map(|pod| pod["metadata"]["name"].as_str());
    Ok(names.map(str::to_owned).collect())
}

/// The pods that wait for a node, with what is said of each.
fn waiting() -> Result<Vec<(String, String)>, Failure> {
    let pods = items("pods")?;
    let waits = |pod: &&Value| pod["status"]["phase"] == "Pending";
    let told = |pod: &Value| {
        let name = pod["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        (name, pod["status"]["conditions"].to_string())
    };
    Ok(pods.iter().filter(waits).map(told).collect())
}

/// So many VFs are with a pod each, no two with one, and each reaches the wire.
pub(super) fn each_has_a_vf(guest: &mut Guest, wanted: usize) -> Result<(), Failure> {
    let status = vfhook("status --json").ok()?.json()?;
    let leases = status["leases"].as_array().cloned().unwrap_or_default();
    let devices: BTreeSet<String> =
        leases.iter().map(|lease| lease["networks"][0]["device"].to_string()).collect();
    let all = devices.len() == wanted && leases.len() == wanted;
    guest.check("each has a VF of its own", all, &status)?;
    for pod in running_pods()? {
        guest.expect(kubernetes::run_in(&pod, &format!("ping -c 1 -w 20 {}", GATEWAY[0])))?;
    }
    Ok(())
}
