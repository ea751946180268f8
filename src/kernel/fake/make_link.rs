//! Links that vfhook makes: macvlan devices and veth pairs, brought up and deleted.

use nix::errno::Errno;

use super::{FakeLink, LinkKind, bond, build::plain_link, session::Session};
use crate::{
    inventory::{Below, Link, Setting},
    kernel::KernelError,
    plan::step::{CreateIpvlan, CreateMacvlan, CreateVeth, CreateVlan, OwnLink, Place},
    types::{InterfaceName, KernelText, MacAddress, OwnerTag, Upper},
};

pub(super) fn create_macvlan(
    session: &mut Session,
    step: &CreateMacvlan,
) -> Result<(), KernelError> {
    let mut facts = plain_link(step.name.clone(), Some(step.mac));
    facts.mtu = step.mtu.unwrap_or(0);
    let is_it = |there: &Link| there.mac == Some(step.mac);
    stand(session, (step.parent_index, &step.parent), Upper::Macvlan(step.mode), facts, is_it)
}

pub(super) fn create_ipvlan(session: &mut Session, step: &CreateIpvlan) -> Result<(), KernelError> {
    let parent = (step.parent_index, &step.parent);
    let facts = of_parent(session, parent.0, &step.name, step.group, step.mtu);
    let is_it = |there: &Link| there.group() == Some(step.group);
    stand(session, parent, Upper::Ipvlan(step.mode), facts, is_it)
}

pub(super) fn create_vlan(session: &mut Session, step: &CreateVlan) -> Result<(), KernelError> {
    let parent = (step.parent_index, &step.parent);
    let facts = of_parent(session, parent.0, &step.name, step.group, step.mtu);
    let is_it = |there: &Link| there.group() == Some(step.group);
    stand(session, parent, Upper::Vlan(step.vlan), facts, is_it)
}

/// A link with the hardware address of its parent, known by its group.
fn of_parent(
    session: &Session,
    parent: u32,
    name: &InterfaceName,
    group: u32,
    mtu: Option<u32>,
) -> Link {
    let parent = session.machine.host.links.get(&parent);
    let mut facts = plain_link(name.clone(), parent.and_then(|parent| parent.facts.mac));
    facts.mtu = mtu.unwrap_or(0);
    if let Some(settings) = &mut facts.settings {
        settings.numbers.insert(Setting::Group, group);
    }
    facts
}

/// An MTU of 0 is the parent's.
fn stand(
    session: &mut Session,
    (parent_index, parent_name): (u32, &KernelText),
    upper: Upper,
    mut facts: Link,
    is_it: impl Fn(&Link) -> bool,
) -> Result<(), KernelError> {
    let name = facts.name.clone();
    session.namespace(Place::Sandbox)?;
    let refused = |errno| {
        let object = format!("{} {name} on {parent_name} in the sandbox", upper.as_str());
        KernelError::refused("make", object)(errno)
    };
    let parent = session.machine.host.links.get(&parent_index);
    let (parent_mtu, parent) = parent
        .map(|parent| (parent.facts.mtu, parent.facts.name.to_string()))
        .ok_or_else(|| refused(Errno::ENODEV))?;
    let there = session.namespace(Place::Sandbox)?.link(&name.to_string());
    if there.is_some_and(|there| is_it(&there.facts)) {
        return Ok(());
    }
    if facts.mtu > parent_mtu {
        return Err(refused(Errno::EINVAL));
    }
    if facts.mtu == 0 {
        facts.mtu = parent_mtu;
    }
    session.namespace(Place::Sandbox)?.admits(&name, [], None).map_err(refused)?;
    let all = session.machine.namespaces().flat_map(|namespace| namespace.links.values());
    let mut others = all.filter_map(|link| match &link.kind {
        LinkKind::Upper(other, on) if *on == parent => Some(*other),
        _ => None,
    });
    // What the kernel would take, and change for all that are there (`ipvlan_link_new`), nobody may ask for.
    let is_refused = others.any(|other| !upper.may_stand_beside(other));
    drop(others);
    if is_refused {
        return Err(refused(match upper {
            Upper::Macvlan(_) => Errno::EINVAL,
            Upper::Ipvlan(_) => Errno::EBUSY,
            Upper::Vlan(_) => Errno::EEXIST,
        }));
    }
    facts.below = Some(in_other_namespace(parent_index));
    let link = FakeLink::new(facts, LinkKind::Upper(upper, parent));
    session.namespace(Place::Sandbox)?.insert(link, None);
    Ok(())
}

/// Both ends or none.
pub(super) fn create_veth(session: &mut Session, step: &CreateVeth) -> Result<(), KernelError> {
    session.namespace(Place::Sandbox)?;
    if is_ours(session, Place::Host, &step.host, step.host_mac)? {
        return Ok(());
    }
    let refused = |errno| {
        let object = format!("veth {} with {} in the sandbox", step.host, step.inside);
        KernelError::refused("make", object)(errno)
    };
    session.namespace(Place::Host)?.admits(&(&step.host).into(), [], None).map_err(refused)?;
    session.namespace(Place::Sandbox)?.admits(&(&step.inside).into(), [], None).map_err(refused)?;
    let kind = LinkKind::Veth(step.host.to_string());
    let end = |name: &InterfaceName, mac| {
        let mut facts = plain_link(name.clone(), Some(mac));
        facts.mtu = step.mtu.unwrap_or(facts.mtu);
        FakeLink::new(facts, kind.clone())
    };
    let host = session.namespace(Place::Host)?.insert(end(&step.host, step.host_mac), None);
    let mut inside = end(&step.inside, step.inside_mac);
    inside.facts.below = Some(in_other_namespace(host));
    let inside = session.namespace(Place::Sandbox)?.insert(inside, None);
    session.numbered(Place::Host, host)?.facts.below = Some(in_other_namespace(inside));
    Ok(())
}

/// What a link says that stands on one of another namespace. Of those there is one that either side knows.
fn in_other_namespace(index: u32) -> Below {
    Below { index, namespace: Some(0) }
}

/// Whether a link of this name is there with the MAC that only we give: the work of an earlier try.
fn is_ours(
    session: &mut Session,
    place: Place,
    name: &InterfaceName,
    mac: MacAddress,
) -> Result<bool, KernelError> {
    let there = session.namespace(place)?.link(name.as_str());
    Ok(there.is_some_and(|there| there.facts.mac == Some(mac)))
}

pub(super) fn up(
    session: &mut Session,
    place: Place,
    name: &InterfaceName,
    tag: &OwnerTag,
) -> Result<(), KernelError> {
    let index = session.index(place, name)?;
    let link = session.numbered(place, index)?;
    link.facts.alias = Some(KernelText::new(tag.to_string()));
    if let LinkKind::Upper(_, parent) = link.kind.clone() {
        let parent = session.machine.host.link(&parent);
        if !parent.is_some_and(|parent| parent.facts.up) {
            return Err(KernelError::refused("bring up", name.to_string())(Errno::ENETDOWN));
        }
    }
    session.go(place, index, true)
}

/// A link that is gone is gone. A device cannot be deleted.
pub(super) fn delete(session: &mut Session, step: &OwnLink) -> Result<(), KernelError> {
    let namespace = session.namespace(step.place)?;
    let named = namespace.link(step.name.as_str()).filter(|found| step.is(&found.facts));
    let elsewhere = || {
        let searched = step.place == Place::Sandbox;
        namespace.links.values().find(|found| searched && step.is(&found.facts))
    };
    let Some(found) = named.or_else(elsewhere) else { return Ok(()) };
    let index = found.facts.index;
    if let Some(removed) = namespace.links.remove(&index) {
        if removed.kind == LinkKind::Bond {
            bond::let_go(session, index)?;
        }
        session.machine.forget_pair_of(&removed);
    }
    Ok(())
}
