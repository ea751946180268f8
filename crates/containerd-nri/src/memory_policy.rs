//! Where a container's memory comes from, and its class of cache and bandwidth. Plain data; checks nothing.

use crate::numbered::numbered;
use crate::optional::{flag, put_flag, put_text, put_texts, text, texts};
use crate::wire::nri as wire;

numbered! {
    /// How memory is spread over nodes.
    MemoryPolicyMode {
        /// As the system does.
        Default = 0,
        /// From these first.
        Preferred = 1,
        /// From these only.
        Bind = 2,
        /// From these in turn.
        Interleave = 3,
        /// From where the process runs.
        Local = 4,
        /// From any of these first.
        PreferredMany = 5,
        /// From these in turn, by their weights.
        WeightedInterleave = 6,
    }
}

numbered! {
    /// What the numbers of the nodes mean.
    MemoryPolicyFlag {
        /// They are the host's, whatever the set of nodes.
        StaticNodes = 0,
        /// They are relative to the set of nodes.
        RelativeNodes = 1,
        /// Pages move to where they are used.
        NumaBalancing = 2,
    }
}

/// Where a container's memory comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct MemoryPolicy {
    /// How it is spread.
    pub mode: MemoryPolicyMode,
    /// The nodes, as `0-1`.
    #[cfg_attr(feature = "serde", serde(default))]
    pub nodes: String,
    /// What their numbers mean.
    #[cfg_attr(feature = "serde", serde(default))]
    pub flags: Vec<MemoryPolicyFlag>,
}

impl MemoryPolicy {
    /// This way, over these nodes.
    pub fn new(mode: MemoryPolicyMode, nodes: impl Into<String>) -> Self {
        Self { mode, nodes: nodes.into(), flags: Vec::new() }
    }
}

/// A container's class of cache and memory bandwidth (resctrl).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
#[non_exhaustive]
pub struct Rdt {
    /// The class.
    pub clos_id: Option<String>,
    /// What the class may use.
    pub schemata: Option<Vec<String>>,
    /// Whether a monitoring group of its own is made.
    pub enable_monitoring: Option<bool>,
    /// Whether what was set before is taken away.
    pub remove: bool,
}

impl From<wire::MemoryPolicy> for MemoryPolicy {
    fn from(policy: wire::MemoryPolicy) -> Self {
        Self {
            mode: MemoryPolicyMode::from_number(policy.mode),
            nodes: policy.nodes,
            flags: policy.flags.into_iter().map(MemoryPolicyFlag::from_number).collect(),
        }
    }
}

impl From<MemoryPolicy> for wire::MemoryPolicy {
    fn from(policy: MemoryPolicy) -> Self {
        Self {
            mode: policy.mode.number(),
            nodes: policy.nodes,
            flags: policy.flags.into_iter().map(MemoryPolicyFlag::number).collect(),
            ..Self::default()
        }
    }
}

impl From<wire::Rdt> for Rdt {
    fn from(rdt: wire::Rdt) -> Self {
        Self {
            clos_id: text(rdt.clos_id),
            schemata: texts(rdt.schemata),
            enable_monitoring: flag(rdt.enable_monitoring),
            remove: rdt.remove,
        }
    }
}

impl From<Rdt> for wire::Rdt {
    fn from(rdt: Rdt) -> Self {
        Self {
            clos_id: put_text(rdt.clos_id),
            schemata: put_texts(rdt.schemata),
            enable_monitoring: put_flag(rdt.enable_monitoring),
            remove: rdt.remove,
            ..Self::default()
        }
    }
}
