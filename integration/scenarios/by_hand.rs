//! `vfhook attach` and `detach` on a namespace that `ip netns` made: the VF with its addresses and routes in it, traffic to another VF of
//! the same card, to one of the other card and to the gateway, in both families; twice is the same as once; what is unknown is detached.

use std::net::IpAddr;

use crate::guest::command::script;
use crate::guest::failure::Failure;
use crate::guest::interface::{self, Interface};
use crate::guest::place::{Netns, Place};
use crate::guest::{Guest, configure, peer, probe, vfhook};

use super::{CONFIG, Scenario};

pub(super) const SCENARIO: Scenario =
    Scenario::new("by_hand", 150, "attach and detach on an `ip netns`, IPv4 and IPv6", run)
        .prepared(prepare);

/// Beside the usual network, one with large frames.
const JUMBO: &str = r#"
[[network]]
name = "jumbo"
pool = "fast"
interface = "net1"
mtu = 9000
addresses = ["192.168.0.16-192.168.0.250/24"]
"#;

const ATTACH: &str = "attach --netns /run/netns/blue --network storage --id blue";

fn prepare(guest: &mut Guest) -> Result<(), Failure> {
    configure(&format!("{CONFIG}{JUMBO}"))?;
    peer::gateway()?;
    peer::vf(guest.vf(0, 3)?, "near", &["192.168.0.2/24", "fd00:10::2/64"])?;
    script(&["ip link set ens1f0 mtu 9000", "ip -n near link set ens1f0v3 mtu 9000"])?;
    peer::vf(guest.vf(1, 0)?, "far", &["192.168.0.3/24", "fd00:10::3/64"])?;
    Netns::create("blue").map(drop)
}

fn run(guest: &mut Guest) -> Result<(), Failure> {
    let blue = Netns::named("blue").place();
    guest.step("a dry run changes nothing");
    guest.changes_nothing("a dry run", || vfhook(&format!("{ATTACH} --dry-run")).ok())?;
    guest.step("attach");
    vfhook(ATTACH).ok()?;
    has_its_vf(guest, &blue)?;
    guest.step("reach another VF, a VF of the other card, the gateway");
    for target in [
        "192.168.0.2",
        "fd00:10::2",
        "192.168.0.3",
        "fd00:10::3",
        peer::GATEWAY[0],
        peer::GATEWAY[1],
    ] {
        guest.expect(probe::ping(&blue, target))?;
    }
    guest.step("attach again: the same answer, nothing changed");
    let again = guest.changes_nothing("attaching again", || vfhook(ATTACH).ok())?;
    guest.expect(again.must_say(&["storage"]))?;
    guest.step("detach");
    vfhook("detach --id blue").ok()?;
    guest.must_be_as_before("after detach")?;
    guest.step("detach again: nothing to do, and it says so");
    let unknown =
        guest.changes_nothing("detaching the unknown", || vfhook("detach --id blue").ok())?;
    guest.expect(unknown.must_say(&["blue"]))?;
    guest.step("a network with an MTU of 9000");
    vfhook("attach --netns /run/netns/blue --network jumbo --id blue").ok()?;
    let net1 = Interface::read(&blue, "net1")?;
    guest.check("net1 has it", net1.mtu == 9000, format!("{net1:?}"))?;
    guest.expect(probe::ping_unfragmented(&blue, "192.168.0.2", 8000))?;
    vfhook("detach --id blue").ok()?;
    guest.must_be_as_before("after jumbo frames")?;
    guest.step("attach and detach by the namespace's path");
    vfhook("attach --netns /run/netns/blue --network storage@fast0").ok()?;
    guest.expect(interface::pci_of(&blue, "fast0"))?;
    vfhook("detach --netns /run/netns/blue").ok().map(drop)
}

fn has_its_vf(guest: &mut Guest, blue: &Place) -> Result<(), Failure> {
    let pci = guest.expect(interface::pci_of(blue, "net1"))?;
    let ours = guest.vfs.first().is_some_and(|vfs| vfs.iter().any(|vf| vf.pci == pci));
    guest.check("the device is a VF of the pool", ours, &pci)?;
    let net1 = Interface::read(blue, "net1")?;
    guest.check("net1 is up", net1.up, format!("{net1:?}"))?;
    guest.check("net1 has an address of each range", in_ranges(&net1), format!("{net1:?}"))?;
    let routes = blue.cmd("ip route show default").ok()?;
    guest.expect(routes.must_say(&["via 192.168.0.1 dev net1"]))?;
    let routes = blue.cmd("ip -6 route show default").ok()?;
    guest.expect(routes.must_say(&["via fd00:10::1 dev net1"]))?;
    let service = blue.cmd("ip route show 10.96.0.0/12").ok()?;
    guest.expect(service.must_say(&["dev svc0", "src 169.254."]))?;
    // The operator's own tools must see who holds it.
    guest.expect(vfhook("status").ok()?.must_say(&["blue", &pci])).map(drop)
}

/// One address out of each range of the configuration, with the range's prefix length.
fn in_ranges(interface: &Interface) -> bool {
    let within = |address: &IpAddr| match address {
        IpAddr::V4(v4) => matches!(v4.octets(), [192, 168, 0, 16..=250]),
        IpAddr::V6(v6) => matches!(v6.segments(), [0xfd00, 0x10, 0, 0, 0, 0, 0, 0x100..=0x1ff]),
    };
    let lengths: Vec<u64> = interface.addresses.iter().map(|(_, length)| *length).collect();
    lengths == [24, 64] && interface.addresses.iter().all(|(address, _)| within(address))
}
