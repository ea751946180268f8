//! Sets a machine up: cards with VFs, plain interfaces, and what a container engine put into a sandbox.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use ipnet::IpNet;

use super::{Card, Driver, FakeLink, LinkKind, Machine, Namespace, Vf};
use crate::{
    inventory::{Link, Route, Setting, Settings},
    types::{
        AdminMac, InterfaceName, KernelText, LinkState, MacAddress, PciAddress, VfAttributes, Vlan,
    },
};

/// The routing protocol number of routes that an administrator or a CNI plugin makes (`RTPROT_BOOT`).
const BY_OTHERS: u8 = 3;

/// A card to be put into a machine.
#[derive(Debug, Clone)]
pub struct CardTemplate {
    /// The address of its physical function; those of its VFs follow.
    pub address: PciAddress,
    /// The name of its interface; those of its VFs are made from it.
    pub name: InterfaceName,
    /// The addresses of the VFs that it has made and could make.
    pub vfs: Vec<PciAddress>,
    /// How its drivers behave.
    pub driver: Driver,
}

/// An interface as the kernel makes it: down, with nothing set.
pub fn plain_link(name: impl Into<KernelText>, mac: Option<MacAddress>) -> Link {
    Link {
        index: 0,
        name: name.into(),
        altnames: BTreeSet::new(),
        mac,
        permanent_mac: None,
        mtu: 1500,
        up: false,
        promiscuous: false,
        all_multicast: false,
        tx_queue_len: 1000,
        alias: None,
        master: None,
        below: None,
        settings: Some(Box::new(settings())),
        parent: None,
        addresses: Vec::new(),
    }
}

/// Settings that nobody touched.
fn settings() -> Settings {
    const MULTICAST: u32 = 0x1000;
    let sizes = [Setting::GsoMaxSize, Setting::GsoIpv4MaxSize, Setting::GroMaxSize];
    let mut numbers: BTreeMap<Setting, u32> = sizes.map(|size| (size, 65536)).into();
    numbers.insert(Setting::Group, 0);
    Settings { numbers, flags: MULTICAST, broadcast: Some([0xff; 6]), ..Settings::default() }
}

/// What a card enforces for a VF that nobody touched.
const UNTOUCHED: VfAttributes = VfAttributes {
    mac: Some(AdminMac::Unassigned),
    vlan: Some(Vlan { id: 0, qos: 0, protocol: crate::types::VlanProtocol::Ieee8021Q }),
    rate: Some((0, 0)),
    spoof_check: Some(true),
    link_state: Some(LinkState::Auto),
    trust: Some(false),
};

impl Machine {
    /// Puts a card with all of its VFs into the machine. `look` may change each VF before it is first seen; it is the
    /// same again when the VFs are made anew.
    pub fn add_card(
        &mut self,
        template: &CardTemplate,
        mut look: impl FnMut(usize, &mut Link, &mut VfAttributes),
    ) {
        let mut physical = plain_link(&template.name, None);
        physical.parent = Some(template.address);
        (physical.up, physical.mtu) = (true, template.driver.highest_mtu);
        self.host.insert(FakeLink::new(physical, LinkKind::Physical), None);
        let vf = |(index, address): (usize, &PciAddress)| {
            let name = KernelText::new(format!("{}v{index}", template.name));
            let mac = MacAddress::local(crate::types::digest(&address.to_string()));
            let mut link = plain_link(name, Some(mac));
            (link.parent, link.permanent_mac) = (Some(*address), Some(mac));
            let mut attributes = UNTOUCHED;
            look(index, &mut link, &mut attributes);
            Vf {
                address: *address,
                driver: Some(format!("{}vf", template.driver.name)),
                driver_override: None,
                attributes,
                fresh_attributes: attributes,
                fresh_link: Some(link),
                ids: (0x8086, 0x10ca),
                numa_node: 0,
            }
        };
        let vfs: Vec<Vf> = template.vfs.iter().enumerate().map(vf).collect();
        let total_vfs = u32::try_from(vfs.len()).unwrap_or(u32::MAX);
        let card = Card { total_vfs, num_vfs: 0, vfs, driver: template.driver.clone() };
        self.cards.insert(template.address, card);
        // 0 to any number is never refused.
        let _ = self.set_num_vfs(template.address, total_vfs);
    }
}

impl Namespace {
    /// Puts an interface of somebody else's here, up.
    pub fn add_link(&mut self, name: &InterfaceName, addresses: impl IntoIterator<Item = IpNet>) {
        let mac = MacAddress::local(crate::types::digest(name.as_str()));
        let mut facts = plain_link(name, Some(mac));
        facts.addresses = addresses.into_iter().collect();
        let mut link = FakeLink::new(facts, LinkKind::Foreign);
        link.go_up();
        self.insert(link, None);
    }

    /// Puts a tenant's link here that stands on the interface of a device, which may be in another namespace.
    pub fn add_upper(&mut self, name: &InterfaceName, device: PciAddress) {
        let mac = MacAddress::local(crate::types::digest(name.as_str()));
        let facts = plain_link(name, Some(mac));
        self.insert(FakeLink::new(facts, LinkKind::Tenants(device)), None);
    }

    /// Takes an interface of somebody else's away.
    pub fn remove_link(&mut self, name: &str) {
        self.links.retain(|_, link| link.kind != LinkKind::Foreign || !link.answers_to(name));
    }

    /// Adds somebody else's default route over a link that is here.
    pub fn add_default_route(&mut self, name: &str, gateway: IpAddr, metric: u32) {
        let to = match gateway {
            IpAddr::V4(_) => ipnet::Ipv4Net::default().into(),
            IpAddr::V6(_) => ipnet::Ipv6Net::default().into(),
        };
        let Some(link) = self.link_mut(name) else { return };
        let interface = link.facts.name.clone();
        link.routes.push(Route {
            to,
            via: Some(gateway),
            interface,
            source: None,
            onlink: false,
            metric,
            protocol: BY_OTHERS,
            table: Route::MAIN,
            other: Vec::new(),
        });
    }
}
