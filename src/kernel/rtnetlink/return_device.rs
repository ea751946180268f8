//! Brings a device's interface back to the host and makes it as it was, wherever it is and however it came there.
//!
//! The interface may still be in the sandbox; or in the host under any name, since a namespace that died gave it back; or
//! on its way, since that happens in a kernel worker some time after the last user of the namespace is gone.

use std::{collections::BTreeSet, os::fd::AsRawFd, time::Duration};

use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkMessage};
use nix::errno::Errno;

use crate::kernel::{
    KernelError, LinuxKernel, Refusal,
    netlink::socket::Netlink,
    netns,
    rtnetlink::{
        configure_vf,
        link::{self, into_namespace, numbered, refused},
    },
};
use crate::{
    inventory::Link,
    plan::step::{Place, ReturnDevice},
    types::{Deadline, InterfaceName, KernelText, MacAddress},
};

/// How long to wait for an event before looking again without one.
const PATIENCE: Duration = Duration::from_millis(250);

/// See [`crate::plan::step::Step::ReturnDevice`].
pub(crate) fn apply(
    kernel: &mut LinuxKernel,
    step: &ReturnDevice,
    deadline: Deadline,
) -> Result<(), KernelError> {
    if let Some(found) = in_sandbox(kernel, step)? {
        bring_home(kernel, step, &found)?;
    }
    let Some(home) = await_home(kernel, step, deadline)? else { return Ok(()) };
    make_as_before(kernel, step, home)
}

/// The interface of the device inside the sandbox.
fn in_sandbox(kernel: &mut LinuxKernel, step: &ReturnDevice) -> Result<Option<Link>, KernelError> {
    let Ok(netlink) = kernel.netlink(Place::Sandbox) else { return Ok(None) };
    // By what it is, never by a name: the sandbox may have renamed it.
    Ok(link::all(netlink)?.into_iter().find(|found| found.parent == Some(step.device)))
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
        // Moving closes the link.
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
    Err(refused("move", format!("{} out of the sandbox", step.device))(refusal))
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

/// Puts back whatever still differs, and proves that nothing does.
fn make_as_before(
    kernel: &mut LinuxKernel,
    step: &ReturnDevice,
    home: Link,
) -> Result<(), KernelError> {
    let object = || format!("{} ({})", step.device, step.baseline.name);
    let mut now = home;
    let mut before = step.baseline.clone();
    if !differences(&now, &before).is_empty() {
        before.mac = put_back(kernel, step, &now)?;
        let again = link::by_index(&mut kernel.host, now.index)?;
        now = again
            .ok_or_else(|| KernelError::absent(object(), "it vanished while it was put back"))?;
    }
    let left = differences(&now, &before);
    if left.is_empty() {
        Ok(())
    } else {
        Err(KernelError::Differs { object: object(), differences: left.join(", ") })
    }
}

/// The MAC address that it must have then; see [`configure_vf::adopt`].
fn put_back(
    kernel: &mut LinuxKernel,
    step: &ReturnDevice,
    now: &Link,
) -> Result<Option<MacAddress>, KernelError> {
    let before = &step.baseline;
    let object = format!("{} as {}", step.device, before.name);
    let host = &mut kernel.host;
    let foreign: BTreeSet<_> = now.altnames.difference(&before.altnames).collect();
    link::altnames(host, now.index, &foreign, false)
        .map_err(refused("take alternative names of", object.clone()))?;
    let mut message = numbered(now.index, Vec::new());
    let mut now = now.clone();
    if now.name != before.name {
        message.attributes.push(link::named(&before.name));
        if now.up {
            link::set_up(host, now.index, false).map_err(refused("set down", object.clone()))?;
            now.up = false;
        }
    }
    add_settings(&mut message, &now, before);
    if !message.attributes.is_empty() || !message.header.change_mask.is_empty() {
        link::set(host, message).map_err(refused("put back", object.clone()))?;
    }
    let missing: BTreeSet<_> = before.altnames.difference(&now.altnames).collect();
    link::altnames(host, now.index, &missing, true)
        .map_err(refused("give alternative names to", object.clone()))?;
    let Some(mac) = before.mac.filter(|mac| now.mac != Some(*mac)) else { return Ok(before.mac) };
    configure_vf::adopt(kernel, step.device, now.index, mac, before.permanent_mac).map(Some)
}

/// What one message can put back besides the name: MTU, alias, queue length, flags. The MAC is not among them: a
/// driver may want the link to go up and down for it.
fn add_settings(message: &mut LinkMessage, now: &Link, before: &Link) {
    if now.mtu != before.mtu {
        message.attributes.push(LinkAttribute::Mtu(before.mtu));
    }
    if now.alias != before.alias {
        message.attributes.push(link::noted(before.alias.as_ref()));
    }
    if now.tx_queue_len != before.tx_queue_len {
        message.attributes.push(LinkAttribute::TxQueueLen(before.tx_queue_len));
    }
    let mut flag = |flag: LinkFlags, now: bool, before: bool| {
        if now != before {
            message.header.change_mask |= flag;
            message.header.flags.set(flag, before);
        }
    };
    flag(LinkFlags::Promisc, now.promiscuous, before.promiscuous);
    flag(LinkFlags::Allmulti, now.all_multicast, before.all_multicast);
    flag(LinkFlags::Up, now.up, before.up);
}

/// What is not as it was. The number is not compared: the kernel may have had to give another.
fn differences(now: &Link, before: &Link) -> Vec<String> {
    let mut found = Vec::new();
    let mut compare = |field: &str, now: String, before: String| {
        if now != before {
            found.push(format!("{field} {now}, was {before}"));
        }
    };
    let show =
        |value: &Option<KernelText>| value.as_ref().map_or("none".to_owned(), ToString::to_string);
    compare("name", now.name.to_string(), before.name.to_string());
    compare("altnames", list(&now.altnames), list(&before.altnames));
    compare("mtu", now.mtu.to_string(), before.mtu.to_string());
    compare("alias", show(&now.alias), show(&before.alias));
    compare("txqueuelen", now.tx_queue_len.to_string(), before.tx_queue_len.to_string());
    compare("promiscuous", now.promiscuous.to_string(), before.promiscuous.to_string());
    compare("allmulticast", now.all_multicast.to_string(), before.all_multicast.to_string());
    compare("up", now.up.to_string(), before.up.to_string());
    if let Some(mac) = before.mac {
        compare(
            "mac",
            now.mac.map_or_else(|| "none".to_owned(), |mac| mac.to_string()),
            mac.to_string(),
        );
    }
    found
}

fn list(names: &BTreeSet<KernelText>) -> String {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(" ") }
}

/// A name of our own that nobody else has, for a device whose old name is taken.
fn temporary_name(step: &ReturnDevice) -> KernelText {
    (&InterfaceName::ours(u64::from(step.baseline.index))).into()
}
