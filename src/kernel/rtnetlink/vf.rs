//! The attributes that a physical function's driver holds for its virtual functions (`IFLA_VFINFO_LIST`).

use netlink_packet_route::{
    RouteNetlinkMessage,
    link::{
        LinkAttribute, LinkExtentMask, LinkMessage, LinkVfInfo, VfInfo, VfInfoLinkState, VfInfoMac,
        VfInfoRate, VfInfoSpoofCheck, VfInfoTrust, VfLinkState, VfVlan, VfVlanInfo,
        VlanProtocol as WireProtocol,
    },
};

use crate::kernel::{
    KernelError, Refusal,
    netlink::socket::Netlink,
    rtnetlink::link::{self, numbered, refused},
};
use crate::types::{AdminMac, LinkState, VfAttributes, Vlan, VlanProtocol};

/// Reads the attributes of VF `vf` of the physical function with interface number `pf`. The answer has all VFs of
/// that function: asked at most once before and once after a change.
pub(crate) fn read(netlink: &mut Netlink, pf: u32, vf: u32) -> Result<VfAttributes, KernelError> {
    let mask = LinkAttribute::ExtMask(vec![LinkExtentMask::Vf, LinkExtentMask::SkipStats]);
    let object = format!("vf {vf} of interface number {pf}");
    let request = RouteNetlinkMessage::GetLink(numbered(pf, vec![mask]));
    let answer = netlink.get(request).map_err(refused("look at", object.clone()))?;
    let RouteNetlinkMessage::NewLink(message) = answer else {
        return Err(KernelError::Answer {
            operation: "look at a VF",
            reason: "not a link".to_owned(),
        });
    };
    listed(&message, vf).ok_or_else(|| KernelError::absent(object, "the driver does not list it"))
}

/// The attributes of VF `vf`, if the message lists it.
pub(crate) fn listed(message: &LinkMessage, vf: u32) -> Option<VfAttributes> {
    let lists = message.attributes.iter().filter_map(|attribute| match attribute {
        LinkAttribute::VfInfoList(list) => Some(list),
        _ => None,
    });
    let mut found = lists.flatten().map(parse);
    found.find(|(number, _)| *number == Some(vf)).map(|(_, attributes)| attributes)
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
fn parse(info: &LinkVfInfo) -> (Option<u32>, VfAttributes) {
    let mut number = None;
    let mut attributes = VfAttributes::default();
    for part in &info.0 {
        match part {
            VfInfo::Mac(mac) => {
                number = Some(mac.vf_id);
                let bytes = mac.mac.first_chunk::<6>().copied().unwrap_or_default();
                attributes.mac = Some(AdminMac::from_bytes(bytes));
            }
            VfInfo::VlanList(list) => attributes.vlan = list.iter().find_map(vlan),
            VfInfo::Rate(rate) => attributes.rate = Some((rate.min_tx_rate, rate.max_tx_rate)),
            VfInfo::SpoofCheck(check) => attributes.spoof_check = Some(check.enabled),
            VfInfo::LinkState(link) => attributes.link_state = link_state(link.state),
            VfInfo::Trust(trust) => attributes.trust = Some(trust.enabled),
            _ => {}
        }
    }
    (number, attributes)
}

fn vlan(vlan: &VfVlan) -> Option<Vlan> {
    let VfVlan::Info(info) = vlan else { return None };
    let protocol = match info.protocol {
        WireProtocol::Ieee8021Ad => VlanProtocol::Ieee8021Ad,
        _ => VlanProtocol::Ieee8021Q,
    };
    Some(Vlan {
        id: u16::try_from(info.vlan_id).ok()?,
        qos: u8::try_from(info.qos).ok()?,
        protocol,
    })
}

fn link_state(state: VfLinkState) -> Option<LinkState> {
    match state {
        VfLinkState::Auto => Some(LinkState::Auto),
        VfLinkState::Enable => Some(LinkState::Enable),
        VfLinkState::Disable => Some(LinkState::Disable),
        _ => None,
    }
}
