//! What was given stays true: whatever of it somebody breaks, by hand or as a program of the distribution does, is told, refused to new
//! containers and mended, by `reconcile` and by the daemon.

pub(super) mod network_manager;
pub(super) mod networkd;
mod scene;

use std::time::Instant;

use crate::guest::command::{cmd, eventually};
use crate::guest::failure::Failure;
use crate::guest::serve::Serve;
use crate::guest::{Guest, save, vfhook};
use crate::verdict::FIGURES_FILE;

use self::scene::{BLUE, GREEN, Sandbox};
use super::Scenario;

pub(super) const BY_HAND: Scenario = Scenario::new(
    "held_by_hand",
    400,
    "a VF, a macvlan and their service paths are broken and mended",
    by_hand,
)
.prepared(scene::prepare);

/// What is broken.
#[derive(Debug)]
struct Break {
    what: &'static str,
    /// Whose: the one with the VF, or the one with the macvlan.
    of_vf: bool,
    /// How, in words of a shell. `PAIR` stands for the host's end, `PCI` for the VF's address.
    how: &'static str,
    /// How it is told.
    told: &'static str,
}

impl Break {
    const fn of_vf(what: &'static str, how: &'static str, told: &'static str) -> Self {
        Self { what, of_vf: true, how, told }
    }

    const fn of_macvlan(what: &'static str, how: &'static str, told: &'static str) -> Self {
        Self { what, of_vf: false, how, told }
    }
}

const BREAKS: [Break; 15] = [
    Break::of_vf(
        "the VF is moved to the host",
        "ip -n blue link set net1 netns 1",
        "missing: it is on the host",
    ),
    Break::of_vf(
        "the VF's driver lets go of it and takes it anew",
        "cd /sys/bus/pci/drivers/igbvf; echo PCI > unbind; echo PCI > bind",
        "missing: it is on the host",
    ),
    Break::of_vf("the VF is down", "ip -n blue link set net1 down", "net1 is down"),
    Break::of_vf("the VF has no address", "ip -n blue addr flush dev net1", "net1 lacks address"),
    Break::of_vf(
        "the VF has no route",
        "ip -n blue route flush dev net1; ip -n blue -6 route flush dev net1",
        "the route to its network",
    ),
    Break::of_vf(
        "the card trusts the VF no more",
        "ip link set ens1f0 vf NUMBER trust off",
        "trust",
    ),
    Break::of_macvlan("the macvlan is deleted", "ip -n green link del net1", "net1 is gone"),
    Break::of_macvlan("the macvlan is down", "ip -n green link set net1 down", "net1 is down"),
    Break::of_vf("the sandbox's end is deleted", "ip -n blue link del svc0", "is gone on the host"),
    Break::of_macvlan("the host's end is deleted", "ip link del PAIR", "is gone on the host"),
    Break::of_vf("the host's end is down", "ip link set PAIR down", "is down on the host"),
    Break::of_vf(
        "the routes of both sides are flushed",
        "ip route flush dev PAIR; ip -6 route flush dev PAIR proto 118; \
         ip -n blue route flush dev svc0; ip -n blue -6 route flush dev svc0 proto 118",
        "the route to",
    ),
    Break::of_macvlan(
        "the neighbours of both sides are flushed",
        "ip neigh flush dev PAIR nud permanent; ip -n green neigh flush dev svc0 nud permanent",
        "lacks neighbour",
    ),
    Break::of_macvlan("our table is flushed", "nft flush table inet vfhook", "does not masquerade"),
    Break::of_vf(
        "nftables.service starts with the distribution's file",
        "nft -f /etc/nftables.conf",
        "does not masquerade",
    ),
];

fn by_hand(guest: &mut Guest) -> Result<(), Failure> {
    guest.step("attach a VF and a macvlan");
    let (blue, green) = (Sandbox::attach(guest, BLUE)?, Sandbox::attach(guest, GREEN)?);
    let of = |broken: &Break| if broken.of_vf { &blue } else { &green };
    for broken in &BREAKS {
        guest.step(broken.what);
        smash(guest, broken, of(broken))?;
        of(broken).is_broken(guest, broken.told)?;
        of(broken).is_mended_by_hand(guest)?;
    }
    without_driver(guest, &blue)?;
    Serve::handle().start_alone()?;
    let mut took = Vec::new();
    for broken in &BREAKS {
        guest.step(&format!("with the daemon: {}", broken.what));
        let (sandbox, begun) = (of(broken), Instant::now());
        smash(guest, broken, sandbox)?;
        took.push(format!("{:.1} s: {}", sandbox.is_mended_since(guest, begun)?, broken.what));
    }
    guest.step("the daemon ends");
    Serve::handle().stop()?;
    save(FIGURES_FILE, &(took.join("\n") + "\n"))?;
    blue.is_whole(guest)?;
    green.is_whole(guest)?;
    blue.detach()?;
    green.detach()?;
    // What the distribution's file has in its place of a ruleset.
    cmd("nft delete table inet filter").ok().map(drop)
}

fn smash(guest: &Guest, broken: &Break, sandbox: &Sandbox) -> Result<(), Failure> {
    let how = broken.how.replace("PAIR", &sandbox.pair()?);
    let vf = sandbox.pci().and_then(|pci| guest.vfs[0].iter().find(|vf| vf.pci == pci).cloned());
    let how = match &vf {
        Some(vf) => how.replace("PCI", &vf.pci).replace("NUMBER", &vf.index.to_string()),
        None => how,
    };
    cmd("sh -ec").arg(how).ok().map(drop)
}

/// A VF without a driver is in no sandbox, and nobody but its driver can mend that. When it is bound again, vfhook does the rest.
fn without_driver(guest: &mut Guest, blue: &Sandbox) -> Result<(), Failure> {
    guest.step("the VF has no driver: told, refused, and not to be mended");
    let pci = blue.pci().ok_or_else(|| Failure::unmet("net1 is a VF", "it is none"))?;
    let driver = |file: &str| {
        let path = format!("/sys/bus/pci/drivers/igbvf/{file}");
        std::fs::write(&path, &pci).map_err(Failure::file("write", path))
    };
    driver("unbind")?;
    blue.is_broken(guest, "no driver is bound")?;
    guest.expect(vfhook("reconcile").output()?.must_say(&["no driver is bound"]))?;
    guest.step("it has its driver again");
    driver("bind")?;
    let vf = guest.vfs[0].iter().find(|vf| vf.pci == pci).cloned();
    let vf = vf.ok_or_else(|| Failure::unmet("a VF that the lab made", &pci))?;
    eventually("its interface", 10, || vf.interface())?;
    blue.is_mended_by_hand(guest)
}
