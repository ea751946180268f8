//! The bytes of single messages, to compare with what another implementation sends or with a conversation that was
//! recorded.

use protobuf::Message;

use crate::adjustment::ContainerAdjustment;
use crate::container::Container;
use crate::pod::PodSandbox;
use crate::resources::Resources;
use crate::update::ContainerUpdate;
use crate::wire::nri as wire;

/// A value that has a message of its own on the wire.
pub trait OnWire: Sized {
    /// The message's bytes.
    fn to_bytes(&self) -> Vec<u8>;

    /// The value in such bytes, unless they are no such message.
    fn from_bytes(bytes: &[u8]) -> Option<Self>;
}

macro_rules! on_wire {
    ($($name:ident)+) => {$(
        impl OnWire for $name {
            fn to_bytes(&self) -> Vec<u8> {
                // Writing into memory fails for no message that was built here.
                wire::$name::from(self.clone()).write_to_bytes().unwrap_or_default()
            }

            fn from_bytes(bytes: &[u8]) -> Option<Self> {
                wire::$name::parse_from_bytes(bytes).ok().map(Self::from)
            }
        }
    )+};
}

on_wire! { PodSandbox Container ContainerAdjustment ContainerUpdate Resources }
