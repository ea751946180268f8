//! Room for one datagram of the kernel's. Knows nothing of what is in it.

use std::{
    cell::Cell,
    mem,
    ops::{Deref, DerefMut},
};

/// A dump comes in pieces of at most 32 KiB, a single link with hundreds of VFs in one.
const DATAGRAM: usize = 128 * 1024;

thread_local! {
    /// What no socket of the thread uses.
    static SPARE: Cell<Option<Vec<u8>>> = const { Cell::new(None) };
}

/// Of it only what is filled is ever in memory. The next socket of a thread has that of the last one, since the kernel clears each page
/// that it gives anew.
pub(super) struct Room(Vec<u8>);

impl Room {
    pub(super) fn for_a_datagram() -> Self {
        Self(SPARE.take().unwrap_or_else(|| Vec::with_capacity(DATAGRAM)))
    }
}

impl Deref for Room {
    type Target = Vec<u8>;

    fn deref(&self) -> &Vec<u8> {
        &self.0
    }
}

impl DerefMut for Room {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        // A thread that ends needs none.
        let _ = SPARE.try_with(|spare| spare.set(Some(mem::take(&mut self.0))));
    }
}
