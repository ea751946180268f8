//! A VF that somebody has already set up strangely comes back strange in exactly the same way: altname, MTU, VLAN and priority, spoof check,
//! trust, rate, MAC, up. Both when its namespace is alive at detach and when that is gone.

use crate::guest::command::script;
use crate::guest::failure::Failure;
use crate::guest::interface::{self, Interface};
use crate::guest::place::{Netns, Place};
use crate::guest::{Guest, configure, vfhook};

use super::Scenario;

pub(super) const SCENARIO: Scenario =
    Scenario::new("strange_baseline", 150, "a strange VF comes back strange in the same way", run)
        .prepared(prepare);

const CONFIG: &str = r#"version = 1

[[pool]]
name = "fast"
kind = "sriov"
pf = ["ens1f0"]
vf = ["1"]

[[network]]
name = "storage"
pool = "fast"
interface = "net1"
mtu = 1500
vlan = { id = 100, qos = 0 }
trust = false
spoof_check = true
max_tx_rate = 200
addresses = ["192.168.0.16-192.168.0.250/24", "fd00:10::100-fd00:10::1ff/64"]
allow = { namespaces = ["*"], mac = true }

[service_path]
mode = "veth"
cidrs = ["10.96.0.0/12"]
interface = "svc0"
source = ["169.254.96.0/20"]
"#;

const MAC: &str = "02:00:00:00:0b:01";
const OTHER_MAC: &str = "02:00:00:00:0b:02";
const ATTACH: &str = "--network storage --id blue";

fn prepare(guest: &mut Guest) -> Result<(), Failure> {
    configure(CONFIG)?;
    let name = guest.vf(0, 1)?.name.clone();
    script(&[&format!("ip link set ens1f0 vf 1 mac {MAC}")])?;
    script(&adopting(&name).each_ref().map(String::as_str))?;
    script(&[
        "ip link set ens1f0 vf 1 vlan 7 qos 3",
        "ip link set ens1f0 vf 1 spoofchk off",
        "ip link set ens1f0 vf 1 trust on",
        "ip link set ens1f0 vf 1 max_tx_rate 50",
        &format!("ip link property add dev {name} altname strange altname stranger"),
        &format!("ip link set {name} mtu 1400"),
        &format!("ip link set {name} alias a-note-of-the-operator"),
        &format!("ip link set {name} up"),
    ])
}

fn run(guest: &mut Guest) -> Result<(), Failure> {
    guest.step("it is strange to begin with");
    let vf = interface::vf_attributes("ens1f0", 1)?;
    let strange = vf["vlan_list"][0]["vlan"] == 7 && vf["trust"] == true && vf["address"] == MAC;
    guest.check("the card shows it", strange, &vf)?;

    guest.step("attach, and detach while the namespace is alive");
    attach(guest)?;
    vfhook("detach --id blue").ok()?;
    Netns::named("blue").delete()?;
    guest.must_be_as_before("after detach with the namespace alive")?;

    guest.step("attach, the namespace goes, detach");
    attach(guest)?;
    Netns::named("blue").delete()?;
    vfhook("detach --id blue").ok()?;
    guest.must_be_as_before("after detach with the namespace gone")?;
    assigned_behind_its_back(guest)
}

/// The card is told another MAC while the VF is down: the driver learns it in the sandbox, and may use no other after that.
fn assigned_behind_its_back(guest: &mut Guest) -> Result<(), Failure> {
    guest.step("the card has assigned a MAC that the VF has not used yet");
    let name = guest.vf(0, 1)?.name.clone();
    let assign = |mac: &str| format!("ip link set ens1f0 vf 1 mac {mac}");
    script(&[&format!("ip link set {name} down"), &assign(OTHER_MAC)])?;
    let had = Interface::read(&Place::Host, &name)?;
    guest.check("the VF has its old one", had.mac == MAC, had.mac)?;
    let blue = Netns::create("blue")?;
    vfhook(&format!("attach --netns /run/netns/blue {ATTACH}")).ok()?;
    vfhook("detach --id blue").ok()?;
    let has = Interface::read(&Place::Host, &name)?;
    guest.check("it has the assigned one, and is home", has.mac == OTHER_MAC, has.mac)?;
    blue.delete()?;
    script(&[&assign(MAC)])?;
    script(&adopting(&name).each_ref().map(String::as_str))?;
    // What it was told becomes its permanent one when it goes up once more.
    let set = |what: &str| format!("ip link set {name} {what}");
    script(&[&set("up"), &set("down"), &set("up")])?;
    guest.must_be_as_before("with the MAC of before")
}

/// igbvf takes a new admin MAC over only when it comes up.
fn adopting(name: &str) -> [String; 3] {
    let set = |what: &str| format!("ip link set {name} {what}");
    [set("up"), set("down"), set(&format!("address {MAC}"))]
}

fn attach(guest: &mut Guest) -> Result<(), Failure> {
    let blue = Netns::create("blue")?;
    vfhook(&format!("attach --netns /run/netns/blue {ATTACH}")).ok()?;
    let vf = interface::vf_attributes("ens1f0", 1)?;
    let asked = vf["vlan_list"][0]["vlan"] == 100
        && vf["trust"] == false
        && vf["spoofchk"] == true
        && vf["rate"]["max_tx"] == 200;
    guest.check("the card does what the network says", asked, &vf)?;
    let net1 = Interface::read(&blue.place(), "net1")?;
    guest.check("net1 has the network's MTU", net1.mtu == 1500, format!("{net1:?}"))?;
    guest.check("nobody asked for another MAC", net1.mac == MAC, net1.mac)
}
