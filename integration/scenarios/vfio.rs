//! A VF that a program drives: bound to vfio-pci and opened inside a container, its ids read through vfio; a netdev as before afterwards,
//! also when its user was slow to let go, and whenever vfhook dies in between. Beside it VFs of the same card are netdevs.

use std::path::Path;

use serde_json::Value;

use crate::guest::command::{cmd, eventually, script};
use crate::guest::daemon::Daemon;
use crate::guest::failure::Failure;
use crate::guest::interface::Interface;
use crate::guest::place::{Netns, Place};
use crate::guest::podman::Podman;
use crate::guest::{Guest, configure, confined, kill_point, peer, probe, vfhook, vfio};
use crate::verdict::OCI_IMAGE_NAME;

use super::Scenario;

pub(super) const SCENARIO: Scenario =
    Scenario::new("vfio", 900, "a container drives a VF by vfio, and it is a netdev again", run)
        .prepared(prepare)
        .with_iommu()
        .by_name();

const CONFIG: &str = r#"version = 1

[[pool]]
name = "driven"
kind = "sriov"
pf = ["ens1f0"]
vf = ["0-1"]
bind = "vfio-pci"

[[pool]]
name = "fast"
kind = "sriov"
pf = ["ens1f0"]
vf = ["2"]

[[network]]
name = "data"
pool = "driven"
interface = "data%d"
vlan = { id = 7 }
trust = true
allow = { mac = true }

[[network]]
name = "storage"
pool = "fast"
interface = "net1"
addresses = ["192.168.0.16/24"]

[service_path]
mode = "off"
"#;

const ATTACH: &str = "attach --netns /run/netns/blue --network data --id blue";

fn prepare(guest: &mut Guest) -> Result<(), Failure> {
    configure(CONFIG)?;
    kill_point::install()?;
    Podman::prepare("crun")?;
    Netns::create("blue")?;
    peer::vf(guest.vf(0, 3)?, "near", &["192.168.0.2/24"])?;
    // An operator's own: it is there again, whatever driver the VF had meanwhile.
    let name = guest.vf(0, 0)?.name.clone();
    script(&[
        &format!("ip link set {name} alias lab mtu 1400"),
        &format!("ip link property add dev {name} altname driven0"),
        &format!("sysctl -qw net.ipv6.conf.{name}.disable_ipv6=1"),
    ])
}

fn run(guest: &mut Guest) -> Result<(), Failure> {
    not_loaded(guest)?;
    guest.step("a dry run changes nothing");
    let dry = guest.changes_nothing("a dry run", || vfhook(&format!("{ATTACH} --dry-run")).ok())?;
    guest.expect(dry.must_say(&["bind 0000:01:10.0 to vfio-pci instead of igbvf"]))?;
    in_a_container(guest)?;
    slow_to_let_go(guest)?;
    beside_a_netdev(guest)?;
    dies(guest)
}

/// Before the module is there: told by `doctor` and by attaching, which touches nothing.
fn not_loaded(guest: &mut Guest) -> Result<(), Failure> {
    guest.step("without vfio-pci");
    let doctor = vfhook("doctor").output()?;
    guest.expect(doctor.must_say(&["VFH0053", "modprobe vfio-pci"]))?;
    guest.changes_nothing("a refusal", || vfhook(ATTACH).fails(3, &["modprobe vfio-pci"]))?;
    cmd("modprobe vfio-pci").ok()?;
    let doctor = vfhook("doctor").output()?;
    let told = ["VFH0053", "VFH0054", "VFH0055"].iter().any(|code| doctor.stdout.contains(code));
    guest.check("with it nothing is missing", !told, &doctor.stdout)
}

/// The VF and its nodes.
struct Driven {
    device: String,
    group: String,
    nodes: Vec<String>,
}

fn attach(words: &str) -> Result<Driven, Failure> {
    let report = vfhook(&format!("{words} --json")).ok()?.json()?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let one = &report["vfio"][0];
    let nodes = one["nodes"].as_array().into_iter().flatten();
    let nodes: Vec<String> = nodes.map(|node| text(&node["path"])).collect();
    let group = nodes.first().cloned().unwrap_or_default();
    Ok(Driven { device: text(&one["device"]), group, nodes })
}

/// The VF's driver and its override, as sysfs has them.
fn bound(device: &str) -> (String, String) {
    let at = Path::new("/sys/bus/pci/devices").join(device);
    let driver = std::fs::read_link(at.join("driver")).unwrap_or_default();
    let driver = driver.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let only = std::fs::read_to_string(at.join("driver_override")).unwrap_or_default();
    (driver, only.trim().to_owned())
}

fn in_a_container(guest: &mut Guest) -> Result<(), Failure> {
    guest.step("attach: vfio-pci has it, the card enforces what the network says");
    let mac = Interface::read(&Place::Host, &guest.vf(0, 0)?.name)?.mac;
    let driven = guest.expect(attach(ATTACH))?;
    let (name, _) = bound(&driven.device);
    guest.check("vfio-pci is its driver", name == "vfio-pci", &name)?;
    let card = cmd("ip link show dev ens1f0").ok()?;
    let line = card.stdout.lines().find(|line| line.contains("vf 0 ")).unwrap_or_default();
    let enforced = line.contains(&mac) && line.contains("vlan 7") && line.contains("trust on");
    guest.check("MAC, VLAN and trust are the card's", enforced, line)?;
    let status = vfhook("status").ok()?;
    guest.expect(status.must_say(&["driven (sriov, vfio-pci)", &driven.group]))?;
    guest.step("a container opens it and reads its ids");
    let words = vfio::program(&driven.group, &driven.device, 0)?;
    let run = Podman::over("crun").cmd("run --rm --network ns:/run/netns/blue");
    let said = vfio::in_container(run, &driven.nodes, OCI_IMAGE_NAME, &words).ok()?;
    guest.expect(said.must_say(&[&format!("driven {}", vfio::IDS)]))?;
    guest.step("without its node a container does not");
    let run = Podman::over("crun").cmd("run --rm --network ns:/run/netns/blue");
    let refused = vfio::in_container(run, &driven.nodes[1..], OCI_IMAGE_NAME, &words).output()?;
    guest.check("it cannot open it", refused.status != Some(0), &refused.stderr)?;
    guest.step("a hook comes too late, and says what to do");
    let hook = Podman::over("crun").run("data", "--rm", "true").output()?;
    guest.check("the container does not start", hook.status != Some(0), &hook.stderr)?;
    guest.step("detach");
    vfhook("detach --id blue").ok()?;
    // podman has set a sysctl of its own there.
    Netns::named("blue").delete()?;
    Netns::create("blue")?;
    guest.is_as_before_but_for(&["ifindex"])
}

/// Its user has it open still: detaching waits, says who, and keeps it; what waits is no process of ours afterwards.
fn slow_to_let_go(guest: &mut Guest) -> Result<(), Failure> {
    guest.step("a program that is slow to let go");
    let driven = attach(ATTACH)?;
    let user = Daemon::named("driver");
    user.start(&vfio::program(&driven.group, &driven.device, 1000)?, &[])?;
    user.says(&format!("driven {}", vfio::IDS), 1, 30)?;
    let said = ["perl", &driven.group, "did not let go of it in time"];
    guest.expect(vfhook("detach --id blue --timeout 1").fails(4, &said))?;
    guest.check("it is as it was", bound(&driven.device).0 == "vfio-pci", &driven.device)?;
    let status = vfhook("status").ok()?;
    guest.expect(status.must_say(&["needs cleanup", "blue"]))?;
    guest.step("it lets go while somebody waits");
    let ends = format!("sleep 2; kill -KILL {}", user.pid()?);
    cmd("setsid --fork sh -c").arg(ends).ok()?;
    vfhook("detach --id blue --timeout 60").ok()?;
    guest.is_as_before_but_for(&["ifindex"])
}

fn beside_a_netdev(guest: &mut Guest) -> Result<(), Failure> {
    guest.step("a netdev of the same card beside it");
    let words = "attach --netns /run/netns/blue --network data --network storage --id blue";
    let driven = attach(words)?;
    guest.expect(probe::ping(&Netns::named("blue").place(), "192.168.0.2"))?;
    guest.step("its driver is taken from it: told, and not bound again");
    let (at, device) = ("/sys/bus/pci", &driven.device);
    let home = format!(
        "echo {device} > {at}/drivers/vfio-pci/unbind; echo > {at}/devices/{device}/driver_override; \
         echo {device} > {at}/drivers_probe"
    );
    cmd("sh -ec").arg(home).ok()?;
    let told = vfhook("reconcile").output()?;
    guest.expect(told.must_say(&["missing: it is bound to igbvf", "left alone"]))?;
    vfhook("detach --id blue").ok()?;
    guest.is_as_before_but_for(&["ifindex"])
}

/// It dies at every other moment, the first or the second by lot: what is left is taken back by `reconcile`.
fn dies(guest: &mut Guest) -> Result<(), Failure> {
    guest.step("vfhook dies at every other moment of attaching, and of detaching");
    let first = if guest.seed % 2 == 0 { 1 } else { 2 };
    let mut deaths = 0;
    let doomed = confined(kill_point::PROGRAM);
    for words in [ATTACH, "detach --id blue"] {
        for at in (first..).step_by(2) {
            if words != ATTACH {
                vfhook(ATTACH).ok()?;
            }
            let died = kill_point::kill(cmd(&format!("{doomed} {words}")), at)?;
            if let Some(moment) = &died {
                deaths += 1;
                guest.step(&format!("dead {moment}"));
                // Its sandbox lives: what was half done is taken back, what was whole stays until it is asked for.
                vfhook("reconcile").ok()?;
            }
            vfhook("detach --id blue").ok()?;
            eventually("a netdev", 10, || guest.vf(0, 0)?.interface())?;
            guest.is_as_before_but_for(&["ifindex"])?;
            if died.is_none() {
                break;
            }
        }
    }
    guest.check("it died often", deaths > 8, deaths)
}
