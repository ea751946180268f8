//! All that metrics are made of. Data only.

use std::collections::BTreeMap;

use crate::{
    history::{Histogram, Tally},
    types::Name,
};

/// What was found, once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// The pools, in order of their names.
    pub pools: Vec<PoolLevel>,
    /// Leases by their state, all states among them.
    pub leases: BTreeMap<&'static str, LeaseLevel>,
    /// Leases that cannot be read.
    pub unreadable: u64,
    /// Sandboxes that run now without what they ask for.
    pub without: u64,
    /// Devices that kubelet chose and that are kept for their pods.
    pub counted: u64,
    /// Claims of Kubernetes that are prepared.
    pub prepared: u64,
    /// What the history counts; `None` where it cannot be read.
    pub tally: Option<Tally>,
    /// The connection to a container runtime; `None` where nobody keeps one.
    pub nri: Option<Nri>,
}

/// One pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolLevel {
    /// Its name.
    pub name: Name,
    /// What its devices are.
    pub kind: &'static str,
    /// Its devices by state; empty where they are made as needed.
    pub devices: BTreeMap<&'static str, u64>,
    /// Interfaces that sandboxes have from it.
    pub interfaces: u64,
}

/// Leases of one state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LeaseLevel {
    /// How many.
    pub count: u64,
    /// How long ago the oldest one was made, in seconds.
    pub oldest: u64,
}

/// The connection to a container runtime.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Nri {
    /// Whether the runtime tells of pods.
    pub serving: bool,
    /// How often it began to.
    pub connections: u64,
    /// How much of the time to answer in was left when sandboxes that ask for something had been looked after.
    pub left: Histogram,
}
