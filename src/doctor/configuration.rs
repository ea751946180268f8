//! Whether there is a configuration. What it asks of the host is for the other files.

use super::{Code, Finding};
use crate::config::ConfigError;

/// Every problem of a configuration that cannot be used.
pub(super) fn problems(error: &ConfigError) -> Vec<Finding> {
    match error {
        ConfigError::Read { path, source } => {
            let finding = Finding::error(
                Code::ConfigurationUnreadable,
                path.display().to_string(),
                format!("the configuration cannot be read ({source}), so nothing can be attached"),
            );
            vec![
                finding.advise(
                    "`vfhook setup --pools` writes a first one, or name yours with --config",
                ),
            ]
        }
        ConfigError::Wrong { path, problems } => problems
            .iter()
            .map(|problem| {
                let breaks = format!("nothing can be attached: {}", problem.message);
                let advice = if problem.fix.is_empty() {
                    format!("mend it in {}", path.display())
                } else {
                    problem.fix.clone()
                };
                Finding::error(Code::ConfigurationWrong, &problem.field, breaks).advise(advice)
            })
            .collect(),
    }
}
