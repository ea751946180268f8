//! Why a sandbox can be given no plan. Knows no steps.

use ipnet::IpNet;

use crate::{
    inventory::{SandboxFacts, SeenRoute},
    types::{InterfaceName, Name},
};

/// Why there is no plan. Nothing has been touched.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum AttachPlanError {
    /// The name is taken in the sandbox.
    #[error("interface {0} exists in the sandbox already; ask for another name with NETWORK@NAME")]
    NameTaken(InterfaceName),
    /// Two networks would have an interface of this name.
    #[error(
        "two interfaces would be called {0}, one of them a link of a bond; ask for another name with NETWORK@NAME"
    )]
    NameTwice(InterfaceName),
    /// The card or the parent passes nothing that long.
    #[error(
        "network {network}: its mtu is {mtu}, above that of {device}, which is {limit}: run `ip link set {device} mtu {mtu}`, or \
         lower the network's mtu"
    )]
    MtuTooHigh {
        /// The network.
        network: Name,
        /// What it wants.
        mtu: u32,
        /// The physical function, or the parent of a macvlan.
        device: String,
        /// Its MTU.
        limit: u32,
    },
    /// IPv6 is wanted, and the kernel has none.
    #[error(
        "{0} has IPv6 addresses, and this kernel has no IPv6 (ipv6.disable=1): start it without that, or take them out of the \
         configuration"
    )]
    NoIpv6(String),
    /// `mode = "existing"`, and the interface is not there.
    #[error("service path: there is no interface {0} in the sandbox to route through")]
    NoInterface(InterfaceName),
    /// `mode = "existing"`, and the interface leads nowhere.
    #[error(
        "service path: the sandbox has no IPv{family} default route over {interface} whose gateway could serve {cidr} (one that \
         names a nexthop object is followed only where the sandbox's net.ipv4.nexthop_compat_mode is 1)"
    )]
    NoGateway {
        /// The interface to route through.
        interface: InterfaceName,
        /// 4 or 6.
        family: u8,
        /// The service network.
        cidr: IpNet,
    },
    /// A route of ours is to have a metric that another has.
    #[error(
        "the sandbox has the route {0}, and IPv6 makes one route of two with one metric: give the network's route another metric"
    )]
    MetricTaken(Box<SeenRoute>),
    /// A route names a source that the sandbox has not.
    #[error(
        "network {network}: the route to {to} names the source {from}, which this sandbox was not given; leave source out, or make \
         it the only address"
    )]
    ForeignSource {
        /// The network.
        network: Name,
        /// Where the route leads.
        to: IpNet,
        /// The source.
        from: std::net::IpAddr,
    },
    /// A route of ours must win over this one and cannot.
    #[error(
        "the sandbox has the route {0}, and IPv6 has no lower metric by which a route beside it would win; make it again with a \
         metric of 2 or more"
    )]
    NoMetric(Box<SeenRoute>),
}

/// Fails where the sandbox has an interface of this name.
pub(super) fn refuse_taken(
    sandbox: &SandboxFacts,
    name: &InterfaceName,
) -> Result<(), AttachPlanError> {
    if sandbox.has(name) { Err(AttachPlanError::NameTaken(name.clone())) } else { Ok(()) }
}
