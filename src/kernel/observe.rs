//! Looks at one device and one sandbox, as far as a plan needs to know.

use crate::kernel::{
    KernelError, LinuxKernel, features,
    rtnetlink::{interface_sysctls, link, route_message, vf},
    usage,
};
use crate::{
    inventory::{Candidate, Device, RouteFamilies, SandboxFacts, Sysctls, Unusable},
    plan::step::Place,
    types::{MacAddress, PciAddress},
};

/// What is in the sandbox.
pub(super) fn sandbox(
    kernel: &mut LinuxKernel,
    routes: RouteFamilies,
) -> Result<SandboxFacts, KernelError> {
    let links = link::all(kernel.netlink(Place::Sandbox)?)?;
    let routes = route_message::all(kernel.netlink(Place::Sandbox)?, routes, &links)?;
    let (routes, tables) = SandboxFacts::by_table(routes);
    let sandbox = kernel.sandbox()?;
    let ipv6 = sandbox.inside(|| sandbox.sysctls.ipv6())?;
    let names = links.iter().flat_map(|link| link.altnames.iter().chain([&link.name]).cloned());
    Ok(SandboxFacts {
        netns: sandbox.identity.clone(),
        names: names.collect(),
        macs: links.iter().filter_map(|link| link.mac).collect(),
        routes,
        tables,
        ipv6,
    })
}

/// One VF. Reads its attributes on the card only if `attributes`, since that costs the driver a look at all VFs.
pub(super) fn device(
    kernel: &mut LinuxKernel,
    candidate: &Candidate,
    attributes: bool,
) -> Result<Result<Device, Unusable>, KernelError> {
    let Some(driver) = kernel.sysfs.driver(candidate.address) else {
        return Ok(Err(Unusable::NoDriver));
    };
    let Some((mut link, message)) = link::whole_of_device(kernel, candidate.address)? else {
        return Ok(Err(Unusable::NoInterface { driver }));
    };
    let uses = usage::of(kernel, &mut link)?;
    let pf_mtu = kernel.sysfs.mtu(&candidate.pf_name);
    let mut device = Device {
        candidate: candidate.clone(),
        link,
        sysctls: Sysctls::default(),
        features: Vec::new(),
        attributes: None,
        driver,
        pf_mtu,
        uses,
    };
    if let Some(unusable) = device.unusable() {
        return Ok(Err(unusable));
    }
    device.sysctls = interface_sysctls::whole(&device.link.name, &message);
    // A driver that has none to tell of has none to be put back.
    device.features = features::requested(&kernel.host, &device.link.name).unwrap_or_default();
    if attributes {
        let pf = kernel.sysfs.pf_index(candidate)?;
        device.attributes = Some(vf::read(&mut kernel.host, pf, candidate)?);
    }
    Ok(Ok(device))
}

/// The MAC addresses that functions of one card have. The card's own list has those of VFs that have no interface here too.
pub(super) fn macs_of_card(
    kernel: &mut LinuxKernel,
    pf: PciAddress,
) -> Result<Vec<(PciAddress, MacAddress)>, KernelError> {
    let mut found = kernel.sysfs.macs_of_card(pf);
    if kernel.sysfs.vf(pf, 0).is_some() {
        if let Some(index) = kernel.sysfs.interface_index(pf) {
            let assigned = vf::assigned_macs(&mut kernel.host, index)?;
            let of = |(vf, mac)| Some((kernel.sysfs.vf(pf, vf)?, mac));
            found.extend(assigned.into_iter().filter_map(of));
        }
    }
    Ok(found)
}
