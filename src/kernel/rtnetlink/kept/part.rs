//! The body of a message that is kept: a header, and attributes one by one. Knows no attribute's meaning.

use crate::{
    inventory::{HexBytes, KeptPart},
    kernel::netlink::{
        attribute::{append, elements},
        socket::Message,
    },
};

/// Where a header of addresses, neighbours and queueing disciplines alike has the interface's number.
const INDEX: std::ops::Range<usize> = 4..8;

/// A body with this header, and the attributes of `from` that `keep` lets pass.
pub(super) fn body(header: &[u8], from: &[u8], keep: impl Fn(u16) -> bool) -> Vec<u8> {
    let mut bytes = header.to_vec();
    for (kind, value) in elements(from).filter(|(kind, _)| keep(*kind)) {
        append(&mut bytes, kind, value);
    }
    bytes
}

/// A part that is made again by this body.
pub(super) fn part(what: String, body: Vec<u8>) -> KeptPart {
    KeptPart { what, message: HexBytes(body) }
}

/// The message that makes it again on the interface with this number, which its header names.
pub(super) fn numbered(kind: u16, body: &[u8], index: u32) -> Message {
    let mut body = body.to_vec();
    if let Some(place) = body.get_mut(INDEX) {
        place.copy_from_slice(&index.to_ne_bytes());
    }
    Message { kind, body }
}

/// What is left of a lifetime in seconds after so many; `None` when it is over.
pub(super) fn left(lifetime: u32, gone: u64) -> Option<u32> {
    if lifetime == u32::MAX {
        return Some(lifetime);
    }
    let left = u64::from(lifetime).checked_sub(gone).filter(|left| *left > 0)?;
    u32::try_from(left).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lasts_for_ever_does_and_the_rest_goes_on() {
        assert_eq!(left(u32::MAX, 1_000_000), Some(u32::MAX));
        assert_eq!(left(60, 20), Some(40));
        assert_eq!((left(60, 60), left(60, 61)), (None, None));
    }

    #[test]
    fn a_body_keeps_what_it_is_told_to() {
        let mut attributes = Vec::new();
        append(&mut attributes, 1, b"abc");
        append(&mut attributes, 2, b"d");
        let kept = body(&[9; 8], &attributes, |kind| kind == 1);
        assert_eq!(kept, [&[9; 8][..], &[7, 0, 1, 0], b"abc\0"].concat());
        assert_eq!(numbered(20, &kept, 5).body[4..8], 5_u32.to_ne_bytes());
        assert_eq!(numbered(20, &[1, 2], 5).body, [1, 2], "one that was cut short");
    }
}
