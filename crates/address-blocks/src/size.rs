//! How large blocks are, and how many addresses a node keeps ready: by its VFs, since without one an address is of no use.

use crate::message::Need;

/// The greatest block.
const LARGEST: u32 = 256;

/// Free addresses below which a node takes a block, unless it has fewer VFs free.
const LOW: u32 = 4;

/// The greatest power of two, 256 at most, with which `nodes` nodes have all the addresses that they can ever use of `usable` ones:
/// each for `vfs` VFs and `resting` addresses at rest. 1 where there is no such, and nodes must take turns.
pub fn block_size(usable: u128, nodes: u32, vfs: u32, resting: u32) -> u32 {
    let mut size = LARGEST;
    while size > 1 && needed(nodes, vfs.saturating_add(resting), size) > usable {
        size /= 2;
    }
    size
}

/// Whether blocks of `size` are enough for every node to keep all that it can use: then none is ever given back.
pub fn is_plenty(usable: u128, nodes: u32, vfs: u32, resting: u32, size: u32) -> bool {
    needed(nodes, vfs.saturating_add(resting), size) <= usable
}

fn needed(nodes: u32, addresses: u32, size: u32) -> u128 {
    u128::from(nodes) * u128::from(size) * u128::from(addresses.div_ceil(size))
}

/// What a node keeps ready where addresses are scarce: a few, no more than it has free VFs; an empty block is given back if half a block
/// more than that stays.
pub fn scarce(free_vfs: u32, size: u32) -> Need {
    let low = LOW.min(free_vfs);
    Need { low, high: low + size / 2 }
}

/// What a node keeps ready where there is enough: one address for each free VF, and what rests, for ever.
pub fn plenty(free_vfs: u32) -> Need {
    Need { low: free_vfs, high: u32::MAX }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_as_large_as_all_nodes_can_have_what_they_use() {
        assert_eq!(block_size(5_000 * 48, 5_000, 32, 1), 16);
        assert_eq!(block_size(5_000 * 64, 5_000, 32, 1), 64);
        assert_eq!(block_size(1 << 64, 5_000, 32, 1), 256);
        // Two nodes with seven VFs and a small range.
        assert_eq!(block_size(16, 2, 7, 1), 8);
        assert_eq!(block_size(15, 2, 7, 1), 1);
        assert!(!is_plenty(15, 2, 7, 1, 1) && is_plenty(16, 2, 7, 1, 1));
    }

    #[test]
    fn nobody_keeps_more_than_there_are_vfs_for() {
        assert_eq!(scarce(0, 16), Need { low: 0, high: 8 });
        assert_eq!(scarce(32, 1), Need { low: 4, high: 4 });
    }
}
