//! A network namespace: its interfaces, and the rules by which names and numbers in it are given.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use nix::errno::Errno;

use super::FakeLink;
use crate::{
    inventory::{Route, RoutingRule},
    types::KernelText,
};

/// Interfaces by their number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Namespace {
    pub(super) links: BTreeMap<u32, FakeLink>,
    /// Whether interfaces appear with IPv6 switched off.
    pub ipv6_disabled: bool,
    /// Rules that choose a table of routes.
    pub rules: BTreeSet<RoutingRule>,
    last_index: u32,
}

impl Namespace {
    /// The link of this name, main or alternative.
    pub fn link(&self, name: &str) -> Option<&FakeLink> {
        self.links.values().find(|link| link.answers_to(name))
    }

    /// Whether a link has this name, main or alternative.
    pub(super) fn has(&self, name: &KernelText) -> bool {
        self.links
            .values()
            .any(|link| link.facts.name == *name || link.facts.altnames.contains(name))
    }

    /// The same, to be changed.
    pub fn link_mut(&mut self, name: &str) -> Option<&mut FakeLink> {
        self.links.values_mut().find(|link| link.answers_to(name))
    }

    /// Takes a link away, as somebody else on the machine might.
    pub fn take_link(&mut self, name: &str) -> Option<FakeLink> {
        let index = self.link(name)?.facts.index;
        self.links.remove(&index)
    }

    /// Puts a link here, as somebody else on the machine might.
    pub fn put_link(&mut self, link: FakeLink) {
        self.insert(link, None);
    }

    /// The names of all links.
    pub fn names(&self) -> Vec<String> {
        self.links.values().map(|link| link.facts.name.to_string()).collect()
    }

    /// Whether a link with these names and, where it must have one, this number could be here.
    pub(super) fn admits<'a>(
        &self,
        name: &KernelText,
        altnames: impl IntoIterator<Item = &'a KernelText>,
        index: Option<u32>,
    ) -> Result<(), Errno> {
        let taken = self.has(name) || altnames.into_iter().any(|name| self.has(name));
        if taken {
            return Err(Errno::EEXIST);
        }
        match index {
            Some(index) if self.links.contains_key(&index) => Err(Errno::EBUSY),
            _ => Ok(()),
        }
    }

    /// Puts an admitted link here. It keeps its number where that is free, and gets the next free one otherwise.
    pub(super) fn insert(&mut self, mut link: FakeLink, index: Option<u32>) -> u32 {
        let mut number = index.unwrap_or(link.facts.index);
        while number == 0 || self.links.contains_key(&number) {
            self.last_index += 1;
            number = self.last_index;
        }
        self.last_index = self.last_index.max(number);
        link.facts.index = number;
        self.links.insert(number, link);
        number
    }

    /// Whether IPv6 is off on a link here.
    pub(super) fn is_ipv6_off(&self, link: &FakeLink) -> bool {
        link.sysctls.get("ipv6/disable_ipv6").map_or(self.ipv6_disabled, |value| value != "0")
    }

    /// Whether any link here has this address.
    pub(super) fn has_address(&self, address: IpAddr) -> bool {
        self.links.values().flat_map(|link| &link.facts.addresses).any(|had| had.addr() == address)
    }

    /// Every route.
    pub(super) fn routes(&self) -> impl Iterator<Item = &Route> {
        self.links.values().flat_map(|link| &link.routes)
    }

    /// Takes away the route with the same destination and metric, whatever link it leaves by.
    pub(super) fn remove_route(&mut self, route: &Route) {
        for link in self.links.values_mut() {
            link.routes.retain(|had| {
                (had.to, had.metric, had.table) != (route.to, route.metric, route.table)
            });
        }
    }
}
