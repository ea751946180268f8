//! Chooses the links of a bond: a VF of each of its pools, no two on one card. How one is chosen stands in `choose`.

use std::collections::BTreeSet;

use super::{OperationError, choose::Chooser};
use crate::{
    config::Network,
    kernel::Kernel,
    plan::{ChosenDevice, ChosenNetwork},
    request::NetworkIntent,
    types::{Name, Segment},
};

impl<K: Kernel> Chooser<'_, K> {
    /// The links, and all wires that they are on. Both or none: what was chosen is recorded in one lease.
    pub(super) fn bond(
        &mut self,
        intent: &NetworkIntent,
    ) -> Result<(ChosenDevice, Vec<Segment>), OperationError> {
        let (mut members, mut wires) = (Vec::new(), BTreeSet::new());
        let mut cards = Vec::new();
        for (number, pool) in (0..).zip(&intent.pool.members) {
            let Some(part) = self.part(intent, number, pool) else { continue };
            let (device, segments) = self.vf(&part, &cards)?;
            self.macs(&part, &device, &segments)?;
            if let ChosenDevice::Vf(device) = &device {
                cards.push(device.candidate.pf_address);
            }
            wires.extend(segments.iter().copied());
            let addresses = Vec::new();
            members.push(ChosenNetwork { intent: part, device, addresses, segments, rdma: None });
        }
        Ok((ChosenDevice::Bond(members), wires.into_iter().collect()))
    }

    /// What link number `number` is to be: a VF of `pool`, set as the network says. The configuration has each pool that a bond names.
    fn part(&self, intent: &NetworkIntent, number: u8, pool: &Name) -> Option<NetworkIntent> {
        let network = Network { pool: pool.clone(), ..intent.network.clone() };
        Some(NetworkIntent {
            network,
            pool: self.context.config.pools.get(pool)?.clone(),
            interface: intent.interface.of_member(number),
            addresses: Vec::new(),
            mac: None,
            ..intent.clone()
        })
    }
}
