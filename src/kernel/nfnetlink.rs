//! Packs messages for netfilter (`linux/netfilter/nfnetlink.h`): attributes and the two headers before them. Knows no
//! table and no rule.

/// Netlink attributes with the big-endian numbers of nfnetlink.
#[derive(Default)]
pub(super) struct Attributes(Vec<u8>);

impl Attributes {
    pub(super) fn raw(&mut self, kind: u16, content: &[u8]) -> &mut Self {
        let length = u16::try_from(content.len() + 4).unwrap_or(u16::MAX);
        self.0.extend(length.to_ne_bytes());
        self.0.extend(kind.to_ne_bytes());
        self.0.extend(content);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }

    pub(super) fn text(&mut self, kind: u16, text: &str) -> &mut Self {
        let mut bytes = text.as_bytes().to_vec();
        bytes.push(0);
        self.raw(kind, &bytes)
    }

    pub(super) fn number(&mut self, kind: u16, number: u32) -> &mut Self {
        self.raw(kind, &number.to_be_bytes())
    }

    pub(super) fn nest(&mut self, kind: u16, inner: &Self) -> &mut Self {
        const NESTED: u16 = 0x8000;
        self.raw(kind | NESTED, &inner.0)
    }
}

const REQUEST: u16 = 0x1;

/// A whole message: netlink header, nfnetlink header, attributes.
pub(super) fn packet(
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
pub(super) fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_padded_and_their_length_is_not() {
        let mut attributes = Attributes::default();
        attributes.text(1, "abc").text(2, "abcd");
        assert_eq!(attributes.0.len(), 8 + 12);
        assert_eq!(u16::from_ne_bytes([attributes.0[8], attributes.0[9]]), 9);
    }
}
