//! Containers that drive a VF and were given its node by their bundle: over vfhook-runtime with podman, docker and bare runtimes, which have no
//! namespace for it to begin with. Each finds variables and a limit too, and the VF is a netdev afterwards.

use crate::guest::command::{Invocation, cmd, eventually};
use crate::guest::docker::{Docker, Edition};
use crate::guest::failure::Failure;
use crate::guest::oci_runtime::Bundle;
use crate::guest::podman::{NETWORKS, Podman, remove_hooks};
use crate::guest::{Guest, VFHOOK, configure, vfhook, vfio};
use crate::verdict::OCI_IMAGE_NAME;

use super::Scenario;

pub(super) const SCENARIO: Scenario = Scenario::new(
    "vfio_bundle",
    900,
    "podman, docker and bare runtimes give a container a VF to drive by its bundle",
    run,
)
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
allow = { cdi = true }

[service_path]
mode = "off"
"#;

const WRAPPER: &str = "/usr/bin/vfhook-runtime";

fn prepare(guest: &mut Guest) -> Result<(), Failure> {
    configure(CONFIG)?;
    cmd("modprobe vfio-pci").ok()?;
    cmd(&format!("ln -sfn {VFHOOK} {WRAPPER}")).ok()?;
    vfhook("cdi").ok()?;
    vfio::program("", "", 0)?;
    Podman::prepare("crun")?;
    guest.step("start docker");
    Docker::handle(Edition::TwentySix).prepare()
}

fn run(guest: &mut Guest) -> Result<(), Failure> {
    let annotation = format!("--annotation {NETWORKS}=data");
    let podman = |runtime: &'static str| {
        let annotation = annotation.clone();
        move || Podman::over(runtime).cmd("run --rm --network none").arg_words(&annotation)
    };
    guest.step(
        "podman: with its hooks alone a container does not start, and the message says what helps",
    );
    let late = drives(podman("crun")()).output()?;
    guest.check("it does not start", late.status != Some(0), &late.stderr)?;
    remove_hooks()?;
    for behind in ["crun", "runc"] {
        let own = format!("version = 1\nruntime = \"/usr/bin/{behind}\"\n");
        configure(&CONFIG.replacen("version = 1\n", &own, 1))?;
        guest.step(&format!("podman over vfhook-runtime over {behind}"));
        has_all(guest, podman(WRAPPER))?;
        guest.step(&format!("{behind} over vfhook-runtime, in a namespace that it makes"));
        bare(guest, behind)?;
    }
    let docker = |options: String| {
        move || {
            Docker::handle(Edition::TwentySix).cmd("run --rm --runtime vfhook").arg_words(&options)
        }
    };
    guest.step("docker: by annotation");
    has_all(guest, docker(format!("--network none {annotation}")))?;
    guest.step("docker: as a CDI device");
    has_all(guest, docker("--network none --device vfhook.dev/net=data".to_owned()))?;
    guest.step("a container that cannot be made: its lease is taken back");
    let broken = Podman::over(WRAPPER).cmd("run --rm --network none").arg_words(&annotation);
    let broken = broken.arg_words(&format!("--entrypoint /no/such {OCI_IMAGE_NAME}")).output()?;
    guest.check("it is not made", broken.status != Some(0), &broken.stderr)?;
    vfhook("reconcile").ok()?;
    is_home(guest)
}

/// The container that `run` begins, with the program that drives a VF.
fn drives(run: Invocation) -> Invocation {
    vfio::in_container(run, &[], OCI_IMAGE_NAME, "/usr/bin/perl /tmp/lab-vfio/drive.pl 0")
}

/// A container drives its VF, another one reads what it was given.
fn has_all(guest: &mut Guest, run: impl Fn() -> Invocation) -> Result<(), Failure> {
    let said = guest.expect(drives(run()).ok())?;
    guest.expect(said.must_say(&[&format!("driven {}", vfio::IDS)]))?;
    is_home(guest)?;
    let read = |words: &str| vfio::in_container(run(), &[], OCI_IMAGE_NAME, words).ok();
    let environment = guest.expect(read("/usr/bin/env"))?;
    let told = [
        "VFHOOK_VFIO_DATA=0000:",
        "PCIDEVICE_INTEL_COM_INTEL_SRIOV_DPDK=0000:",
        "_INFO={",
        "\"dev-mount\":\"/dev/vfio/",
    ];
    guest.expect(environment.must_say(&told))?;
    let limits = guest.expect(read("/usr/bin/cat /proc/self/limits"))?;
    let line =
        limits.stdout.lines().find(|line| line.starts_with("Max locked")).unwrap_or_default();
    guest.check("memory may be locked", line.matches("unlimited").count() == 2, line)?;
    is_home(guest)
}

/// A bundle as people write it, which names no namespace.
fn bare(guest: &mut Guest, behind: &'static str) -> Result<(), Failure> {
    let script =
        "for node in /dev/vfio/[0-9]*; do exec 3<>$node && echo opened $node; done; ulimit -l";
    let bundle = Bundle::written(WRAPPER, &format!("driven-{behind}"), |config| {
        config["annotations"] = serde_json::json!({ NETWORKS: "data" });
        config["process"]["args"] = serde_json::json!(["/bin/busybox", "sh", "-c", script]);
    })?;
    let said = guest.expect(bundle.run_in_front("box").ok())?;
    guest.expect(said.must_say(&["opened /dev/vfio/", "unlimited"]))?;
    is_home(guest)
}

fn is_home(guest: &mut Guest) -> Result<(), Failure> {
    eventually("no lease", 30, || vfhook("status").ok()?.must_say(&["2 of 2 free"]).map(drop))?;
    guest.is_as_before_but_for(&["ifindex"])
}
