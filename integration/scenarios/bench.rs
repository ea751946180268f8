//! The attach bench on an emulated card's VFs: not whether vfhook is right, but what it costs. The program comes with `cargo lab bench`.

use std::fs;
use std::time::Duration;

use crate::guest::card::Pf;
use crate::guest::command::cmd;
use crate::guest::failure::Failure;
use crate::guest::{Guest, save};
use crate::verdict::{BENCH_DIR, BENCH_PROGRAM, BROUGHT, FIGURES_FILE, OUT_DIR, SHARE};

use super::Scenario;

pub(crate) const BENCH: &str = "bench";

pub(super) const SCENARIO: Scenario =
    Scenario::new(BENCH, 900, "what an attachment costs on a VF, for `cargo lab bench`", run)
        .prepared(prepare)
        .by_name()
        .on_two_processors()
        .vfs(0, 0);

/// One for each contender that wants a certain one, some for vfhook to choose from.
const VFS: u32 = 7;

/// A guest is slow, and its clock counts instructions: few rounds tell as much as many.
const ROUNDS: u32 = 15;

/// A plugin of no distribution, which a person may bring (`VFHOOK_LAB_BRING`).
const SRIOV: &str = "/usr/lib/cni/sriov";

/// The plugins wait for duplicate address detection, which vfhook and the others do without.
fn prepare(_guest: &mut Guest) -> Result<(), Failure> {
    let brought = format!("{SHARE}/{BROUGHT}/sriov");
    if fs::exists(&brought).unwrap_or(false) {
        // Beside the others, so that starting it is as cheap; where none was brought the bench goes without it.
        fs::copy(&brought, SRIOV).map_err(Failure::file("copy", &brought))?;
    }
    for which in ["all", "default"] {
        let path = format!("/proc/sys/net/ipv6/conf/{which}/accept_dad");
        fs::write(&path, "0").map_err(Failure::file("write", &path))?;
    }
    Ok(())
}

fn run(guest: &mut Guest) -> Result<(), Failure> {
    guest.step("run the bench");
    let program = format!("{SHARE}/{BENCH_PROGRAM}");
    if !fs::exists(&program).unwrap_or(false) {
        return Err(Failure::unmet("the program is there", "this is for `cargo lab bench`"));
    }
    // Made here and gone at the end: the plugins do not bring a VF back as it was.
    let [card, _] = Pf::all();
    card.make_vfs(VFS)?;
    let told = cmd(&program)
        .arg_words(&format!("{ROUNDS} --vf ens1f0 --write {SHARE}/{OUT_DIR}/{BENCH_DIR}"))
        .env("VFHOOK_PROGRAM", "/usr/bin/vfhook")
        .within(Duration::from_secs(800))
        .ok()?;
    save(FIGURES_FILE, &told.stdout)?;
    let path = card.sysfs().join("sriov_numvfs");
    fs::write(&path, "0").map_err(Failure::file("write 0 to", path))
}
