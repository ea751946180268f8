//! Who a container talks to: VFs in namespaces of their own, a pod as a CNI would have made it, the node's own addresses. All of it is made
//! with iproute2 alone, so that nothing here depends on the program under test.

use super::card::Vf;
use super::command::{cmd, script};
use super::failure::Failure;
use super::place::Netns;

/// The node's addresses on the first card's physical function: the gateway of the VFs' network.
pub(crate) const GATEWAY: [&str; 2] = ["192.168.0.1", "fd00:10::1"];
/// The pod's addresses.
pub(crate) const POD: [&str; 2] = ["10.244.1.2", "fd00:244:1::2"];
/// The host's end of the pod's veth.
const POD_GATEWAY: [&str; 2] = ["10.244.1.1", "fd00:244:1::1"];

/// Gives the physical function the gateway's addresses, so that the host itself is on the VFs' network.
pub(crate) fn gateway() -> Result<(), Failure> {
    script(&[
        &format!("ip addr add {}/24 dev ens1f0", GATEWAY[0]),
        &format!("ip addr add {}/64 dev ens1f0 nodad", GATEWAY[1]),
    ])
}

/// Moves a VF into a new namespace, by hand, with these addresses.
pub(crate) fn vf(vf: &Vf, name: &str, addresses: &[&str]) -> Result<Netns, Failure> {
    let netns = Netns::create(name)?;
    cmd(&format!("ip link set {} netns {name}", vf.name)).ok()?;
    for address in addresses {
        let nodad = if address.contains(':') { "nodad" } else { "" };
        cmd(&format!("ip -n {name} addr add {address} dev {} {nodad}", vf.name)).ok()?;
    }
    cmd(&format!("ip -n {name} link set {} up", vf.name)).ok()?;
    Ok(netns)
}

/// As [`vf`], with an admin VLAN.
pub(crate) fn vf_in_vlan(
    card: &Vf,
    vlan: u32,
    name: &str,
    addresses: &[&str],
) -> Result<Netns, Failure> {
    cmd(&format!("ip link set {} vf {} vlan {vlan}", card.pf.name, card.index)).ok()?;
    vf(card, name, addresses)
}

/// A pod behind a veth, laid out as the ptp plugin does it.
pub(crate) fn pod(name: &str) -> Result<Netns, Failure> {
    let netns = Netns::create(name)?;
    let host_end = format!("veth-{name}");
    script(&[
        &format!("ip link add {host_end} type veth peer name eth0 netns {name}"),
        &format!("ip addr add {}/32 dev {host_end}", POD_GATEWAY[0]),
        &format!("ip addr add {}/128 dev {host_end} nodad", POD_GATEWAY[1]),
        &format!("ip link set {host_end} up"),
        &format!("ip -n {name} addr add {}/32 dev eth0", POD[0]),
        &format!("ip -n {name} addr add {}/128 dev eth0 nodad", POD[1]),
        &format!("ip -n {name} link set eth0 up"),
        &format!("ip -n {name} route add {} dev eth0", POD_GATEWAY[0]),
        &format!("ip -n {name} route add default via {} dev eth0", POD_GATEWAY[0]),
        &format!("ip -n {name} -6 route add {} dev eth0", POD_GATEWAY[1]),
        &format!("ip -n {name} -6 route add default via {} dev eth0", POD_GATEWAY[1]),
        &format!("ip route add {}/32 dev {host_end}", POD[0]),
        &format!("ip -6 route add {}/128 dev {host_end}", POD[1]),
    ])?;
    Ok(netns)
}

/// An address of the node that is on no network the container is on.
pub(crate) fn node_address() -> Result<[&'static str; 2], Failure> {
    script(&[
        "ip link add node0 type dummy",
        "ip addr add 192.0.2.1/32 dev node0",
        "ip addr add 2001:db8::1/128 dev node0 nodad",
        "ip link set node0 up",
    ])?;
    Ok(["192.0.2.1", "2001:db8::1"])
}
