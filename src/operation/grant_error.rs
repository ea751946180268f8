//! Why no address of the cluster's can be given on this node, and what to do about it.

use std::net::IpAddr;

use crate::types::Name;

/// Why not.
#[derive(Debug, thiserror::Error)]
pub enum GrantError {
    /// Nobody says which addresses are this node's.
    #[error(
        "network {network}: nothing says which of the cluster's IPv{family} addresses are this node's"
    )]
    Absent {
        /// The network.
        network: Name,
        /// 4 or 6.
        family: u8,
    },
    /// Whoever said so says it no more.
    #[error(
        "network {network}: what this node may give of the cluster's IPv{family} addresses was not said again in time"
    )]
    Expired {
        /// The network.
        network: Name,
        /// 4 or 6.
        family: u8,
    },
    /// The node has nothing to give yet, or all of it is given.
    #[error(
        "network {network}: no IPv{family} address is free in this node's blocks ({open} open, {more} not)"
    )]
    Full {
        /// The network.
        network: Name,
        /// 4 or 6.
        family: u8,
        /// Blocks that are given from.
        open: usize,
        /// Blocks that are not yet, or not any more.
        more: usize,
    },
    /// A chosen address is not this node's to give.
    #[error("network {network}: address {address} is in none of this node's blocks")]
    NotOurs {
        /// The network.
        network: Name,
        /// The address.
        address: IpAddr,
    },
}

impl GrantError {
    /// What to do about it.
    pub(super) fn hint(&self) -> &'static str {
        match self {
            Self::Absent { .. } => {
                "is vfhook-agent running on this node, with this configuration and state directory?"
            }
            Self::Expired { .. } => {
                "vfhook-agent does not run, or heard nothing of the API server for longer than cluster.hold: what does it log?"
            }
            Self::Full { .. } => {
                "vfhook-agent takes another block within a minute, where the ranges have one: `kubectl get addressblocks` shows who has which"
            }
            Self::NotOurs { .. } => {
                "`kubectl get addressblocks` shows whose it is; let vfhook choose, or have the pod run there"
            }
        }
    }
}
