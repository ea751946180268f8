//! Bonds, as the kernel makes them and takes links into them.

use nix::errno::Errno;

use super::{FakeLink, LinkKind, build::plain_link, session::Session};
use crate::{
    inventory::Setting,
    kernel::KernelError,
    plan::step::{CreateBond, JoinBond, Place},
    types::KernelText,
};

pub(super) fn create(session: &mut Session, step: &CreateBond) -> Result<(), KernelError> {
    let name = KernelText::from(&step.name);
    let namespace = session.namespace(Place::Sandbox)?;
    let there = namespace.link(step.name.as_str());
    if there.is_some_and(|there| there.facts.group() == Some(step.group)) {
        return Ok(());
    }
    let object = format!("bond {name} in the sandbox");
    namespace.admits(&name, [], None).map_err(KernelError::refused("make", object))?;
    let mut facts = plain_link(step.name.clone(), None);
    facts.mtu = step.mtu;
    if let Some(settings) = &mut facts.settings {
        settings.numbers.insert(Setting::Group, step.group);
    }
    namespace.insert(FakeLink::new(facts, LinkKind::Bond), None);
    Ok(())
}

/// The link gets the bond's MTU and is brought up; the first gives the bond its address.
pub(super) fn join(session: &mut Session, step: &JoinBond) -> Result<(), KernelError> {
    let bond = session.index(Place::Sandbox, &step.bond)?;
    let index = session.index(Place::Sandbox, &step.name)?;
    if session.numbered(Place::Sandbox, index)?.facts.master == Some(bond) {
        return Ok(());
    }
    let object = format!("{} a link of bond {}", step.name, step.bond);
    let refused = KernelError::refused("make", object);
    if !matches!(session.numbered(Place::Sandbox, bond)?.kind, LinkKind::Bond) {
        return Err(refused(Errno::EINVAL));
    }
    session.go(Place::Sandbox, index, false)?;
    let mtu = session.numbered(Place::Sandbox, bond)?.facts.mtu;
    session.set_mtu(Place::Sandbox, index, mtu)?;
    session.go(Place::Sandbox, index, true)?;
    let link = &mut session.numbered(Place::Sandbox, index)?.facts;
    link.master = Some(bond);
    let mac = link.mac;
    let carries = &mut session.numbered(Place::Sandbox, bond)?.facts.mac;
    *carries = carries.or(mac);
    Ok(())
}

/// What a bond that ends does with its links: they are free and down.
pub(super) fn let_go(session: &mut Session, bond: u32) -> Result<(), KernelError> {
    let links = session.namespace(Place::Sandbox)?.links.values_mut();
    for link in links.filter(|link| link.facts.master == Some(bond)) {
        link.facts.master = None;
        link.go_down();
    }
    Ok(())
}
