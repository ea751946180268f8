//! The service path through iptables rules as kube-proxy lays them: to a backend on the host, in another namespace, on another VF; TCP, UDP
//! and datagrams that must be cut up; IPv4 and IPv6; whether or not kube-proxy masquerades itself. And back: the node reaches the VF.

use crate::guest::failure::Failure;
use crate::guest::interface::Interface;
use crate::guest::kube_proxy::{self, Masquerade, Service};
use crate::guest::place::{Netns, Place};
use crate::guest::{Guest, configure, peer, probe, vfhook};

use super::{CONFIG, Scenario};

pub(super) const SCENARIO: Scenario = Scenario::new(
    "service_path_iptables",
    180,
    "kube-proxy's iptables rules to node, pod and VF",
    run,
)
.prepared(|guest| prepare(guest, Masquerade::HairpinOnly));

/// With a kube-proxy that itself masquerades what comes from outside the cluster: two masquerades must not be one too many.
pub(super) const MASQUERADING: Scenario = Scenario::new(
    "service_path_masquerade",
    180,
    "the same when kube-proxy masquerades as well",
    run,
)
.prepared(|guest| prepare(guest, Masquerade::FromOutside));

fn prepare(guest: &mut Guest, masquerade: Masquerade) -> Result<(), Failure> {
    configure(CONFIG)?;
    peer::gateway()?;
    let near = peer::vf(guest.vf(0, 3)?, "near", &["192.168.0.2/24", "fd00:10::2/64"])?;
    let pod = peer::pod("web")?;
    peer::node_address()?;
    probe::serve_http(&pod.place(), "pod", 8080)?;
    probe::serve_http(&near.place(), "vf", 8080)?;
    probe::serve_http(&Place::Host, "node", 8080)?;
    probe::serve_udp(&pod.place(), 5353)?;
    kube_proxy::install(&services()?, masquerade)?;
    Netns::create("blue").map(drop)
}

fn services() -> Result<Vec<Service>, Failure> {
    Ok(vec![
        Service::tcp("POD4", "10.96.0.10:80", &["10.244.1.2:8080"])?,
        Service::tcp("POD6", "[fd00:96::10]:80", &["[fd00:244:1::2]:8080"])?,
        Service::tcp("NODE4", "10.96.0.20:80", &["192.0.2.1:8080"])?,
        Service::tcp("NODE6", "[fd00:96::20]:80", &["[2001:db8::1]:8080"])?,
        Service::tcp("VF4", "10.96.0.30:80", &["192.168.0.2:8080"])?,
        Service::tcp("VF6", "[fd00:96::30]:80", &["[fd00:10::2]:8080"])?,
        Service::udp("DNS4", "10.96.0.10:53", &["10.244.1.2:5353"])?,
        Service::udp("DNS6", "[fd00:96::10]:53", &["[fd00:244:1::2]:5353"])?,
        // Two backends: whichever is drawn must answer.
        Service::tcp("BOTH4", "10.96.0.40:80", &["10.244.1.2:8080", "192.168.0.2:8080"])?,
    ])
}

fn run(guest: &mut Guest) -> Result<(), Failure> {
    let blue = Netns::named("blue").place();
    vfhook("attach --netns /run/netns/blue --network storage --id blue").ok()?;
    guest.step("HTTP to a pod, to the node, to a VF, in both families");
    for (host, backend) in [
        ("10.96.0.10", "pod"),
        ("[fd00:96::10]", "pod"),
        ("10.96.0.20", "node"),
        ("[fd00:96::20]", "node"),
        ("10.96.0.30", "vf"),
        ("[fd00:96::30]", "vf"),
    ] {
        let answer = guest.expect(probe::http(&blue, host, 80, ""))?;
        guest.check(&format!("{host} leads to the {backend}"), answer == backend, answer)?;
    }
    for _ in 0..6 {
        let answer = guest.expect(probe::http(&blue, "10.96.0.40", 80, ""))?;
        guest.check(
            "one of two backends answers",
            ["pod", "vf"].contains(&answer.as_str()),
            answer,
        )?;
    }
    whose_address(guest, &blue)?;
    datagrams(guest, &blue)?;
    from_the_node(guest, &blue)?;
    vfhook("detach --id blue").ok().map(drop)
}

/// Backends elsewhere must see an address that leads back through the host, never the container's end of the veth.
fn whose_address(guest: &mut Guest, blue: &Place) -> Result<(), Failure> {
    guest.step("backends see an address that leads back through the host");
    for host in ["10.96.0.10", "[fd00:96::10]", "10.96.0.30", "[fd00:96::30]"] {
        let client = guest.expect(probe::http(blue, host, 80, "cgi-bin/client"))?;
        let inside = client.contains("169.254.") || client.contains("fd00:fe:");
        let on_the_vf = Interface::read(blue, "net1")?;
        let direct =
            on_the_vf.addresses.iter().any(|(address, _)| client.contains(&address.to_string()));
        guest.check(&format!("{host} is reached through the host"), !inside && !direct, client)?;
    }
    Ok(())
}

fn datagrams(guest: &mut Guest, blue: &Place) -> Result<(), Failure> {
    guest.step("UDP, small and cut up");
    for target in ["10.96.0.10:53", "[fd00:96::10]:53"] {
        for bytes in [40, 4000] {
            let answer = guest.expect(probe::udp(blue, target, bytes))?;
            guest.check(
                "all of it arrived",
                answer.starts_with(&format!("{bytes} from")),
                answer,
            )?;
        }
    }
    Ok(())
}

/// What health checks do: from the node to the container's own address, which is on the VF.
fn from_the_node(guest: &mut Guest, blue: &Place) -> Result<(), Failure> {
    guest.step("the node reaches the container at its VF's address");
    probe::serve_http(blue, "blue", 9090)?;
    let net1 = Interface::read(blue, "net1")?;
    for host in [net1.v4()?, format!("[{}]", net1.v6()?)] {
        let answer = guest.expect(probe::http(&Place::Host, &host, 9090, ""))?;
        guest.check("the container answers", answer == "blue", answer)?;
    }
    // All that runs in that namespace is the server; `ip` itself is listed too and has ended.
    let pids = blue.cmd("ip netns pids blue").ok()?;
    blue.cmd("kill").arg_words(pids.text()).output().map(drop)
}
