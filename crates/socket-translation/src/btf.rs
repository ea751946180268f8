//! The one type that the kernel wants to know: what is kept with a socket, an array of words (`linux/btf.h`). Bytes only.

use crate::layout::asked;

/// The number of the key's type.
pub(crate) const KEY: u32 = 1;
/// The number of the value's type.
pub(crate) const VALUE: u32 = 2;

/// An int, and an array of it as long as a value.
pub(crate) fn bytes() -> Vec<u8> {
    const STRINGS: &[u8] = b"\0int\0";
    const INT: u32 = 1 << 24;
    const ARRAY: u32 = 3 << 24;
    const SIGNED_32_BITS: u32 = 1 << 24 | 32;
    let types = [1, INT, 4, SIGNED_32_BITS, 0, ARRAY, 0, KEY, KEY, asked::VALUE / 4];
    let types: Vec<u8> = types.iter().flat_map(|word: &u32| word.to_ne_bytes()).collect();
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or_default();
    // Magic, version, flags; length of this header; where types and names are.
    let mut bytes: Vec<u8> = 0xeb9f_u16.to_ne_bytes().into_iter().chain([1, 0]).collect();
    for word in [24, 0, length(&types), length(&types), length(STRINGS)] {
        bytes.extend(u32::to_ne_bytes(word));
    }
    bytes.extend(types);
    bytes.extend(STRINGS);
    bytes
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_is_69_bytes() {
        assert_eq!(super::bytes().len(), 69);
    }
}
