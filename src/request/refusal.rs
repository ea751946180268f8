//! Why a request is refused. Decides nothing.

use std::net::IpAddr;

use crate::{
    config::Publish,
    types::{InterfaceName, MacAddress, Name, quote},
};

/// Why a request is refused. Nothing has been touched.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// No such network.
    #[error("unknown network {network}; known: {known}")]
    UnknownNetwork {
        /// What was asked for.
        network: Name,
        /// What there is, and what is known of objects of a cluster that might be it.
        known: String,
    },
    /// Services are in networks that only the cluster knows.
    #[error(
        "nobody told yet which the cluster's service networks are (service_path.cidrs = \"cluster\"): see that vfhook-agent runs on this node, and what it logs; vfhook.dev/service-path: \"off\" does without"
    )]
    NoServiceNetworks,
    /// The names of its interfaces are all taken.
    #[error("network {0}: no name is left for its interface; write NAME@INTERFACE")]
    NoName(Name),
    /// The network is not for this namespace.
    #[error("network {network} is not allowed for {}", whom(.namespace.as_deref()))]
    NotAllowed {
        /// What was asked for.
        network: Name,
        /// By whom.
        namespace: Option<String>,
    },
    /// The network is no CDI device, or no longer.
    #[error(
        "network {0} is not given as a device: allow.cdi opens it, and `vfhook cdi` writes the file of those that are"
    )]
    NoDevice(Name),
    /// The request chooses what the network does not let it choose.
    #[error("network {network}: a request may not choose its {what}; allow.{what} opens it")]
    NotOpen {
        /// The network.
        network: Name,
        /// What was chosen.
        what: &'static str,
    },
    /// A pod asks for a counted device that nobody counted.
    #[error(
        "network {network}: the devices of pool {pool} are counted, and this pod has none, or too few: {}",
        cure(*.publish, .pool)
    )]
    Uncounted {
        /// What was asked for.
        network: Name,
        /// Where its devices come from.
        pool: Name,
        /// Who counts them.
        publish: Publish,
    },
    /// A chosen address is not the network's to give.
    #[error("network {network}: address {address} is in none of its ranges ({ranges})")]
    OutOfRange {
        /// The network.
        network: Name,
        /// The chosen address, with its prefix length.
        address: ipnet::IpNet,
        /// What would do.
        ranges: String,
    },
    /// A chosen address is nobody's to have.
    #[error("network {network}: {address} is {what}, which no sandbox is given")]
    Reserved {
        /// The network.
        network: Name,
        /// The chosen address, with its prefix length.
        address: ipnet::IpNet,
        /// What it is.
        what: &'static str,
    },
    /// Two interfaces would have one name.
    #[error("interface {interface} is asked for twice ({first} and {second})")]
    DuplicateInterface {
        /// The name.
        interface: InterfaceName,
        /// Who had it.
        first: String,
        /// Who wanted it too.
        second: String,
    },
    /// One address chosen twice in a request.
    #[error("address {0} is asked for twice")]
    DuplicateAddress(IpAddr),
    /// One MAC address twice on one wire.
    #[error("MAC address {0} is asked for twice on one wire")]
    DuplicateMac(MacAddress),
    /// None of the networks is the interface that must have the sandbox's own address.
    #[error(
        "no network is asked for as {interface}, whose address counts as the sandbox's own (asked for: {asked}); \
         write NAME@{interface}, or set interface = \"{interface}\" in the network"
    )]
    NoPrimary {
        /// The interface.
        interface: InterfaceName,
        /// What is asked for instead.
        asked: String,
    },
    /// The network of that interface gives no addresses.
    #[error("network {network} has no addresses to give, and {interface} must have one")]
    PrimaryWithoutAddress {
        /// The network.
        network: Name,
        /// The interface.
        interface: InterfaceName,
    },
    /// The runtime names interfaces of its own so, after us.
    #[error(
        "{whose}: this runtime adds its own networks later and calls them eth0, eth1, ...; interface {interface} must have another name"
    )]
    NameToCome {
        /// Whose interface it would be.
        whose: String,
        /// Its name.
        interface: InterfaceName,
    },
    /// What the service path is to lead through is not there yet.
    #[error(
        "service path: this runtime adds {0} later, so nothing can be led through it (mode = \"existing\"); use mode = \"veth\", or do \
         without: vfhook.dev/service-path: \"off\""
    )]
    PathToCome(InterfaceName),
    /// A device that a program drives is asked for where its nodes cannot be given.
    #[error(
        "network {0} gives a device by vfio-pci (bind of its pool), and a hook or network plugin can put no device node into a container: \
         in Kubernetes `vfhook serve` does over NRI, for docker, podman and others vfhook-runtime; or run \
         `vfhook attach --netns` first, and give the container that namespace and the nodes that it names (--device)"
    )]
    NoNode(Name),
    /// Two networks both have a route to the same.
    #[error(
        "networks {first} and {second} both have a route to {to}; ask for one of them, or give one a metric of its own"
    )]
    TwoRoutes {
        /// One of them.
        first: Name,
        /// The other.
        second: Name,
        /// Where it leads.
        to: ipnet::IpNet,
    },
    /// Two networks both want the default route.
    #[error(
        "networks {first} and {second} both set the default route; ask for one of them, or give one a metric of its own"
    )]
    TwoDefaultRoutes {
        /// One of them.
        first: Name,
        /// The other.
        second: Name,
    },
}

fn cure(publish: Publish, pool: &Name) -> String {
    match publish {
        Publish::DevicePlugin => format!(
            "write vfhook.dev/{pool} with their number under resources.limits of a container"
        ),
        Publish::Dra => "write a claim of a device class for them under spec.resourceClaims".into(),
    }
}

fn whom(namespace: Option<&str>) -> String {
    namespace.map_or_else(
        || "sandboxes without a Kubernetes namespace".to_owned(),
        |name| format!("namespace {}", quote(name)),
    )
}
