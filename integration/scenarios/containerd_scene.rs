//! What the scenarios over containerd have in common: the networks, who is on them, a pod's whole life as kubelet leads it. It must not
//! say what must hold of vfhook beyond that a pod has its VF.

use crate::guest::containerd::{Containerd, Edition, PodNetwork};
use crate::guest::cri::{Cri, Pod, refused};
use crate::guest::failure::Failure;
use crate::guest::kube_proxy::{self, Masquerade, Service};
use crate::guest::place::Place;
use crate::guest::podman::NETWORKS;
use crate::guest::serve::Serve;
use crate::guest::{Guest, configure, interface, peer, probe};

/// A network, one with a single VF, one that is not for everybody; the service path over a veth of its own.
pub(super) const CONFIG: &str = r#"version = 1

[[pool]]
name = "fast"
kind = "sriov"
pf = ["ens1f0"]
vf = ["0-1"]

[[pool]]
name = "few"
kind = "sriov"
pf = ["ens1f0"]
vf = ["2"]

[[network]]
name = "storage"
pool = "fast"
interface = "net1"
addresses = ["192.168.0.16-192.168.0.250/24", "fd00:10::100-fd00:10::1ff/64"]
gateway = ["192.168.0.1"]
default_route = true

[[network]]
name = "scarce"
pool = "few"
interface = "net1"
addresses = ["192.168.7.16-192.168.7.250/24"]

[[network]]
name = "closed"
pool = "fast"
interface = "net1"
addresses = ["192.168.8.16-192.168.8.250/24"]
allow = { namespaces = ["kube-*"] }

[service_path]
mode = "veth"
cidrs = ["10.96.0.0/12"]
interface = "svc0"
source = ["169.254.96.0/20"]
"#;

/// The address of the service, and what its backend answers.
const SERVICE: &str = "10.96.0.10";
const BACKEND: &str = "web";
/// The VF on the wire that pods talk to.
const NEAR: [&str; 2] = ["192.168.0.2", "fd00:10::2"];

/// A pod with one container that runs.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) sandbox: String,
    pub(super) container: String,
    /// Where the container's process is.
    pub(super) place: Place,
}

/// Lays out the networks and starts containerd and vfhook.
pub(super) fn prepare(
    guest: &mut Guest,
    edition: Edition,
    network: PodNetwork,
) -> Result<(), Failure> {
    lay_out(guest, edition, network)?;
    guest.step("start vfhook serve");
    Serve::handle().start()
}

/// Lays out the networks and starts containerd.
pub(super) fn lay_out(
    guest: &mut Guest,
    edition: Edition,
    network: PodNetwork,
) -> Result<(), Failure> {
    configure(CONFIG)?;
    peer::gateway()?;
    peer::vf(guest.vf(0, 3)?, "near", &["192.168.0.2/24", "fd00:10::2/64"])?;
    let web = peer::pod("web")?;
    probe::serve_http(&web.place(), BACKEND, 8080)?;
    let services = [Service::tcp("WEB", "10.96.0.10:80", &["10.244.1.2:8080"])?];
    kube_proxy::install(&services, Masquerade::HairpinOnly)?;
    guest.step("start containerd");
    Containerd::handle(edition).prepare(network)
}

/// A pod that asks for this.
pub(super) fn asking(name: &str, request: &str) -> Pod {
    Pod::named(name).annotated(NETWORKS, request)
}

/// Runs a pod and starts its container.
pub(super) fn run(cri: Cri, pod: &Pod) -> Result<Running, Failure> {
    let sandbox = cri.run_pod(pod)?;
    fill(cri, pod, sandbox)
}

/// Creates and starts the container of a pod whose sandbox runs.
pub(super) fn fill(cri: Cri, pod: &Pod, sandbox: String) -> Result<Running, Failure> {
    let container = cri.create(&sandbox, pod, "main")?;
    cri.start(&container)?;
    let place = Place::Process(cri.pid(&container)?);
    Ok(Running { sandbox, container, place })
}

/// Ends a pod in kubelet's order.
pub(super) fn remove(cri: Cri, pod: &Running) -> Result<(), Failure> {
    cri.stop(&pod.container)?;
    cri.stop_pod(&pod.sandbox)?;
    cri.remove_pod(&pod.sandbox)
}

/// Ends whatever sandboxes the runtime still has, as kubelet does with those that failed.
pub(super) fn remove_all(cri: Cri) -> Result<(), Failure> {
    for sandbox in cri.pods()? {
        cri.stop_pod(&sandbox)?;
        cri.remove_pod(&sandbox)?;
    }
    Ok(())
}

/// The pod has its VF under this name, reaches the wire by it and the service by the other.
pub(super) fn reaches(
    guest: &mut Guest,
    pod: &Running,
    vf: &str,
    service_path: &str,
) -> Result<(), Failure> {
    guest.expect(interface::pci_of(&pod.place, vf))?;
    for target in NEAR {
        guest.expect(probe::ping(&pod.place, target))?;
    }
    guest.expect(probe::leaves_by(&pod.place, NEAR[0], vf))?;
    guest.expect(probe::leaves_by(&pod.place, SERVICE, service_path))?;
    let answer = guest.expect(probe::http(&pod.place, SERVICE, 80, ""))?;
    guest.check("the service's backend answers", answer == BACKEND, answer)
}

/// The pod's container is refused with these words, at the first place where this containerd can take a refusal; its sandbox, where it is
/// kept.
pub(super) fn keeps_out(
    guest: &mut Guest,
    containerd: Containerd,
    pod: &Pod,
    words: &[&str],
) -> Result<Option<String>, Failure> {
    let ran = containerd.cri.run_pod(pod);
    if containerd.refuses_sandboxes()? {
        guest.expect(refused(ran, words))?;
        return Ok(None);
    }
    let sandbox = guest.expect(ran)?;
    guest.expect(refused(containerd.cri.create(&sandbox, pod, "main"), words))?;
    Ok(Some(sandbox))
}

/// What kubelet does next: creates the container again, or runs the sandbox again.
pub(super) fn try_again(cri: Cri, pod: &Pod, sandbox: Option<String>) -> Result<Running, Failure> {
    match sandbox {
        Some(sandbox) => fill(cri, pod, sandbox),
        None => run(cri, &pod.clone().again()),
    }
}
