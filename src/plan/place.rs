//! Where a step works.

use serde::{Deserialize, Serialize};

/// Which of the two namespaces of an operation a step works in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// The namespace vfhook itself runs in.
    Host,
    /// The sandbox's.
    Sandbox,
}

impl Place {
    /// The place in a sentence.
    pub fn words(self) -> &'static str {
        match self {
            Self::Host => "on the host",
            Self::Sandbox => "in the sandbox",
        }
    }
}
