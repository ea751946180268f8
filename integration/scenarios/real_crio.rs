//! A real CRI-O that a person brought: the same as `crio` plays, with the hooks and over NRI. `integration/by-hand/crio` runs it.

use serde_json::Value;

use crate::guest::cri::{Cri, Pod};
use crate::guest::crio::Crio;
use crate::guest::failure::Failure;
use crate::guest::place::Place;
use crate::guest::podman::{self, NETWORKS};
use crate::guest::serve::Serve;
use crate::guest::{Guest, interface, probe, vfhook};

use super::crio::{self, NEAR};
use super::runtime_annotations::{Annotations, Names, Writer};
use super::{Scenario, containerd_scene};

pub(super) const CRUN: Scenario =
    Scenario::new("real_crio_crun", 900, "a CRI-O that a person brought, over crun", |guest| {
        run(guest, Crio::over("crun"))
    })
    .prepared(|guest| prepare(guest, Crio::over("crun")))
    .by_name();
pub(super) const RUNC: Scenario =
    Scenario::new("real_crio_runc", 900, "a CRI-O that a person brought, over runc", |guest| {
        run(guest, Crio::over("runc"))
    })
    .prepared(|guest| prepare(guest, Crio::over("runc")))
    .by_name();

fn prepare(guest: &mut Guest, crio: Crio) -> Result<(), Failure> {
    crio::prepare(guest)?;
    guest.step("start CRI-O");
    crio.prepare()
}

fn run(guest: &mut Guest, crio: Crio) -> Result<(), Failure> {
    guest.step(&format!("with the hooks: {}", Crio::version()?));
    podman::install_hooks()?;
    through(guest, crio.cri, Way::Hooks)?;
    podman::remove_hooks()?;
    as_before(guest)?;
    guest.step("over NRI");
    Serve::handle().start()?;
    through(guest, crio.cri, Way::Nri)?;
    Serve::handle().stop()?;
    as_before(guest)
}

/// CRI-O tells of a pod's end when its namespace is gone: the kernel has brought the VF back by then, under the number that it had there
/// where `eth0` or `svc0` had its own. No number can be changed on the host.
fn as_before(guest: &mut Guest) -> Result<(), Failure> {
    guest.step("compare with the dump before, but for the numbers of links");
    guest.is_as_before_but_for(&[" ifindex"])
}

/// How vfhook hears of pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Hooks,
    Nri,
}

fn through(guest: &mut Guest, cri: Cri, way: Way) -> Result<(), Failure> {
    let honest = Pod::named("guest").in_namespace("team-a").annotated(NETWORKS, "private");
    guest.step("a pod of the team");
    let running = containerd_scene::run(cri, &honest)?;
    has_its_vf(guest, &running.place)?;
    if way == Way::Hooks {
        is_as_played(guest, cri, &running.container, &running.sandbox)?;
    }
    guest.step("its container again, in the same sandbox");
    cri.stop(&running.container)?;
    cri.remove(&running.container)?;
    let running = containerd_scene::fill(cri, &honest, running.sandbox)?;
    has_its_vf(guest, &running.place)?;
    containerd_scene::remove(cri, &running)?;
    let gone = vfhook("status").ok()?;
    guest.check("its lease is gone", !gone.stdout.contains("private"), gone.stdout)?;
    guest.step("a pod of another namespace asks for it by an empty annotation, and by name");
    for request in ["", "private"] {
        let pod = Pod::named("other").in_namespace("evil").annotated(NETWORKS, request);
        keeps_out(guest, cri, &pod)?;
    }
    for (what, lie) in crio::forgeries() {
        guest.step(&format!("its author adds {what}"));
        let asking = Pod::named("other").in_namespace("evil").annotated(NETWORKS, "private");
        let pod = lie.iter().fold(asking, |pod, (key, value)| pod.annotated(key, value));
        keeps_out(guest, cri, &pod)?;
    }
    Ok(())
}

fn has_its_vf(guest: &mut Guest, place: &Place) -> Result<(), Failure> {
    guest.expect(interface::pci_of(place, "net1"))?;
    guest.expect(probe::ping(place, NEAR))
}

/// The pod, or its container, does not start, and nothing was given.
fn keeps_out(guest: &mut Guest, cri: Cri, pod: &Pod) -> Result<(), Failure> {
    let ran = cri.run_pod(pod).and_then(|sandbox| {
        let container = cri.create(&sandbox, pod, "main")?;
        cri.start(&container)
    });
    guest.check("it does not start", ran.is_err(), "it runs")?;
    let status = vfhook("status").ok()?;
    guest.check("nothing was given", !status.stdout.contains("private"), status.stdout)?;
    containerd_scene::remove_all(cri)
}

/// Every key that the scenario `crio` plays is one that this CRI-O writes, and tells the same of the pod.
fn is_as_played(
    guest: &mut Guest,
    cri: Cri,
    container: &str,
    sandbox: &str,
) -> Result<(), Failure> {
    let spec = cri.spec(container)?;
    let names = Names { container, sandbox, pod: "guest", namespace: "team-a" };
    let played = Writer::CriOWorkload.write(names, &Annotations::new(), &Annotations::new());
    let seen = |key: &str| spec["annotations"][key].as_str();
    // Of a kubelet, and of systemd.
    let elsewhere = ["io.kubernetes.container.", "io.kubernetes.pod.terminat", "org.systemd."];
    let own = played.keys().filter(|key| !elsewhere.iter().any(|prefix| key.starts_with(prefix)));
    let missing: Vec<&String> = own.filter(|key| seen(key).is_none()).collect();
    guest.check("CRI-O writes all that is played", missing.is_empty(), format!("{missing:?}"))?;
    for key in [
        "io.container.manager",
        "io.kubernetes.pod.namespace",
        "io.kubernetes.cri-o.ContainerType",
        "io.kubernetes.cri-o.SandboxID",
        "io.kubernetes.cri-o.ContainerID",
    ] {
        let value = played.get(key).map(String::as_str);
        guest.check(
            &format!("{key} is as played"),
            seen(key) == value,
            format!("{:?}", seen(key)),
        )?;
    }
    let cgroup = spec["linux"]["cgroupsPath"].as_str().unwrap_or_default();
    guest.check("its cgroup is CRI-O's", cgroup.contains("crio"), cgroup)?;
    let network = |namespace: &&Value| namespace["type"] == "network";
    let namespaces = spec["linux"]["namespaces"].as_array();
    let path = namespaces.and_then(|all| all.iter().find(network)).map(|found| &found["path"]);
    let is_path =
        path.is_some_and(|path| path.as_str().is_some_and(|path| path.contains("/netns/")));
    guest.check("its network namespace is kept by path", is_path, format!("{path:?}"))
}
