//! Chooses addresses that nobody on the wire has as far as this host knows, and refuses chosen MACs that somebody there has. A part
//! of choosing, which records nothing.

use std::{collections::BTreeSet, net::IpAddr};

use ipnet::IpNet;

use super::{OperationError, choose::Chooser};
use crate::{
    config::ServicePath,
    inventory::Link,
    kernel::Kernel,
    lease::Claim,
    plan::{ChosenDevice, ChosenService, candidates, seed},
    request::{NetworkIntent, RequestError, ServiceIntent},
    types::{AddressRange, DeviceName, MacAddress, Name, Port, Segment, kept_by_network},
};

/// Who has an address that is chosen already.
const ANOTHER: &str = "another sandbox";

/// What an address is for.
pub(super) enum For<'a> {
    /// A network that is on these wires.
    Network(&'a NetworkIntent, &'a [Segment]),
    /// The sandbox's end of the service path.
    ServicePath,
}

impl For<'_> {
    /// What must be free for `address` to be given, and is held afterwards.
    pub(super) fn claims(&self, address: IpAddr) -> Vec<Claim> {
        match self {
            Self::Network(intent, segments) => {
                let on_wire = |segment: &Segment| Claim::OnWire(*segment, address);
                let own = Claim::Address(intent.name.clone(), address);
                segments.iter().map(on_wire).chain([own]).collect()
            }
            Self::ServicePath => vec![Claim::Source(address)],
        }
    }

    /// Whether `address` is given to nobody.
    pub(super) fn reserves(&self, address: IpNet) -> bool {
        match self {
            Self::Network(intent, _) => intent.network.reserved(address).is_some(),
            Self::ServicePath => {
                let next_hop = ServicePath::next_hop(address.addr().is_ipv6());
                address.addr() == next_hop || kept_by_network(address).is_some()
            }
        }
    }

    fn network(&self) -> Option<&Name> {
        if let Self::Network(intent, _) = self { Some(&intent.name) } else { None }
    }
}

impl<K: Kernel> Chooser<'_, K> {
    /// The addresses of a network: those that were asked for, or one of each family.
    pub(super) fn addresses(
        &mut self,
        intent: &NetworkIntent,
        segments: &[Segment],
    ) -> Result<Vec<IpNet>, OperationError> {
        let whose = For::Network(intent, segments);
        if intent.network.blocks.is_some() && intent.addresses.is_empty() {
            return self.granted(intent, &whose);
        }
        if intent.addresses.is_empty() {
            return self.one_of_each_family(&intent.network.addresses, &whose);
        }
        for address in intent.addresses.iter().map(IpNet::addr) {
            let claims = whose.claims(address);
            if claims.iter().any(|claim| self.chosen.contains(claim)) {
                return Err(RequestError::DuplicateAddress(address).into());
            }
            self.must_be_granted(intent, address)?;
            if let Some(by) = self.holder(&whose, address)? {
                return Err(OperationError::AddressTaken {
                    network: intent.name.clone(),
                    address,
                    by,
                });
            }
            self.chosen.extend(claims);
        }
        Ok(intent.addresses.clone())
    }

    /// The addresses of a service path.
    pub(super) fn service(
        &mut self,
        intent: &ServiceIntent,
    ) -> Result<ChosenService, OperationError> {
        match intent {
            ServiceIntent::Existing { interface, cidrs } => {
                Ok(ChosenService::Existing { interface: interface.clone(), cidrs: cidrs.clone() })
            }
            ServiceIntent::Veth { interface, cidrs, source, mtu } => {
                let sources = self.one_of_each_family(source, &For::ServicePath)?;
                Ok(ChosenService::Veth {
                    interface: interface.clone(),
                    cidrs: cidrs.clone(),
                    sources: sources.iter().map(IpNet::addr).collect(),
                    mtu: *mtu,
                    masqueraded: source.iter().filter_map(AddressRange::network).collect(),
                })
            }
        }
    }

    /// The first free address of each family that `ranges` has.
    fn one_of_each_family(
        &mut self,
        ranges: &[AddressRange],
        whose: &For,
    ) -> Result<Vec<IpNet>, OperationError> {
        let mut found = Vec::new();
        for ipv6 in [false, true] {
            if ranges.iter().any(|range| range.is_ipv6() == ipv6) {
                found.push(self.first_free(ranges, ipv6, whose)?);
            }
        }
        Ok(found)
    }

    fn first_free(
        &mut self,
        ranges: &[AddressRange],
        ipv6: bool,
        whose: &For,
    ) -> Result<IpNet, OperationError> {
        for address in candidates(ranges, ipv6, seed(self.id, whose.network())) {
            let passed_over = whose.reserves(address) || self.avoided.contains(&address.addr());
            if !passed_over && self.holder(whose, address.addr())?.is_none() {
                self.chosen.extend(whose.claims(address.addr()));
                return Ok(address);
            }
        }
        Err(OperationError::NoFreeAddress {
            network: whose.network().map_or("service path".to_owned(), ToString::to_string),
            family: if ipv6 { 6 } else { 4 },
        })
    }

    /// Who has `address`. The host is asked last: that costs a message.
    pub(super) fn holder(
        &mut self,
        whose: &For,
        address: IpAddr,
    ) -> Result<Option<&'static str>, OperationError> {
        let is_claimed = whose.claims(address).iter().any(|claim| self.is_taken(claim));
        if is_claimed || self.is_held_by_older(whose, address) {
            return Ok(Some(ANOTHER));
        }
        // Where sources come from is this node's own for just that; `doctor` looks at what else has a part of it. What the host
        // gives away with its card is the host's no more: a cloud's fabric passes nothing else.
        let asks = whose.network().is_some() && !self.given_away.contains(&address);
        Ok((asks && self.kernel.is_host_address(address)?).then_some("this host"))
    }

    /// Whether a lease that does not say which wire it is on holds `address` for a network that may be on the same: the version that
    /// wrote it knew no wires.
    fn is_held_by_older(&self, whose: &For, address: IpAddr) -> bool {
        let For::Network(intent, _) = whose else { return false };
        let others = self.context.config.networks.iter().filter(|(name, other)| {
            let has = |range: &AddressRange| range.contains_address(address);
            **name != intent.name
                && other.addresses.iter().any(has)
                && other.may_share_wire(&intent.network)
        });
        let leases = &self.context.leases;
        others.map(|(name, _)| Claim::Address(name.clone(), address)).any(|claim| {
            // What cannot be read holds on to what it may have.
            leases.is_taken(&claim)
                && leases
                    .find(&claim)
                    .map_or(true, |found| found.is_some_and(|lease| lease.is_older()))
        })
    }

    /// Takes note of the MACs that the device will have on its wires, and refuses a chosen one that somebody there has: who has a
    /// neighbour's MAC gets the neighbour's packets.
    pub(super) fn macs(
        &mut self,
        intent: &NetworkIntent,
        device: &ChosenDevice,
        segments: &[Segment],
    ) -> Result<(), OperationError> {
        let own = match device {
            ChosenDevice::Vf(device) | ChosenDevice::Vfio(device, _) => device.link.mac,
            ChosenDevice::Whole(device) => device.link.mac,
            // Alone on its parent, it has that one's.
            ChosenDevice::Made(upper, parent) => parent.mac.filter(|_| upper.is_alone()),
            // Its links are asked each, and it chooses none.
            ChosenDevice::Bond(_) => return Ok(()),
        };
        let chosen = intent.mac.filter(|mac| Some(*mac) != own);
        if let Some(mac) = chosen {
            let claims = mac_claims(segments, mac);
            if claims.iter().any(|claim| self.chosen.contains(claim)) {
                return Err(RequestError::DuplicateMac(mac).into());
            }
            let by = if claims.iter().any(|claim| self.is_taken(claim)) {
                Some(ANOTHER.to_owned())
            } else {
                let holder = self.mac_holder(device, segments, mac)?;
                holder.or_else(|| self.gateway_with(intent, device, mac))
            };
            if let Some(by) = by {
                return Err(OperationError::MacTaken { network: intent.name.clone(), mac, by });
            }
        }
        let macs = own.into_iter().chain(chosen);
        self.chosen.extend(macs.flat_map(|mac| mac_claims(segments, mac)));
        Ok(())
    }

    /// Which interface or function of this host has `mac` on one of these wires.
    fn mac_holder(
        &mut self,
        device: &ChosenDevice,
        segments: &[Segment],
        mac: MacAddress,
    ) -> Result<Option<String>, OperationError> {
        let itself = match device {
            ChosenDevice::Vf(device) | ChosenDevice::Vfio(device, _) => {
                Some(device.candidate.address)
            }
            ChosenDevice::Whole(device) => Some(device.address),
            ChosenDevice::Made(_, parent) if parent.mac == Some(mac) => {
                return Ok(Some(format!("{} of this host", parent.name)));
            }
            ChosenDevice::Made(..) | ChosenDevice::Bond(_) => None,
        };
        let ports: BTreeSet<Port> = segments.iter().map(|segment| segment.port).collect();
        for port in ports {
            let Port::Pci(function) = port else { continue };
            let found = self.kernel.macs_of_card(function)?;
            // What a lease's device has is on the wires of that lease, which its claims tell.
            let other = found.iter().find(|(had, its)| {
                *its == mac && Some(*had) != itself && !self.is_taken(&Claim::Device(*had))
            });
            if let Some((had, _)) = other {
                return Ok(Some(format!("{had} of this host")));
            }
        }
        Ok(None)
    }

    /// Which gateway of the network has `mac`, as far as the untagged wire of the card or parent tells: who had its MAC would get what
    /// all others send out. Asked only where a MAC was chosen, which few do.
    fn gateway_with(
        &mut self,
        intent: &NetworkIntent,
        device: &ChosenDevice,
        mac: MacAddress,
    ) -> Option<String> {
        if intent.network.gateway.is_empty() {
            return None;
        }
        let from = match device {
            // A card may have no interface, or be another's: its VFs work nevertheless.
            ChosenDevice::Vf(device) | ChosenDevice::Vfio(device, _) => {
                self.kernel.observe_link(&DeviceName::Address(device.candidate.pf_address)).ok()?
            }
            ChosenDevice::Whole(device) => device.link.clone(),
            ChosenDevice::Made(_, parent) => (**parent).clone(),
            ChosenDevice::Bond(_) => return None,
        };
        let mut gateways = intent.network.gateway.iter();
        let with_it = gateways.find(|gateway| self.kernel.ask_wire(&from, **gateway) == Some(mac));
        with_it.map(|gateway| format!("gateway {gateway}"))
    }

    /// Whether the MAC that a device has by itself is one that a sandbox has on the same wire.
    pub(super) fn has_taken_mac(&self, link: &Link, segments: &[Segment]) -> bool {
        let claims = link.mac.map(|mac| mac_claims(segments, mac)).unwrap_or_default();
        claims.iter().any(|claim| self.is_taken(claim))
    }
}

fn mac_claims(segments: &[Segment], mac: MacAddress) -> Vec<Claim> {
    segments.iter().map(|segment| Claim::Mac(*segment, mac)).collect()
}
