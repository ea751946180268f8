//! Devices that may be given whole: put into a machine, found, looked at, and given back what the host had on them.

use super::{FakeLink, LinkKind, Machine, build::plain_link, session::Session};
use crate::{
    inventory::{HexBytes, HostDevice, Kept, KeptPart, Route, Sysctls, Unusable, Use, WholeDevice},
    kernel::KernelError,
    plan::step::{Place, WholeHome},
    types::{DeviceName, DeviceSelector, InterfaceName, MacAddress, PciAddress, digest},
};

impl Machine {
    /// Puts a card without VFs into the machine, up.
    pub fn add_whole_device(
        &mut self,
        address: PciAddress,
        name: &InterfaceName,
        addresses: impl IntoIterator<Item = ipnet::IpNet>,
    ) {
        let mut facts = plain_link(name, Some(MacAddress::local(digest(name.as_str()))));
        (facts.parent, facts.permanent_mac) = (Some(address), facts.mac);
        facts.addresses = addresses.into_iter().collect();
        let mut link = FakeLink::new(facts, LinkKind::Physical);
        link.go_up();
        self.whole.insert(address);
        self.host.insert(link, None);
    }
}

pub(super) fn find(machine: &Machine, selector: &DeviceSelector) -> Vec<HostDevice> {
    let named = |link: &FakeLink| {
        let called = |name: &DeviceName| match name {
            DeviceName::Interface(name) => {
                link.facts.name == *name || link.facts.altnames.contains(name)
            }
            DeviceName::Address(address) => link.facts.parent == Some(*address),
        };
        selector.interface.is_empty() || selector.interface.iter().any(called)
    };
    let has_mac = |link: &FakeLink| {
        selector.mac.is_empty() || link.facts.mac.is_some_and(|mac| selector.mac.contains(&mac))
    };
    let links = machine.host.links.values().filter(|link| named(link) && has_mac(link));
    let found = links.filter_map(|link| {
        let address = link.facts.parent.filter(|address| selector.wants_address(*address))?;
        Some(HostDevice { address, name: link.facts.name.clone() })
    });
    let mut found: Vec<HostDevice> = found.collect();
    found.sort_by_key(|device| device.address);
    found
}

pub(super) fn look(machine: &Machine, device: &HostDevice) -> Result<WholeDevice, Unusable> {
    let address = device.address;
    let mut links = machine.host.links.values();
    let Some(link) = links.find(|link| link.facts.parent == Some(address)) else {
        return Err(Unusable::NoInterface { driver: "fake".to_owned() });
    };
    let mut uses = Use::shown_by(&link.facts, |_| None);
    uses.retain(|found| !matches!(found, Use::Address(_)));
    let leads = link.routes.iter().filter(|route| route.to.prefix_len() == 0);
    uses.extend(leads.map(|route| Use::Route(route.to, route.table)));
    if let Some(card) = machine.cards.get(&address).filter(|card| card.num_vfs > 0) {
        uses.push(Use::MakesVfs(card.made().count()));
    }
    if machine.card_of(address).is_some() {
        uses.push(Use::VfOf(link.facts.name.clone()));
    }
    let device = WholeDevice {
        address,
        link: link.facts.clone(),
        sysctls: Sysctls(link.sysctls.clone()),
        features: link.features.clone(),
        driver: "fake".to_owned(),
        kept: kept(link),
        uses,
    };
    device.unusable().map_or(Ok(device), Err)
}

/// The fake's messages are its own words.
fn kept(link: &FakeLink) -> Kept {
    let part = |what: String, message: Vec<u8>| KeptPart { what, message: HexBytes(message) };
    let addresses = link.facts.addresses.iter();
    let addresses = addresses.map(|one| part(one.to_string(), one.to_string().into_bytes()));
    let routes = link.routes.iter().filter_map(|route| {
        let message = serde_json::to_vec(route).ok()?;
        Some(part(route.to.to_string(), message))
    });
    let neighbours = link
        .neighbours
        .iter()
        .map(|(address, mac)| part(address.to_string(), format!("{address} {mac}").into_bytes()));
    Kept {
        addresses: addresses.collect(),
        routes: routes.collect(),
        neighbours: neighbours.collect(),
        ..Kept::default()
    }
}

/// What the host had on the link, again. What the fake cannot read it did not write, and whoever compares the host sees it missing.
pub(super) fn put_back(
    session: &mut Session,
    index: u32,
    whole: &WholeHome,
) -> Result<(), KernelError> {
    let link = session.numbered(Place::Host, index)?;
    let text = |part: &KeptPart| String::from_utf8_lossy(&part.message.0).into_owned();
    for address in whole.kept.addresses.iter().filter_map(|part| text(part).parse().ok()) {
        link.add_address(address);
    }
    let routes = whole.kept.routes.iter();
    for route in routes.filter_map(|part| serde_json::from_slice::<Route>(&part.message.0).ok()) {
        if !link.routes.contains(&route) {
            link.routes.push(route);
        }
    }
    let neighbours = whole.kept.neighbours.iter().filter_map(|part| {
        let text = text(part);
        let (address, mac) = text.split_once(' ')?;
        Some((address.parse::<std::net::IpAddr>().ok()?, mac.parse::<MacAddress>().ok()?))
    });
    link.neighbours.extend(neighbours);
    Ok(())
}
