//! The recipe as an operator would type it, without vfhook: a VF and a veth by iproute2, masquerade by nft. It shows that the lab's cards,
//! peers and service rules do what the other scenarios rely on, and that the host can be put back exactly: what they ask of vfhook is possible.

use crate::guest::command::script;
use crate::guest::failure::Failure;
use crate::guest::kube_proxy::{self, Masquerade, Service};
use crate::guest::place::Netns;
use crate::guest::{Guest, peer, probe};

use super::Scenario;

pub(super) const SCENARIO: Scenario =
    Scenario::new("lab_recipe", 120, "the operator's recipe by hand works and can be undone", run)
        .prepared(prepare);

const SERVICE_NETWORKS: [&str; 2] = ["10.96.0.0/12", "fd00:96::/108"];

fn prepare(guest: &mut Guest) -> Result<(), Failure> {
    peer::gateway()?;
    let near = peer::vf(guest.vf(0, 3)?, "near", &["192.168.0.2/24", "fd00:10::2/64"])?;
    let pod = peer::pod("web")?;
    probe::serve_http(&pod.place(), "pod", 8080)?;
    probe::serve_http(&near.place(), "vf", 8080)?;
    probe::serve_udp(&pod.place(), 5353)?;
    let services = [
        Service::tcp("POD4", "10.96.0.10:80", &["10.244.1.2:8080"])?,
        Service::tcp("POD6", "[fd00:96::10]:80", &["[fd00:244:1::2]:8080"])?,
        Service::tcp("VF4", "10.96.0.30:80", &["192.168.0.2:8080"])?,
        Service::udp("DNS4", "10.96.0.10:53", &["10.244.1.2:5353"])?,
    ];
    kube_proxy::install(&services, Masquerade::HairpinOnly)
}

fn run(guest: &mut Guest) -> Result<(), Failure> {
    guest.step("type the recipe");
    let blue = Netns::create("blue")?;
    script(&[
        "ip link set ens1f0v0 netns blue",
        "ip -n blue link set ens1f0v0 up",
        "ip -n blue addr add 192.168.0.4/24 dev ens1f0v0",
        "ip -n blue addr add fd00:10::4/64 dev ens1f0v0 nodad",
        "ip -n blue route add default via 192.168.0.1 dev ens1f0v0",
        "ip link add vfh0 type veth peer name svc0 netns blue",
        "ip addr add 169.254.96.1/32 dev vfh0",
        "ip addr add fd00:fe::1/128 dev vfh0 nodad",
        "ip link set vfh0 up",
        "ip -n blue addr add 169.254.96.2/32 dev svc0",
        "ip -n blue addr add fd00:fe::2/128 dev svc0 nodad",
        "ip -n blue link set svc0 up",
        "ip route add 169.254.96.2 dev vfh0",
        "ip -6 route add fd00:fe::2 dev vfh0",
        "nft add table inet recipe",
        "nft add chain inet recipe out { type nat hook postrouting priority srcnat ; }",
        "nft add rule inet recipe out ip saddr 169.254.96.2 masquerade",
        "nft add rule inet recipe out ip6 saddr fd00:fe::2 masquerade",
    ])?;
    for (network, gateway) in SERVICE_NETWORKS.iter().zip(["169.254.96.1", "fd00:fe::1"]) {
        blue.cmd(&format!("ip route add {network} via {gateway} dev svc0 onlink")).ok()?;
    }
    reached(guest, &blue)?;
    guest.step("take it back");
    script(&[
        "nft delete table inet recipe",
        "ip link del vfh0",
        "ip -n blue link set ens1f0v0 down",
        "ip -n blue link set ens1f0v0 netns 1",
    ])?;
    blue.delete()
}

fn reached(guest: &mut Guest, blue: &Netns) -> Result<(), Failure> {
    guest.step("reach the peers and the services");
    let place = blue.place();
    for target in ["192.168.0.2", "fd00:10::2", "192.168.0.1"] {
        guest.expect(probe::ping(&place, target))?;
    }
    for (host, backend) in [("10.96.0.10", "pod"), ("[fd00:96::10]", "pod"), ("10.96.0.30", "vf")] {
        let answer = guest.expect(probe::http(&place, host, 80, ""))?;
        guest.check("the backend answers", answer == backend, answer)?;
    }
    for bytes in [40, 4000] {
        guest.expect(probe::udp(&place, "10.96.0.10:53", bytes))?;
    }
    Ok(())
}
