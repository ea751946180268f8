//! Whether runtimes are told of just those networks as CDI devices that the configuration opens.

use std::collections::BTreeSet;

use super::{Code, Facts, Finding};
use crate::{
    cdi::{self, Document},
    config::Config,
};

/// Whether the file says what the configuration does.
pub(super) fn told(facts: &Facts, config: &Config) -> Vec<Finding> {
    let open = config.networks.iter().filter(|(_, network)| network.allow.cdi);
    let open: BTreeSet<&str> = open.map(|(name, _)| name.as_str()).collect();
    let Some(text) = &facts.host.runtimes.cdi else {
        return if open.is_empty() { Vec::new() } else { vec![untold(&open)] };
    };
    let document: Option<Document> = serde_json::from_str(text).ok().filter(cdi::is_ours);
    let Some(document) = document else {
        let breaks = "the file is not vfhook's, so no network can be given as a device";
        let foreign = Finding::warning(Code::CdiForeign, cdi::FILE, breaks)
            .advise("move it away and run `vfhook cdi`, or name another with --file");
        return if open.is_empty() { Vec::new() } else { vec![foreign] };
    };
    let had: BTreeSet<&str> = document.devices.iter().map(|device| &*device.name).collect();
    let lacks: Vec<&str> = open.difference(&had).copied().collect();
    let closed: Vec<&str> = had.difference(&open).copied().collect();
    let parts = [
        (
            &closed,
            "has networks that allow.cdi no longer opens, and containers that are given one do not start",
        ),
        (&lacks, "lacks networks that allow.cdi opens"),
    ];
    let parts = parts.into_iter().filter(|(names, _)| !names.is_empty());
    let breaks: Vec<String> =
        parts.map(|(names, what)| format!("it {what}: {}", names.join(", "))).collect();
    if breaks.is_empty() {
        return Vec::new();
    }
    let cure = if open.is_empty() { "vfhook cdi --remove" } else { "vfhook cdi" };
    vec![Finding::warning(Code::CdiStale, cdi::FILE, breaks.join("; ")).run([cure.to_owned()])]
}

fn untold(open: &BTreeSet<&str>) -> Finding {
    let names: Vec<&str> = open.iter().copied().collect();
    let breaks =
        format!("no runtime is told of networks that allow.cdi opens: {}", names.join(", "));
    Finding::info(Code::CdiUntold, cdi::FILE, breaks).run(["vfhook cdi".to_owned()])
}
