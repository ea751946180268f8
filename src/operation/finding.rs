//! What was found about a lease or a device, and what came of it. Words for those who look, and for those who show it.

use serde::Serialize;

use crate::{
    lease::Lease,
    types::{PciAddress, SandboxId},
};

/// What was found about one lease or one device, and what was done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The sandbox; `None` for a device that no lease holds.
    pub id: Option<SandboxId>,
    /// The device, where it is about one.
    pub device: Option<PciAddress>,
    /// Since when the sandbox has its lease, in seconds since 1970.
    pub since: Option<u64>,
    /// What is wrong.
    pub what: String,
    /// What came of it.
    pub outcome: Mended,
}

/// What came of a finding.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mended {
    /// Everything was taken back and the lease forgotten.
    Released,
    /// It would be; nothing was done.
    WouldRelease,
    /// The sandbox was changed.
    Applied,
    /// It would be; nothing was done.
    WouldApply,
    /// It was tried, and failed for this reason.
    Failed(String),
    /// Nothing: it is not vfhook's, or there is nothing that vfhook could do.
    #[default]
    LeftAlone,
}

impl Finding {
    /// Of this lease; what, is still to be said.
    pub(super) fn of(lease: &Lease) -> Self {
        Self { id: Some(lease.id.clone()), since: Some(lease.created), ..Self::default() }
    }

    /// What it is about, in a word.
    pub fn subject(&self) -> String {
        let sandbox = self.id.as_ref().map(SandboxId::short);
        match (self.device, sandbox) {
            (Some(device), Some(sandbox)) => format!("{device} of {sandbox}"),
            (Some(device), None) => device.to_string(),
            (None, sandbox) => sandbox.unwrap_or_default().to_owned(),
        }
    }
}
