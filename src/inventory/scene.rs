//! What one look saw of what one lease gave: on the host, in the sandbox, on the card. Facts only; `plan` judges them.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use ipnet::IpNet;

use super::{Link, RoutingRule, SeenRoute};
use crate::types::{MacAddress, PciAddress, VfAttributes, View};

/// Both places, and what stands in neither.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scene {
    /// Of the host, what concerns the lease.
    pub host: Sight,
    /// All of the sandbox.
    pub sandbox: Sight,
    /// Whether our nft table has what masquerades the lease's sources; so too where the lease has none.
    pub masquerades: bool,
    /// What is wrong with what translates services; also nothing where the lease has no view of them.
    pub translation: Option<String>,
    /// The view of services that the namespace has.
    pub view: Option<View>,
    /// The interfaces of the sandbox that are up and have no carrier, by their numbers.
    pub cut: BTreeSet<u32>,
    /// The devices that are not in the sandbox.
    pub elsewhere: BTreeMap<PciAddress, Whereabouts>,
    /// The driver of each device that the lease gave to a program.
    pub drivers: BTreeMap<PciAddress, Option<String>>,
    /// What cards enforce for VFs that the lease set something of.
    pub cards: BTreeMap<PciAddress, VfAttributes>,
}

/// What was seen in one namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sight {
    /// Interfaces.
    pub links: Vec<Link>,
    /// Addresses of global scope, with the number of the interface that has them.
    pub addresses: BTreeSet<(u32, IpNet)>,
    /// Routes.
    pub routes: Vec<SeenRoute>,
    /// Rules of ours; looked up only for a lease that has one.
    pub rules: BTreeSet<RoutingRule>,
    /// Permanent neighbours, with the number of their interface.
    pub neighbours: BTreeSet<(u32, IpAddr, MacAddress)>,
    /// The sysctls that the lease set, as they are.
    pub sysctls: BTreeMap<String, String>,
}

/// Where a device is that is not where it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whereabouts {
    /// Its interface is on the host.
    Home(Box<Link>),
    /// It has a driver and no interface here: it is in a namespace that nobody told of, or serves user space.
    Away,
    /// No driver is bound to it.
    Driverless,
    /// It is no more.
    Gone,
}
