//! Devices of the host that may be given whole: which ones a selector meets, and one of them looked at. Judges nothing, changes nothing.

use std::{
    collections::BTreeSet,
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::{
    KernelError, LinuxKernel, features,
    rtnetlink::{interface_sysctls, kept, link, route_message},
    usage,
};
use crate::{
    inventory::{HostDevice, Link, Unusable, Use, WholeDevice},
    types::{DeviceName, DeviceSelector, KernelText, PciAddress},
};

/// Those that have an interface on the host and are what `selector` says, in the order of their addresses. A function with several
/// interfaces is there once.
pub(super) fn find(
    kernel: &mut LinuxKernel,
    selector: &DeviceSelector,
) -> Result<Vec<HostDevice>, KernelError> {
    let named = named(kernel, &selector.interface)?;
    let mut found: Vec<HostDevice> = Vec::new();
    for (name, address) in kernel.sysfs.all_with_device()? {
        let asked = selector.interface.is_empty() || named.contains(&name);
        if asked
            && selector.wants_address(address)
            && kernel.sysfs.matches(address, selector)
            && has_mac(kernel, address, selector)?
        {
            found.push(HostDevice { address, name });
        }
    }
    found.sort_by_key(|device| device.address);
    found.dedup_by_key(|device| device.address);
    Ok(found)
}

/// The main names of the interfaces that are called so; of one that is not there nothing is met.
fn named(
    kernel: &mut LinuxKernel,
    wanted: &[DeviceName],
) -> Result<BTreeSet<KernelText>, KernelError> {
    let mut found = BTreeSet::new();
    for name in wanted {
        let link = match name {
            DeviceName::Interface(name) => link::by_any_name(&mut kernel.host, name)?,
            DeviceName::Address(address) => link::of_device(kernel, *address)?,
        };
        found.extend(link.map(|link| link.name));
    }
    Ok(found)
}

fn has_mac(
    kernel: &mut LinuxKernel,
    device: PciAddress,
    selector: &DeviceSelector,
) -> Result<bool, KernelError> {
    if selector.mac.is_empty() {
        return Ok(true);
    }
    let link = link::of_device(kernel, device)?;
    Ok(link.and_then(|link| link.mac).is_some_and(|mac| selector.mac.contains(&mac)))
}

/// One of them, with all that the host has on it.
pub(super) fn look(
    kernel: &mut LinuxKernel,
    device: &HostDevice,
) -> Result<Result<WholeDevice, Unusable>, KernelError> {
    let address = device.address;
    let Some(driver) = kernel.sysfs.driver(address) else { return Ok(Err(Unusable::NoDriver)) };
    let Some((mut link, message)) = link::whole_of_device(kernel, address)? else {
        return Ok(Err(Unusable::NoInterface { driver }));
    };
    let mut uses = usage::of(kernel, &mut link)?;
    uses.retain(stays);
    uses.extend(ways_out(kernel, &link)?);
    uses.extend(as_function(kernel, address));
    uses.extend(sockets_of(&link));
    let (kept, against) = kept::look(kernel, &link)?;
    uses.extend(against);
    uses.sort();
    uses.dedup();
    let sysctls = interface_sysctls::with_neighbours(&link.name, &message);
    let features = features::requested(&kernel.host, &link.name).unwrap_or_default();
    let device = WholeDevice { address, link, sysctls, features, driver, kept, uses };
    Ok(match device.unusable() {
        Some(unusable) => Err(unusable),
        None => Ok(device),
    })
}

/// Whether a use is one that nothing brings back: routes are, but the host's own way out. One of a table of its own, which rules choose for
/// some packets only, is none.
fn stays(found: &Use) -> bool {
    const MAIN: u32 = 254;
    const DEFAULT: u32 = 253;
    match found {
        Use::Address(_) => false,
        Use::Route(to, table) => to.prefix_len() == 0 && [MAIN, DEFAULT].contains(table),
        _ => true,
    }
}

/// Whether what goes far leaves by it, whatever table and rule say so. Nothing is sent.
fn ways_out(kernel: &mut LinuxKernel, link: &Link) -> Result<Vec<Use>, KernelError> {
    let far: [(IpAddr, IpNet); 2] = [
        (Ipv4Addr::new(1, 0, 0, 1).into(), Ipv4Net::default().into()),
        (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 1).into(), Ipv6Net::default().into()),
    ];
    let mut uses = Vec::new();
    for (address, everywhere) in far {
        let way = route_message::way_to(&mut kernel.host, address)?;
        let way = way.filter(|(index, _)| *index == link.index);
        uses.extend(way.map(|(_, table)| Use::Route(everywhere, table)));
    }
    Ok(uses)
}

/// What a device is to others of the host.
fn as_function(kernel: &LinuxKernel, address: PciAddress) -> Vec<Use> {
    let sysfs = &kernel.sysfs;
    let mut uses = Vec::new();
    let vfs = (0..).map_while(|index| sysfs.vf(address, index)).count();
    uses.extend((vfs > 0).then_some(Use::MakesVfs(vfs)));
    uses.extend(sysfs.card_above(address).map(|card| {
        let name = sysfs.interface_of(card);
        Use::VfOf(name.unwrap_or_else(|| KernelText::new(card.to_string())))
    }));
    let ports = sysfs.interfaces_of(address).len();
    let several = format!("{ports} interfaces on one PCI function");
    uses.extend((ports > 1).then_some(Use::NotPutBack(several)));
    uses
}

/// The TCP sockets of the host that are bound to an address of the interface, connected or listening: whoever speaks to the API server
/// over it, or waits to be spoken to.
fn sockets_of(link: &Link) -> Vec<Use> {
    let own: BTreeSet<IpAddr> = link.addresses.iter().map(IpNet::addr).collect();
    if own.is_empty() {
        return Vec::new();
    }
    let mut found = BTreeSet::new();
    for table in ["tcp", "tcp6"] {
        let text = fs::read_to_string(format!("/proc/thread-self/net/{table}")).unwrap_or_default();
        found.extend(text.lines().skip(1).filter_map(local_address));
    }
    found
        .into_iter()
        .filter(|local| own.contains(&local.ip()))
        .map(|local| Use::Socket(local.ip(), local.port()))
        .collect()
}

/// The local address of a line of `/proc/net/tcp`, unless nobody has its socket any more.
fn local_address(line: &str) -> Option<SocketAddr> {
    const TIME_WAIT: &str = "06";
    const CLOSED: &str = "07";
    let mut words = line.split_whitespace().skip(1);
    let (local, _, state) = (words.next()?, words.next()?, words.next()?);
    (![TIME_WAIT, CLOSED].contains(&state)).then_some(())?;
    let (address, port) = local.split_once(':')?;
    // Words of the machine's own order.
    let word = |at: usize| {
        let digits = address.get(at * 8..at * 8 + 8)?;
        Some(u32::from_str_radix(digits, 16).ok()?.to_ne_bytes())
    };
    let address: IpAddr = match address.len() {
        8 => Ipv4Addr::from(word(0)?).into(),
        32 => {
            let bytes: Vec<u8> = [word(0)?, word(1)?, word(2)?, word(3)?].concat();
            IpAddr::from(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?)).to_canonical()
        }
        _ => return None,
    };
    Some(SocketAddr::new(address, u16::from_str_radix(port, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_is_known_by_its_own_address() {
        let read = |line: &str| local_address(line).map(|found| found.to_string());
        let line = "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000";
        assert_eq!(read(line).as_deref(), Some("127.0.0.1:8080"));
        assert_eq!(read(&line.replace(" 0A ", " 06 ")), None);
        let line = "   0: 0000000000000000FFFF00000100007F:0016 0:0 01 0";
        assert_eq!(read(line).as_deref(), Some("127.0.0.1:22"));
        for nonsense in ["", "0: 0100007F 0:0 01", "0: zz:16 0:0 01", "0: 0100007F:zz 0:0 01"] {
            assert_eq!(read(nonsense), None, "{nonsense}");
        }
    }
}
