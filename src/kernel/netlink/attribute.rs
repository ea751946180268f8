//! The attributes of a netlink message as bytes (`struct nlattr` of `linux/netlink.h`): read, and never more than is there. Knows
//! no attribute's meaning.

/// The bits of a kind that are flags: nested, and in network byte order.
const FLAGS: u16 = 0xc000;

/// The attributes in `bytes`, kind and value. One whose length is a lie ends them.
pub(crate) fn elements(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let [low, high, kind_low, kind_high] = *bytes.first_chunk()?;
        let length = usize::from(u16::from_ne_bytes([low, high]));
        let value = bytes.get(4..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((u16::from_ne_bytes([kind_low, kind_high]) & !FLAGS, value))
    })
}

/// The value of the first attribute of this kind.
pub(crate) fn find(bytes: &[u8], kind: u16) -> Option<&[u8]> {
    elements(bytes).find(|(found, _)| *found == kind).map(|(_, value)| value)
}

/// Appends an attribute, padded as the next one wants it. A value that no attribute has room for is left out.
pub(crate) fn append(bytes: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let Ok(length) = u16::try_from(4 + value.len()) else { return };
    bytes.extend(length.to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

/// A number in the machine's own order, as routing messages have it.
pub(crate) fn word(value: &[u8]) -> Option<u32> {
    value.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes))
}

/// A number that may be negative.
pub(crate) fn signed(value: &[u8]) -> Option<i32> {
    value.first_chunk().map(|bytes| i32::from_ne_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonsense_ends_the_reading() {
        for bytes in [&[][..], &[1], &[0, 0, 1, 0], &[3, 0, 1, 0], &[9, 0, 1, 0, 5]] {
            assert_eq!(elements(bytes).count(), 0, "{bytes:?}");
        }
    }

    #[test]
    fn flags_are_no_part_of_a_kind() {
        let [low, high] = (0x8000_u16 | 7).to_ne_bytes();
        let bytes = [8, 0, low, high, 1, 0, 0, 0];
        assert_eq!(find(&bytes, 7).and_then(word), Some(u32::from_ne_bytes([1, 0, 0, 0])));
    }
}
