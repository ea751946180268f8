//! What a bare OCI runtime does to a container: shared by the scenarios for runc and crun.

use crate::guest::command::eventually;
use crate::guest::failure::Failure;
use crate::guest::interface;
use crate::guest::oci_runtime::Bundle;
use crate::guest::{Guest, configure, peer, probe};

use super::{CONFIG, Scenario};

pub(super) const CRUN: Scenario =
    Scenario::new("plain_crun", 150, "crun with hooks in config.json", |guest| run(guest, "crun"))
        .prepared(prepare);
pub(super) const RUNC: Scenario =
    Scenario::new("plain_runc", 150, "runc with hooks in config.json", |guest| run(guest, "runc"))
        .prepared(prepare);

fn prepare(guest: &mut Guest) -> Result<(), Failure> {
    configure(CONFIG)?;
    peer::gateway()?;
    peer::vf(guest.vf(0, 3)?, "near", &["192.168.0.2/24", "fd00:10::2/64"]).map(drop)
}

fn run(guest: &mut Guest, runtime: &'static str) -> Result<(), Failure> {
    let bundle = Bundle::create(runtime, "good", "storage")?;
    guest.step("run, kill, delete");
    start(guest, &bundle)?;
    bundle.cmd("kill box KILL").ok()?;
    eventually("a state of stopped", 20, || {
        bundle.cmd("state box").ok()?.must_say(&["stopped"]).map(drop)
    })?;
    bundle.cmd("delete box").ok()?;
    guest.must_be_as_before("after delete")?;
    guest.step("run again under the same id, delete by force");
    start(guest, &bundle)?;
    bundle.cmd("delete --force box").ok()?;
    guest.must_be_as_before("after delete --force")?;
    guest.step("a request that cannot be met: no container, the reason shown");
    let bad = Bundle::create(runtime, "bad", "nonesuch")?;
    let output = bad.run("bad").output()?;
    guest.check("the runtime fails", output.status != Some(0), &output.stdout)?;
    // crun throws away what hooks say: it tells only which one failed, and how.
    let said = if runtime == "crun" { ["/usr/bin/vfhook", "2"] } else { ["hook", "nonesuch"] };
    guest.expect(output.must_say(&said))?;
    // runc and crun differ in whether anything is left to delete.
    bad.cmd("delete --force bad").output().map(drop)
}

fn start(guest: &mut Guest, bundle: &Bundle) -> Result<(), Failure> {
    bundle.run("box").ok()?;
    let place = bundle.place("box")?;
    guest.expect(interface::pci_of(&place, "net1"))?;
    guest.expect(probe::ping(&place, "192.168.0.2"))?;
    guest.expect(probe::ping(&place, "fd00:10::2"))
}
