//! Packs messages for netfilter (`linux/netfilter/nfnetlink.h`), attributes and the two headers before them.
//! Knows no table and no rule.

/// The netlink protocol that netfilter is spoken in (`NETLINK_NETFILTER`).
pub(crate) const PROTOCOL: isize = 12;

/// The part of netfilter that is nft (`NFNL_SUBSYS_NFTABLES`).
pub(crate) const NFTABLES: u16 = 10;

/// The kind of a message to it.
pub(crate) const fn nftables(kind: u16) -> u16 {
    (NFTABLES << 8) | kind
}

/// Netlink attributes with the big-endian numbers of nfnetlink.
#[derive(Default)]
pub(crate) struct Attributes(Vec<u8>);

impl Attributes {
    pub(crate) fn raw(&mut self, kind: u16, content: &[u8]) -> &mut Self {
        let length = u16::try_from(content.len() + 4).unwrap_or(u16::MAX);
        self.0.extend(length.to_ne_bytes());
        self.0.extend(kind.to_ne_bytes());
        self.0.extend(content);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }

    pub(crate) fn text(&mut self, kind: u16, text: &str) -> &mut Self {
        let mut bytes = text.as_bytes().to_vec();
        bytes.push(0);
        self.raw(kind, &bytes)
    }

    pub(crate) fn number(&mut self, kind: u16, number: u32) -> &mut Self {
        self.raw(kind, &number.to_be_bytes())
    }

    #[cfg(test)]
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn nest(&mut self, kind: u16, inner: &Self) -> &mut Self {
        const NESTED: u16 = 0x8000;
        self.raw(kind | NESTED, &inner.0)
    }
}

const REQUEST: u16 = 0x1;

/// A whole message: netlink header, nfnetlink header, attributes.
pub(crate) fn packet(
    kind: u16,
    flags: u16,
    family: u8,
    resource: u16,
    sequence: u32,
    attributes: &Attributes,
) -> Vec<u8> {
    let length = count(20 + attributes.0.len());
    let mut bytes = Vec::new();
    bytes.extend(length.to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend((flags | REQUEST).to_ne_bytes());
    bytes.extend(sequence.to_ne_bytes());
    bytes.extend([0; 4]);
    bytes.extend([family, 0]);
    bytes.extend(resource.to_be_bytes());
    bytes.extend(&attributes.0);
    bytes
}

/// A length as messages have it.
pub(crate) fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// A big-endian number.
pub(crate) fn number(value: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(value.try_into().ok()?))
}

/// Text without the byte that ends it.
pub(crate) fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value.strip_suffix(&[0]).unwrap_or(value)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::netlink::attribute::{elements, find};

    #[test]
    fn attributes_are_padded_and_their_length_is_not() {
        let mut attributes = Attributes::default();
        attributes.text(1, "abc").text(2, "abcd");
        assert_eq!(attributes.0.len(), 8 + 12);
        assert_eq!(u16::from_ne_bytes([attributes.0[8], attributes.0[9]]), 9);
    }

    #[test]
    fn what_is_packed_is_read_again() {
        let mut inner = Attributes::default();
        inner.number(7, 0x0102_0304);
        let mut attributes = Attributes::default();
        attributes.text(1, "abc").nest(2, &inner).text(3, "last");
        let read: Vec<u16> = elements(&attributes.0).map(|(kind, _)| kind).collect();
        assert_eq!(read, [1, 2, 3]);
        assert_eq!(find(&attributes.0, 3).map(text).as_deref(), Some("last"));
        let nested = find(&attributes.0, 2).and_then(|nest| find(nest, 7));
        assert_eq!(nested.and_then(number), Some(0x0102_0304));
    }
}
