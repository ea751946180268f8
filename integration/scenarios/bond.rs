//! One interface of two VFs of two cards: it goes on under traffic when either card's link is lost, its network's VLAN is on both, and both
//! VFs are home again as they were, whoever takes the sandbox apart and whenever vfhook dies.

use crate::guest::command::{cmd, eventually, script};
use crate::guest::failure::Failure;
use crate::guest::interface::{self, Interface};
use crate::guest::place::{Netns, Place};
use crate::guest::{Guest, configure, confined, kill_point, peer, probe, vfhook};

use super::Scenario;

pub(super) const SCENARIO: Scenario =
    Scenario::new("bond", 400, "two VFs of two cards are one interface, and outlive a card", run)
        .prepared(prepare)
        .vfs(3, 3)
        .by_name();

const CONFIG: &str = r#"version = 1

[[pool]]
name = "left"
kind = "sriov"
pf = ["ens1f0"]
vf = ["0"]

[[pool]]
name = "right"
kind = "sriov"
pf = ["ens2f0"]
vf = ["0"]

[[pool]]
name = "both"
kind = "bond"
members = ["left", "right"]

[[network]]
name = "storage"
pool = "both"
interface = "net1"
mtu = 1400
vlan = { id = 100 }
addresses = ["192.168.0.16/24", "fd00:10::16/64"]

[service_path]
mode = "off"
"#;

const ATTACH: &str = "attach --netns /run/netns/blue --network storage --id blue";
/// A peer on each card, in the network's VLAN, and one outside of it.
const PEERS: [(&str, &str); 2] = [("first", "192.168.0.1"), ("second", "192.168.0.2")];

fn prepare(guest: &mut Guest) -> Result<(), Failure> {
    configure(CONFIG)?;
    kill_point::install()?;
    for (card, (name, address)) in PEERS.iter().enumerate() {
        peer::vf_in_vlan(guest.vf(card, 1)?, 100, name, &[&format!("{address}/24")])?;
    }
    peer::vf(guest.vf(0, 2)?, "untagged", &["192.168.0.3/24"])?;
    // An operator's own, which is there again afterwards.
    let name = guest.vf(1, 0)?.name.clone();
    script(&[&format!("ip link set {name} alias lab mtu 1450")])?;
    Netns::create("blue").map(drop)
}

fn run(guest: &mut Guest) -> Result<(), Failure> {
    not_loaded(guest)?;
    let blue = Netns::named("blue").place();
    guest.step("a dry run changes nothing");
    let dry = guest.changes_nothing("a dry run", || vfhook(&format!("{ATTACH} --dry-run")).ok())?;
    guest.expect(dry.must_say(&["make bond net1", "make net1_b a link of bond net1"]))?;
    guest.step("attach");
    vfhook(ATTACH).ok()?;
    is_made_of_both(guest, &blue)?;
    outlives(guest, &blue)?;
    mended(guest, &blue)?;
    guest.step("detach");
    vfhook("detach --id blue").ok()?;
    guest.must_be_as_before("after detach")?;
    its_sandbox_dies(guest)?;
    dies(guest)
}

/// Without the module nothing is touched: loaded by itself it would make a bond on the host.
fn not_loaded(guest: &mut Guest) -> Result<(), Failure> {
    guest.step("without the module");
    let doctor = vfhook("doctor").output()?;
    guest.expect(doctor.must_say(&["modprobe bonding max_bonds=0"]))?;
    vfhook(ATTACH).fails(1, &["modprobe bonding max_bonds=0"])?;
    guest.must_be_as_before("after the refusal")?;
    cmd("modprobe bonding max_bonds=0").ok()?;
    let doctor = vfhook("doctor").output()?;
    guest.check("with it nothing is missing", !doctor.stdout.contains("bonds"), &doctor.stdout)?;
    // It brings the kernel's TLS along.
    guest.is_as_before_but_for(&["tcp_available_ulp"])
}

fn is_made_of_both(guest: &mut Guest, blue: &Place) -> Result<(), Failure> {
    let net1 = Interface::read(blue, "net1")?;
    guest.check(
        "net1 is up, and as long as its network says",
        net1.up && net1.mtu == 1400,
        format!("{net1:?}"),
    )?;
    for (card, name) in ["net1_a", "net1_b"].iter().enumerate() {
        let pci = guest.expect(interface::pci_of(blue, name))?;
        let own = guest.vf(card, 0)?.pci == pci;
        guest.check("it is the VF of its card", own, format!("{name} is {pci}"))?;
        let link = blue.cmd(&format!("ip -d link show {name}")).ok()?;
        guest.expect(link.must_say(&["master net1", "bond_slave"]))?;
    }
    let bond = blue.cmd("ip -d link show net1").ok()?;
    guest.expect(bond.must_say(&["mode active-backup", "fail_over_mac active", "miimon 100"]))?;
    guest.step("its VLAN is on both cards, and nothing else is reached");
    for (_, address) in PEERS {
        guest.expect(probe::ping(blue, address))?;
    }
    guest.expect(probe::no_ping(blue, "192.168.0.3"))?;
    let status = vfhook("status").ok()?;
    guest.expect(status.must_say(&["net1_a", "net1_b"])).map(drop)
}

/// The peer of a card that is lost is lost with it: the other answers on.
fn outlives(guest: &mut Guest, blue: &Place) -> Result<(), Failure> {
    for (lost, left) in [(0, 1), (1, 0)] {
        let pf = guest.vf(lost, 0)?.pf.name;
        guest.step(&format!("{pf} loses its link under traffic"));
        let (_, address) = PEERS[left];
        // Neighbours that it asked for are known by the other card's way.
        guest.expect(probe::ping(blue, address))?;
        cmd(&format!("ip link set {pf} down")).ok()?;
        let name = ["net1_a", "net1_b"][left];
        guest.expect(eventually("the other link carries", 20, || carries(blue, name)))?;
        guest.expect(probe::ping(blue, address))?;
        let whole = vfhook("reconcile --dry-run").ok()?;
        guest.check("that is no drift", !whole.stdout.contains("net1"), &whole.stdout)?;
        cmd(&format!("ip link set {pf} up")).ok()?;
        guest.expect(eventually("its peer is reached again", 20, || {
            probe::ping(blue, PEERS[lost].1)
        }))?;
    }
    Ok(())
}

fn carries(blue: &Place, name: &str) -> Result<(), Failure> {
    let active = blue.cmd("cat /proc/net/bonding/net1").ok()?;
    active.must_say(&[&format!("Currently Active Slave: {name}")]).map(drop)
}

/// What a tenant with the rights to it takes apart is put together again.
fn mended(guest: &mut Guest, blue: &Place) -> Result<(), Failure> {
    guest.step("a link that was taken out is a link again");
    blue.cmd("ip link set net1_b nomaster").ok()?;
    guest.expect(vfhook("reconcile").ok()?.must_say(&["net1_b is no link of bond net1"]))?;
    is_made_of_both(guest, blue)?;
    guest.step("a bond that was deleted is made anew");
    blue.cmd("ip link del net1").ok()?;
    guest.expect(vfhook("reconcile").ok()?.must_say(&["net1 is gone in the sandbox"]))?;
    is_made_of_both(guest, blue)
}

/// Nobody detaches: the kernel takes the namespace apart, and sends both home.
fn its_sandbox_dies(guest: &mut Guest) -> Result<(), Failure> {
    guest.step("the namespace ends by itself");
    Netns::create("green")?;
    vfhook("attach --netns /run/netns/green --network storage --id green").ok()?;
    Netns::named("green").delete()?;
    vfhook("reconcile").ok()?;
    guest.must_be_as_before("after the namespace's end")
}

/// It dies at every third moment, the first by lot: what is left is taken back by `reconcile`.
fn dies(guest: &mut Guest) -> Result<(), Failure> {
    guest.step("vfhook dies at every third moment of attaching, and of detaching");
    let first = u32::try_from(guest.seed % 3).unwrap_or_default() + 1;
    let mut deaths = 0;
    let doomed = confined(kill_point::PROGRAM);
    for words in [ATTACH, "detach --id blue"] {
        for at in (first..).step_by(3) {
            if words != ATTACH {
                vfhook(ATTACH).ok()?;
            }
            let died = kill_point::kill(cmd(&format!("{doomed} {words}")), at)?;
            if died.is_some() {
                deaths += 1;
                // Its sandbox lives: what was half done is taken back, what was whole stays until it is asked for.
                vfhook("reconcile").ok()?;
            }
            vfhook("detach --id blue").ok()?;
            guest.is_as_before()?;
            if died.is_none() {
                break;
            }
        }
    }
    guest.check("it died often", deaths > 6, deaths)
}
