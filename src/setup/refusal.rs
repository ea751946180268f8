//! Why nothing is planned, with what an operator puts in place by hand instead. Plans nothing.

/// Nothing is changed here by vfhook.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Refusal {
    /// The reason, and what to do.
    pub why: String,
    /// What would be written, to be put where it belongs by other means.
    pub content: Option<String>,
}

impl Refusal {
    /// Without anything that could be put in place.
    pub fn because(why: impl Into<String>) -> Self {
        Self { why: why.into(), content: None }
    }
}
