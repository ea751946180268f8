//! Brings a device's interface back to the host and makes it as it was, wherever it is and however it came there.
//!
//! The interface may still be in the sandbox; or in the host under any name, since a namespace that died gave it back; or
//! on its way, since that happens in a kernel worker some time after the last user of the namespace is gone.

use std::{os::fd::AsRawFd, time::Duration};

use netlink_packet_route::link::LinkAttribute;
use nix::errno::Errno;

use crate::kernel::{
    KernelError, LinuxKernel, Refusal,
    files::reset,
    netlink::socket::Netlink,
    netns,
    rtnetlink::{
        link::{self, into_namespace, numbered, refused},
        put_back::{add_settings, make_as_before},
        uppers,
    },
};
use crate::{
    inventory::Link,
    plan::step::{Place, ReturnDevice},
    types::{Deadline, InterfaceName, KernelText, Reset},
};

/// How long to wait for an event before looking again without one.
const PATIENCE: Duration = Duration::from_millis(250);

/// See [`crate::plan::step::Step::ReturnDevice`].
pub(crate) fn apply(
    kernel: &mut LinuxKernel,
    step: &ReturnDevice,
    deadline: Deadline,
) -> Result<(), KernelError> {
    leave_sandbox(kernel, step)?;
    // Without a driver it has no interface to wait for: a reset that was begun is to be ended.
    if step.reset == Reset::None || kernel.sysfs.driver(step.device).is_some() {
        let Some(home) = await_home(kernel, step, deadline)? else { return Ok(()) };
        uppers::delete_from_afar(kernel, home.index)?;
    }
    if step.reset != Reset::None && kernel.sysfs.exists(step.device) {
        reset::apply(&kernel.sysfs, step.device, step.reset, &step.driver, deadline)?;
        if await_home(kernel, step, deadline)?.is_none() {
            return Ok(());
        }
    }
    make_as_before(kernel, step)
}

/// Takes the interface of the device out of the sandbox, and what stands on it off before; nothing where it is not there.
fn leave_sandbox(kernel: &mut LinuxKernel, step: &ReturnDevice) -> Result<(), KernelError> {
    let Ok(netlink) = kernel.netlink(Place::Sandbox) else { return Ok(()) };
    let links = link::all(netlink)?;
    // By what it is, never by a name: the sandbox may have renamed it.
    let by_tag = || links.iter().find(|found| is_tagged(found, step));
    let of_it = links.iter().find(|found| found.parent == Some(step.device)).or_else(by_tag);
    let Some(found) = of_it else {
        return Ok(());
    };
    uppers::delete_here(netlink, &links, found.index)?;
    if found.master.is_some() {
        let message = numbered(found.index, vec![LinkAttribute::Controller(0)]);
        link::set(netlink, message).map_err(refused(
            "take",
            format_args!("{} from what it is enslaved to", step.device),
        ))?;
    }
    bring_home(kernel, step, found)
}

/// Whether it is a device that was given whole, of a bus whose interfaces do not say what they belong to: it keeps its number and our tag.
/// What we make is tagged too, but stands on something.
fn is_tagged(found: &Link, step: &ReturnDevice) -> bool {
    let is_ours = |tag: &str| found.alias.as_ref().is_some_and(|alias| *alias == *tag);
    let is_device = found.parent.is_none() && found.below.is_none();
    let tagged = step.whole.as_ref().is_some_and(|whole| is_ours(&whole.tag.to_string()));
    is_device && found.index == step.baseline.index && tagged
}

/// One message: out of the sandbox, under the old name and number, with the old settings.
fn bring_home(
    kernel: &mut LinuxKernel,
    step: &ReturnDevice,
    found: &Link,
) -> Result<(), KernelError> {
    let host = netns::own()?;
    let object = format!("{} out of the sandbox as {}", step.device, step.baseline.name);
    let netlink = kernel.netlink(Place::Sandbox)?;
    let foreign = found.altnames.difference(&step.baseline.altnames).collect();
    link::altnames(netlink, found.index, &foreign, false)
        .map_err(refused("take alternative names of", object.clone()))?;
    let name = step.baseline.name.clone();
    let same_number = (found.index != step.baseline.index).then_some(step.baseline.index);
    let mut tries = vec![(name.clone(), same_number), (name, None), (temporary_name(step), None)];
    tries.dedup();
    let mut refusal = None;
    for (name, number) in tries {
        let mut attributes = vec![into_namespace(host.as_raw_fd()), link::named(&name)];
        attributes.extend(
            number.and_then(|number| i32::try_from(number).ok()).map(LinkAttribute::NewIfIndex),
        );
        let mut message = numbered(found.index, attributes);
        // Moving closes the link, and it stays so until all is as before.
        add_settings(&mut message, &Link { up: false, ..found.clone() }, &step.baseline);
        match link::set(netlink, message) {
            Ok(()) => return Ok(()),
            // The name or the number is somebody else's by now: home first, then say so.
            Err(found) if matches!(found.errno, Errno::EEXIST | Errno::EBUSY) => {
                refusal = Some(found);
            }
            Err(found) => return settings_refused(kernel, step, found),
        }
    }
    Err(refused("move", object)(refusal.unwrap_or(Refusal { errno: Errno::EBUSY, text: None })))
}

/// A setting that was refused after the move has been looked at again in the host; anything else is an error.
fn settings_refused(
    kernel: &mut LinuxKernel,
    step: &ReturnDevice,
    refusal: Refusal,
) -> Result<(), KernelError> {
    if kernel.sysfs.interface_of(step.device).is_some() {
        return Ok(());
    }
    Err(refused("move", format_args!("{} out of the sandbox", step.device))(refusal))
}

/// The interface in the host, waited for until `deadline`; `None` when the device itself is no more.
fn await_home(
    kernel: &mut LinuxKernel,
    step: &ReturnDevice,
    deadline: Deadline,
) -> Result<Option<Link>, KernelError> {
    let mut events: Option<Netlink> = None;
    loop {
        if !kernel.sysfs.exists(step.device) {
            tracing::warn!(device = %step.device, "the device no longer exists; there is nothing to put back");
            return Ok(None);
        }
        if let Some(found) = link::of_device(kernel, step.device)? {
            return Ok(Some(found));
        }
        if kernel.sysfs.driver(step.device).is_none() {
            // It is not on its way, and waiting makes no driver.
            let reason = "no driver is bound to it, so it has no interface to bring back; bind its driver, then `vfhook reconcile`";
            return Err(KernelError::absent(step.device.to_string(), reason));
        }
        let Some(heard) = &mut events else {
            // Listen first, then look once more, so that nothing is missed between the two.
            events = Some(
                Netlink::link_events()
                    .map_err(KernelError::refused("listen to", "interface events"))?,
            );
            continue;
        };
        if deadline.passed() {
            let reason = "its interface did not come back to the host in time: something holds the sandbox's namespace open";
            return Err(KernelError::absent(step.device.to_string(), reason));
        }
        heard
            .heard(deadline.remaining().min(PATIENCE))
            .map_err(KernelError::refused("listen to", "interface events"))?;
    }
}

/// A name of our own that nobody else has, for a device whose old name is taken.
fn temporary_name(step: &ReturnDevice) -> KernelText {
    (&InterfaceName::ours(u64::from(step.baseline.index))).into()
}
