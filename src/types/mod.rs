//! Words that every other part shares, each valid by construction. No input, no output, no policy.

mod address_number;
mod address_range;
mod allotted;
mod conversation;
mod deadline;
mod device_name;
mod device_selector;
mod digest;
mod interface_name;
mod interface_naming;
mod json_members;
mod kernel_text;
mod mac_address;
mod memory_lock;
mod name;
mod netns;
mod network_address;
mod notice_name;
mod object_name;
mod origin;
mod outside;
mod owner_tag;
mod pci_address;
mod reach;
mod request_name;
mod reset;
mod resource_name;
mod sandbox_id;
mod segment;
mod service;
mod special_address;
mod translation_place;
mod uid;
mod upper;
mod vf_attributes;
mod with_causes;

pub(crate) use address_number::{address, number};
pub use address_range::AddressRange;
pub use allotted::Allotted;
pub use conversation::Conversation;
pub use deadline::Deadline;
pub use device_name::DeviceName;
pub use device_selector::{DeviceSelector, IndexRange};
pub use digest::digest;
pub use interface_name::InterfaceName;
pub use interface_naming::InterfaceNaming;
pub(crate) use json_members::JsonMembers;
pub use kernel_text::KernelText;
pub use mac_address::MacAddress;
pub use memory_lock::MemoryLock;
pub use name::Name;
pub use netns::{NetnsIdentity, NetnsNumber, NetnsSource};
pub use network_address::kept_by_network;
pub use notice_name::{NOTICE_AT, NOTICE_FILE, NoticeName};
pub use object_name::ObjectName;
pub use origin::Origin;
pub use outside::Outside;
pub use owner_tag::OwnerTag;
pub use pci_address::PciAddress;
pub use reach::{Reach, View};
pub use request_name::RequestName;
pub use reset::Reset;
pub use resource_name::ResourceName;
pub use sandbox_id::SandboxId;
pub use segment::{Port, Segment};
pub use service::{Backend, Protocol, Service};
pub use special_address::{LINK_LOCAL, is_link_local, special_purpose};
pub use translation_place::TranslationPlace;
pub use uid::Uid;
pub use upper::{IpvlanMode, MacvlanMode, Upper};
pub use vf_attributes::{AdminMac, LinkState, VfAttribute, VfAttributes, Vlan, VlanProtocol};
pub use with_causes::{one_line, with_causes};

/// Why a text is not a value of the type it was meant for: `expected` says what would be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: expected {expected}", quote(.found))]
pub struct Invalid {
    /// What was given, as it came.
    pub found: String,
    /// What would have been accepted.
    pub expected: &'static str,
}

impl Invalid {
    pub(crate) fn new(found: &str, expected: &'static str) -> Self {
        Self { found: found.to_owned(), expected }
    }
}

/// Text from outside made fit for one line of a log or a terminal: control characters are escaped
/// and anything over 64 characters is cut.
pub fn quote(text: &str) -> String {
    const LONGEST: usize = 64;
    let shown: String = text.chars().take(LONGEST).flat_map(char::escape_debug).collect();
    let cut = if text.chars().nth(LONGEST).is_some() { "…" } else { "" };
    format!("\"{shown}{cut}\"")
}

/// Implements serde and `TryFrom<String>` for a type that is a checked text, by its `Display` and `FromStr`.
macro_rules! text_type {
    ($type:ty) => {
        impl TryFrom<String> for $type {
            type Error = $crate::types::Invalid;
            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
    };
}
pub(crate) use text_type;
