//! Errors that a machine really has, provoked while a sandbox is given or has its devices. What was tried must fail or succeed as a whole.

use std::fs;
use std::path::Path;

use crate::guest::card::Pf;
use crate::guest::command::{cmd, script};
use crate::guest::failure::Failure;
use crate::guest::interface;
use crate::guest::place::Netns;
use crate::guest::{Guest, vfhook};

use super::provisioning;

const ATTACH: &str = "attach --netns /run/netns/blue --network storage --id blue";

/// A fault, and how it is provoked when all is attached.
const WHILE_ATTACHED: [(&str, &str); 4] = [
    ("another tool takes the VF out of the sandbox", "ip -n blue link set net1 netns 1"),
    ("another tool deletes the service path", "ip -n blue link del svc0"),
    ("the clock jumps ten years ahead", "date -s +10years"),
    ("the clock jumps ten years back", "date -s -10years"),
];

/// What takes away a sandbox's device, which has this PCI address, and detaches.
type Take = fn(&mut Guest, &str) -> Result<(), Failure>;

/// Such faults.
pub(super) const TAKEN_APART: [(&str, Take); 3] = [
    ("the VF's driver is unbound under a sandbox", unbind),
    ("all VFs are destroyed under a sandbox (numvfs=0)", destroy),
    ("the card itself is removed under a sandbox, and comes back", remove),
];

/// Provokes all but [`TAKEN_APART`]; their names.
pub(super) fn run(guest: &mut Guest) -> Result<Vec<String>, Failure> {
    let mut injected = vec![card_is_down(guest)?];
    for (name, provoke) in WHILE_ATTACHED {
        guest.step(name);
        vfhook(ATTACH).ok()?;
        cmd(provoke).ok()?;
        vfhook("detach --id blue").ok()?;
        guest.is_as_before()?;
        injected.push(name.to_owned());
    }
    injected.push(no_space(guest)?);
    injected.push(held(guest)?);
    Ok(injected)
}

/// A VF that goes down meanwhile is reset, of which igb learns at the next word of any VF: then it forgets the address that this one had
/// told it, until it is told again, which a VF does as it comes up. Without vfhook it does the same.
fn card_is_down(guest: &mut Guest) -> Result<String, Failure> {
    let name = "the physical function goes down under a sandbox, and is still down at its end";
    guest.step(name);
    vfhook(ATTACH).ok()?;
    cmd("ip link set ens1f0 down").ok()?;
    vfhook("detach --id blue").ok()?;
    cmd("ip link set ens1f0 up").ok()?;
    for vf in &guest.vfs[0] {
        script(&[
            &format!("ip link set {} up", vf.name),
            &format!("ip link set {} down", vf.name),
        ])?;
    }
    guest.is_as_before()?;
    Ok(name.to_owned())
}

/// ENOSPC from the state directory, before anything is done.
fn no_space(guest: &mut Guest) -> Result<String, Failure> {
    let name = "no space on the file system of the leases (ENOSPC)";
    guest.step(name);
    script(&["mount -t tmpfs -o mode=0700,size=8k tmpfs /run/vfhook"])?;
    let _ = cmd("dd if=/dev/zero of=/run/vfhook/full bs=4k count=2").output()?;
    guest.changes_nothing("an attach without space", || {
        vfhook(ATTACH).fails(1, &["reserving", "no space left"])
    })?;
    script(&["umount /run/vfhook"])?;
    guest.is_as_before()?;
    Ok(name.to_owned())
}

/// A process that holds the namespace keeps its devices there after its name has gone.
fn held(guest: &mut Guest) -> Result<String, Failure> {
    let name = "a process holds the namespace open after its end";
    guest.step(name);
    vfhook(ATTACH).ok()?;
    let holder = Netns::named("blue").cmd("sleep 5").start()?;
    vfhook("detach --id blue").ok()?;
    guest.is_as_before()?;
    holder.finish()?;
    Ok(name.to_owned())
}

/// Takes the VF's device away under a sandbox, from a card that has VFs for this alone: what comes back of it is not the same.
pub(super) fn taken_apart(
    guest: &mut Guest,
    name: &str,
    take_and_detach: Take,
) -> Result<String, Failure> {
    guest.step(name);
    provisioning::with_network(2)?;
    vfhook("provision").ok()?;
    guest.settle()?;
    vfhook(ATTACH).ok()?;
    let pci = interface::pci_of(&Netns::named("blue").place(), "net1")?;
    take_and_detach(guest, &pci)?;
    let status = vfhook("status --json").ok()?.json()?;
    let none = status["leases"].as_array().is_some_and(Vec::is_empty);
    guest.check("no lease is left", none, &status["leases"])?;
    provisioning::with_network(0)?;
    vfhook("provision").ok()?;
    guest.settle()?;
    guest.is_as_before()?;
    Ok(name.to_owned())
}

/// Without a driver there is no interface to bring back: that is told, the VF is kept, and the next look mends it.
fn unbind(_guest: &mut Guest, pci: &str) -> Result<(), Failure> {
    let device = format!("/sys/bus/pci/devices/{pci}/driver");
    let driver = fs::canonicalize(&device).map_err(Failure::file("resolve", device))?;
    let write = |file: &str| {
        let path = driver.join(file);
        fs::write(&path, pci).map_err(Failure::file("write", path))
    };
    write("unbind")?;
    vfhook("detach --id blue").fails(4, &[pci, "no driver is bound"])?;
    write("bind")?;
    vfhook("reconcile").ok().map(drop)
}

fn destroy(_guest: &mut Guest, _pci: &str) -> Result<(), Failure> {
    let [_, pf] = Pf::all();
    let path = pf.sysfs().join("sriov_numvfs");
    fs::write(&path, "0").map_err(Failure::file("write 0 to", &path))?;
    vfhook("detach --id blue").ok().map(drop)
}

/// The physical function goes with all its VFs; what is found in its place is a new one to the kernel.
fn remove(guest: &mut Guest, _pci: &str) -> Result<(), Failure> {
    let [_, pf] = Pf::all();
    let write = |path: &Path| fs::write(path, "1").map_err(Failure::file("write 1 to", path));
    write(&pf.sysfs().join("remove"))?;
    vfhook("detach --id blue").ok()?;
    write(Path::new("/sys/bus/pci/rescan"))?;
    pf.bring_up()?;
    guest.settle()?;
    guest.is_as_before_but_for(&[pf.name, pf.pci])
}
