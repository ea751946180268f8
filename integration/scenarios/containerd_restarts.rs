//! vfhook and containerd die while pods run, and come back: nothing is lost while pods run, and whatever they had comes back when they go,
//! whoever was there to hear of it.

use crate::guest::Guest;
use crate::guest::containerd::{Containerd, Edition, PodNetwork};
use crate::guest::cri::{Cri, refused};
use crate::guest::failure::Failure;
use crate::guest::serve::Serve;

use super::containerd_scene::{self as scene, asking, reaches};

use super::Scenario;

pub(super) const ONE: Scenario = Scenario::new(
    "containerd1_restarts",
    300,
    "containerd 1.7: killed while pods run, and vfhook too",
    |guest| run(guest, Edition::One),
)
.prepared(|guest| prepare(guest, Edition::One));
pub(super) const TWO: Scenario = Scenario::new(
    "containerd2_restarts",
    300,
    "containerd 2: killed while pods run, and vfhook too",
    |guest| run(guest, Edition::Two),
)
.prepared(|guest| prepare(guest, Edition::Two));

fn prepare(guest: &mut Guest, edition: Edition) -> Result<(), Failure> {
    scene::prepare(guest, edition, PodNetwork::Ptp)
}

fn run(guest: &mut Guest, edition: Edition) -> Result<(), Failure> {
    let containerd = Containerd::handle(edition);
    vfhook_dies(guest, containerd.cri)?;
    vfhook_is_dead(guest, containerd.cri)?;
    vfhook_hangs(guest, containerd.cri)?;
    containerd_dies(guest, containerd)
}

fn vfhook_dies(guest: &mut Guest, cri: Cri) -> Result<(), Failure> {
    let serve = Serve::handle();
    guest.step("vfhook is killed while a pod runs");
    let pod = scene::run(cri, &asking("box", "storage"))?;
    reaches(guest, &pod, "net1", "svc0")?;
    serve.kill()?;
    reaches(guest, &pod, "net1", "svc0")?;
    guest.step("vfhook is back: the pod has what it had, and gives it back in the end");
    serve.start()?;
    reaches(guest, &pod, "net1", "svc0")?;
    guest.step("vfhook is restarted as for an upgrade");
    serve.stop()?;
    serve.start()?;
    reaches(guest, &pod, "net1", "svc0")?;
    scene::remove(cri, &pod)?;
    guest.must_be_as_before("after vfhook was killed")
}

fn vfhook_is_dead(guest: &mut Guest, cri: Cri) -> Result<(), Failure> {
    let serve = Serve::handle();
    guest.step("a pod is stopped and removed while vfhook is dead");
    let pod = scene::run(cri, &asking("box", "storage"))?;
    serve.kill()?;
    scene::remove(cri, &pod)?;
    guest.step("another pod's sandbox is run while vfhook is dead: none of its containers starts");
    let missed = asking("missed", "storage");
    let sandbox = cri.run_pod(&missed)?;
    let early = cri.create(&sandbox, &missed, "early")?;
    guest.expect(refused(cri.start(&early), &["hook", "not what it asks for", "storage"]))?;
    cri.remove(&early)?;
    guest.step("vfhook is back: the missed pod's container is created with a VF all the same");
    serve.start()?;
    let pod = scene::fill(cri, &missed, sandbox)?;
    reaches(guest, &pod, "net1", "svc0")?;
    scene::remove(cri, &pod)?;
    guest.must_be_as_before("after pods came and went without vfhook")
}

fn vfhook_hangs(guest: &mut Guest, cri: Cri) -> Result<(), Failure> {
    let serve = Serve::handle();
    guest.step("vfhook hangs: containerd goes on without it");
    let connections = serve.connections()?;
    serve.freeze()?;
    let late = asking("late", "storage");
    let sandbox = cri.run_pod(&late)?;
    guest.step("vfhook goes on, and keeps the container waiting for its VF");
    serve.thaw()?;
    serve.is_connected_since(connections)?;
    let pod = scene::fill(cri, &late, sandbox)?;
    reaches(guest, &pod, "net1", "svc0")?;
    scene::remove(cri, &pod)?;
    guest.must_be_as_before("after vfhook hung")
}

fn containerd_dies(guest: &mut Guest, containerd: Containerd) -> Result<(), Failure> {
    let cri = containerd.cri;
    guest.step("containerd is killed while pods run");
    let pods =
        [scene::run(cri, &asking("one", "storage"))?, scene::run(cri, &asking("two", "storage"))?];
    let connections = Serve::handle().connections()?;
    containerd.kill()?;
    reaches(guest, &pods[0], "net1", "svc0")?;
    guest.step("containerd is back, and vfhook has found it");
    containerd.start()?;
    Serve::handle().is_connected_since(connections)?;
    for pod in &pods {
        reaches(guest, pod, "net1", "svc0")?;
    }
    guest.step("pods that containerd no longer tells of are stopped and removed");
    for pod in &pods {
        scene::remove(cri, pod)?;
    }
    guest.must_be_as_before("after containerd was killed")?;
    guest.step("a new pod is heard of");
    let pod = scene::run(cri, &asking("new", "storage"))?;
    reaches(guest, &pod, "net1", "svc0")?;
    scene::remove(cri, &pod)
}
