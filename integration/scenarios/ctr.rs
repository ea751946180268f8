//! Containers of containerd without pods, by its own client: a network as a CDI device, and by annotation over the wrapped runtime in place
//! of runc. Each goes through every way in which such a container ends.

use crate::guest::command::{cmd, eventually};
use crate::guest::containerd::Containerd;
use crate::guest::failure::Failure;
use crate::guest::interface;
use crate::guest::place::Place;
use crate::guest::podman::NETWORKS;
use crate::guest::{Guest, VFHOOK, configure, notice, probe, vfhook};
use crate::verdict::OCI_IMAGE_NAME;

use super::containerd_scene::CONFIG;

/// The name by which containerd calls vfhook as a runtime.
const WRAPPER: &str = "/usr/bin/vfhook-runtime";

/// A configuration that opens the first network as a device, and what operators install for it.
pub(super) fn prepare() -> Result<(), Failure> {
    configure(&open())?;
    cmd(&format!("ln -sfn {VFHOOK} {WRAPPER}")).ok()?;
    vfhook("cdi").ok()?.must_say(&["vfhook.dev/net=storage"]).map(drop)
}

fn open() -> String {
    CONFIG.replacen("default_route = true", "default_route = true\nallow = { cdi = true }", 1)
}

pub(super) fn run(guest: &mut Guest, containerd: Containerd) -> Result<(), Failure> {
    configure(&open())?;
    life(guest, containerd, "a CDI device", "--device vfhook.dev/net=storage", false)?;
    let annotated = format!(
        "--runc-binary {WRAPPER} --annotation {NETWORKS}=storage --annotation vfhook.dev/tell=file"
    );
    life(guest, containerd, "the wrapped runtime", &annotated, true)
}

/// A container that is run with these options is killed, started again, outlives containerd, and is removed.
fn life(
    guest: &mut Guest,
    containerd: Containerd,
    way: &str,
    options: &str,
    told: bool,
) -> Result<(), Failure> {
    guest.step(&format!("{way}: ctr run"));
    containerd.ctr("run -d").arg_words(options).arg(OCI_IMAGE_NAME).arg("box").ok()?;
    let place = has_its_vf(guest, containerd, told)?;
    guest.step(&format!("{way}: kill -9 of the container's process, and the same container again"));
    let Place::Process(pid) = place else { return Err(Failure::unmet("a process", place)) };
    cmd(&format!("kill -9 {pid}")).ok()?;
    ended(containerd)?;
    containerd.ctr("task rm box").ok()?;
    let status = vfhook("status --json").ok()?.json()?;
    let leases = status["leases"].as_array().map_or(1, Vec::len);
    guest.check("there is no lease", leases == 0, &status)?;
    containerd.ctr("task start -d box").ok()?;
    let place = has_its_vf(guest, containerd, told)?;
    guest
        .step(&format!("{way}: containerd is killed and started again, and the container goes on"));
    containerd.kill()?;
    containerd.start()?;
    guest.expect(probe::ping(&place, "192.168.0.2"))?;
    guest.step(&format!("{way}: the running container is removed by force"));
    containerd.ctr("task rm --force box").ok()?;
    containerd.ctr("container rm box").ok()?;
    guest.must_be_as_before(&format!("after a container by {way}"))
}

fn has_its_vf(guest: &mut Guest, containerd: Containerd, told: bool) -> Result<Place, Failure> {
    let place = Place::Process(pid(containerd)?);
    guest.expect(interface::pci_of(&place, "net1"))?;
    guest.expect(probe::ping(&place, "192.168.0.2"))?;
    if told {
        notice::tells(guest, &place, "box")?;
    } else {
        notice::tells_nothing(guest, &place)?;
    }
    Ok(place)
}

/// The process of the container, by containerd's list of tasks.
fn pid(containerd: Containerd) -> Result<u32, Failure> {
    let listed = containerd.ctr("task ls").ok()?;
    let line = listed.text().lines().find(|line| line.starts_with("box ")).unwrap_or_default();
    let words: Vec<&str> = line.split_whitespace().collect();
    match (words.get(1).and_then(|pid| pid.parse().ok()), words.get(2)) {
        (Some(pid), Some(&"RUNNING")) => Ok(pid),
        _ => Err(Failure::unmet("box runs", listed.text())),
    }
}

/// Waits until containerd has seen it end.
fn ended(containerd: Containerd) -> Result<(), Failure> {
    eventually("the end of box", 30, || {
        let listed = containerd.ctr("task ls").ok()?;
        listed.must_say(&["STOPPED"]).map(drop)
    })
}
