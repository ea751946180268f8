//! By whom the state directory is used, as far as the history beside it tells. Writes nothing itself.

use super::LeaseStore;
use crate::history::{History, Way};

impl LeaseStore {
    /// The same directory, used by another: what is done is told as done by this way.
    #[must_use]
    pub fn used_by(self, way: Way) -> Self {
        Self { history: self.history.told_by(way), ..self }
    }

    /// What was done, beside what is promised.
    pub fn history(&self) -> &History {
        &self.history
    }
}
