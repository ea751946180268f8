//! One interface with all that belongs to it and goes with it.

use std::{collections::BTreeMap, net::IpAddr};

use ipnet::IpNet;

use crate::{
    inventory::{Link, Route},
    types::{KernelText, MacAddress, PciAddress, Upper},
};

/// An interface. Routes, neighbours and sysctls are kept here because they go when it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FakeLink {
    /// What the kernel shows of it.
    pub facts: Link,
    /// What it is.
    pub kind: LinkKind,
    /// Routes that leave by it.
    pub routes: Vec<Route>,
    /// Permanent neighbours on it.
    pub neighbours: BTreeMap<IpAddr, MacAddress>,
    /// Features that were asked for, 32 a word.
    pub features: Vec<u32>,
    /// Sysctls of its own that are not the namespace's defaults.
    pub sysctls: BTreeMap<String, String>,
}

/// What an interface is, and so what becomes of it when its namespace dies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkKind {
    /// The interface of a device: comes back to the host.
    Physical,
    /// One end of a pair that is known by this name: goes, and takes the other end along.
    Veth(String),
    /// Made like this on this parent of the host: goes.
    Upper(Upper, String),
    /// A bond: goes, and its links are free.
    Bond,
    /// A tenant's, on the interface of this device: goes with its own namespace, and stays when the device goes.
    Tenants(PciAddress),
    /// Somebody else's, of no matter what kind: goes.
    Foreign,
}

impl FakeLink {
    /// A link with nothing on it.
    pub fn new(facts: Link, kind: LinkKind) -> Self {
        Self {
            facts,
            kind,
            routes: Vec::new(),
            neighbours: BTreeMap::new(),
            features: vec![0xff],
            sysctls: BTreeMap::new(),
        }
    }

    /// Whether `name` is its name, main or alternative.
    pub(super) fn answers_to(&self, name: &str) -> bool {
        let name = KernelText::new(name);
        self.facts.name == name || self.facts.altnames.contains(&name)
    }

    /// Administratively up: addresses bring their connected routes.
    pub(super) fn go_up(&mut self) {
        if !self.facts.up {
            self.facts.up = true;
            let addresses = self.facts.addresses.iter();
            let routes: Vec<Route> =
                addresses.filter_map(|address| self.connected(*address)).collect();
            self.routes.extend(routes);
        }
    }

    /// Adds an address, with its connected route when the link is up.
    pub(super) fn add_address(&mut self, address: IpNet) {
        if !self.facts.addresses.contains(&address) {
            self.facts.addresses.push(address);
            self.facts.addresses.sort();
            let route = self.connected(address).filter(|_| self.facts.up);
            self.routes.extend(route);
        }
    }

    /// The route to the network of an address, as the kernel makes it.
    fn connected(&self, address: IpNet) -> Option<Route> {
        const BY_KERNEL: u8 = 2;
        let ipv6 = address.addr().is_ipv6();
        (address.prefix_len() < address.max_prefix_len()).then_some(())?;
        Some(Route {
            to: address.trunc(),
            via: None,
            interface: self.facts.name.clone(),
            source: Some(address.addr()).filter(|_| !ipv6),
            onlink: false,
            metric: if ipv6 { 256 } else { 0 },
            protocol: BY_KERNEL,
            table: Route::MAIN,
            other: Vec::new(),
        })
    }

    /// Gives the link another name; its routes show it.
    pub(super) fn rename(&mut self, name: &KernelText) {
        self.facts.name = name.clone();
        for route in &mut self.routes {
            route.interface = name.clone();
        }
    }

    /// Its driver begins anew: another interface of the same device, called so, with nothing of the old one.
    pub fn come_anew(&mut self, name: &str) {
        self.leave_namespace();
        self.facts = Link {
            index: 0,
            name: KernelText::new(name),
            altnames: [].into(),
            alias: None,
            promiscuous: false,
            all_multicast: false,
            ..self.facts.clone()
        };
    }

    /// Administratively down: routes, neighbours and IPv6 addresses do not survive it, IPv4 addresses do.
    pub(super) fn go_down(&mut self) {
        if self.facts.up {
            self.facts.up = false;
            self.routes.clear();
            self.neighbours.clear();
            self.facts.addresses.retain(|address| address.addr().is_ipv4());
        }
    }

    /// Out of its namespace: what the namespace gave it stays behind.
    pub(super) fn leave_namespace(&mut self) {
        self.go_down();
        self.routes.clear();
        self.neighbours.clear();
        self.facts.addresses.clear();
        self.facts.master = None;
        self.sysctls.clear();
    }
}
