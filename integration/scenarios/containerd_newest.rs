//! The newest containerd, with the newest runc: pods have their VFs, and the example plugins of `containerd-nri` that need so new a
//! runtime do what they are for, a device moved into a container, another plugin's wish judged.

use serde_json::json;

use crate::guest::Guest;
use crate::guest::command::script;
use crate::guest::containerd::{Containerd, Edition, PodNetwork};
use crate::guest::cri::{Cri, refused};
use crate::guest::daemon::Daemon;
use crate::guest::failure::Failure;
use crate::guest::place::Place;

use super::containerd_scene::{self as scene, asking, reaches};
use super::plugins::{self, HOOKS, launch};
use super::scenario::Scenario;

pub(super) const SCENARIO: Scenario = Scenario::new(
    "containerd_newest",
    600,
    "the newest containerd and runc: pods, a device moved by a plugin, a wish judged by another",
    run,
)
.prepared(|guest| scene::prepare(guest, Edition::Newest, PodNetwork::Ptp))
.with_newest_runtimes()
.by_name();

/// A device of the host's, what it is called in the container, and its address, which it keeps.
const DEVICE: [&str; 3] = ["spare0", "moved0", "198.51.100.7"];

fn run(guest: &mut Guest) -> Result<(), Failure> {
    let containerd = Containerd::handle(Edition::Newest);
    guest.step("a pod that asks for a VF");
    let pod = scene::run(containerd.cri, &asking("box", "storage"))?;
    reaches(guest, &pod, "net1", "svc0")?;
    scene::remove(containerd.cri, &pod)?;
    guest.must_be_as_before("after the pod")?;
    plugins::run(guest, containerd)?;
    moved(guest, containerd.cri)?;
    judged(guest, containerd.cri)
}

/// A container gets a device of the host's beside its pod's VF.
fn moved(guest: &mut Guest, cri: Cri) -> Result<(), Failure> {
    guest.step("a network device is moved into a container");
    let [host, inside, address] = DEVICE;
    let injector = Daemon::named("network_device_injector");
    launch(injector, "network_device_injector", "")?;
    injector.says("serving", 1, 30)?;
    script(&[
        &format!("ip link add {host} type dummy"),
        &format!("ip addr add {address}/32 dev {host}"),
    ])?;
    let devices = json!([{"hostDev": host, "name": inside}]);
    let asking = asking("moved", "storage")
        .annotated("netdevices.noderesource.dev/container.main", &devices.to_string());
    let pod = scene::run(cri, &asking)?;
    let found = pod.place.cmd(&format!("ip -o addr show {inside}")).ok()?;
    guest.check("it is in the container", found.stdout.contains(address), &found.stdout)?;
    let left = Place::Host.cmd("ip -o link").ok()?;
    guest.check("and not on the host", !left.stdout.contains(host), &left.stdout)?;
    reaches(guest, &pod, "net1", "svc0")?;
    guest.step("it goes with its pod, being no hardware");
    scene::remove(cri, &pod)?;
    injector.end("TERM")?;
    guest.must_be_as_before("after a device was moved")
}

/// A plugin asks for a hook, and another forbids it, until it is told to allow that; and so it does with a plugin that is not there.
fn judged(guest: &mut Guest, cri: Cri) -> Result<(), Failure> {
    guest.step("a container is refused for what a plugin asks for it");
    let injector = Daemon::named("hook_injector");
    launch(injector, "hook_injector", HOOKS)?;
    injector.says("serving", 1, 30)?;
    let cases = [
        ("", Some("may not set hooks")),
        ("allow=hooks require=template", Some("the required plugin template is not there")),
        ("allow=hooks require=hook-injector", None),
    ];
    for (arguments, words) in cases {
        guest.step(&format!("the validator's arguments are \"{arguments}\""));
        let validator = Daemon::named("default_validator");
        launch(validator, "default_validator", arguments)?;
        validator.says("serving", 1, 30)?;
        let asking = asking("judged", "storage").annotated("example", "hooked");
        let sandbox = cri.run_pod(&asking)?;
        let created = cri.create(&sandbox, &asking, "main");
        match words {
            Some(words) => drop(guest.expect(refused(created, &[words]))?),
            None => cri.remove(&guest.expect(created)?)?,
        }
        cri.stop_pod(&sandbox)?;
        cri.remove_pod(&sandbox)?;
        validator.end("TERM")?;
    }
    injector.end("TERM")?;
    guest.must_be_as_before("after containers that were judged")
}
