//! Chooses the parent of a device that is made, and knows who stands on it already. Makes nothing.

use super::{
    OperationError,
    choose::{Chooser, PassedOver, none_free},
};
use crate::{
    inventory::Link,
    kernel::Kernel,
    lease::Claim,
    plan::{ChosenDevice, step::Step},
    request::NetworkIntent,
    types::{MacvlanMode, Port, Segment, Upper},
};

impl<K: Kernel> Chooser<'_, K> {
    /// The parent of a VLAN interface, and its VLAN on the wires that it leads to.
    pub(super) fn vlan(
        &mut self,
        intent: &NetworkIntent,
    ) -> Result<(ChosenDevice, Vec<Segment>), OperationError> {
        match intent.network.attributes.vlan {
            Some(vlan) => self.parent(intent, Upper::Vlan(vlan)),
            None => Err(none_free(intent, 0, PassedOver::default())),
        }
    }

    /// The parent of what is made, and the wires that it leads to.
    pub(super) fn parent(
        &mut self,
        intent: &NetworkIntent,
        upper: Upper,
    ) -> Result<(ChosenDevice, Vec<Segment>), OperationError> {
        let Some(name) = intent.pool.selector.pf.first() else {
            return Err(none_free(intent, 0, PassedOver::default()));
        };
        let parent = self.kernel.observe_link(name)?;
        let mut segments = self.kernel.segments_of(&parent);
        if let Upper::Vlan(vlan) = upper {
            // A tag on what is tagged already is a wire that the parent alone leads to.
            let itself = Port::Interface(parent.index);
            let on = |below: &Segment| if below.has_tag() { itself } else { below.port };
            segments = segments.iter().map(|below| Segment::tagged(on(below), vlan)).collect();
        }
        let holds = |segment: &Segment| {
            parent.mac.is_some_and(|mac| self.is_taken(&Claim::Mac(*segment, mac)))
        };
        if upper.is_alone() && segments.iter().any(holds) {
            let unusable = Vec::new();
            return Err(none_free(intent, 1, PassedOver { leased: 1, unusable }));
        }
        if let Some(why) = self.stands_otherwise(upper, &parent)? {
            let (leased, unusable) = (0, vec![why]);
            return Err(none_free(intent, 1, PassedOver { leased, unusable }));
        }
        Ok((ChosenDevice::Made(upper, Box::new(parent)), segments))
    }

    /// Why a device cannot stand on its parent as its pool says: sandboxes that run since the pool said otherwise have such that the
    /// kernel puts none beside, or would change for them. Only pools pay for it whose devices do not stand beside all others.
    fn stands_otherwise(
        &self,
        upper: Upper,
        parent: &Link,
    ) -> Result<Option<String>, OperationError> {
        // VLANs stand beside everything, and have been asked about by now.
        let stands = matches!(upper, Upper::Macvlan(mode) if mode != MacvlanMode::Passthru)
            || matches!(upper, Upper::Vlan(_));
        if stands {
            return Ok(None);
        }
        for lease in self.context.leases.each()?.flatten() {
            let made = lease.plan.steps().iter().filter_map(|planned| match &planned.step {
                Step::CreateMacvlan(made) => Some((made.parent_index, Upper::Macvlan(made.mode))),
                Step::CreateIpvlan(made) => Some((made.parent_index, Upper::Ipvlan(made.mode))),
                _ => None,
            });
            let mut there = made.filter(|(on, _)| *on == parent.index);
            if let Some((_, other)) = there.find(|(_, other)| !upper.may_stand_beside(*other)) {
                let (id, on) = (lease.id.short(), &parent.name);
                return Ok(Some(format!(
                    "sandbox {id} has a {other} on {on}, beside which is no {upper}"
                )));
            }
        }
        Ok(None)
    }
}
