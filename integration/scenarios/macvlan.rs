//! The same pipe with a macvlan in the VF's place: attach, traffic, the service path, detach, and the namespace gone before the detach;
//! and with an ipvlan in each mode, a parent that is passed through, and a VLAN of it.

use crate::guest::command::{cmd, script};
use crate::guest::failure::Failure;
use crate::guest::interface::Interface;
use crate::guest::kube_proxy::{self, Masquerade, Service};
use crate::guest::place::Netns;
use crate::guest::{Guest, configure, peer, probe, vfhook};

use super::Scenario;

pub(super) const SCENARIO: Scenario = Scenario::new(
    "macvlan",
    180,
    "the same pipe with a macvlan, an ipvlan, a passthru, a VLAN",
    run,
)
.prepared(prepare);

const CONFIG: &str = r#"version = 1

[[pool]]
name = "plain"
kind = "macvlan"
pf = ["ens1f0"]

[[network]]
name = "storage"
pool = "plain"
interface = "net1"
addresses = ["192.168.0.16-192.168.0.250/24", "fd00:10::100-fd00:10::1ff/64"]
gateway = ["192.168.0.1"]
default_route = true

[service_path]
mode = "veth"
cidrs = ["10.96.0.0/12"]
interface = "svc0"
source = ["169.254.96.0/20"]
"#;

fn prepare(guest: &mut Guest) -> Result<(), Failure> {
    configure(CONFIG)?;
    // From the other card: two VFs of one card and its own macvlans talk inside the card, which is another scenario's matter.
    peer::vf(guest.vf(1, 0)?, "far", &["192.168.0.3/24", "fd00:10::3/64"])?;
    let pod = peer::pod("web")?;
    probe::serve_http(&pod.place(), "pod", 8080)?;
    let services = [Service::tcp("POD4", "10.96.0.10:80", &["10.244.1.2:8080"])?];
    kube_proxy::install(&services, Masquerade::HairpinOnly)
}

fn run(guest: &mut Guest) -> Result<(), Failure> {
    let blue = Netns::create("blue")?;
    guest.step("attach");
    vfhook("attach --netns /run/netns/blue --network storage --id blue").ok()?;
    let kind = blue.cmd("ip -d link show dev net1").ok()?;
    guest.expect(kind.must_say(&["macvlan"]))?;
    let net1 = Interface::read(&blue.place(), "net1")?;
    guest.check(
        "it is up with both addresses",
        net1.up && net1.v6().is_ok(),
        format!("{net1:?}"),
    )?;
    guest.expect(probe::ping(&blue.place(), "192.168.0.3"))?;
    guest.expect(probe::ping(&blue.place(), "fd00:10::3"))?;
    let answer = guest.expect(probe::http(&blue.place(), "10.96.0.10", 80, ""))?;
    guest.check("the backend answers", answer == "pod", answer)?;
    guest.step("two at once from one parent");
    let green = Netns::create("green")?;
    vfhook("attach --netns /run/netns/green --network storage --id green").ok()?;
    guest.expect(probe::ping(&green.place(), "192.168.0.3"))?;
    let target = net1.v4()?;
    guest.expect(probe::ping(&green.place(), &target))?;
    vfhook("detach --id green").ok()?;
    green.delete()?;
    guest.step("detach");
    vfhook("detach --id blue").ok()?;
    blue.delete()?;
    guest.must_be_as_before("after detach")?;
    guest.step("the namespace takes it along: detach afterwards");
    let blue = Netns::create("blue")?;
    vfhook("attach --netns /run/netns/blue --network storage --id blue").ok()?;
    blue.delete()?;
    vfhook("detach --id blue").ok()?;
    for mode in ["l2", "l3"] {
        ipvlan(guest, mode)?;
    }
    configure(&CONFIG.replace("kind = \"macvlan\"", "kind = \"macvlan\"\nmode = \"passthru\""))?;
    guest.step("a parent that is passed through");
    let blue = Netns::create("blue")?;
    vfhook("attach --netns /run/netns/blue --network storage --id blue").ok()?;
    guest.expect(probe::ping(&blue.place(), "192.168.0.3"))?;
    vfhook("detach --id blue").ok()?;
    blue.delete()?;
    guest.must_be_as_before("after a passthru")?;
    vlan(guest)
}

/// What the parent gets in VLAN 100: heard by a peer with that tag and by nobody else, one sandbox's at a time, made again when a tenant
/// took it away, and gone.
fn vlan(guest: &mut Guest) -> Result<(), Failure> {
    guest.step("a VLAN of the parent");
    let tagged = CONFIG
        .replace("kind = \"macvlan\"", "kind = \"vlan\"")
        .replace("pool = \"plain\"", "pool = \"plain\"\nvlan = { id = 100, qos = 3 }");
    configure(&tagged)?;
    let far = guest.vf(1, 0)?.name.clone();
    let (blue, green) = (Netns::create("blue")?, Netns::create("green")?);
    vfhook("attach --netns /run/netns/blue --network storage --id blue").ok()?;
    let kind = blue.cmd("ip -d link show dev net1").ok()?;
    guest.expect(kind.must_say(&["vlan protocol 802.1Q id 100", "egress-qos-map { 0:3 }"]))?;
    let near = Interface::read(&blue.place(), "net1")?.v4()?;
    let untagged = probe::ping(&blue.place(), "192.168.0.3").is_err();
    guest.check("without a tag nobody hears it", untagged, "192.168.0.3 answered")?;
    // Apart from the untagged one, which leads to the same addresses.
    let tagged = Netns::create("tagged")?;
    script(&[
        &format!("ip -n far link add link {far} name tagged netns tagged type vlan id 100"),
        "ip -n tagged address add 192.168.0.4/24 dev tagged",
        "ip -n tagged link set tagged up",
    ])?;
    guest.expect(probe::ping(&blue.place(), "192.168.0.4"))?;
    let said = vfhook("attach --netns /run/netns/green --network storage --id green");
    guest.expect(said.fails(3, &["1 leased"]))?;
    blue.cmd("ip link del net1").ok()?;
    vfhook("reconcile").ok()?;
    guest.expect(probe::ping(&blue.place(), "192.168.0.4"))?;
    let again = Interface::read(&blue.place(), "net1")?.v4()?;
    guest.check("its address stayed", again == near, again)?;
    vfhook("detach --id blue").ok()?;
    // The host's own is in the way, and stays.
    cmd("ip link add link ens1f0 name hosts type vlan id 100").ok()?;
    let said = vfhook("attach --netns /run/netns/green --network storage --id green");
    guest.expect(said.fails(1, &["vlan 100", "ens1f0", "exists"]))?;
    cmd("ip link del hosts").ok()?;
    vfhook("attach --netns /run/netns/green --network storage --id green").ok()?;
    green.delete()?;
    vfhook("detach --id green").ok()?;
    tagged.delete()?;
    blue.delete()?;
    guest.must_be_as_before("after a VLAN")
}

/// Two ipvlans on the parent: known by their groups, mended, and gone without a trace. In l3 the far end would have to know the way to this
/// host, so only the two speak to each other.
fn ipvlan(guest: &mut Guest, mode: &str) -> Result<(), Failure> {
    guest.step(&format!("an ipvlan in {mode}"));
    configure(
        &CONFIG.replace("kind = \"macvlan\"", &format!("kind = \"ipvlan\"\nmode = \"{mode}\"")),
    )?;
    let (blue, green) = (Netns::create("blue")?, Netns::create("green")?);
    for name in ["blue", "green"] {
        let words = format!("attach --netns /run/netns/{name} --network storage --id {name}");
        vfhook(&words).ok()?;
    }
    let kind = blue.cmd("ip -d link show dev net1").ok()?;
    guest.expect(kind.must_say(&["ipvlan", &format!("mode {mode}"), "group"]))?;
    let target = Interface::read(&blue.place(), "net1")?.v4()?;
    guest.expect(probe::ping(&green.place(), &target))?;
    if mode == "l2" {
        guest.expect(probe::ping(&blue.place(), "192.168.0.3"))?;
        guest.expect(probe::ping(&blue.place(), "fd00:10::3"))?;
    }
    let other = CONFIG.replace("kind = \"macvlan\"", "kind = \"ipvlan\"\nmode = \"l2\"");
    if mode == "l3" {
        configure(&other)?;
        let red = Netns::create("red")?;
        let said = vfhook("attach --netns /run/netns/red --network storage --id red");
        guest.expect(said.fails(3, &["ipvlan in mode l3"]))?;
        red.delete()?;
    }
    blue.cmd("ip link del net1").ok()?;
    vfhook("reconcile").ok()?;
    guest.expect(probe::ping(&green.place(), &target))?;
    // Under another name and down it is the same device still.
    blue.cmd("ip link set net1 down").ok()?;
    blue.cmd("ip link set net1 name mine").ok()?;
    for name in ["blue", "green"] {
        vfhook(&format!("detach --id {name}")).ok()?;
    }
    let left = blue.cmd("ip -o link").ok()?;
    guest.check("nothing is left inside", !left.stdout.contains("mine"), left.stdout.clone())?;
    blue.delete()?;
    green.delete()?;
    guest.must_be_as_before("after an ipvlan")
}
