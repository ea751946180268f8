//! A device's interface into the sandbox: one message, which the kernel works off part by part.

use nix::errno::Errno;

use super::session::Session;
use crate::{
    kernel::KernelError,
    plan::step::{Place, TakeDevice},
    types::KernelText,
};

/// Moves first. A part that is refused afterwards leaves the device moved.
pub(super) fn apply(session: &mut Session, step: &TakeDevice) -> Result<(), KernelError> {
    session.namespace(Place::Sandbox)?;
    if !session.machine.host.links.contains_key(&step.index) {
        let there = session.namespace(Place::Sandbox)?.link(step.name.as_str());
        if there.is_some_and(|there| there.facts.parent == Some(step.device)) {
            return Ok(());
        }
        let object = format!("{} into the sandbox as {}", step.device, step.name);
        return Err(KernelError::refused("move", object)(Errno::ENODEV));
    }
    let index = session.relocate(
        (Place::Host, step.index),
        (Place::Sandbox, &(&step.name).into()),
        None,
    )?;
    if let Some(mtu) = step.mtu {
        session.set_mtu(Place::Sandbox, index, mtu)?;
    }
    let arrived = session.numbered(Place::Sandbox, index)?;
    arrived.facts.alias = Some(KernelText::new(step.tag.to_string()));
    Ok(())
}
