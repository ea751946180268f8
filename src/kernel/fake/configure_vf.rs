//! What the card enforces for a VF, and the address that its interface uses.

use nix::errno::Errno;

use super::session::Session;
use crate::{
    inventory::Link,
    kernel::{KernelError, Refusal},
    plan::step::{ConfigureVf, Place},
    types::{AdminMac, MacAddress, VfAttribute, VfAttributes},
};

pub(super) fn apply(session: &mut Session, step: &ConfigureVf) -> Result<(), KernelError> {
    if session.machine.card_of(step.device.address).is_none() {
        return Err(KernelError::DeviceGone(step.device.to_string()));
    }
    let refusal = write_until_settled(session, step)?;
    if let Some(mac) = step.interface_mac.filter(|_| refusal.is_none()) {
        let home = session.machine.host.links.values();
        let index = home
            .filter(|link| link.facts.parent == Some(step.device.address))
            .map(|link| link.facts.index)
            .next();
        let index = index.ok_or_else(|| {
            KernelError::absent(
                step.device.to_string(),
                "no interface on the host to give the MAC to",
            )
        })?;
        adopt(session, index, mac, step.permanent_mac)?;
    }
    refusal.filter(|_| !step.forgiving).map_or(Ok(()), Err)
}

/// A refused attribute that is as asked already is not missed.
fn write_until_settled(
    session: &mut Session,
    step: &ConfigureVf,
) -> Result<Option<KernelError>, KernelError> {
    let (pf, vf) = (step.device.pf_address, step.device.address);
    let absent = |what: String, how: &str| KernelError::absent(what, how);
    let card = session.machine.cards.get_mut(&pf).ok_or_else(|| {
        absent(
            format!("physical function {}", step.device.pf_name),
            "it has no interface on this host",
        )
    })?;
    let mut left = step.attributes;
    loop {
        let answer = card.set(vf, &left);
        let found = card
            .vf(vf)
            .ok_or_else(|| absent(step.device.to_string(), "the driver does not list it"))?
            .attributes;
        let differing = left.differing(&found);
        let Some(first) = differing.first() else { return Ok(None) };
        let next = VfAttribute::ALL
            .into_iter()
            .filter(|which| !differing.contains(which))
            .fold(left, VfAttributes::without);
        match answer {
            Err(_) if next != left => left = next,
            Err(errno) => {
                return Ok(Some(KernelError::AttributeRefused {
                    driver: card.driver.name.clone(),
                    attribute: first.to_string(),
                    object: step.device.to_string(),
                    source: Refusal::from(errno),
                }));
            }
            Ok(()) => {
                return Ok(Some(KernelError::AttributeIgnored {
                    driver: card.driver.name.clone(),
                    object: step.device.to_string(),
                    asked: Box::new(next),
                    found: Box::new(found.masked_by(&next)),
                }));
            }
        }
    }
}

/// Goes up and down as often as a driver may need to take an address over and to call it permanent. Gives what it uses then: its own, or
/// what the card assigned.
pub(super) fn adopt(
    session: &mut Session,
    index: u32,
    mac: MacAddress,
    permanent: Option<MacAddress>,
) -> Result<MacAddress, KernelError> {
    let as_wanted = |found: &Link| {
        found.mac == Some(mac) && permanent.is_none_or(|wanted| found.permanent_mac == Some(wanted))
    };
    let before = session.numbered(Place::Host, index)?.facts.clone();
    if as_wanted(&before) {
        return Ok(mac);
    }
    for up in [false, true, false] {
        session.go(Place::Host, index, up)?;
    }
    let answer = session.set_mac(index, mac);
    if !as_wanted(&session.numbered(Place::Host, index)?.facts) {
        session.go(Place::Host, index, true)?;
        session.go(Place::Host, index, false)?;
    }
    let used = session.numbered(Place::Host, index)?.facts.mac;
    session.go(Place::Host, index, before.up)?;
    if used == Some(mac) {
        return Ok(mac);
    }
    let vf = before.parent.and_then(|device| session.machine.card_of(device)?.vf(device));
    match vf.and_then(|vf| vf.attributes.mac) {
        Some(AdminMac::Assigned(assigned)) if used == Some(assigned) => Ok(assigned),
        _ => {
            let object = format!("{} to {mac}", before.name);
            let errno = answer.err().unwrap_or(Errno::EADDRNOTAVAIL);
            Err(KernelError::refused("set the MAC address of", object)(errno))
        }
    }
}
