//! Makes links in the sandbox and between it and the host. Brings none up.

use std::fmt;

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::{
    RouteNetlinkMessage,
    link::{
        InfoData, InfoIpVlan, InfoKind, InfoMacVlan, InfoVeth, InfoVlan, IpVlanMode, LinkAttribute,
        LinkInfo, LinkMessage, MacVlanMode, VlanProtocol as Protocol, VlanQosMapping,
    },
};
use nix::errno::Errno;

use super::{
    ask,
    link::{by_name, message_with, numbered, refused, set},
};
use crate::{
    inventory::Link,
    kernel::{KernelError, LinuxKernel},
    plan::step::{CreateIpvlan, CreateMacvlan, CreateVeth, CreateVlan, Place},
    types::{InterfaceName, IpvlanMode, KernelText, MacAddress, MacvlanMode, Upper, VlanProtocol},
};

/// A pair that is told nothing has a queue for each processor, each with directories of its own in sysfs, and uses none of them: it has
/// no queueing discipline and takes no lock to send.
const ONE_QUEUE: [LinkAttribute; 2] =
    [LinkAttribute::NumTxQueues(1), LinkAttribute::NumRxQueues(1)];

/// Makes a macvlan device in the sandbox.
pub(crate) fn macvlan(kernel: &mut LinuxKernel, step: &CreateMacvlan) -> Result<(), KernelError> {
    let mode = match step.mode {
        MacvlanMode::Bridge => MacVlanMode::Bridge,
        MacvlanMode::Private => MacVlanMode::Private,
        MacvlanMode::Vepa => MacVlanMode::Vepa,
        MacvlanMode::Passthru => MacVlanMode::Passthrough,
    };
    let info = vec![
        LinkInfo::Kind(InfoKind::MacVlan),
        LinkInfo::Data(InfoData::MacVlan(vec![InfoMacVlan::Mode(mode)])),
    ];
    let number = step.mac.bytes().iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
    let upper = Standing {
        what: Upper::Macvlan(step.mode),
        parent: (step.parent_index, &step.parent),
        name: &step.name,
        passing_name: InterfaceName::ours(number),
        own: Own::Mac(step.mac),
        mtu: step.mtu,
    };
    stand(kernel, &upper, info)
}

/// Makes an ipvlan device in the sandbox. The mode is always said: that of the kernel's own choice is another, and would become that of
/// all that are there.
pub(crate) fn ipvlan(kernel: &mut LinuxKernel, step: &CreateIpvlan) -> Result<(), KernelError> {
    let mode = match step.mode {
        IpvlanMode::L2 => IpVlanMode::L2,
        IpvlanMode::L3 => IpVlanMode::L3,
    };
    let info = vec![
        LinkInfo::Kind(InfoKind::IpVlan),
        LinkInfo::Data(InfoData::IpVlan(vec![InfoIpVlan::Mode(mode)])),
    ];
    let upper = Standing {
        what: Upper::Ipvlan(step.mode),
        parent: (step.parent_index, &step.parent),
        name: &step.name,
        passing_name: InterfaceName::ours(step.group.into()),
        own: Own::Group(step.group),
        mtu: step.mtu,
    };
    stand(kernel, &upper, info)
}

/// Makes a VLAN interface in the sandbox. That the parent has one of that VLAN already the kernel says.
pub(crate) fn vlan(kernel: &mut LinuxKernel, step: &CreateVlan) -> Result<(), KernelError> {
    let protocol = match step.vlan.protocol {
        VlanProtocol::Ieee8021Q => Protocol::Ieee8021Q,
        VlanProtocol::Ieee8021Ad => Protocol::Ieee8021Ad,
    };
    let mut data = vec![InfoVlan::Id(step.vlan.id), InfoVlan::Protocol(protocol)];
    if step.vlan.qos != 0 {
        // What says no priority has 0.
        let usual = VlanQosMapping::Mapping(0, step.vlan.qos.into());
        data.push(InfoVlan::EgressQos(vec![usual]));
    }
    let upper = Standing {
        what: Upper::Vlan(step.vlan),
        parent: (step.parent_index, &step.parent),
        name: &step.name,
        passing_name: InterfaceName::ours(step.group.into()),
        own: Own::Group(step.group),
        mtu: step.mtu,
    };
    stand(
        kernel,
        &upper,
        vec![LinkInfo::Kind(InfoKind::Vlan), LinkInfo::Data(InfoData::Vlan(data))],
    )
}

/// A link that is made on a parent.
struct Standing<'a> {
    what: Upper,
    parent: (u32, &'a KernelText),
    name: &'a InterfaceName,
    /// What it is called until it has its name: no other link is.
    passing_name: InterfaceName,
    own: Own,
    mtu: Option<u32>,
}

/// What only the link has that is made.
#[derive(Clone, Copy)]
enum Own {
    Mac(MacAddress),
    Group(u32),
}

impl Own {
    fn is_of(self, link: &Link) -> bool {
        match self {
            Self::Mac(mac) => link.mac == Some(mac),
            Self::Group(group) => link.group() == Some(group),
        }
    }
}

fn stand(
    kernel: &mut LinuxKernel,
    upper: &Standing,
    info: Vec<LinkInfo>,
) -> Result<(), KernelError> {
    // Kernels before 6.15 look for the name in the host's namespace, and refuse one that the host has.
    let renamed = ask::index(&kernel.host, upper.name).is_ok_and(|found| found.is_some());
    if renamed && is_made(kernel, Place::Sandbox, upper.name, upper.own)? {
        return Ok(());
    }
    let first_name = if renamed { &upper.passing_name } else { upper.name };
    let (parent_index, parent) = upper.parent;
    let mut attributes = vec![
        LinkAttribute::NetNsFd(kernel.sandbox()?.descriptor()),
        LinkAttribute::IfName(first_name.to_string()),
        LinkAttribute::Link(parent_index),
        match upper.own {
            Own::Mac(mac) => LinkAttribute::Address(mac.bytes().to_vec()),
            Own::Group(group) => LinkAttribute::Group(group),
        },
        LinkAttribute::LinkInfo(info),
    ];
    attributes.extend(upper.mtu.map(LinkAttribute::Mtu));
    let what = match upper.what {
        Upper::Macvlan(MacvlanMode::Bridge) => "macvlan".to_owned(),
        what => what.to_string(),
    };
    create(
        kernel,
        message_with(attributes),
        Place::Sandbox,
        first_name,
        upper.own,
        format_args!("{what} {} on {parent} in the sandbox", upper.name),
    )?;
    if renamed { rename_inside(kernel, first_name, upper.name) } else { Ok(()) }
}

fn rename_inside(
    kernel: &mut LinuxKernel,
    from: &InterfaceName,
    to: &InterfaceName,
) -> Result<(), KernelError> {
    let index = kernel.index(Place::Sandbox, from)?;
    kernel.forget(Place::Sandbox, from);
    let message = numbered(index, vec![LinkAttribute::IfName(to.to_string())]);
    set(kernel.netlink(Place::Sandbox)?, message).map_err(refused("name", format_args!("{to}")))
}

/// Makes a veth pair whose other end is in the sandbox from its first moment. Both ends are down: what must be said of them
/// before they hear anything is said in between.
pub(crate) fn veth(kernel: &mut LinuxKernel, step: &CreateVeth) -> Result<(), KernelError> {
    let mut peer = vec![
        LinkAttribute::NetNsFd(kernel.sandbox()?.descriptor()),
        LinkAttribute::IfName(step.inside.to_string()),
        LinkAttribute::Address(step.inside_mac.bytes().to_vec()),
    ];
    peer.extend(ONE_QUEUE);
    peer.extend(step.mtu.map(LinkAttribute::Mtu));
    let peer = InfoData::Veth(InfoVeth::Peer(message_with(peer)));
    let mut pair = vec![
        LinkAttribute::IfName(step.host.to_string()),
        LinkAttribute::Address(step.host_mac.bytes().to_vec()),
        LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Veth), LinkInfo::Data(peer)]),
    ];
    pair.extend(ONE_QUEUE);
    pair.extend(step.mtu.map(LinkAttribute::Mtu));
    create(
        kernel,
        message_with(pair),
        Place::Host,
        &step.host,
        Own::Mac(step.host_mac),
        format_args!("veth {} with {} in the sandbox", step.host, step.inside),
    )
}

/// Makes a link; one that is there already with what is its own is the work of an earlier try.
fn create(
    kernel: &mut LinuxKernel,
    message: LinkMessage,
    place: Place,
    name: &InterfaceName,
    own: Own,
    object: fmt::Arguments,
) -> Result<(), KernelError> {
    kernel.forget(place, name);
    match kernel.host.change(RouteNetlinkMessage::NewLink(message), NLM_F_CREATE | NLM_F_EXCL) {
        Err(refusal) if refusal.errno == Errno::EEXIST && is_made(kernel, place, name, own)? => {
            Ok(())
        }
        other => other.map_err(refused("make", object)),
    }
}

/// Whether a link of this name is there with what only we give: the work of an earlier try.
fn is_made(
    kernel: &mut LinuxKernel,
    place: Place,
    name: &InterfaceName,
    own: Own,
) -> Result<bool, KernelError> {
    let there = by_name(kernel.netlink(place)?, name)?;
    Ok(there.is_some_and(|there| own.is_of(&there)))
}
