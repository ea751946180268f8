//! `AddressBlock`: a block of a network's addresses as the API server keeps it, and what the protocol has of it. Its existence is its
//! ownership; it has no owner reference, for a Node that is deleted must not take it along. Pure.

use address_blocks::{Cell, Object, Owner, Phase, Uid, Version};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The domain of all that is vfhook's.
pub(crate) const GROUP: &str = "vfhook.dev";
/// The version of the kind.
pub(crate) const VERSION: &str = "v1alpha1";
/// The kind.
pub(crate) const KIND: &str = "AddressBlock";
/// What its objects are called in a path.
pub(crate) const PLURAL: &str = "addressblocks";

/// A block of addresses that one node of the cluster gives out. Made, marked and deleted by vfhook-agent alone: a block that is deleted by
/// hand is taken by whoever is first, and its node's pods keep what they have of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AddressBlock {
    pub(crate) api_version: String,
    pub(crate) kind: String,
    pub(crate) metadata: Metadata,
    pub(crate) spec: Spec,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Metadata {
    pub(crate) name: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) uid: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) resource_version: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) deletion_timestamp: Option<String>,
}

/// Whose the block is. All but `phase` stays as it was when it was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Spec {
    /// The network, as the nodes' configuration calls it.
    #[schemars(length(max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub(crate) network: String,
    /// Its addresses, as FIRST/PREFIX. The object is called NETWORK-FIRST-PREFIX with the address in hexadecimal digits.
    #[schemars(length(max = 43))]
    pub(crate) addresses: String,
    /// The family of its addresses.
    pub(crate) family: Family,
    /// The node that gives them out.
    #[schemars(length(max = 253))]
    pub(crate) node: String,
    /// The machine that this node is, as a digest: another one of the same name is another owner.
    #[schemars(length(max = 64), regex(pattern = "^[0-9a-f]+$"))]
    pub(crate) machine: String,
    /// The format by which it is held; a program that does not know it leaves the block alone.
    #[schemars(range(min = 1, max = 65535))]
    pub(crate) format: i32,
    /// What its owner does with it. A block that is Draining is about to be deleted: by its owner, or by whoever takes the owner for gone.
    pub(crate) phase: SaidPhase,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) enum Family {
    IPv4,
    IPv6,
}

impl Family {
    pub(crate) fn of(ipv6: bool) -> Self {
        if ipv6 { Self::IPv6 } else { Self::IPv4 }
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::IPv4 => "IPv4",
            Self::IPv6 => "IPv6",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) enum SaidPhase {
    Active,
    Draining,
}

impl From<Phase> for SaidPhase {
    fn from(phase: Phase) -> Self {
        match phase {
            Phase::Active => Self::Active,
            Phase::Draining => Self::Draining,
        }
    }
}

/// The name of the block of a cell.
pub(crate) fn name(network: &str, cell: Cell) -> String {
    format!("{network}-{}", cell.name())
}

/// A new block.
pub(crate) fn new(network: &str, cell: Cell, owner: &Owner) -> AddressBlock {
    AddressBlock {
        api_version: format!("{GROUP}/{VERSION}"),
        kind: KIND.to_owned(),
        metadata: Metadata { name: name(network, cell), ..Metadata::default() },
        spec: Spec {
            network: network.to_owned(),
            addresses: cell.to_string(),
            family: Family::of(cell.first().is_ipv6()),
            node: owner.node.to_string(),
            machine: owner.machine.to_string(),
            format: address_blocks::FORMAT.into(),
            phase: SaidPhase::Active,
        },
    }
}

/// What the protocol has of a block; an error says what is wrong with it.
pub(crate) fn read(block: &AddressBlock) -> Result<Object, String> {
    let (metadata, spec) = (&block.metadata, &block.spec);
    let wrong = |what: &str| format!("{}: {what}", metadata.name);
    let own = metadata.name.strip_prefix(&*spec.network).and_then(|rest| rest.strip_prefix('-'));
    let cell = own.and_then(Cell::named).ok_or_else(|| wrong("is the name of no block"))?;
    if cell.to_string() != spec.addresses {
        return Err(wrong(&format!("says {}", spec.addresses)));
    }
    Ok(Object {
        cell,
        uid: uid(&metadata.uid).ok_or_else(|| wrong("its uid is none"))?,
        version: version(&metadata.resource_version)
            .ok_or_else(|| wrong("its resourceVersion is no number"))?,
        owner: Owner { node: (*spec.node).into(), machine: (*spec.machine).into() },
        format: u16::try_from(spec.format).map_err(|_| wrong("its format is none"))?,
        phase: match spec.phase {
            // Somebody deletes it already, who has given it a finalizer.
            _ if metadata.deletion_timestamp.is_some() => Phase::Draining,
            SaidPhase::Active => Phase::Active,
            SaidPhase::Draining => Phase::Draining,
        },
    })
}

/// An object's uid, which is a UUID.
pub(crate) fn uid(text: &str) -> Option<Uid> {
    let digits: String = text.split('-').collect();
    let uid = u128::from_str_radix(&digits, 16).ok().map(Uid)?;
    (uid_text(uid) == text).then_some(uid)
}

/// The same as text.
pub(crate) fn uid_text(uid: Uid) -> String {
    let digits = format!("{:032x}", uid.0);
    let parts = [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]];
    parts.join("-")
}

/// A resourceVersion, which is a number (KEP-5504).
pub(crate) fn version(text: &str) -> Option<Version> {
    text.parse().ok().map(Version)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block() -> AddressBlock {
        let cell = Cell::around("192.168.0.17".parse().unwrap(), 28);
        let owner = Owner { node: "node-1".into(), machine: "0abc".into() };
        let mut block = new("storage-a", cell, &owner);
        block.metadata.uid = "0a1b2c3d-0000-4000-8000-00000000000f".to_owned();
        block.metadata.resource_version = "42".to_owned();
        block
    }

    #[test]
    fn what_is_made_is_read_as_what_it_was_made_for() {
        let object = read(&block()).unwrap();
        assert_eq!(block().metadata.name, "storage-a-c0a80010-28");
        assert_eq!(object.cell.to_string(), "192.168.0.16/28");
        assert_eq!(uid_text(object.uid), block().metadata.uid);
        assert_eq!((object.version, object.phase), (Version(42), Phase::Active));
        assert_eq!(&*object.owner.machine, "0abc");
    }

    #[test]
    fn what_contradicts_itself_is_not_believed() {
        let wrong: [fn(&mut AddressBlock); 6] = [
            |block| block.metadata.name = "storage-c0a80010-28".to_owned(),
            |block| block.metadata.name = "storage-a-c0a80020-28".to_owned(),
            |block| block.spec.addresses = "192.168.0.16/27".to_owned(),
            |block| block.metadata.uid = "0A1B2C3D-0000-4000-8000-00000000000f".to_owned(),
            |block| block.metadata.resource_version = String::new(),
            |block| block.spec.format = 70_000,
        ];
        for change in wrong {
            let mut block = block();
            change(&mut block);
            assert!(read(&block).is_err(), "{block:?}");
        }
        let mut deleted = block();
        deleted.metadata.deletion_timestamp = Some("2026-11-28T00:00:00Z".to_owned());
        assert_eq!(read(&deleted).unwrap().phase, Phase::Draining);
    }
}
