//! What goes along with an interface when it moves (`inventory::Settings`): read from a message about a link, and put into a request that
//! sets it as it was. Sends nothing.

use netlink_packet_core::DefaultNla;
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkMessage};

use crate::{
    inventory::{Setting, Settings, XdpMode},
    kernel::netlink::attribute::{elements, word},
};

mod attribute {
    pub(super) const BROADCAST: u16 = 2;
    pub(super) const LINK_MODE: u16 = 17;
    pub(super) const GROUP: u16 = 27;
    pub(super) const PROMISCUITY: u16 = 30;
    pub(super) const PROTOCOL_DOWN: u16 = 39;
    pub(super) const GSO_MAX_SEGMENTS: u16 = 40;
    pub(super) const GSO_MAX_SIZE: u16 = 41;
    pub(super) const XDP: u16 = 43;
    pub(super) const GRO_MAX_SIZE: u16 = 58;
    pub(super) const ALL_MULTICAST: u16 = 61;
    pub(super) const GSO_IPV4_MAX_SIZE: u16 = 63;
    pub(super) const GRO_IPV4_MAX_SIZE: u16 = 64;
}

/// Below [`attribute::XDP`].
mod xdp {
    pub(super) const DESCRIPTOR: u16 = 1;
    pub(super) const FLAGS: u16 = 3;
    pub(super) const NATIVE_PROGRAM: u16 = 5;
    pub(super) const GENERIC_PROGRAM: u16 = 6;
    pub(super) const OFFLOADED_PROGRAM: u16 = 7;
}

/// The bit of a kind whose value is attributes.
const NESTED: u16 = 0x8000;

/// The flags that `RTM_SETLINK` sets besides up, promiscuous and all multicast: debug, no trailers, no ARP, multicast, port
/// selection, automatic media, dynamic.
const FLAGS: u32 = 0x4 | 0x20 | 0x80 | 0x1000 | 0x2000 | 0x4000 | 0x8000;

/// The settings in a link's message.
pub(crate) fn read(flags: u32, attributes: &[u8]) -> Settings {
    let mut found = Settings { flags: flags & FLAGS, ..Settings::default() };
    for (kind, value) in elements(attributes) {
        match kind {
            attribute::BROADCAST => found.broadcast = value.try_into().ok(),
            attribute::PROMISCUITY => found.promiscuity = word(value).unwrap_or(0),
            attribute::ALL_MULTICAST => found.all_multicast = word(value).unwrap_or(0),
            attribute::XDP => found.xdp.extend(elements(value).filter_map(program)),
            _ => {
                let number = setting(kind).zip(number(value));
                found.numbers.extend(number);
            }
        }
    }
    found
}

fn setting(kind: u16) -> Option<Setting> {
    Some(match kind {
        attribute::GROUP => Setting::Group,
        attribute::LINK_MODE => Setting::LinkMode,
        attribute::PROTOCOL_DOWN => Setting::ProtocolDown,
        attribute::GSO_MAX_SIZE => Setting::GsoMaxSize,
        attribute::GSO_MAX_SEGMENTS => Setting::GsoMaxSegments,
        attribute::GRO_MAX_SIZE => Setting::GroMaxSize,
        attribute::GSO_IPV4_MAX_SIZE => Setting::GsoIpv4MaxSize,
        attribute::GRO_IPV4_MAX_SIZE => Setting::GroIpv4MaxSize,
        _ => return None,
    })
}

/// The attribute of a setting with this value.
fn encoded(setting: Setting, value: u32) -> LinkAttribute {
    let bytes = value.to_ne_bytes().to_vec();
    let byte = || u8::try_from(value).map_or(Vec::new(), |byte| vec![byte]);
    let (kind, bytes) = match setting {
        Setting::Group => (attribute::GROUP, bytes),
        Setting::LinkMode => (attribute::LINK_MODE, byte()),
        Setting::ProtocolDown => (attribute::PROTOCOL_DOWN, byte()),
        Setting::GsoMaxSize => (attribute::GSO_MAX_SIZE, bytes),
        Setting::GsoMaxSegments => (attribute::GSO_MAX_SEGMENTS, bytes),
        Setting::GroMaxSize => (attribute::GRO_MAX_SIZE, bytes),
        Setting::GsoIpv4MaxSize => (attribute::GSO_IPV4_MAX_SIZE, bytes),
        Setting::GroIpv4MaxSize => (attribute::GRO_IPV4_MAX_SIZE, bytes),
    };
    LinkAttribute::Other(DefaultNla::new(kind, bytes))
}

/// A number of one byte or of four.
fn number(value: &[u8]) -> Option<u32> {
    match value {
        [byte] => Some(u32::from(*byte)),
        _ => word(value),
    }
}

fn program((kind, value): (u16, &[u8])) -> Option<(XdpMode, u32)> {
    let mode = match kind {
        xdp::GENERIC_PROGRAM => XdpMode::Generic,
        xdp::NATIVE_PROGRAM => XdpMode::Native,
        xdp::OFFLOADED_PROGRAM => XdpMode::Offloaded,
        _ => return None,
    };
    Some((mode, word(value)?))
}

/// Adds to `message` what makes `now` be as `before` was. An XDP program of before cannot be brought back; one that was not there
/// is taken off. Counts of listeners follow those who listen.
pub(crate) fn add(message: &mut LinkMessage, now: &Settings, before: &Settings) {
    message
        .attributes
        .extend(now.to_set(before).into_iter().map(|(setting, value)| encoded(setting, value)));
    if let Some(address) = before.broadcast.filter(|_| now.broadcast != before.broadcast) {
        message.attributes.push(LinkAttribute::Broadcast(address.to_vec()));
    }
    let changed = LinkFlags::from_bits_retain((now.flags ^ before.flags) & FLAGS);
    message.header.change_mask |= changed;
    message.header.flags |= LinkFlags::from_bits_retain(before.flags) & changed;
    message.attributes.extend(foreign_programs(now, before).next());
}

/// The attributes that take XDP programs off which were not there before. Each needs a message of its own: the kernel reads one
/// attribute of a kind.
pub(crate) fn foreign_programs(
    now: &Settings,
    before: &Settings,
) -> impl Iterator<Item = LinkAttribute> {
    let foreign = now.xdp.iter().filter(|(mode, program)| before.xdp.get(mode) != Some(*program));
    foreign.map(|(mode, _)| without_program(*mode))
}

fn without_program(mode: XdpMode) -> LinkAttribute {
    let flag: u32 = match mode {
        XdpMode::Generic => 2,
        XdpMode::Native => 4,
        XdpMode::Offloaded => 8,
    };
    let mut nested = Vec::new();
    for (kind, value) in
        [(xdp::DESCRIPTOR, (-1_i32).to_ne_bytes()), (xdp::FLAGS, flag.to_ne_bytes())]
    {
        nested.extend(8_u16.to_ne_bytes());
        nested.extend(kind.to_ne_bytes());
        nested.extend(value);
    }
    LinkAttribute::Other(DefaultNla::new(attribute::XDP | NESTED, nested))
}
