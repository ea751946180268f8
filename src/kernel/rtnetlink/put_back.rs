//! Makes an interface that came back to the host as it was, and proves that it is. It must not move it.

use std::collections::BTreeSet;

use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkMessage};

use crate::kernel::{
    KernelError, LinuxKernel, features,
    netlink::socket::Netlink,
    rtnetlink::{
        configure_vf, interface_sysctls, kept,
        link::{self, numbered, refused},
        settings,
    },
    sysctl,
};
use crate::{
    inventory::{Link, Sysctls, differences, differing_sysctls},
    plan::step::ReturnDevice,
    types::MacAddress,
};

/// All of an interface that is put back.
struct Whole {
    link: Link,
    sysctls: Sysctls,
    features: Vec<u32>,
}

/// Puts back whatever differs of the device's interface, and proves that nothing does.
pub(crate) fn make_as_before(
    kernel: &mut LinuxKernel,
    step: &ReturnDevice,
) -> Result<(), KernelError> {
    let object = || format!("{} ({})", step.device, step.baseline.name);
    let mut now = look(kernel, step)?;
    let mut before = step.baseline.clone();
    if !all_differences(&now, &before, step).is_empty() {
        before.mac = put_back(kernel, step, &now)?;
        now = look(kernel, step)?;
    }
    let mut left = all_differences(&now, &before, step);
    if let Some(whole) = &step.whole {
        left.extend(kept::put_back(kernel, &now.link, &whole.kept)?);
    }
    // The host's own sysctls are nobody's secret, and whoever manages its interfaces may set them at the same moment.
    let (of_host, left): (Vec<_>, Vec<_>) =
        left.into_iter().partition(|difference| difference.starts_with("net/"));
    if !of_host.is_empty() {
        tracing::warn!(device = %step.device, "the host's own sysctls are not as before: {}", of_host.join(", "));
    }
    if left.is_empty() {
        return Ok(());
    }
    Err(KernelError::Differs { object: object(), differences: left.join(", ") })
}

fn look(kernel: &mut LinuxKernel, step: &ReturnDevice) -> Result<Whole, KernelError> {
    let object = || format!("{} ({})", step.device, step.baseline.name);
    let (link, message) = link::whole_of_device(kernel, step.device)?
        .ok_or_else(|| KernelError::absent(object(), "it vanished while it was put back"))?;
    let features = if step.features.is_empty() {
        Vec::new()
    } else {
        features::requested(&kernel.host, &link.name)
            .map_err(KernelError::refused("look at the features of", object()))?
    };
    let sysctls = match &step.whole {
        Some(_) => interface_sysctls::with_neighbours(&link.name, &message),
        None => interface_sysctls::whole(&link.name, &message),
    };
    Ok(Whole { link, sysctls, features })
}

fn all_differences(now: &Whole, before: &Link, step: &ReturnDevice) -> Vec<String> {
    let mut found = differences(&now.link, before);
    if now.features != step.features {
        found.push(format!("features {:x?}, were {:x?}", now.features, step.features));
    }
    let differing = differing_sysctls(&now.sysctls, &step.sysctls);
    found.extend(differing.map(|(key, was)| format!("net/{key} is not {was}")));
    found
}

/// The MAC address that it must have then; see [`configure_vf::adopt`].
fn put_back(
    kernel: &mut LinuxKernel,
    step: &ReturnDevice,
    now: &Whole,
) -> Result<Option<MacAddress>, KernelError> {
    let before = &step.baseline;
    let object = format!("{} as {}", step.device, before.name);
    let index = now.link.index;
    set(&mut kernel.host, before, &now.link, &object)?;
    for (key, value) in differing_sysctls(&now.sysctls, &step.sysctls) {
        if let Err(error) = sysctl::write_of(&before.name, key, value) {
            tracing::warn!(%error, %key, "a sysctl of the host's interface is not put back");
        }
    }
    if now.features != step.features {
        features::ask_for(&kernel.host, &before.name, &step.features)
            .map_err(KernelError::refused("put back the features of", object.clone()))?;
    }
    let mac = match before.mac.filter(|mac| now.link.mac != Some(*mac)) {
        Some(mac) => {
            Some(configure_vf::adopt(kernel, step.device, index, mac, before.permanent_mac)?)
        }
        None => before.mac,
    };
    if wants_more(&now.link, before) && !before.up {
        // The kernel counts anew who wants all packets only when an interface comes up: for what stood on it, it still wants them.
        for up in [true, false] {
            link::set_up(&mut kernel.host, index, up)
                .map_err(refused("set up and down", object.clone()))?;
        }
    }
    // Last, since it begins to speak then: what it may say is among the rest.
    if before.up && !now.link.up {
        link::set_up(&mut kernel.host, index, true).map_err(refused("set up", object))?;
    }
    Ok(mac)
}

/// Whether more listen to all packets than before.
fn wants_more(now: &Link, before: &Link) -> bool {
    let listeners = |link: &Link| link.settings.as_ref().map_or(0, |set| set.promiscuity);
    listeners(now) > listeners(before)
}

/// What netlink sets: names, settings, and that it is down where it was.
fn set(host: &mut Netlink, before: &Link, now: &Link, object: &str) -> Result<(), KernelError> {
    let foreign: BTreeSet<_> = now.altnames.difference(&before.altnames).collect();
    link::altnames(host, now.index, &foreign, false)
        .map_err(refused("take alternative names of", object))?;
    let mut message = numbered(now.index, Vec::new());
    let mut now = now.clone();
    if now.name != before.name {
        message.attributes.push(link::named(&before.name));
        if now.up {
            link::set_up(host, now.index, false).map_err(refused("set down", object))?;
            now.up = false;
        }
    }
    add_settings(&mut message, &now, before);
    if !message.attributes.is_empty() || !message.header.change_mask.is_empty() {
        link::set(host, message).map_err(refused("put back", object))?;
    }
    if let (Some(now_set), Some(before_set)) = (&now.settings, &before.settings) {
        for program in settings::foreign_programs(now_set, before_set).skip(1) {
            link::set(host, numbered(now.index, vec![program]))
                .map_err(refused("take an XDP program off", object))?;
        }
    }
    let missing: BTreeSet<_> = before.altnames.difference(&now.altnames).collect();
    link::altnames(host, now.index, &missing, true)
        .map_err(refused("give alternative names to", object))
}

/// What one message can put back besides the name: MTU, alias, queue length, flags and the other settings; also that it is down, but
/// not that it is up. The MAC is not among them: a driver may want the link to go up and down for it.
pub(crate) fn add_settings(message: &mut LinkMessage, now: &Link, before: &Link) {
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
    flag(LinkFlags::Up, now.up, now.up && before.up);
    if let (Some(now), Some(before)) = (&now.settings, &before.settings) {
        settings::add(message, now, before);
    }
}
