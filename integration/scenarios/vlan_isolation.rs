//! A network with a VLAN: what is in the same VLAN is reached and reaches it, on the same card and on the other; another VLAN and untagged
//! traffic are not, from either side. And a network without one is not in any.

use crate::guest::failure::Failure;
use crate::guest::interface::{self, Interface};
use crate::guest::place::Netns;
use crate::guest::{Guest, configure, peer, probe, vfhook};

use super::Scenario;

pub(super) const SCENARIO: Scenario = Scenario::new(
    "vlan_isolation",
    180,
    "a VLAN is reached from inside it and from nowhere else",
    run,
)
.prepared(prepare)
.vfs(7, 2);

/// Two VFs, a network with a VLAN, one without.
pub(super) const CONFIG: &str = r#"version = 1

[[pool]]
name = "fast"
kind = "sriov"
pf = ["ens1f0"]
vf = ["0-1"]

[[network]]
name = "hundred"
pool = "fast"
interface = "net1"
vlan = { id = 100, qos = 0 }
addresses = ["192.168.0.16-192.168.0.250/24"]

[[network]]
name = "untagged"
pool = "fast"
interface = "net1"
addresses = ["192.168.0.16-192.168.0.250/24"]

[service_path]
mode = "off"
"#;

fn prepare(guest: &mut Guest) -> Result<(), Failure> {
    configure(CONFIG)?;
    peer::vf_in_vlan(guest.vf(0, 4)?, 100, "same", &["192.168.0.2/24"])?;
    peer::vf_in_vlan(guest.vf(1, 0)?, 100, "samefar", &["192.168.0.3/24"])?;
    peer::vf_in_vlan(guest.vf(0, 5)?, 200, "other", &["192.168.0.4/24"])?;
    peer::vf(guest.vf(0, 6)?, "untagged", &["192.168.0.5/24"])?;
    peer::vf(guest.vf(1, 1)?, "untagfar", &["192.168.0.6/24"])?;
    Netns::create("blue").map(drop)
}

fn run(guest: &mut Guest) -> Result<(), Failure> {
    guest.step("attach to the network in VLAN 100");
    vfhook("attach --netns /run/netns/blue --network hundred --id blue").ok()?;
    reaches(
        guest,
        &[("same", 2), ("samefar", 3)],
        &[("other", 4), ("untagged", 5), ("untagfar", 6)],
    )?;
    guest.step("the card says so too");
    let pci = interface::pci_of(&Netns::named("blue").place(), "net1")?;
    let vf = guest.vfs.iter().flatten().find(|vf| vf.pci == pci).map_or(0, |vf| vf.index);
    let attributes = interface::vf_attributes("ens1f0", vf)?;
    guest.check("the VF is in VLAN 100", attributes["vlan_list"][0]["vlan"] == 100, &attributes)?;
    vfhook("detach --id blue").ok()?;
    guest.must_be_as_before("after VLAN 100")?;
    guest.step("attach to the untagged network");
    vfhook("attach --netns /run/netns/blue --network untagged --id blue").ok()?;
    reaches(
        guest,
        &[("untagged", 5), ("untagfar", 6)],
        &[("same", 2), ("samefar", 3), ("other", 4)],
    )?;
    vfhook("detach --id blue").ok().map(drop)
}

/// Both ways: blue pings them, they ping blue.
fn reaches(guest: &mut Guest, yes: &[(&str, u8)], no: &[(&str, u8)]) -> Result<(), Failure> {
    let blue = Netns::named("blue").place();
    let own = Interface::read(&blue, "net1")?.v4()?;
    guest.step("what must be reached is reached, from both sides");
    for (name, last) in yes {
        guest.expect(probe::ping(&blue, &format!("192.168.0.{last}")))?;
        guest.expect(probe::ping(&Netns::named(name).place(), &own))?;
    }
    guest.step("what must not be reached is not, from either side");
    for (name, last) in no {
        guest.expect(probe::no_ping(&blue, &format!("192.168.0.{last}")))?;
        guest.expect(probe::no_ping(&Netns::named(name).place(), &own))?;
    }
    Ok(())
}
