//! The attributes that a physical function's driver holds for its virtual functions (`IFLA_VFINFO_LIST`).

use std::collections::BTreeMap;

use netlink_packet_route::{
    RouteNetlinkMessage,
    link::{
        LinkAttribute, LinkExtentMask, LinkVfInfo, VfInfo, VfInfoLinkState, VfInfoMac, VfInfoRate,
        VfInfoSpoofCheck, VfInfoTrust, VfLinkState, VfVlan, VfVlanInfo,
        VlanProtocol as WireProtocol,
    },
};

use crate::{
    inventory::Candidate,
    kernel::{
        KernelError, Refusal,
        netlink::{
            attribute::{elements, find, word},
            socket::{Message, Netlink},
        },
        rtnetlink::{
            link::{self, numbered, refused},
            link_message::{self, attributes},
        },
    },
    types::{AdminMac, LinkState, MacAddress, VfAttributes, Vlan, VlanProtocol},
};

/// Of a link's message, and below it of one VF.
mod attribute {
    pub(super) const LIST: u16 = 22;
    pub(super) const MAC: u16 = 1;
    pub(super) const SPOOF_CHECK: u16 = 4;
    pub(super) const LINK_STATE: u16 = 5;
    pub(super) const RATE: u16 = 6;
    pub(super) const TRUST: u16 = 9;
    pub(super) const VLANS: u16 = 12;
}

/// Reads the attributes of a VF of the physical function with interface number `pf`. The answer has all VFs of
/// that function: asked at most once before and once after a change.
pub(crate) fn read(
    netlink: &mut Netlink,
    pf: u32,
    vf: &Candidate,
) -> Result<VfAttributes, KernelError> {
    let object = format!("vf {} of interface number {pf}", vf.index);
    let answer = ask(netlink, pf, &object)?;
    let parent = link_message::read(&answer).and_then(|link| link.parent);
    if parent.is_some_and(|parent| parent != vf.pf_address) {
        let reason = format!("that is no longer the interface of {}", vf.pf_address);
        return Err(KernelError::absent(object, reason));
    }
    listed(&answer.body, vf.index)
        .ok_or_else(|| KernelError::absent(object, "the driver does not list it"))
}

/// What the card was told of each of its VFs, by its number, in one question.
pub(crate) fn of_card(
    netlink: &mut Netlink,
    pf: u32,
) -> Result<BTreeMap<u32, VfAttributes>, KernelError> {
    let answer = ask(netlink, pf, &format!("the VFs of interface number {pf}"))?;
    Ok(all(&answer.body).collect())
}

/// The MAC addresses that the card was told to assign, by the number of the VF.
pub(crate) fn assigned_macs(
    netlink: &mut Netlink,
    pf: u32,
) -> Result<Vec<(u32, MacAddress)>, KernelError> {
    let answer = ask(netlink, pf, &format!("the VFs of interface number {pf}"))?;
    let assigned = all(&answer.body).filter_map(|(number, attributes)| match attributes.mac {
        Some(AdminMac::Assigned(mac)) => Some((number, mac)),
        _ => None,
    });
    Ok(assigned.collect())
}

fn ask(netlink: &mut Netlink, pf: u32, object: &str) -> Result<Message, KernelError> {
    let mask = LinkAttribute::ExtMask(vec![LinkExtentMask::Vf, LinkExtentMask::SkipStats]);
    let request = RouteNetlinkMessage::GetLink(numbered(pf, vec![mask]));
    netlink.get(request).map_err(refused("look at", object))
}

/// The attributes of VF `vf`, if the message about its physical function lists it.
pub(crate) fn listed(body: &[u8], vf: u32) -> Option<VfAttributes> {
    all(body).find(|(number, _)| *number == vf).map(|(_, attributes)| attributes)
}

/// All VFs that the message lists.
fn all(body: &[u8]) -> impl Iterator<Item = (u32, VfAttributes)> {
    let list = find(attributes(body), attribute::LIST);
    list.into_iter().flat_map(elements).filter_map(|(_, info)| parse(info))
}

/// Sets attributes of a VF in one message.
pub(crate) fn write(
    netlink: &mut Netlink,
    pf: u32,
    vf: u32,
    attributes: &VfAttributes,
) -> Result<(), Refusal> {
    let list = LinkAttribute::VfInfoList(vec![LinkVfInfo(encode(vf, attributes))]);
    link::set(netlink, numbered(pf, vec![list]))
}

fn encode(vf_id: u32, attributes: &VfAttributes) -> Vec<VfInfo> {
    let mac = attributes.mac.map(|mac| VfInfo::Mac(VfInfoMac::new(vf_id, &mac.bytes())));
    let vlan = attributes.vlan.map(|vlan| {
        let mut info = VfVlanInfo::default();
        info.vf_id = vf_id;
        info.vlan_id = u32::from(vlan.id);
        info.qos = u32::from(vlan.qos);
        info.protocol = match vlan.protocol {
            VlanProtocol::Ieee8021Q => WireProtocol::Ieee8021Q,
            VlanProtocol::Ieee8021Ad => WireProtocol::Ieee8021Ad,
        };
        VfInfo::VlanList(vec![VfVlan::Info(info)])
    });
    let rate = attributes.rate.map(|(min, max)| VfInfo::Rate(VfInfoRate::new(vf_id, min, max)));
    let spoof_check =
        attributes.spoof_check.map(|on| VfInfo::SpoofCheck(VfInfoSpoofCheck::new(vf_id, on)));
    let link_state = attributes.link_state.map(|state| {
        let state = match state {
            LinkState::Auto => VfLinkState::Auto,
            LinkState::Enable => VfLinkState::Enable,
            LinkState::Disable => VfLinkState::Disable,
        };
        VfInfo::LinkState(VfInfoLinkState::new(vf_id, state))
    });
    let trust = attributes.trust.map(|on| VfInfo::Trust(VfInfoTrust::new(vf_id, on)));
    [mac, vlan, rate, spoof_check, link_state, trust].into_iter().flatten().collect()
}

/// The number of a VF and its attributes. What the driver does not report stays `None`.
fn parse(info: &[u8]) -> Option<(u32, VfAttributes)> {
    let (number, mac) = find(info, attribute::MAC)?.split_at_checked(4)?;
    // Each begins with the VF's number; all bits set is the kernel's "not reported".
    let after_number = |kind, at: usize| word(find(info, kind)?.get(4 * at..)?);
    let switch = |kind| after_number(kind, 1).filter(|set| *set != u32::MAX).map(|set| set != 0);
    let attributes = VfAttributes {
        mac: mac.first_chunk().map(|mac| AdminMac::from_bytes(*mac)),
        vlan: find(info, attribute::VLANS).and_then(vlan),
        rate: after_number(attribute::RATE, 1).zip(after_number(attribute::RATE, 2)),
        spoof_check: switch(attribute::SPOOF_CHECK),
        link_state: after_number(attribute::LINK_STATE, 1).and_then(link_state),
        trust: switch(attribute::TRUST),
    };
    Some((word(number)?, attributes))
}

fn vlan(list: &[u8]) -> Option<Vlan> {
    const IEEE_802_1AD: [u8; 2] = [0x88, 0xa8];
    let (_, info) = elements(list).next()?;
    let protocol = match info.get(12..14) {
        Some(protocol) if protocol == IEEE_802_1AD => VlanProtocol::Ieee8021Ad,
        _ => VlanProtocol::Ieee8021Q,
    };
    Some(Vlan {
        id: u16::try_from(word(info.get(4..)?)?).ok()?,
        qos: u8::try_from(word(info.get(8..)?)?).ok()?,
        protocol,
    })
}

fn link_state(state: u32) -> Option<LinkState> {
    [LinkState::Auto, LinkState::Enable, LinkState::Disable]
        .get(usize::try_from(state).ok()?)
        .copied()
}
