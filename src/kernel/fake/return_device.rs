//! A device's interface back to the host as it was, wherever it is.

use nix::errno::Errno;

use super::{FakeLink, configure_vf, session::Session, whole_device};
use crate::{
    inventory::{Link, differences},
    kernel::KernelError,
    plan::step::{Place, ReturnDevice},
    types::{Deadline, InterfaceName, KernelText, MacAddress, PciAddress, Reset},
};

pub(super) fn apply(
    session: &mut Session,
    step: &ReturnDevice,
    deadline: Deadline,
) -> Result<(), KernelError> {
    if let Ok(sandbox) = session.namespace(Place::Sandbox) {
        let inside = sandbox.links.values().find(|link| link.facts.parent == Some(step.device));
        if let Some(index) = inside.map(|link| link.facts.index) {
            session.machine.forget_uppers_of(step.device);
            bring_home(session, step, index)?;
        }
    }
    if step.reset == Reset::None || session.machine.is_driven(step.device) {
        let home = await_home(session, step.device, deadline)?;
        if home.is_none() {
            return Ok(());
        }
    }
    if step.reset != Reset::None {
        session.machine.reset_device(step.device, &step.driver);
    }
    let Some(index) = await_home(session, step.device, deadline)? else { return Ok(()) };
    let mut before = step.baseline.clone();
    if !all_differences(session.numbered(Place::Host, index)?, &before, step).is_empty() {
        before.mac = put_back(session, step, index)?;
    }
    if let Some(whole) = &step.whole {
        whole_device::put_back(session, index, whole)?;
    }
    let left = all_differences(session.numbered(Place::Host, index)?, &before, step);
    if left.is_empty() {
        return Ok(());
    }
    let object = format!("{} ({})", step.device, step.baseline.name);
    Err(KernelError::Differs { object, differences: left.join(", ") })
}

/// Under its old name and number if these are free, under another one otherwise: that is put right, or told, later.
fn bring_home(session: &mut Session, step: &ReturnDevice, index: u32) -> Result<(), KernelError> {
    let baseline = &step.baseline;
    let link = session.numbered(Place::Sandbox, index)?;
    link.facts.altnames.retain(|name| baseline.altnames.contains(name));
    let number = (link.facts.index != baseline.index).then_some(baseline.index);
    let temporary = KernelText::from(&InterfaceName::ours(u64::from(baseline.index)));
    let mut refusal = None;
    for (name, number) in [(&baseline.name, number), (&baseline.name, None), (&temporary, None)] {
        match session.relocate((Place::Sandbox, index), (Place::Host, name), number) {
            Ok(home) => {
                let down = Link { up: false, ..baseline.clone() };
                return add_settings(session, home, &down);
            }
            Err(error) if matches!(error.errno(), Some(Errno::EEXIST | Errno::EBUSY)) => {
                refusal = Some(error);
            }
            Err(error) => return Err(error),
        }
    }
    refusal.map_or(Ok(()), Err)
}

/// Looks until the interface is in the host; `None` when the device itself is no more.
fn await_home(
    session: &mut Session,
    device: PciAddress,
    deadline: Deadline,
) -> Result<Option<u32>, KernelError> {
    loop {
        if session.machine.card_of(device).is_none() && !session.machine.whole.contains(&device) {
            return Ok(None);
        }
        let mut here = session.machine.host.links.values();
        if let Some(found) = here.find(|link| link.facts.parent == Some(device)) {
            return Ok(Some(found.facts.index));
        }
        // What will not come while somebody holds the namespace would be waited for until the deadline.
        if deadline.passed() || !session.machine.is_returning(device) {
            let reason = "its interface did not come back to the host in time: something holds the sandbox's namespace open";
            return Err(KernelError::absent(device.to_string(), reason));
        }
        session.machine.tick();
    }
}

fn put_back(
    session: &mut Session,
    step: &ReturnDevice,
    index: u32,
) -> Result<Option<MacAddress>, KernelError> {
    let before = &step.baseline;
    let link = session.numbered(Place::Host, index)?;
    link.facts.altnames.retain(|name| before.altnames.contains(name));
    if link.facts.name != before.name {
        link.go_down();
        let object = format!("{} as {}", step.device, before.name);
        session
            .machine
            .host
            .admits(&before.name, [], None)
            .map_err(KernelError::refused("put back", object))?;
        session.numbered(Place::Host, index)?.rename(&before.name);
    }
    add_settings(session, index, before)?;
    let had = session.numbered(Place::Host, index)?.facts.altnames.clone();
    let missing: Vec<&KernelText> = before.altnames.difference(&had).collect();
    let taken = missing.iter().any(|name| session.machine.host.has(name));
    if taken {
        let object = format!("{} as {}", step.device, before.name);
        return Err(KernelError::refused("give alternative names to", object)(Errno::EEXIST));
    }
    let link = session.numbered(Place::Host, index)?;
    link.facts.altnames.extend(missing.into_iter().cloned());
    link.sysctls.clone_from(&step.sysctls.0);
    if !step.features.is_empty() {
        link.features.clone_from(&step.features);
    }
    let now = link.facts.mac;
    let mac = match before.mac.filter(|mac| now != Some(*mac)) {
        Some(mac) => Some(configure_vf::adopt(session, index, mac, before.permanent_mac)?),
        None => before.mac,
    };
    session.go(Place::Host, index, before.up)?;
    Ok(mac)
}

fn all_differences(now: &FakeLink, before: &Link, step: &ReturnDevice) -> Vec<String> {
    let mut found = differences(&now.facts, before);
    found.extend((now.sysctls != step.sysctls.0).then(|| "sysctls".to_owned()));
    found.extend(
        (!step.features.is_empty() && now.features != step.features).then(|| "features".to_owned()),
    );
    found
}

/// Everything but names and the MAC.
fn add_settings(session: &mut Session, index: u32, before: &Link) -> Result<(), KernelError> {
    session.set_mtu(Place::Host, index, before.mtu)?;
    let facts = &mut session.numbered(Place::Host, index)?.facts;
    facts.alias.clone_from(&before.alias);
    facts.tx_queue_len = before.tx_queue_len;
    facts.promiscuous = before.promiscuous;
    facts.all_multicast = before.all_multicast;
    if let (Some(now), Some(before)) = (&mut facts.settings, &before.settings) {
        now.numbers.extend(now.to_set(before));
        (now.flags, now.broadcast) = (before.flags, before.broadcast);
        now.xdp.retain(|mode, program| before.xdp.get(mode) == Some(program));
    }
    let up = session.numbered(Place::Host, index)?.facts.up && before.up;
    session.go(Place::Host, index, up)
}
