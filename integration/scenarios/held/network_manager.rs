//! `NetworkManager` as the distribution has it: it lets pairs be, and has every VF that comes to the host. With the file that the project ships
//! it has none of them, udev's mark or not.

use std::fs;
use std::path::Path;

use crate::guest::command::{cmd, eventually};
use crate::guest::failure::Failure;
use crate::guest::serve::Serve;
use crate::guest::systemd::Unit;
use crate::guest::{Guest, save};
use crate::verdict::{FIGURES_FILE, SHARE};

use super::super::Scenario;
use super::scene::{self, BLUE, GREEN, Sandbox};

pub(in super::super) const SCENARIO: Scenario = Scenario::new(
    "held_network_manager",
    300,
    "NetworkManager has VFs that come to the host, or leaves them alone",
    run,
)
.prepared(prepare)
.under_systemd();

const FOLDER: &str = "/etc/NetworkManager/conf.d";
/// The node's own ways, which are as they were made, so that only what is vfhook's can be what breaks.
const OWN: &str = "[keyfile]\nunmanaged-devices=interface-name:ens1f0,interface-name:ens2f0,interface-name:veth-*\n";
const SHIPPED: &str = "90-vfhook.conf";
/// How it calls a device that it does not touch.
const UNMANAGED: &str = "unmanaged";

fn manager() -> Unit {
    Unit::named("NetworkManager.service")
}

fn prepare(guest: &mut Guest) -> Result<(), Failure> {
    fs::create_dir_all(FOLDER).map_err(Failure::file("create", FOLDER))?;
    let path = Path::new(FOLDER).join("10-own.conf");
    fs::write(&path, OWN).map_err(Failure::file("write", path))?;
    scene::prepare(guest)
}

fn run(guest: &mut Guest) -> Result<(), Failure> {
    guest.step("attach a VF and a macvlan");
    let both = [Sandbox::attach(guest, BLUE)?, Sandbox::attach(guest, GREEN)?];
    guest.step("without our file it has the VFs on the host, and what was given stays");
    manager().must("start")?;
    for vf in free(guest) {
        guest.expect(is(&vf, false))?;
    }
    for sandbox in &both {
        guest.expect(is(&sandbox.pair()?, true))?;
        sandbox.is_whole(guest)?;
    }
    guest.step("a VF comes to the host: it is mended though NetworkManager has it");
    cmd("ip -n blue link set net1 netns 1").ok()?;
    guest.expect(is("net1", false))?;
    both[0].is_broken(guest, "missing: it is on the host")?;
    both[0].is_mended_by_hand(guest)?;
    with_the_daemon(guest, &both[0])?;
    leaves_ours_alone(guest, &both[0])?;
    guest.step("it ends, and so do the sandboxes");
    manager().must("stop")?;
    for sandbox in both {
        sandbox.detach()?;
    }
    // What it had it does not put back as it was.
    let all: Vec<String> = guest.vfs.concat().into_iter().map(|vf| vf.name).collect();
    guest.is_as_before_but_for(&all.iter().map(String::as_str).collect::<Vec<_>>())
}

fn with_the_daemon(guest: &mut Guest, blue: &Sandbox) -> Result<(), Failure> {
    guest.step("the same with the daemon");
    Serve::handle().start_alone()?;
    let begun = std::time::Instant::now();
    cmd("ip -n blue link set net1 netns 1").ok()?;
    let took = blue.is_mended_since(guest, begun)?;
    save(FIGURES_FILE, &format!("{took:.1} s: a VF came to the host of NetworkManager\n"))?;
    Serve::handle().stop()
}

fn leaves_ours_alone(guest: &mut Guest, blue: &Sandbox) -> Result<(), Failure> {
    guest.step("with our file it has no VF that comes");
    let from = Path::new(SHARE).join("host-files").join(SHIPPED);
    fs::copy(&from, Path::new(FOLDER).join(SHIPPED)).map_err(Failure::file("copy", from))?;
    cmd("nmcli general reload").ok()?;
    cmd("ip -n blue link set net1 netns 1").ok()?;
    guest.expect(is("net1", true))?;
    blue.is_mended_by_hand(guest)?;
    guest.step("what it had it keeps until it is told, and then it has none");
    for vf in free(guest) {
        cmd(&format!("nmcli device set {vf} managed no")).ok()?;
        guest.expect(is(&vf, true))?;
    }
    blue.is_whole(guest)
}

/// The VFs that no sandbox has.
fn free(guest: &Guest) -> Vec<String> {
    guest.vfs.iter().flatten().filter_map(|vf| vf.interface().ok()).collect()
}

/// Waits until `NetworkManager` lets an interface be, or has it.
fn is(interface: &str, unmanaged: bool) -> Result<(), Failure> {
    let what = format!("{interface} is {}{UNMANAGED}", if unmanaged { "" } else { "not " });
    eventually(&what, 20, || {
        let list = cmd("nmcli --terse --fields DEVICE,STATE device").ok()?;
        let lines = list.stdout.lines().filter_map(|line| line.split_once(':'));
        let state = lines.clone().find(|(name, _)| *name == interface).map(|(_, state)| state);
        if state.is_some_and(|state| (state == UNMANAGED) == unmanaged) {
            return Ok(());
        }
        Err(Failure::unmet(&what, list.text()))
    })
}
