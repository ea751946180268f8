//! The Debian package on a machine that runs systemd: it starts nothing and makes no VF, is replaced under a sandbox that keeps what it has,
//! does not go while somebody needs it, and leaves no file behind.

use std::collections::BTreeSet;
use std::fs;

use crate::guest::command::{cmd, eventually};
use crate::guest::failure::Failure;
use crate::guest::place::Netns;
use crate::guest::systemd::Unit;
use crate::guest::{Guest, VFHOOK, configure, vfhook};
use crate::verdict::{PACKAGE, SHARE};

use super::{CONFIG, Scenario};

pub(super) const SCENARIO: Scenario = Scenario::new(
    "package",
    400,
    "the Debian package: installed it starts nothing, replaced it takes nothing, removed it leaves nothing",
    run,
)
.prepared(prepare)
.under_systemd()
.packaged();

const UNITS: [&str; 4] =
    ["vfhook.service", "vfhook.socket", "vfhook-agent.service", "vfhook-provision.service"];
const RUNTIME_CONFIGURATION: &str = "/etc/containerd/config.toml";

/// A machine without vfhook.
fn prepare(_: &mut Guest) -> Result<(), Failure> {
    fs::remove_file(VFHOOK).map_err(Failure::file("remove", VFHOOK))
}

fn run(guest: &mut Guest) -> Result<(), Failure> {
    let before = files()?;
    guest.step("it is installed, and nothing is started or changed");
    guest.changes_nothing("installing it", || dpkg("--install", &package()))?;
    for unit in UNITS {
        let state = Unit::named(unit).property("UnitFileState")?;
        let active = Unit::named(unit).property("ActiveState")?;
        let is_off = state == "disabled" && active == "inactive";
        guest.check("a unit is there and off", is_off, format!("{unit}: {state}, {active}"))?;
    }
    guest.expect(vfhook("--version").ok())?;
    // The image is made without manuals: what is installed is what the package has.
    let has = cmd("dpkg -L vfhook").ok()?.stdout;
    let pages = ["/usr/share/man/man1/vfhook.1.gz", "/usr/share/man/man1/vfhook-attach.1.gz"];
    guest.check("its manual is in it", pages.iter().all(|page| has.contains(page)), has)?;
    guest.step("a sandbox has a VF, and the daemon runs");
    configure(CONFIG)?;
    let blue = Netns::create("blue")?;
    guest.expect(vfhook("attach --netns /run/netns/blue --network storage --id blue").ok())?;
    cmd("systemctl enable --now vfhook.service").ok()?;
    let process = serve().property("MainPID")?;
    replaced(guest, &blue, &process)?;
    does_not_go(guest)?;
    guest.step("nobody needs it, and it goes");
    guest.expect(vfhook("detach --id blue").ok())?;
    blue.delete()?;
    dpkg("--remove", "vfhook")?;
    guest.expect(dpkg("--purge", "vfhook"))?;
    let left: Vec<String> = files()?.symmetric_difference(&before).cloned().collect();
    guest.check("no file is left, none is gone", left.is_empty(), left.join("\n"))?;
    let active = serve().property("ActiveState")?;
    guest.check("the daemon has ended", active == "inactive", active)?;
    // What comes after looks by it.
    cmd(&format!("install -m 755 {SHARE}/bin/vfhook {VFHOOK}")).ok().map(drop)
}

/// As an upgrade does it.
fn replaced(guest: &mut Guest, blue: &Netns, process: &str) -> Result<(), Failure> {
    guest.step("it is replaced: the daemon is another, and the sandbox keeps what it has");
    let links = || Ok::<_, Failure>(blue.cmd("ip -o link show").ok()?.stdout);
    let had = links()?;
    dpkg("--install", &package())?;
    guest.expect(serve().is_active_without(process, 30))?;
    guest.check("it has the same", links()? == had, links()?)?;
    eventually("that nothing needs attention", 10, || {
        let status = vfhook("status --json").ok()?.json()?;
        let is_well = status["attention"].as_array().is_some_and(Vec::is_empty)
            && status["leases"].as_array().is_some_and(|leases| leases.len() == 1);
        if is_well { Ok(()) } else { Err(Failure::unmet("one lease, no attention", status)) }
    })
}

/// Neither under a sandbox that has something of it, nor under a runtime whose containers begin with its hook.
fn does_not_go(guest: &mut Guest) -> Result<(), Failure> {
    guest.step("it does not go while a sandbox has something, or containers begin with its hook");
    let remove = || cmd("dpkg --remove vfhook").fails(1, &[]);
    let refused = guest.expect(remove())?;
    guest.check("it is said why", refused.stderr.contains("vfhook status"), &refused.stderr)?;
    guest.expect(vfhook("status").ok())?;
    guest.expect(vfhook("detach --id blue").ok())?;
    let original = fs::read_to_string(RUNTIME_CONFIGURATION).ok();
    fs::create_dir_all("/etc/containerd").map_err(Failure::file("create", "/etc/containerd"))?;
    let guarded = "base_runtime_spec = \"/etc/vfhook/base-runtime-spec.json\"\n";
    let write = |text: &str| {
        fs::write(RUNTIME_CONFIGURATION, text)
            .map_err(Failure::file("write", RUNTIME_CONFIGURATION))
    };
    write(guarded)?;
    let refused = guest.expect(remove())?;
    let names = refused.stderr.contains(RUNTIME_CONFIGURATION);
    guest.check("it is said where", names, &refused.stderr)?;
    let active = serve().property("ActiveState")?;
    guest.check("the daemon runs on", active == "active", active)?;
    match original {
        Some(original) => write(&original),
        None => fs::remove_file(RUNTIME_CONFIGURATION)
            .map_err(Failure::file("remove", RUNTIME_CONFIGURATION)),
    }
}

fn serve() -> Unit {
    Unit::named("vfhook.service")
}

fn package() -> String {
    format!("{SHARE}/{PACKAGE}")
}

fn dpkg(verb: &str, what: &str) -> Result<(), Failure> {
    cmd(&format!("dpkg {verb} {what}")).ok().map(drop)
}

/// Every file that is not made while the machine runs.
fn files() -> Result<BTreeSet<String>, Failure> {
    let found = cmd("find /usr /etc -xdev -not -path /etc/vfhook*").ok()?.stdout;
    Ok(found.lines().map(str::to_owned).collect())
}
