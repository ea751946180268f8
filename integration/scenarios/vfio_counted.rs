//! Kubelet counts VFs that programs drive: a pod that has one by a limit drives the VF that kubelet chose, one too many waits, and the VF is a
//! netdev again when its pod is gone.

use serde_json::{Value, json};

use crate::guest::command::{cmd, eventually};
use crate::guest::failure::Failure;
use crate::guest::kubernetes::{self, NODE, get, kubectl};
use crate::guest::{Guest, vfhook, vfio};

use super::Scenario;
use super::cluster_scene::{self, POD_SECONDS, no_pod_is_left, pod_spec, running_pods};

pub(super) const SCENARIO: Scenario =
    Scenario::new("vfio_counted", 900, "kubelet counts VFs that programs drive", run)
        .prepared(prepare)
        .in_cluster()
        .with_iommu()
        .vfs(1, 0)
        .by_name();

const CONFIG: &str = r#"version = 1

[[pool]]
name = "driven"
kind = "sriov"
pf = ["ens1f0"]
bind = "vfio-pci"
publish = "device-plugin"

[[network]]
name = "data"
pool = "driven"
interface = "data%d"
allow = { namespaces = ["*"] }

[service_path]
mode = "off"
"#;

const RESOURCE: &str = "vfhook.dev/driven";

fn prepare(guest: &mut Guest) -> Result<(), Failure> {
    cmd("modprobe vfio-pci").ok()?;
    guest.step("start a cluster");
    cluster_scene::start(CONFIG)
}

fn run(guest: &mut Guest) -> Result<(), Failure> {
    guest.step("the scheduler knows of one VF");
    guest.expect(eventually("one VF is allocatable", 120, || {
        let node = get(&format!("node {NODE}"))?;
        let counted = &node["status"]["allocatable"][RESOURCE];
        if counted == "1" { Ok(()) } else { Err(Failure::unmet("one", counted)) }
    }))?;
    guest.step("two pods ask for one each: the first drives it, the second waits");
    vfio::program("", "", 0)?;
    kubernetes::apply(&pod("first"))?;
    guest.expect(drives())?;
    kubernetes::apply(&pod("second"))?;
    guest.expect(eventually("it is told why it waits", POD_SECONDS, || {
        let said = get("pod second")?["status"]["conditions"].to_string();
        if said.contains(&format!("Insufficient {RESOURCE}")) {
            Ok(())
        } else {
            Err(Failure::unmet("why", said))
        }
    }))?;
    let running = running_pods()?;
    guest.check("one runs", running.len() == 1, format!("{running:?}"))?;
    let status = vfhook("status --json").ok()?.json()?;
    let device = &status["leases"][0]["networks"][0]["device"];
    guest.check("it is the VF that kubelet counts", *device == *guest.vf(0, 0)?.pci, device)?;
    guest.step("the first goes, and the second drives the VF");
    let _ = std::fs::remove_file(vfio::SAID);
    kubectl("delete pod first --wait=false").ok()?;
    guest.expect(drives())?;
    guest.step("all go, and the VF is a netdev again");
    kubectl("delete pod second").ok()?;
    no_pod_is_left(POD_SECONDS)?;
    guest.expect(eventually("its interface", POD_SECONDS, is_home))?;
    guest.step("it is free once kubelet no longer tells of the pod");
    guest.expect(eventually("a free VF", POD_SECONDS, || {
        vfhook("status").ok()?.must_say(&["1 of 1 free"]).map(drop)
    }))?;
    guest.is_as_before_but_for(&["ifindex"])
}

fn is_home() -> Result<(), Failure> {
    cmd("ip link show ens1f0v0").ok().map(drop)
}

/// A pod that asks for one VF, and drives it.
fn pod(name: &str) -> Value {
    let mut spec = pod_spec(&json!({ "limits": { RESOURCE: "1" } }));
    spec["containers"][0]["command"] = json!(vfio::COMMAND);
    let at = |place: &str| place.trim_start_matches('/').replace('/', "-");
    let mounts = vfio::MOUNTS.map(|place| json!({ "name": at(place), "mountPath": place }));
    spec["containers"][0]["volumeMounts"] = json!(mounts);
    let volumes =
        vfio::MOUNTS.map(|place| json!({ "name": at(place), "hostPath": { "path": place } }));
    spec["volumes"] = json!(volumes);
    let metadata = json!({ "name": name, "annotations": { "vfhook.dev/networks": "data" } });
    json!({ "apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec })
}

fn drives() -> Result<(), Failure> {
    let wanted = format!("driven {}", vfio::IDS);
    eventually("a container drives the VF", POD_SECONDS, || {
        let said = std::fs::read_to_string(vfio::SAID).unwrap_or_default();
        if said.contains(&wanted) { Ok(()) } else { Err(Failure::unmet(&wanted, said)) }
    })
}
