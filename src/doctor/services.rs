//! Whether services can become backends where sandboxes connect.

use super::{Code, Facts, Finding};
use crate::config::Config;

/// What keeps them from it.
pub(super) fn become_backends(facts: &Facts, config: &Config) -> Vec<Finding> {
    let subject = config.service_path.place.to_string();
    let advice = "do what the reason says, or have service_path.mode = \"veth\"";
    let finding = |why: &String| {
        let breaks = format!("sandboxes are refused, since services cannot become backends: {why}");
        Finding::error(Code::ServicesStayOutside, subject.clone(), breaks).advise(advice)
    };
    facts.services.iter().map(finding).collect()
}
