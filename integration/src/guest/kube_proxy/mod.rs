//! Lays services down as kube-proxy does in each of its modes, so that scenarios need no Kubernetes. It must not know who talks to them.

mod iptables;
mod ipvs;
mod nftables;

use std::net::{IpAddr, SocketAddr};

use super::failure::Failure;
use super::{peer, talk};

/// Where pods have their addresses: what kube-proxy is told with `--cluster-cidr`.
const PODS: [&str; 2] = ["10.244.0.0/16", "fd00:244::/32"];
/// kube-proxy's default for services that stick to a client, in seconds.
const STICKY_SECONDS: u32 = 10800;

/// How kube-proxy makes its services.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// iptables, over `nf_tables`.
    Iptables,
    /// iptables, over the tables that were before `nf_tables`.
    Legacy,
    /// A table of its own.
    Nftables,
    /// Virtual servers of the kernel, with some iptables beside them.
    Ipvs,
}

/// What kube-proxy masquerades besides hairpin traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Masquerade {
    /// Only hairpins: kube-proxy was not told what is local to the cluster.
    HairpinOnly,
    /// Whatever does not come from a pod (`--cluster-cidr`).
    FromOutside,
    /// Whatever goes to a service (`--masquerade-all`).
    All,
}

/// A service and what it leads to.
#[derive(Debug, Clone)]
pub(crate) struct Service {
    /// Ends the names of its chains.
    name: String,
    /// `tcp` or `udp`.
    protocol: &'static str,
    /// Its clusterIP and port.
    at: SocketAddr,
    /// Where its backends listen.
    endpoints: Vec<SocketAddr>,
    /// The port that the node's own addresses have for it.
    node_port: Option<u16>,
    /// Whether what comes from outside keeps its address (`externalTrafficPolicy: Local`). All endpoints count as the node's own.
    keeps_clients: bool,
    /// Whether a client stays with one backend (`sessionAffinity: ClientIP`).
    sticky: bool,
}

impl Service {
    /// A TCP service; the addresses are written as in a URL, IPv6 in brackets.
    pub(crate) fn tcp(name: &str, at: &str, endpoints: &[&str]) -> Result<Self, Failure> {
        Self::new(name, "tcp", at, endpoints)
    }

    /// A UDP service.
    pub(crate) fn udp(name: &str, at: &str, endpoints: &[&str]) -> Result<Self, Failure> {
        Self::new(name, "udp", at, endpoints)
    }

    fn new(
        name: &str,
        protocol: &'static str,
        at: &str,
        endpoints: &[&str],
    ) -> Result<Self, Failure> {
        let endpoints =
            endpoints.iter().map(|text| talk::address(text)).collect::<Result<_, _>>()?;
        Ok(Self {
            name: name.to_owned(),
            protocol,
            at: talk::address(at)?,
            endpoints,
            node_port: None,
            keeps_clients: false,
            sticky: false,
        })
    }

    /// Opens a port on the node for it.
    pub(crate) fn on_node_port(mut self, port: u16) -> Self {
        self.node_port = Some(port);
        self
    }

    /// Lets backends see who comes from outside.
    pub(crate) fn keeping_clients(mut self) -> Self {
        self.keeps_clients = true;
        self
    }

    /// Keeps a client with one backend.
    pub(crate) fn sticky(mut self) -> Self {
        self.sticky = true;
        self
    }

    fn is_ipv4(&self) -> bool {
        self.at.is_ipv4()
    }
}

/// Writes the rules of the iptables mode, IPv4 and IPv6.
pub(crate) fn install(services: &[Service], masquerade: Masquerade) -> Result<(), Failure> {
    lay(Mode::Iptables, services, masquerade)
}

/// Lays the services down, or lays them down again with another masquerade, as a kube-proxy does that starts with other flags.
pub(crate) fn lay(mode: Mode, services: &[Service], masquerade: Masquerade) -> Result<(), Failure> {
    let families = [true, false].map(|ipv4| Family {
        ipv4,
        services: services.iter().filter(|service| service.is_ipv4() == ipv4).collect(),
        masquerade,
    });
    families.iter().try_for_each(|family| match mode {
        Mode::Iptables => iptables::lay(family, ""),
        Mode::Legacy => iptables::lay(family, "-legacy"),
        Mode::Nftables => nftables::lay(family),
        Mode::Ipvs => ipvs::lay(family),
    })
}

/// What one address family has: kube-proxy treats the two apart.
#[derive(Debug)]
struct Family<'a> {
    ipv4: bool,
    services: Vec<&'a Service>,
    masquerade: Masquerade,
}

impl Family<'_> {
    /// What the family has of a pair.
    fn of<T: Copy>(&self, pair: [T; 2]) -> T {
        let [v4, v6] = pair;
        if self.ipv4 { v4 } else { v6 }
    }

    fn pods(&self) -> &'static str {
        self.of(PODS)
    }

    /// The address that has node ports.
    fn node(&self) -> &'static str {
        self.of(peer::GATEWAY)
    }
}

fn host_route(address: IpAddr) -> String {
    format!("{address}/{}", if address.is_ipv4() { 32 } else { 128 })
}
