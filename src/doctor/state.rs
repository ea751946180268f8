//! Whether the state directory can be used, whether leases in it need somebody, and whether it says what may be given.

use super::{Code, Facts, Finding};
use crate::config::Config;

/// Whether leases can be recorded.
pub(super) fn usable(facts: &Facts) -> Vec<Finding> {
    let Some(reason) = &facts.state.unusable else { return Vec::new() };
    let directory = facts.state.directory.display().to_string();
    let breaks = format!("nothing can be attached, since it could not be recorded: {reason}");
    let mend = format!("install -d -m 0700 -o root -g root {directory}");
    vec![Finding::error(Code::StateUnusable, &directory, breaks).run([mend])]
}

/// Whether this node may give of the cluster's addresses.
pub(super) fn granted(facts: &Facts, _: &Config) -> Vec<Finding> {
    let finding = |what: &String| {
        let breaks = format!("sandboxes that ask for it are refused: {what}");
        Finding::error(Code::NotGranted, "vfhook-agent", breaks)
            .advise("see that vfhook-agent runs on this node, and what it logs of the API server")
    };
    facts.state.ungranted.iter().map(finding).collect()
}

/// Leases that somebody should look at.
pub(super) fn attention(facts: &Facts) -> Vec<Finding> {
    let unreadable = facts.state.unreadable.iter().map(|what| {
        Finding::warning(Code::LeaseUnreadable, "lease", what.as_str())
            .advise("look by hand at the file and at what its sandbox has, then remove the file")
    });
    let unfinished = facts.state.unfinished.iter().map(|what| {
        Finding::warning(Code::LeaseUnfinished, "lease", what.as_str())
            .run(["vfhook reconcile".to_owned()])
    });
    unreadable.chain(unfinished).collect()
}
