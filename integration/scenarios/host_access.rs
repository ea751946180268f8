//! A VF in a VLAN that the host is not in: with `host_access` the host's probes reach it, and it reaches the host and a node port of the
//! host that leads back to it. Without it nothing passes, as the card says.

use crate::guest::command::{cmd, script};
use crate::guest::failure::Failure;
use crate::guest::interface::Interface;
use crate::guest::place::{Netns, Place};
use crate::guest::{Guest, configure, peer, probe, vfhook};

use super::{CONFIG, Scenario};

pub(super) const SCENARIO: Scenario =
    Scenario::new("host_access", 150, "host and VF reach each other across a VLAN", run)
        .prepared(prepare);

/// Where the host listens for what it sends on to the VF.
const NODE_PORT: u16 = 30080;

fn config(host_access: bool) -> String {
    let vlan = format!("vlan = {{ id = 100, qos = 0 }}\nhost_access = {host_access}\n");
    CONFIG.replacen("default_route = true\n", &format!("default_route = true\n{vlan}"), 1)
}

fn prepare(guest: &mut Guest) -> Result<(), Failure> {
    configure(&config(true))?;
    peer::gateway()?;
    peer::node_address()?;
    peer::vf_in_vlan(guest.vf(0, 3)?, 100, "same", &["192.168.0.2/24", "fd00:10::2/64"])?;
    Netns::create("blue").map(drop)
}

fn run(guest: &mut Guest) -> Result<(), Failure> {
    let blue = Netns::named("blue");
    guest.step("attach to a network in a VLAN, with host_access");
    vfhook("attach --netns /run/netns/blue --network storage --id blue").ok()?;
    let own = Interface::read(&blue.place(), "net1")?;
    let (v4, v6) = (own.v4()?, own.v6()?);
    guest.step("host and container reach each other, the VLAN is reached by the VF");
    for target in [&v4, &v6] {
        guest.expect(probe::ping(&Place::Host, target))?;
    }
    for target in
        peer::GATEWAY.iter().chain(&["192.0.2.1", "2001:db8::1", "192.168.0.2", "fd00:10::2"])
    {
        guest.expect(probe::ping(&blue.place(), target))?;
    }
    guest.expect(probe::leaves_by(&blue.place(), "192.168.0.2", "net1"))?;
    node_port(guest, &blue, &v4)?;
    guest.step("detach takes it all back");
    vfhook("detach --id blue").ok()?;
    guest.must_be_as_before("after detach")?;
    guest.step("without host_access the card keeps them apart");
    configure(&config(false))?;
    vfhook("attach --netns /run/netns/blue --network storage --id blue").ok()?;
    let own = Interface::read(&blue.place(), "net1")?.v4()?;
    guest.expect(probe::ping(&blue.place(), "192.168.0.2"))?;
    guest.expect(probe::no_ping(&Place::Host, &own))?;
    guest.expect(probe::no_ping(&blue.place(), peer::GATEWAY[0]))?;
    vfhook("detach --id blue").ok().map(drop)
}

/// What comes to a port of the node for the container's address gets there, and its answer comes back the same way.
fn node_port(guest: &mut Guest, blue: &Netns, own: &str) -> Result<(), Failure> {
    guest.step("a node port leads to it");
    probe::serve_http(&blue.place(), "blue", 8080)?;
    script(&[
        "nft add table ip nodeport",
        "nft add chain ip nodeport out { type nat hook output priority -100 ; }",
        &format!("nft add rule ip nodeport out tcp dport {NODE_PORT} dnat to {own}:8080"),
    ])?;
    let answer = guest.expect(probe::http(&Place::Host, "192.0.2.1", NODE_PORT, ""))?;
    guest.check("it answers", answer == "blue", &answer)?;
    script(&["nft delete table ip nodeport"])?;
    cmd("sh -c").arg("kill $(ip netns pids blue)").ok().map(drop)
}
