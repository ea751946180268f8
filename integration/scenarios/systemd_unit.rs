//! The shipped units under the systemd that they are written for, with all that they take away from the program: it reports that it is ready,
//! pods over containerd get their VF, what is broken is mended, a wrong configuration fails the reload and is not taken, and however often
//! the daemon dies it is started again.

use std::fs;

use crate::guest::card::Pf;
use crate::guest::command::{cmd, eventually};
use crate::guest::containerd::{Containerd, Edition, PodNetwork};
use crate::guest::failure::Failure;
use crate::guest::interface;
use crate::guest::place::Netns;
use crate::guest::systemd::Unit;
use crate::guest::{Guest, configure, vfhook};

use super::containerd_scene::{self as scene, CONFIG, asking, reaches};

use super::Scenario;

pub(super) const SCENARIO: Scenario =
    Scenario::new("systemd_unit", 300, "the shipped units under systemd", run)
        .prepared(prepare)
        .under_systemd()
        .vfs(4, 0);

const EDITION: Edition = Edition::Two;
/// Made by the unit that makes VFs at boot.
const MADE: &str =
    "\n[[pool]]\nname = \"made\"\nkind = \"sriov\"\npf = [\"ens2f0\"]\nnum_vfs = NUMBER\n";
/// More often than systemd starts a unit again that has the usual limit.
const DEATHS: usize = 6;

fn serve() -> Unit {
    Unit::named("vfhook.service")
}

fn provision() -> Unit {
    Unit::named("vfhook-provision.service")
}

fn configure_with(vfs: u32) -> Result<(), Failure> {
    configure(&format!("{CONFIG}{}", MADE.replace("NUMBER", &vfs.to_string())))
}

fn prepare(guest: &mut Guest) -> Result<(), Failure> {
    scene::lay_out(guest, EDITION, PodNetwork::Ptp)?;
    configure_with(2)?;
    provision().install()?;
    serve().install()
}

fn run(guest: &mut Guest) -> Result<(), Failure> {
    vfs_are_made(guest)?;
    guest.step("the daemon starts and says that it is ready");
    serve().must("start")?;
    serve().says("serving the runtime", 30)?;
    pods_are_served(guest)?;
    given_stays_true(guest)?;
    wrong_configuration(guest)?;
    deaths(guest)?;
    published(guest)?;
    guest.step("the VFs go with the configuration");
    configure_with(0)?;
    provision().must("restart")?;
    provision().must("stop")
}

fn vfs_are_made(guest: &mut Guest) -> Result<(), Failure> {
    guest.step("VFs are made at boot");
    guest.expect(provision().must("start"))?;
    let [_, pf] = Pf::all();
    let made = interface::interfaces_below(&pf.sysfs());
    guest.check("both are there", made.len() == 2, format!("{made:?}"))
}

fn pods_are_served(guest: &mut Guest) -> Result<(), Failure> {
    let cri = Containerd::handle(EDITION).cri;
    guest.step("a pod gets a VF from the daemon");
    let pod = scene::run(cri, &asking("box", "storage"))?;
    reaches(guest, &pod, "net1", "svc0")?;
    guest.step("what somebody breaks of it is mended in the unit's own view of the machine");
    pod.place.cmd("ip link del svc0").ok()?;
    mended(guest)?;
    pod.place.cmd("ip link set net1 netns 1").ok()?;
    mended(guest)?;
    cmd("nft delete table inet vfhook").ok()?;
    mended(guest)?;
    reaches(guest, &pod, "net1", "svc0")?;
    guest.step("the daemon is stopped: the pod keeps what it has; started again, it knows it");
    serve().must("stop")?;
    let status = vfhook("status --json").ok()?.json()?;
    let leases = status["leases"].as_array().map_or(0, Vec::len);
    guest.check("the lease is there", leases == 1, &status)?;
    reaches(guest, &pod, "net1", "svc0")?;
    serve().must("start")?;
    scene::remove(cri, &pod)?;
    released()
}

/// A namespace that is mounted after the daemon's start is seen by it, and the host's switches are its to set.
fn given_stays_true(guest: &mut Guest) -> Result<(), Failure> {
    guest.step("a sandbox that was made by hand after the daemon's start is looked after too");
    let blue = Netns::create("blue")?;
    vfhook("attach --netns /run/netns/blue --network storage --id blue").ok()?;
    let links = cmd("ip -o link show").ok()?;
    let pair = links.stdout.split([' ', '@']).find(|word| word.starts_with("vfh"));
    let pair = pair.ok_or_else(|| Failure::unmet("a pair", &links.stdout))?;
    let forwarding = format!("/proc/sys/net/ipv4/conf/{pair}/forwarding");
    fs::write(&forwarding, "0").map_err(Failure::file("write", &forwarding))?;
    mended(guest)?;
    let now = fs::read_to_string(&forwarding).map_err(Failure::file("read", &forwarding))?;
    guest.check("it forwards again", now.trim() == "1", now)?;
    blue.cmd("ip link del svc0").ok()?;
    mended(guest)?;
    guest.step("its namespace ends, and the daemon takes back what it had");
    blue.delete()?;
    released()
}

fn wrong_configuration(guest: &mut Guest) -> Result<(), Failure> {
    let cri = Containerd::handle(EDITION).cri;
    guest.step("a wrong configuration fails the reload, and the old one stays");
    let process = serve().property("MainPID")?;
    configure("version = 1\nbroken")?;
    guest.expect(serve().does("reload")?.must_fail(1, &["vfhook.service"]))?;
    let (now, state) = (serve().property("MainPID")?, serve().property("ActiveState")?);
    guest.check("it runs on", now == process && state == "active", format!("{state}, {now}"))?;
    // Whoever tells it without asking systemd is told by the log.
    cmd("systemctl kill --signal=HUP --kill-whom=main vfhook.service").ok()?;
    serve().says("the old configuration stays", 10)?;
    let warnings = serve().journal("warning")?;
    let sorted = warnings.contains("the old configuration stays") && !warnings.contains("attached");
    guest.check("it is in the journal as an error, and alone there", sorted, warnings)?;
    let pod = scene::run(cri, &asking("later", "storage"))?;
    reaches(guest, &pod, "net1", "svc0")?;
    guest.step("it dies with that file, and is started until there is a right one");
    cmd("systemctl kill --signal=KILL --kill-whom=main vfhook.service").ok()?;
    eventually("three tries", 30, || {
        let tries = serve().property("NRestarts")?;
        let enough = tries.parse().is_ok_and(|tries: u32| tries >= 3);
        if enough { Ok(()) } else { Err(Failure::unmet("three restarts", tries)) }
    })?;
    configure_with(2)?;
    serve().is_active_without(&process, 20)?;
    guest.expect(serve().must("reload"))?;
    scene::remove(cri, &pod)?;
    released()
}

fn deaths(guest: &mut Guest) -> Result<(), Failure> {
    guest.step(&format!("it is killed {DEATHS} times in a row"));
    for _ in 0..DEATHS {
        let process = serve().property("MainPID")?;
        cmd("systemctl kill --signal=KILL --kill-whom=main vfhook.service").ok()?;
        guest.expect(serve().is_active_without(&process, 20))?;
    }
    Ok(())
}

/// Before a kubelet was ever started, the unit may write where kubelet and runtimes look.
fn published(guest: &mut Guest) -> Result<(), Failure> {
    guest.step("a pool is published, with what the unit needs for that");
    let published = MADE.replace("num_vfs = NUMBER", "num_vfs = 2\npublish = \"device-plugin\"");
    configure(&format!("{CONFIG}{published}"))?;
    serve().extend("kubelet.conf")?;
    serve().must("restart")?;
    let (socket, gates) =
        ("/var/lib/kubelet/device-plugins/vfhook@made.sock", "/run/cdi/vfhook.dev-made.json");
    guest.expect(eventually("it listens for kubelet", 20, || {
        fs::metadata(socket).map(drop).map_err(Failure::file("look at", socket))
    }))?;
    let text = fs::read_to_string(gates).map_err(Failure::file("read", gates))?;
    guest.check("each VF has a gate", text.matches("\"verify\"").count() == 2, &text)?;
    serve().must("stop")?;
    guest.check("it listens no more", fs::metadata(socket).is_err(), socket)?;
    fs::remove_file(gates).map_err(Failure::file("remove", gates))
}

/// The daemon sees by itself to what `status` tells.
fn mended(guest: &mut Guest) -> Result<(), Failure> {
    guest.expect(eventually("that nothing needs attention", 10, || {
        let status = vfhook("status --json").ok()?.json()?;
        let none = status["attention"].as_array().is_some_and(Vec::is_empty);
        if none { Ok(()) } else { Err(Failure::unmet("nothing", &status["attention"])) }
    }))
}

fn released() -> Result<(), Failure> {
    eventually("that there is no lease", 10, || {
        let status = vfhook("status --json").ok()?.json()?;
        let none = status["leases"].as_array().is_some_and(Vec::is_empty);
        if none { Ok(()) } else { Err(Failure::unmet("none", &status["leases"])) }
    })
}
