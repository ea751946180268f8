//! Ethernet frames that ask who has an address, and what others' frames say of it. Bytes only.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::types::MacAddress;

/// The `EtherType` of ARP.
pub(super) const ARP: u16 = 0x0806;
/// The `EtherType` of IPv6.
pub(super) const IPV6: u16 = 0x86dd;

const ICMPV6: u8 = 58;
const SOLICITATION: u8 = 135;
const ADVERTISEMENT: u8 = 136;

/// A frame from `own` that asks whether somebody has `address`.
pub(super) fn question(address: IpAddr, own: MacAddress) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => arp_probe(address, own),
        IpAddr::V6(address) => solicitation(address, own),
    }
}

/// Who says in a frame that it has `address`, or asks for it as we do; `None` for a frame of our own and any other.
pub(super) fn claimant(frame: &[u8], address: IpAddr, own: MacAddress) -> Option<MacAddress> {
    let (header, body) = frame.split_at_checked(14)?;
    let from = mac_at(header, 6)?;
    let says = match (u16::from_be_bytes([header[12], header[13]]), address) {
        (ARP, IpAddr::V4(address)) => arp_claims(body, address),
        (IPV6, IpAddr::V6(address)) => icmp_claims(body, address),
        _ => false,
    };
    (says && from != own).then_some(from)
}

fn ethernet(to: [u8; 6], own: MacAddress, kind: u16) -> Vec<u8> {
    [&to[..], &own.bytes(), &kind.to_be_bytes()].concat()
}

/// A request whose sender has no address yet.
fn arp_probe(address: Ipv4Addr, own: MacAddress) -> Vec<u8> {
    let mut frame = ethernet([0xff; 6], own, ARP);
    // Ethernet and IPv4, lengths of both kinds of address, a request.
    frame.extend([0, 1, 8, 0, 6, 4, 0, 1]);
    frame.extend(own.bytes());
    frame.extend(Ipv4Addr::UNSPECIFIED.octets());
    frame.extend([0; 6]);
    frame.extend(address.octets());
    frame
}

/// Whether the sender has the address, or asks who has it without having one itself.
fn arp_claims(body: &[u8], address: Ipv4Addr) -> bool {
    let Some(body) = body.first_chunk::<28>() else { return false };
    let is_ethernet = body[..6] == [0, 1, 8, 0, 6, 4];
    let (sender, target) = (&body[14..18], &body[24..28]);
    let probes = body[6..8] == [0, 1] && sender == Ipv4Addr::UNSPECIFIED.octets();
    is_ethernet && (sender == address.octets() || (probes && target == address.octets()))
}

/// A neighbour solicitation from nobody to those whose addresses end like this one.
fn solicitation(address: Ipv6Addr, own: MacAddress) -> Vec<u8> {
    let [.., x, y, z] = address.octets();
    let group =
        Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00 | u16::from(x), u16::from_be_bytes([y, z]));
    let mut message = vec![SOLICITATION, 0, 0, 0, 0, 0, 0, 0];
    message.extend(address.octets());
    let sum = checksum(Ipv6Addr::UNSPECIFIED, group, &message);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    let mut frame = ethernet([0x33, 0x33, 0xff, x, y, z], own, IPV6);
    // Version 6, the length, ICMP, and a hop limit that no router has lowered.
    frame.extend([0x60, 0, 0, 0, 0, 24, ICMPV6, 255]);
    frame.extend(Ipv6Addr::UNSPECIFIED.octets());
    frame.extend(group.octets());
    frame.extend(message);
    frame
}

/// Whether it is an advertisement of the address, or a solicitation for it from nobody.
fn icmp_claims(body: &[u8], address: Ipv6Addr) -> bool {
    let Some((header, message)) = body.split_at_checked(40) else { return false };
    let Some(message) = message.first_chunk::<24>() else { return false };
    let is_neighbours = header[0] >> 4 == 6 && header[6] == ICMPV6 && header[7] == 255;
    let probes = message[0] == SOLICITATION && header[8..24] == [0; 16];
    is_neighbours && (message[0] == ADVERTISEMENT || probes) && message[8..24] == address.octets()
}

/// RFC 1071 over the pseudo header of RFC 8200, section 8.1, and the message.
fn checksum(from: Ipv6Addr, to: Ipv6Addr, message: &[u8]) -> u16 {
    let length = u8::try_from(message.len()).unwrap_or(u8::MAX);
    let bytes =
        [&from.octets()[..], &to.octets(), &[0, 0, 0, length, 0, 0, 0, ICMPV6], message].concat();
    let words = bytes.chunks(2).map(|pair| match pair {
        [high, low] => u32::from(u16::from_be_bytes([*high, *low])),
        [high] => u32::from(*high) << 8,
        _ => 0,
    });
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(u16::MAX)
}

fn mac_at(bytes: &[u8], at: usize) -> Option<MacAddress> {
    MacAddress::from_bytes(bytes.get(at..)?.first_chunk().copied()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &str = "02:00:00:00:00:01";
    const OTHER: &str = "02:00:00:00:00:02";

    fn said(frame: &[u8], address: &str) -> Option<String> {
        claimant(frame, address.parse().unwrap(), OWN.parse().unwrap()).map(|mac| mac.to_string())
    }

    fn asked(address: &str, by: &str) -> Vec<u8> {
        question(address.parse().unwrap(), by.parse().unwrap())
    }

    #[test]
    fn an_arp_answer_is_one_and_what_others_do_is_none() {
        let mut answer = asked("10.0.0.7", OTHER);
        answer[20..22].copy_from_slice(&[0, 2]);
        answer[28..32].copy_from_slice(&[10, 0, 0, 7]);
        assert_eq!(said(&answer, "10.0.0.7").as_deref(), Some(OTHER));
        assert_eq!(said(&answer, "10.0.0.8"), None);
        assert_eq!(said(&answer, "fd00::7"), None);
        for length in 0..answer.len() {
            assert_eq!(said(&answer[..length], "10.0.0.7"), None, "{length}");
        }
        // Somebody else looks for a neighbour at that address.
        let mut request = asked("10.0.0.7", OTHER);
        request[28..32].copy_from_slice(&[10, 0, 0, 9]);
        assert_eq!(said(&request, "10.0.0.7"), None);
        assert_eq!(said(&request, "10.0.0.9").as_deref(), Some(OTHER));
    }

    #[test]
    fn who_asks_at_the_same_time_is_heard_and_our_own_question_is_not() {
        for address in ["10.0.0.7", "fd00::7"] {
            assert_eq!(said(&asked(address, OTHER), address).as_deref(), Some(OTHER));
            assert_eq!(said(&asked(address, OWN), address), None);
        }
    }

    #[test]
    fn a_solicitation_is_one_that_a_neighbour_takes() {
        let frame = asked("fd00::12:3456", OWN);
        assert_eq!(frame.len(), 14 + 40 + 24);
        assert_eq!(frame[..6], [0x33, 0x33, 0xff, 0x12, 0x34, 0x56]);
        let group: [u8; 16] = frame[38..54].try_into().unwrap();
        assert_eq!(Ipv6Addr::from(group).to_string(), "ff02::1:ff12:3456");
        // With its checksum in place, the sum over all is zero.
        let (from, to) = (Ipv6Addr::UNSPECIFIED, Ipv6Addr::from(group));
        assert_eq!(checksum(from, to, &frame[54..]), 0);
    }

    #[test]
    fn an_advertisement_is_an_answer_unless_a_router_passed_it_on() {
        let mut answer = asked("fd00::7", OTHER);
        answer[54] = ADVERTISEMENT;
        answer[22..38].copy_from_slice(&"fd00::7".parse::<Ipv6Addr>().unwrap().octets());
        assert_eq!(said(&answer, "fd00::7").as_deref(), Some(OTHER));
        assert_eq!(said(&answer, "fd00::8"), None);
        answer[21] = 254;
        assert_eq!(said(&answer, "fd00::7"), None);
    }
}
