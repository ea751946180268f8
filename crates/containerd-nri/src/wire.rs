//! Holds the generated wire types: `tests/generated.rs` makes them of `proto/nri.proto` and compares. Nothing outside the crate
//! sees them, so that users depend on no generator.

use protobuf::{Message, MessageField};

pub(crate) mod nri;
/// Only the fake runtime calls plugins.
#[cfg(feature = "fake-runtime")]
pub(crate) mod nri_ttrpc;

/// A field for a group of settings. A group with nothing set is left out, so that it reads as
/// not to be changed.
pub(crate) fn present<M: Message + PartialEq + Default>(group: M) -> MessageField<M> {
    if group == M::default() { MessageField::none() } else { MessageField::some(group) }
}
