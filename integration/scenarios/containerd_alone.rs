//! Pods over containerd on a node with no other network plugin: what they ask for is their eth0 and their address for Kubernetes, with the
//! daemon alive or not, and a pod that cannot have it is not even started.

use crate::guest::Guest;
use crate::guest::containerd::{Containerd, Edition, PodNetwork};
use crate::guest::cri::{Cri, Pod, refused};
use crate::guest::failure::Failure;
use crate::guest::interface::Interface;
use crate::guest::serve::Serve;

use super::containerd_scene::{self as scene, asking, reaches};

use super::Scenario;

pub(super) const ONE: Scenario = Scenario::new(
    "containerd1_alone",
    200,
    "containerd 1.7 without another plugin: the VF is eth0",
    |guest| run(guest, Edition::One),
)
.prepared(|guest| prepare(guest, Edition::One));
pub(super) const TWO: Scenario = Scenario::new(
    "containerd2_alone",
    200,
    "containerd 2 without another plugin: the VF is eth0",
    |guest| run(guest, Edition::Two),
)
.prepared(|guest| prepare(guest, Edition::Two));

fn prepare(guest: &mut Guest, edition: Edition) -> Result<(), Failure> {
    scene::prepare(guest, edition, PodNetwork::Vfhook)
}

fn run(guest: &mut Guest, edition: Edition) -> Result<(), Failure> {
    let cri = Containerd::handle(edition).cri;
    guest.step("a pod whose eth0 is a VF");
    whole_life(guest, cri, "box")?;
    guest.must_be_as_before("after the pod")?;
    not_started(guest, cri)?;
    guest.step("the same while vfhook serve is dead");
    Serve::handle().kill()?;
    whole_life(guest, cri, "orphan")?;
    Serve::handle().start()
}

fn whole_life(guest: &mut Guest, cri: Cri, name: &str) -> Result<(), Failure> {
    let pod = scene::run(cri, &asking(name, "storage@eth0"))?;
    reaches(guest, &pod, "eth0", "svc0")?;
    let links = pod.place.cmd("ip -o link").ok()?;
    guest.check("lo, eth0 and svc0", links.stdout.lines().count() == 3, &links.stdout)?;
    let eth0 = Interface::read(&pod.place, "eth0")?;
    let status = cri.pod_status(&pod.sandbox)?;
    let same = status.ready && status.addresses == [eth0.v4()?, eth0.v6()?];
    guest.check("eth0's addresses are the pod's", same, format!("{status:?}"))?;
    scene::remove(cri, &pod)
}

fn not_started(guest: &mut Guest, cri: Cri) -> Result<(), Failure> {
    let cases = [
        (Pod::named("plain"), ["asks for no network", "vfhook.dev/networks"]),
        (asking("elsewhere", "storage"), ["no network is asked for as eth0", "write NAME@eth0"]),
        (asking("unknown", "nonesuch@eth0"), ["unknown network nonesuch", "storage"]),
    ];
    for (pod, words) in cases {
        guest.step(&format!("not started: {}", words.join(", ")));
        guest.expect(refused(cri.run_pod(&pod), &words))?;
        scene::remove_all(cri)?;
    }
    guest.step("a pod on the host's network needs nothing");
    let host = scene::run(cri, &Pod::named("host").on_host_network())?;
    scene::remove(cri, &host)?;
    guest.must_be_as_before("after pods that were not started")
}
