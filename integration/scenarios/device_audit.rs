//! What somebody else did to VFs: a wall of the card taken down, a VF taken out of its sandbox, the leases lost. `status` tells each,
//! `reconcile` mends what is vfhook's to mend and leaves the rest alone.

use serde_json::Value;

use crate::guest::card::Vf;
use crate::guest::command::{cmd, eventually};
use crate::guest::failure::Failure;
use crate::guest::interface;
use crate::guest::place::Netns;
use crate::guest::{Guest, configure, vfhook};

use super::{Scenario, vlan_isolation::CONFIG};

pub(super) const SCENARIO: Scenario =
    Scenario::new("device_audit", 120, "VFs that others changed, moved or lost the lease of", run)
        .prepared(prepare);

fn prepare(_: &mut Guest) -> Result<(), Failure> {
    configure(CONFIG)?;
    Netns::create("blue").map(drop)
}

fn run(guest: &mut Guest) -> Result<(), Failure> {
    wall_taken_down(guest)?;
    taken_out(guest)?;
    lease_lost(guest)
}

fn wall_taken_down(guest: &mut Guest) -> Result<(), Failure> {
    guest.step("somebody takes the VLAN off a VF that has it");
    let vf = attach(guest, "hundred")?;
    cmd(&format!("ip link set ens1f0 vf {} vlan 0", vf.index)).ok()?;
    says(guest, "status", "drifted: vlan changed on the card")?;
    says(guest, "reconcile --dry-run", "would be applied")?;
    let attributes = || interface::vf_attributes("ens1f0", vf.index);
    let is_back = |attributes: &Value| attributes["vlan_list"][0]["vlan"] == 100;
    let untouched = attributes()?;
    guest.check("it was only asked", !is_back(&untouched), &untouched)?;
    says(guest, "reconcile", "applied")?;
    let mended = attributes()?;
    guest.check("the VF is in VLAN 100", is_back(&mended), &mended)?;
    vfhook("detach --id blue").ok()?;
    guest.must_be_as_before("after a wall was taken down")
}

fn taken_out(guest: &mut Guest) -> Result<(), Failure> {
    guest.step("somebody takes a VF out of its sandbox");
    attach(guest, "untagged")?;
    Netns::named("blue").cmd("ip link set net1 netns 1").ok()?;
    says(guest, "status", "missing: it is on the host")?;
    says(guest, "reconcile", "applied")?;
    guest.step("it is in its sandbox again, and nothing is wrong");
    Netns::named("blue").cmd("ip link show dev net1").ok()?;
    says(guest, "reconcile", "every lease is whole")?;
    vfhook("detach --id blue").ok()?;
    guest.must_be_as_before("after a VF was taken out")
}

fn lease_lost(guest: &mut Guest) -> Result<(), Failure> {
    guest.step("the leases are lost, and the sandbox ends");
    let vf = attach(guest, "untagged")?;
    cmd("rm -r /run/vfhook").ok()?;
    Netns::named("blue").delete()?;
    eventually("the VF's interface on the host", 20, || vf.interface())?;
    says(guest, "status", "orphaned: it has the tag vfhook:blue")?;
    Netns::create("blue")?;
    let other = attach(guest, "untagged")?;
    guest.check("nobody is given it meanwhile", other.pci != vf.pci, &other.pci)?;
    vfhook("detach --id blue").ok()?;
    says(guest, "reconcile", "taken back")?;
    let status = vfhook("status --json").ok()?.json()?;
    let devices = status["pools"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|pool| pool["devices"].as_array());
    let mut own = devices.flatten().filter(|device| device["address"] == vf.pci);
    let is_free = own.all(|device| device["state"] == "free");
    guest.check("it is free again", is_free, &status["pools"])?;
    // How it was called and numbered went with the lease.
    let name = vf.interface()?;
    cmd(&format!("ip link set {name} name {}", vf.name)).ok().map(drop)
}

/// Attaches blue; the VF that it got.
fn attach(guest: &Guest, network: &str) -> Result<Vf, Failure> {
    vfhook(&format!("attach --netns /run/netns/blue --network {network} --id blue")).ok()?;
    let pci = interface::pci_of(&Netns::named("blue").place(), "net1")?;
    let found = guest.vfs.iter().flatten().find(|vf| vf.pci == pci);
    found.cloned().ok_or_else(|| Failure::unmet("net1 is a VF that the lab made", pci))
}

fn says(guest: &mut Guest, verb: &str, text: &str) -> Result<(), Failure> {
    let said = vfhook(verb).ok()?.stdout;
    guest.check(&format!("`vfhook {verb}` says {text:?}"), said.contains(text), said)
}
