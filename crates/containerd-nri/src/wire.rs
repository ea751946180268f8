//! Holds the generated wire types. Nothing outside the crate sees them, so that users depend on
//! no generator.

use protobuf::{Message, MessageField};

include!(concat!(env!("OUT_DIR"), "/wire.rs"));

/// A field for a group of settings. A group with nothing set is left out, so that it reads as
/// not to be changed.
pub(crate) fn present<M: Message + PartialEq + Default>(group: M) -> MessageField<M> {
    if group == M::default() { MessageField::none() } else { MessageField::some(group) }
}
