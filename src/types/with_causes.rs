//! An error as one line.

use std::error::Error;

/// The error with all of its causes, outermost first, as logs and `kubectl describe` show it.
pub fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        text = format!("{text}: {source}");
        cause = source.source();
    }
    text
}
