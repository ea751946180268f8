//! Sandboxes that run without what they ask for, because nobody heard of them in time. The daemon learns of them and writes them
//! down for `vfhook status`; they hold nothing.

use std::{fs, io};

use serde::{Deserialize, Serialize};

use super::{LeaseError, LeaseStore, directory};
use crate::types::{NetnsIdentity, SandboxId};

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missed {
    /// The sandbox.
    pub id: SandboxId,
    /// The pod's name and namespace, as its runtime tells them.
    pub pod: Option<String>,
    /// Its Kubernetes namespace.
    pub namespace: Option<String>,
    /// Its network namespace; when that is gone, so is the sandbox.
    pub netns: NetnsIdentity,
    /// Why it has not what it asks for.
    pub why: String,
}

impl LeaseStore {
    /// Those that were written down last.
    pub fn missed(&self) -> Result<Vec<Missed>, LeaseError> {
        let path = self.root.join("missed");
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(LeaseError::io("read", path)(error)),
        };
        serde_json::from_slice(&text).map_err(|error| LeaseError::io("read", path)(error.into()))
    }

    /// Writes these down in place of those before.
    pub fn write_missed(&self, missed: &[Missed]) -> Result<(), LeaseError> {
        let path = self.root.join("missed");
        if missed.is_empty() {
            return directory::remove(&path);
        }
        let text = serde_json::to_vec_pretty(missed)
            .map_err(|error| LeaseError::io("encode", &path)(error.into()))?;
        directory::replace(&path, &text)
    }
}
