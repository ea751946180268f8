//! `cluster` of a network: its addresses are the whole cluster's, in blocks of one size. Knows no network.

use super::section::Section;

/// How a network's addresses are shared by the nodes of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blocks {
    /// How many addresses a block has: a power of two, the same on every node for as long as there is a block.
    pub size: u32,
}

const SIZES: [u32; 9] = [1, 2, 4, 8, 16, 32, 64, 128, 256];

/// The size where none is said.
const USUAL: u32 = 16;

impl Blocks {
    /// How many bits the addresses of a block share.
    pub fn prefix(self, ipv6: bool) -> u8 {
        let bits = if ipv6 { 128 } else { 32 };
        bits - u8::try_from(self.size.trailing_zeros()).unwrap_or(0)
    }
}

pub(super) fn read(section: &mut Section) -> Blocks {
    let size = section.optional("block").unwrap_or(USUAL);
    if !SIZES.contains(&size) {
        section.problem("block", format!("expected a power of two, 1 to 256, found {size}"));
    }
    Blocks { size }
}
