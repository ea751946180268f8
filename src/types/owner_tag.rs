//! The mark that a device carries while vfhook holds it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{KernelText, SandboxId};

/// Stands in the device's ifalias, which survives moves between namespaces and the death of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnerTag(SandboxId);

impl OwnerTag {
    const PREFIX: &'static str = "vfhook:";

    /// The tag of a device that `sandbox` has.
    pub fn new(sandbox: SandboxId) -> Self {
        Self(sandbox)
    }

    /// Whose it is.
    pub fn sandbox(&self) -> &SandboxId {
        &self.0
    }

    /// Reads a tag back from an ifalias; `None` when the alias is not ours.
    pub fn parse(alias: &KernelText) -> Option<Self> {
        alias.as_str()?.strip_prefix(Self::PREFIX)?.parse().ok().map(Self)
    }
}

impl fmt::Display for OwnerTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", Self::PREFIX, self.0)
    }
}
