//! The rest of the cluster's network: the way out of this node, another node that is reached only by the wire, with a pod behind it. It must
//! not know of services.

use super::card::Vf;
use super::command::script;
use super::failure::Failure;
use super::peer::{self, GATEWAY};
use super::place::Netns;

/// The other node's addresses.
pub(crate) const ADDRESS: [&str; 2] = ["192.168.0.3", "fd00:10::3"];
/// Its pod's addresses.
pub(crate) const POD: [&str; 2] = ["10.244.2.2", "fd00:244:2::2"];
/// The other node's end of its pod's veth.
const POD_GATEWAY: [&str; 2] = ["10.244.2.1", "fd00:244:2::1"];
/// Where pods of the other node have their addresses.
const POD_NETWORK: [&str; 2] = ["10.244.2.0/24", "fd00:244:2::/64"];
/// Where pods have their addresses on any node.
const PODS: [&str; 2] = ["10.244.0.0/16", "fd00:244::/32"];
/// A router that is not there: with a way out, what kube-proxy does not translate is lost and not refused.
const ROUTER: [&str; 2] = ["192.168.0.254", "fd00:10::fe"];

/// Gives this node a default route, as every node has one.
pub(crate) fn way_out() -> Result<(), Failure> {
    script(&[
        &format!("ip route add default via {} dev ens1f0", ROUTER[0]),
        &format!("ip -6 route add default via {} dev ens1f0", ROUTER[1]),
    ])
}

/// Lets what is on a VF find everything else through this node.
pub(crate) fn by_the_gateway(netns: &str, interface: &str) -> Result<(), Failure> {
    script(&[
        &format!("ip -n {netns} route add default via {} dev {interface}", GATEWAY[0]),
        &format!("ip -n {netns} -6 route add default via {} dev {interface}", GATEWAY[1]),
    ])
}

/// Makes the other node on this VF, and its pod, in namespaces of these names; gives the pod's.
pub(crate) fn other(vf: &Vf, node: &str, pod: &str) -> Result<Netns, Failure> {
    let own = [format!("{}/24", ADDRESS[0]), format!("{}/64", ADDRESS[1])];
    let other = peer::vf(vf, node, &[&own[0], &own[1]])?;
    for sysctl in ["net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"] {
        other.cmd(&format!("sysctl -q -w {sysctl}")).ok()?;
    }
    let inside = Netns::create(pod)?;
    let veth = format!("veth-{pod}");
    let mut lines = vec![
        format!("ip -n {node} link add {veth} type veth peer name eth0 netns {pod}"),
        format!("ip -n {node} link set {veth} up"),
        format!("ip -n {pod} link set eth0 up"),
    ];
    for family in 0..2 {
        let (bits, nodad) = if family == 0 { (24, "") } else { (64, "nodad") };
        let (gateway, address) = (POD_GATEWAY[family], POD[family]);
        let (here, there) = (GATEWAY[family], ADDRESS[family]);
        lines.extend([
            format!("ip -n {node} addr add {gateway}/{bits} dev {veth} {nodad}"),
            format!("ip -n {pod} addr add {address}/{bits} dev eth0 {nodad}"),
            format!("ip -n {pod} route add default via {gateway} dev eth0"),
            // Each node knows where the pods of the other are.
            format!("ip -n {node} route add {} via {here}", PODS[family]),
            format!("ip route add {} via {there}", POD_NETWORK[family]),
        ]);
    }
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    script(&lines)?;
    Ok(inside)
}
