//! A pod's container drives a VF by vfio: over NRI each of its containers has the node, the right to use it, the variables that name the VF
//! and the limit of what it may lock, and the VF is a netdev again when the pod is gone.

use serde_json::Value;

use crate::guest::command::{cmd, eventually};
use crate::guest::containerd::{Containerd, Edition, PodNetwork};
use crate::guest::cri::{Cri, Pod};
use crate::guest::daemon::Daemon;
use crate::guest::failure::Failure;
use crate::guest::podman::NETWORKS;
use crate::guest::serve::Serve;
use crate::guest::{Guest, configure, vfhook, vfio};

use super::Scenario;

pub(super) const SCENARIO: Scenario =
    Scenario::new("vfio_pod", 400, "a pod's container drives a VF by vfio", run)
        .prepared(prepare)
        .with_iommu()
        .by_name();

const CONFIG: &str = r#"version = 1

[[pool]]
name = "driven"
kind = "sriov"
pf = ["ens1f0"]
vf = ["0-1"]
bind = "vfio-pci"
resource = "intel.com/intel_sriov_dpdk"

[[network]]
name = "data"
pool = "driven"
interface = "data%d"
vlan = { id = 7 }
memlock = "unlimited"

[service_path]
mode = "off"
"#;

fn prepare(guest: &mut Guest) -> Result<(), Failure> {
    configure(CONFIG)?;
    cmd("modprobe vfio-pci").ok()?;
    guest.step("start containerd and vfhook");
    Containerd::handle(Edition::One).prepare(PodNetwork::Ptp)?;
    Serve::handle().start()
}

fn run(guest: &mut Guest) -> Result<(), Failure> {
    let cri = Containerd::handle(Edition::One).cri;
    guest.step("a pod asks for a VF to drive");
    let pod =
        Pod::named("dpdk").annotated(NETWORKS, "data").annotated("vfhook.dev/tell", "environment");
    vfio::program("", "", 0)?;
    let sandbox = cri.run_pod(&pod)?;
    let container = create(cri, &sandbox, &pod, "main")?;
    cri.start(&container)?;
    let driven = format!("driven {}", vfio::IDS);
    guest.expect(says(&driven))?;
    guest.step("what it was given");
    let device = guest.vf(0, 0)?.pci.clone();
    let spec = cri.spec(&container)?;
    let has = |variable: String| {
        let all = spec["process"]["env"].as_array().into_iter().flatten();
        all.filter_map(Value::as_str).any(|one| one == variable)
    };
    guest.check(
        "our variable",
        has(format!("VFHOOK_VFIO_DATA={device}")),
        &spec["process"]["env"],
    )?;
    let usual = has(format!("PCIDEVICE_VFHOOK_DEV_DRIVEN={device}"));
    guest.check("the device plugin's", usual, &spec["process"]["env"])?;
    let charts = has(format!("PCIDEVICE_INTEL_COM_INTEL_SRIOV_DPDK={device}"));
    guest.check("that of a chart's resource", charts, &spec["process"]["env"])?;
    let limits = &spec["process"]["rlimits"];
    let all = limits.as_array().into_iter().flatten();
    let mut memlock = all.filter(|limit| limit["type"] == "RLIMIT_MEMLOCK");
    let unlimited = memlock.next().is_some_and(|limit| limit["soft"] == u64::MAX);
    guest.check("memory may be locked without limit", unlimited, limits)?;
    guest.step("another container of the pod has the node too, and finds it taken");
    let second = create(cri, &sandbox, &pod, "second")?;
    cri.start(&second)?;
    guest.expect(says("Device or resource busy"))?;
    guest.step("vfhook ends and comes again: who drives the VF is not disturbed");
    Serve::handle().kill()?;
    Serve::handle().start()?;
    let status = vfhook("status").ok()?;
    guest.expect(status.must_say(&["leased", "/dev/vfio/"]))?;
    guest.step("the pod ends");
    for container in [&container, &second] {
        cri.stop(container)?;
    }
    cri.stop_pod(&sandbox)?;
    cri.remove_pod(&sandbox)?;
    guest.is_as_before_but_for(&["ifindex"])?;
    held_from_outside(guest, cri, &pod)
}

fn create(cri: Cri, sandbox: &str, pod: &Pod, name: &str) -> Result<String, Failure> {
    let _ = std::fs::remove_file(vfio::SAID);
    cri.create_running(sandbox, pod, name, (&vfio::COMMAND, &vfio::MOUNTS))
}

fn says(text: &str) -> Result<(), Failure> {
    eventually(&format!("\"{text}\" of the program"), 60, || {
        let said = std::fs::read_to_string(vfio::SAID).unwrap_or_default();
        if said.contains(text) { Ok(()) } else { Err(Failure::unmet(text, said)) }
    })
}

/// Somebody holds the VF when its pod is gone: the runtime is not kept waiting, and the VF comes home once it is let go.
fn held_from_outside(guest: &mut Guest, cri: Cri, pod: &Pod) -> Result<(), Failure> {
    guest.step("somebody holds the VF while its pod ends");
    let pod = pod.clone().again();
    let sandbox = cri.run_pod(&pod)?;
    let status = vfhook("status --json").ok()?.json()?;
    let nodes = &status["leases"][0]["vfio"][0];
    let group = nodes["nodes"][0]["path"].as_str().unwrap_or_default();
    let device = nodes["device"].as_str().unwrap_or_default();
    let user = Daemon::named("driver");
    user.start(&vfio::program(group, device, 1000)?, &[])?;
    user.says("driven", 1, 60)?;
    cri.stop_pod(&sandbox)?;
    cri.remove_pod(&sandbox)?;
    let status = vfhook("status").ok()?;
    guest.check("it is not home", !status.stdout.contains("2 of 2 free"), &status.stdout)?;
    user.end("KILL")?;
    eventually("the VF at home", 90, || {
        vfhook("status").ok()?.must_say(&["2 of 2 free"]).map(drop)
    })?;
    guest.is_as_before_but_for(&["ifindex"])
}
