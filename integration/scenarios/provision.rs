//! `vfhook provision` makes the VFs that the configuration says: from none, from another number through none, not while one is leased; twice
//! is the same as once, and a dry run changes nothing.

use std::fs;

use crate::guest::card::Pf;
use crate::guest::command::eventually;
use crate::guest::failure::Failure;
use crate::guest::interface::interfaces_below;
use crate::guest::place::Netns;
use crate::guest::{Guest, configure, vfhook};

use super::Scenario;

pub(super) const SCENARIO: Scenario =
    Scenario::new("provision", 150, "VFs are made as the configuration says", run)
        .prepared(prepare)
        .vfs(0, 0);

fn config(count: u32) -> String {
    format!(
        "version = 1\n\n[[pool]]\nname = \"fast\"\nkind = \"sriov\"\npf = [\"ens1f0\"]\nnum_vfs = {count}\n\n\
         [[network]]\nname = \"storage\"\npool = \"fast\"\ninterface = \"net1\"\naddresses = [\"192.168.0.16-192.168.0.250/24\"]\n"
    )
}

fn prepare(_guest: &mut Guest) -> Result<(), Failure> {
    configure(&config(4))?;
    Netns::create("blue").map(drop)
}

fn run(guest: &mut Guest) -> Result<(), Failure> {
    guest.step("a dry run changes nothing");
    let plan = guest.changes_nothing("a dry run", || vfhook("provision --dry-run").ok())?;
    guest.expect(plan.must_say(&["ens1f0", "4"]))?;
    guest.step("from none to four");
    vfhook("provision").ok()?;
    has_vfs(guest, 4)?;
    guest.step("again: nothing to do");
    guest.changes_nothing("provisioning again", || vfhook("provision").ok())?;
    guest.step("one is leased: another number is refused");
    vfhook("attach --netns /run/netns/blue --network storage --id blue").ok()?;
    configure(&config(7))?;
    guest.changes_nothing("a refused provision", || {
        vfhook("provision").fails(1, &["ens1f0", "leased to blue"])
    })?;
    vfhook("detach --id blue").ok()?;
    guest.step("from four to seven, through none");
    vfhook("provision").ok()?;
    has_vfs(guest, 7)?;
    guest.step("to none, as it was");
    configure(&config(0))?;
    vfhook("provision").ok()?;
    has_vfs(guest, 0)
}

fn has_vfs(guest: &mut Guest, count: usize) -> Result<(), Failure> {
    let [pf, _] = Pf::all();
    let path = pf.sysfs().join("sriov_numvfs");
    let number = fs::read_to_string(&path).map_err(Failure::file("read", &path))?;
    guest.check("the card has that many", number.trim() == count.to_string(), number.trim())?;
    // Probing is the kernel's business: the interfaces may come a little later.
    eventually("as many interfaces as VFs", 10, || {
        let found = interfaces_below(&pf.sysfs());
        if found.len() == count {
            return Ok(());
        }
        Err(Failure::unmet(format!("{count} interfaces"), found.join(" ")))
    })?;
    // Making VFs resets the card: its carrier goes and comes back.
    guest.settle()
}
