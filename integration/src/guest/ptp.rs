//! A pod's eth0 as the ptp plugin makes it: what vfhook is compared with, and what it is put beside. It must not know of vfhook.

use super::command::{Invocation, cmd};
use super::failure::Failure;

/// The plugin for the namespace of this name, with a subnet for each family that the pod is to have; the pod gets the second address of
/// each, after the host's end.
fn plugin(command: &str, netns: &str, subnets: &[&str]) -> Invocation {
    let ranges: Vec<String> =
        subnets.iter().map(|subnet| format!("[{{\"subnet\":\"{subnet}\"}}]")).collect();
    let routes: Vec<&str> =
        subnets
            .iter()
            .map(|subnet| {
                if subnet.contains(':') { "{\"dst\":\"::/0\"}" } else { "{\"dst\":\"0.0.0.0/0\"}" }
            })
            .collect();
    let configuration = format!(
        "{{\"cniVersion\":\"1.0.0\",\"name\":\"pods\",\"type\":\"ptp\",\"ipMasq\":false,\
         \"ipam\":{{\"type\":\"host-local\",\"ranges\":[{}],\"routes\":[{}]}}}}",
        ranges.join(","),
        routes.join(",")
    );
    cmd("/usr/lib/cni/ptp")
        .env("CNI_COMMAND", command)
        .env("CNI_CONTAINERID", netns)
        .env("CNI_NETNS", format!("/run/netns/{netns}"))
        .env("CNI_IFNAME", "eth0")
        .env("CNI_PATH", "/usr/lib/cni")
        .stdin(configuration)
}

/// Gives the namespace its eth0.
pub(crate) fn add(netns: &str, subnets: &[&str]) -> Result<(), Failure> {
    plugin("ADD", netns, subnets).ok().map(drop)
}
