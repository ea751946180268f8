//! Sets what the card enforces for a VF, reads it back, and makes the VF's interface use the MAC among it.

use netlink_packet_route::link::LinkAttribute;

use crate::kernel::{
    KernelError, LinuxKernel, Refusal,
    netlink::socket::Netlink,
    rtnetlink::{
        link::{self, numbered, refused},
        vf,
    },
};
use crate::{
    inventory::{Candidate, Link},
    plan::step::ConfigureVf,
    types::{AdminMac, MacAddress, PciAddress, VfAttribute, VfAttributes},
};

/// See [`crate::plan::step::Step::ConfigureVf`].
pub(crate) fn apply(kernel: &mut LinuxKernel, step: &ConfigureVf) -> Result<(), KernelError> {
    let object = step.device.to_string();
    if !kernel.sysfs.exists(step.device.address) {
        return Err(KernelError::DeviceGone(object));
    }
    let pf = kernel.sysfs.pf_index(&step.device)?;
    let refusal = write_until_settled(kernel, pf, step)?;
    if let Some(mac) = step.interface_mac.filter(|_| refusal.is_none()) {
        let found = link::of_device(kernel, step.device.address)?;
        let no_interface = "no interface on the host to give the MAC to";
        let index = found.ok_or_else(|| KernelError::absent(object.clone(), no_interface))?.index;
        adopt(kernel, step.device.address, index, mac, step.permanent_mac)?;
    }
    match refusal {
        Some(error) if step.forgiving => {
            tracing::warn!(%error, "best effort attribute left as it is");
            Ok(())
        }
        Some(error) => Err(error),
        None => Ok(()),
    }
}

/// Writes and reads back. The kernel stops at the first attribute that a driver refuses, so what it did not come to is
/// written once more without those that are as asked already (an attribute that was never changed may be refused
/// even when it is to keep its value). What still differs is the driver's refusal.
fn write_until_settled(
    kernel: &mut LinuxKernel,
    pf: u32,
    step: &ConfigureVf,
) -> Result<Option<KernelError>, KernelError> {
    let netlink = &mut kernel.host;
    let mut left = step.attributes;
    loop {
        let answer = vf::write(netlink, pf, step.device.index, &left);
        let found = vf::read(netlink, pf, &step.device)?;
        let differing = left.differing(&found);
        let Some(first) = differing.first() else { return Ok(None) };
        let next = VfAttribute::ALL
            .into_iter()
            .filter(|which| !differing.contains(which))
            .fold(left, VfAttributes::without);
        match answer {
            Err(_) if next != left => left = next,
            Err(refusal) => {
                return Ok(Some(attribute_refused(
                    &kernel.sysfs.driver_or_unknown(step.device.pf_address),
                    &step.device,
                    *first,
                    refusal,
                )));
            }
            Ok(()) => {
                return Ok(Some(KernelError::AttributeIgnored {
                    driver: kernel.sysfs.driver_or_unknown(step.device.pf_address),
                    object: step.device.to_string(),
                    asked: Box::new(next),
                    found: Box::new(found.masked_by(&next)),
                }));
            }
        }
    }
}

fn attribute_refused(
    driver: &str,
    device: &Candidate,
    which: VfAttribute,
    source: Refusal,
) -> KernelError {
    KernelError::AttributeRefused {
        driver: driver.to_owned(),
        attribute: which.to_string(),
        object: device.to_string(),
        source,
    }
}

/// Makes the host's interface `index` of a VF use `mac`, and its driver call it `permanent` where that is asked. Drivers of VFs
/// differ: some take the address at once, some only after the device went up and down and so learned from the physical
/// function what it may use (igbvf: EADDRNOTAVAIL before); and what was set becomes permanent when it goes up and down.
///
/// Gives what the interface uses now. That is another address where the card has assigned that one and lets the VF use no
/// other: a driver that had not learned it yet did so when the sandbox used the VF, as it would have for anybody.
pub(crate) fn adopt(
    kernel: &mut LinuxKernel,
    device: PciAddress,
    index: u32,
    mac: MacAddress,
    permanent: Option<MacAddress>,
) -> Result<MacAddress, KernelError> {
    let object = &device.to_string();
    let netlink = &mut kernel.host;
    let as_wanted = |found: &Link| {
        found.mac == Some(mac) && permanent.is_none_or(|wanted| found.permanent_mac == Some(wanted))
    };
    let before = look(netlink, index, object)?;
    if as_wanted(&before) {
        return Ok(mac);
    }
    go(netlink, index, false, object)?;
    go(netlink, index, true, object)?;
    go(netlink, index, false, object)?;
    let address = LinkAttribute::Address(mac.bytes().to_vec());
    let answer = link::set(netlink, numbered(index, vec![address]));
    if !as_wanted(&look(netlink, index, object)?) {
        go(netlink, index, true, object)?;
        go(netlink, index, false, object)?;
    }
    let used = look(netlink, index, object)?.mac;
    if before.up {
        go(netlink, index, true, object)?;
    }
    if used == Some(mac) {
        return Ok(mac);
    }
    if let Some(assigned) = assigned(kernel, device).filter(|assigned| used == Some(*assigned)) {
        tracing::warn!(%device, %assigned, had = %mac, "the card lets the VF use no other MAC address");
        return Ok(assigned);
    }
    let refusal = answer.err().unwrap_or_else(|| nix::errno::Errno::EADDRNOTAVAIL.into());
    Err(refused("set the MAC address of", format_args!("{object} to {mac}"))(refusal))
}

/// The MAC address that the card has assigned to a VF, where that can be known.
fn assigned(kernel: &mut LinuxKernel, device: PciAddress) -> Option<MacAddress> {
    let candidate = kernel.sysfs.candidate(device)?;
    let pf = kernel.sysfs.pf_index(&candidate).ok()?;
    match vf::read(&mut kernel.host, pf, &candidate).ok()?.mac? {
        AdminMac::Assigned(mac) => Some(mac),
        AdminMac::Unassigned => None,
    }
}

fn look(netlink: &mut Netlink, index: u32, object: &str) -> Result<Link, KernelError> {
    link::by_index(netlink, index)?
        .ok_or_else(|| KernelError::absent(object, "its interface vanished"))
}

fn go(netlink: &mut Netlink, index: u32, up: bool, object: &str) -> Result<(), KernelError> {
    link::set_up(netlink, index, up).map_err(refused("set up and down", object))
}
