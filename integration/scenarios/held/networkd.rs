//! systemd-networkd with a file that matches everything: without what the project ships for it, it takes what it does not know off the host's
//! ends and configures VFs; with that, it leaves them alone.

use std::fs;
use std::path::Path;
use std::time::Instant;

use crate::guest::command::{cmd, eventually};
use crate::guest::failure::Failure;
use crate::guest::serve::Serve;
use crate::guest::systemd::Unit;
use crate::guest::{Guest, save};
use crate::verdict::{FIGURES_FILE, SHARE};

use super::super::Scenario;
use super::scene::{self, BLUE, GREEN, Sandbox};

pub(in super::super) const SCENARIO: Scenario = Scenario::new(
    "held_networkd",
    300,
    "systemd-networkd takes what it does not know, or leaves ours alone",
    run,
)
.prepared(prepare)
.under_systemd();

/// What an operator may have: whatever there is gets its addresses by DHCP.
const EVERYTHING: &str = "[Match]\nName=*\n\n[Network]\nDHCP=yes\n";
/// The node's own ways, which are as they were made, so that only what is vfhook's can be what breaks.
const OWN: &str = "[Match]\nName=lo ens1f0 ens2f0 veth-*\n\n[Link]\nUnmanaged=yes\n";
/// What the project ships for it, and where `make install` puts it.
const SHIPPED: [(&str, &str); 2] = [
    ("86-vfhook.rules", "/usr/lib/udev/rules.d"),
    ("05-vfhook.network", "/usr/lib/systemd/network"),
];
fn networkd() -> Unit {
    Unit::named("systemd-networkd.service")
}

fn prepare(guest: &mut Guest) -> Result<(), Failure> {
    for (name, text) in [("10-own.network", OWN), ("50-everything.network", EVERYTHING)] {
        let path = Path::new("/etc/systemd/network").join(name);
        fs::write(&path, text).map_err(Failure::file("write", path))?;
    }
    scene::prepare(guest)
}

fn run(guest: &mut Guest) -> Result<(), Failure> {
    guest.step("attach a VF and a macvlan");
    let both = [Sandbox::attach(guest, BLUE)?, Sandbox::attach(guest, GREEN)?];
    takes_all(guest, &both)?;
    takes_all_from_the_daemon(guest, &both)?;
    guest.step("it ends, and so do the sandboxes");
    networkd_ends()?;
    for sandbox in both {
        sandbox.detach()?;
    }
    // Free VFs are its own without what we ship: up, with switches of its liking.
    let free = free(guest);
    guest.is_as_before_but_for(&free.iter().map(String::as_str).collect::<Vec<_>>())?;
    leaves_ours_alone(guest)
}

fn takes_all(guest: &mut Guest, both: &[Sandbox; 2]) -> Result<(), Failure> {
    guest.step("without our files it takes our routes");
    networkd().must("start")?;
    for sandbox in both {
        has(&sandbox.pair()?, "configur")?;
        eventually("that it is broken", 20, || sandbox.is_told("gone on the host"))?;
        sandbox.is_broken(guest, "gone on the host")?;
    }
    guest.step("reconcile puts them back, beside it");
    for sandbox in both {
        sandbox.is_mended_by_hand(guest)?;
    }
    networkd_ends()
}

fn takes_all_from_the_daemon(guest: &mut Guest, both: &[Sandbox; 2]) -> Result<(), Failure> {
    guest.step("the same with the daemon");
    Serve::handle().start_alone()?;
    networkd().must("start")?;
    let begun = Instant::now();
    for sandbox in both {
        has(&sandbox.pair()?, "configur")?;
    }
    eventually("two mendings", 20, || Serve::handle().has_mended(2))?;
    let seen = Instant::now();
    for sandbox in both {
        sandbox.is_mended_since(guest, seen)?;
    }
    let took = begun.elapsed().as_secs_f64();
    save(
        FIGURES_FILE,
        &format!("{took:.1} s: systemd-networkd was ready, took our routes, all is back\n"),
    )?;
    Serve::handle().stop()
}

fn networkd_ends() -> Result<(), Failure> {
    // Its socket would start it again.
    cmd("systemctl stop systemd-networkd.service systemd-networkd.socket").ok().map(drop)
}

fn leaves_ours_alone(guest: &mut Guest) -> Result<(), Failure> {
    guest.step("with our files");
    for (name, folder) in SHIPPED {
        let from = Path::new(SHARE).join("host-files").join(name);
        fs::copy(&from, Path::new(folder).join(name)).map_err(Failure::file("copy", from))?;
    }
    cmd("udevadm control --reload").ok()?;
    cmd("udevadm trigger --settle --subsystem-match=net --action=change").ok()?;
    let blue = Sandbox::attach(guest, BLUE)?;
    networkd().must("start")?;
    guest.step("it knows them and does not manage them, those that come after it too");
    let green = Sandbox::attach(guest, GREEN)?;
    for sandbox in [&blue, &green] {
        guest.expect(has(&sandbox.pair()?, "unmanaged"))?;
    }
    for vf in free(guest) {
        guest.expect(has(&vf, "unmanaged"))?;
    }
    blue.is_whole(guest)?;
    green.is_whole(guest)?;
    guest.step("a VF that comes to the host meanwhile is left alone too, and goes in again");
    cmd("ip -n blue link set net1 netns 1").ok()?;
    guest.expect(has("net1", "unmanaged"))?;
    blue.is_mended_by_hand(guest)?;
    blue.detach()?;
    green.detach()?;
    networkd_ends()
}

/// The VFs that no sandbox has.
fn free(guest: &Guest) -> Vec<String> {
    guest.vfs.iter().flatten().filter_map(|vf| vf.interface().ok()).collect()
}

/// Waits until networkd says this of an interface.
fn has(interface: &str, state: &str) -> Result<(), Failure> {
    eventually(&format!("{interface} is {state}"), 20, || {
        let list = cmd("networkctl --no-legend --no-pager list").ok()?;
        let line =
            list.stdout.lines().find(|line| line.split_whitespace().nth(1) == Some(interface));
        if line.is_some_and(|line| line.contains(state)) {
            return Ok(());
        }
        Err(Failure::unmet(format!("{interface} is {state}"), list.text()))
    })
}
