//! How a device is made to forget what no look at it shows.

use serde::{Deserialize, Serialize};

/// What is done to a device between two sandboxes, beside putting back what is seen of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reset {
    /// Nothing.
    #[default]
    None,
    /// Its driver lets go of it and takes it again: the interface is a new one, and what stood on the old one anywhere is gone.
    Driver,
    /// The same, and the function itself is reset while it has no driver.
    Function,
}
