//! What people and scripts read: answers on stdout, errors and progress on stderr. Nothing else prints.

use std::{
    io::{IsTerminal, Write, stderr, stdout},
    path::Path,
};

use serde::Serialize;

use super::{cni::Answer, failure::CommandError, listing};
use crate::{
    config::{Config, Problem},
    import::Imported,
    operation::{
        self, AttachReport, Detached, Finding, How, Mended, Node, Preview, RdmaDevice, Status,
        VfioDevice, Which,
    },
    telemetry,
};

// What is told is done already: who reads no further (`| head -1`) changes nothing of it, where the standard library's would panic.
macro_rules! print {
    ($($what:tt)*) => {{ let _ = write!(stdout(), $($what)*); }};
}
macro_rules! println {
    ($($what:tt)*) => {{ let _ = writeln!(stdout(), $($what)*); }};
}
macro_rules! eprintln {
    ($($what:tt)*) => {{ let _ = writeln!(stderr(), $($what)*); }};
}

/// Shows answers as text or as JSON.
pub(super) struct Output {
    json: bool,
}

impl Output {
    pub(super) fn new(json: bool) -> Self {
        Self { json }
    }

    /// What a sandbox has now.
    pub(super) fn attached(&self, report: &AttachReport) {
        if self.json {
            return json(report);
        }
        match report.how {
            How::Attached => println!("attached {}", report.id),
            How::Already => println!("{} has it already", report.id),
            How::NothingAsked => return println!("{} asks for nothing", report.id),
        }
        for had in &report.networks {
            let device = report.device(had);
            let driven = report.vfio.iter().find(|driven| Some(driven.device) == had.device);
            let nodes = driven.map(nodes);
            let addresses = nodes.unwrap_or_else(|| list(&had.addresses));
            println!("  {:<15} {:<14} {} {addresses}", had.interface, had.network, device);
            let its = |rdma: &&RdmaDevice| Some(&rdma.device) == had.rdma.as_ref();
            if let Some(rdma) = report.rdma.iter().find(its) {
                println!("  {:<15} RDMA device    {}", "", usable(&rdma.device, &rdma.nodes));
            }
        }
        if let Some(interface) = &report.service_interface {
            let (cidrs, sources) = (list(&report.service_cidrs), list(&report.service_sources));
            println!(
                "  {interface:<15} service path   to {cidrs}{}{sources}",
                if sources.is_empty() { "" } else { " from " }
            );
        }
    }

    /// What became of detaching.
    pub(super) fn detached(&self, which: &Which, detached: Detached) {
        if self.json {
            return json(&serde_json::json!({ "result": detached }));
        }
        let which = match which {
            Which::Id(id) | Which::Holder(id) => id.to_string(),
            Which::Netns(source) => source.to_string(),
        };
        match detached {
            Detached::Detached => println!("detached {which}"),
            Detached::StillShared => {
                println!("{which} left; others share its namespace and keep what it has");
            }
            Detached::Unknown => println!("{which} has nothing of vfhook's: nothing to do"),
        }
    }

    /// What would be done.
    pub(super) fn preview(&self, preview: &Preview) {
        if self.json {
            return json(preview);
        }
        if preview.steps.is_empty() {
            println!("nothing to do");
        }
        for (position, step) in preview.steps.iter().enumerate() {
            println!("{:>3}. {}", position + 1, step.what);
            println!("     undo: {}", step.undo);
        }
    }

    /// What reconciling found and did.
    pub(super) fn reconciled(&self, findings: &[Finding]) {
        if self.json {
            return json(&findings);
        }
        if findings.is_empty() {
            println!("every lease is whole, its sandbox alive, its devices as they were given");
        }
        for finding in findings {
            let outcome = match &finding.outcome {
                Mended::Released => "taken back".to_owned(),
                Mended::WouldRelease => "would be taken back".to_owned(),
                Mended::Applied => "applied".to_owned(),
                Mended::WouldApply => "would be applied".to_owned(),
                Mended::Failed(why) => format!("failed: {why}"),
                Mended::LeftAlone => "left alone".to_owned(),
            };
            let since = finding.since.map_or_else(String::new, |since| {
                format!(" (leased {} ago)", age(operation::now().saturating_sub(since)))
            });
            println!("{}: {}{since}; {outcome}", finding.subject(), finding.what);
        }
    }

    /// What provisioning did.
    pub(super) fn provisioned(&self, done: &Preview) {
        if self.json {
            return json(done);
        }
        if done.steps.is_empty() {
            println!("every card has the VFs that the configuration asks for");
        }
        for step in &done.steps {
            println!("done: {}", step.what);
        }
    }

    /// Pools, devices, leases.
    pub(super) fn status(&self, status: &Status) {
        if self.json {
            return json(status);
        }
        print!("{}", listing::text(status));
    }

    /// What is said in the same words whatever it is.
    pub(super) fn told(&self, lines: &[String], value: &impl Serialize) {
        if self.json { json(value) } else { println!("{}", lines.join("\n")) }
    }

    /// A configuration made of other tools' files, and what was not taken of them.
    pub(super) fn imported(&self, imported: &Imported) {
        if self.json {
            return json(imported);
        }
        if let Some(configuration) = &imported.configuration {
            print!("{configuration}");
        }
        for refused in &imported.refused {
            eprintln!("not taken: {refused}");
        }
    }

    /// A configuration without problems.
    pub(super) fn config_is_right(&self, path: &Path, config: &Config) {
        let objects = &config.objects;
        if self.json {
            let mut said = serde_json::json!({ "file": path, "problems": [] });
            if objects.wants.any() {
                let networks = objects.networks.iter();
                let networks = networks.map(|(name, generation)| {
                    serde_json::json!({ "name": name, "generation": generation })
                });
                said["cluster"] = serde_json::json!({
                    "networks": networks.collect::<Vec<_>>(),
                    "service_networks": config.service_path.cidrs,
                    "without_effect": objects.without_effect,
                    "unknown": objects.unknown,
                });
            }
            return json(&said);
        }
        let (pools, networks) = (config.pools.len(), config.networks.len());
        println!("{}: {pools} pools, {networks} networks, no problem", path.display());
        for (network, generation) in &objects.networks {
            println!(
                "network {network}: as version {generation} of the cluster's Network object says"
            );
        }
        if objects.wants.service_networks {
            let cidrs = config.service_path.cidrs.iter().map(ToString::to_string);
            println!("service networks: {}", cidrs.collect::<Vec<_>>().join(", "));
        }
        for without in &objects.without_effect {
            println!("{without}");
        }
        for unknown in &objects.unknown {
            println!("{unknown}");
        }
    }
}

/// Every problem of a configuration, as data.
pub(super) fn config_is_wrong(path: &Path, problems: &[Problem]) {
    json(&serde_json::json!({ "file": path, "problems": problems }));
}

/// What a container runtime is told.
pub(super) fn cni(answer: &Answer) {
    if let Answer::Value(value) = answer {
        println!("{value}");
    }
}

/// An error with its causes and what to do.
pub(super) fn error(error: &CommandError) {
    let (red, plain) = if stderr().is_terminal() { ("\x1b[1;31m", "\x1b[0m") } else { ("", "") };
    let lead = telemetry::priority(tracing::Level::ERROR);
    eprintln!("{lead}{red}error:{plain} {error}");
    for cause in error.causes() {
        eprintln!("{lead}  caused by: {cause}");
    }
    for problem in error.problems() {
        eprintln!("{lead}  {problem}");
    }
    if let Some(hint) = error.hint() {
        eprintln!("{lead}  hint: {hint}");
    }
}

/// Something was done on the way.
pub(super) fn happened(what: &str) {
    eprintln!("{what}");
}

/// A terminal's picture, in place of the one before: on a page of its own, so that what was there before is there again afterwards.
pub(super) fn draw(frame: &str) {
    print!("{frame}");
    let _ = stdout().flush();
}

/// Something that takes long has begun.
pub(super) fn progress(what: &str) {
    if stderr().is_terminal() {
        eprintln!("{what} ...");
    }
}

/// A text that has its own form, line ends too.
pub(super) fn whole(text: &str) {
    print!("{text}");
}

/// An answer as JSON.
pub(super) fn json(value: &impl Serialize) {
    match serde_json::to_string_pretty(value) {
        Ok(text) => println!("{text}"),
        Err(error) => eprintln!("error: the answer cannot be shown as JSON: {error}"),
    }
}

/// In the largest unit of which there is at least one.
fn age(seconds: u64) -> String {
    let units = [(86_400, "d"), (3600, "h"), (60, "min")];
    let found = units.into_iter().find(|(length, _)| seconds >= *length);
    found.map_or_else(
        || format!("{seconds} s"),
        |(length, unit)| format!("{} {unit}", seconds / length),
    )
}

/// How a container is given a device that its program drives, by hand.
fn nodes(driven: &VfioDevice) -> String {
    usable(&"vfio-pci", &driven.nodes)
}

fn usable(what: &dyn std::fmt::Display, nodes: &[Node]) -> String {
    let nodes = nodes.iter().map(|node| format!("--device {}", node.path.display()));
    format!("{what} {}", nodes.collect::<Vec<_>>().join(" "))
}

fn list<T: ToString>(values: &[T]) -> String {
    values.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}
