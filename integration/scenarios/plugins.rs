//! The example plugins of `containerd-nri`, all at once beside vfhook: each does to one pod what it is for, or says why it cannot with
//! this containerd; and what containerd tells of that pod is what the crate's table of fields says. No scenario of its own.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use rustix::fs::makedev;
use serde_json::{Value, json};

use crate::guest::Guest;
use crate::guest::containerd::Containerd;
use crate::guest::cri::Cri;
use crate::guest::daemon::Daemon;
use crate::guest::failure::Failure;
use crate::verdict::SHARE;

use super::containerd_scene::{self as scene, Running, asking};

/// What every containerd tells of a pod with a container.
const LIFE: [&str; 9] = [
    "RunPodSandbox",
    "CreateContainer",
    "PostCreateContainer",
    "StartContainer",
    "PostStartContainer",
    "StopContainer",
    "RemoveContainer",
    "StopPodSandbox",
    "RemovePodSandbox",
];

/// Which runtimes fill which field.
const PRACTICE: &str = include_str!("../../crates/containerd-nri/tests/adaptation/practice.tsv");

/// What this pod has to be told of: where the logger writes it, and the field of the protocol.
const FIELDS: [(&str, &str, &str); 32] = [
    ("/pod/id", "PodSandbox", "id"),
    ("/pod/name", "PodSandbox", "name"),
    ("/pod/uid", "PodSandbox", "uid"),
    ("/pod/namespace", "PodSandbox", "namespace"),
    ("/pod/labels", "PodSandbox", "labels"),
    ("/pod/annotations", "PodSandbox", "annotations"),
    ("/pod/pid", "PodSandbox", "pid"),
    ("/pod/ips", "PodSandbox", "ips"),
    ("/pod/namespaces", "LinuxPodSandbox", "namespaces"),
    ("/pod/cgroups_path", "LinuxPodSandbox", "cgroups_path"),
    ("/container/id", "Container", "id"),
    ("/container/pod_sandbox_id", "Container", "pod_sandbox_id"),
    ("/container/name", "Container", "name"),
    ("/container/labels", "Container", "labels"),
    ("/container/annotations", "Container", "annotations"),
    ("/container/args", "Container", "args"),
    ("/container/env", "Container", "env"),
    ("/container/mounts", "Container", "mounts"),
    ("/container/hooks/poststop", "Hooks", "poststop"),
    ("/container/pid", "Container", "pid"),
    ("/container/rlimits", "Container", "rlimits"),
    ("/container/created_at", "Container", "created_at"),
    ("/container/started_at", "Container", "started_at"),
    ("/container/finished_at", "Container", "finished_at"),
    ("/container/status_reason", "Container", "status_reason"),
    ("/container/status_message", "Container", "status_message"),
    ("/container/user", "Container", "user"),
    ("/container/image", "Container", "image"),
    ("/container/namespaces", "LinuxContainer", "namespaces"),
    ("/container/devices", "LinuxContainer", "devices"),
    ("/container/cgroups_path", "LinuxContainer", "cgroups_path"),
    ("/container/resources/devices", "Resources", "devices"),
];

/// The hook injector's folder; a pod with the annotation `example: hooked` gets what is in it.
pub(super) const HOOKS: &str = "/run/lab/hooks.d";
/// Where the hook writes what it is told.
const HOOKED: &str = "/run/lab/hooked";

pub(super) fn run(guest: &mut Guest, containerd: Containerd) -> Result<(), Failure> {
    guest
        .step("the example plugins, all at once: those that this containerd has no use for say so");
    let version = containerd.version()?;
    decline(guest, &version)?;
    let (logger, others) = start()?;
    guest.step("a pod has its device, its limits and its hooks beside its VF");
    let devices = json!([{"path": "/dev/other", "type": "c", "major": 1, "minor": 3}]);
    let limits = json!([{"type": "nofile", "hard": 4096, "soft": 1024}]);
    let asking = asking("examples", "storage")
        .annotated("devices.noderesource.dev/container.main", &devices.to_string())
        .annotated("ulimits.noderesource.dev/container.main", &limits.to_string())
        .annotated("example", "hooked");
    let cri = containerd.cri;
    let pod = scene::run(cri, &asking)?;
    has_what_they_give(guest, cri, &pod)?;
    let before = hooked(&pod)?;
    guest.check("a hook ran when it was made", before > 0, before)?;
    scene::remove(cri, &pod)?;
    let after = hooked(&pod)?;
    guest.check("and one when it ended", after > before, format!("{before}, then {after}"))?;
    guest.step("the logger was told its life, and of each field what the table says");
    for event in LIFE {
        logger.says(&format!("event=\"{event}\""), 1, 10)?;
        guest.count();
    }
    told(guest, &logger.log()?, &version)?;
    for plugin in others.into_iter().chain([logger]) {
        plugin.end("TERM")?;
    }
    guest.must_be_as_before("after the pod of the examples")
}

/// Starts one of them.
pub(super) fn launch(plugin: Daemon, program: &str, arguments: &str) -> Result<(), Failure> {
    let socket = "/var/run/nri/nri.sock";
    let line = format!("{SHARE}/bin/{program} {socket} {arguments}");
    plugin.start(&line, &[("NO_COLOR", "1".to_owned())])
}

/// Those for which a containerd may be too old serve it, or say why not.
fn decline(guest: &mut Guest, version: &[u32]) -> Result<(), Failure> {
    let cases = [
        ("network_device_injector", "", [2, 2, 1], "this runtime moves no network devices"),
        ("default_validator", "allow=hooks", [2, 2, 0], "this runtime lets nobody judge"),
    ];
    for (program, arguments, since, words) in cases {
        let plugin = Daemon::named(program);
        launch(plugin, program, arguments)?;
        plugin.says(if version >= &since[..] { "serving" } else { words }, 1, 30)?;
        guest.count();
        plugin.end("TERM")?;
    }
    Ok(())
}

/// The others: the logger, and the rest.
fn start() -> Result<(Daemon, [Daemon; 4]), Failure> {
    let hook = json!({
        "version": "1.0.0",
        "hook": {"path": "/bin/sh", "args": ["sh", "-c", format!("/bin/cat >> {HOOKED}")]},
        "when": {"annotations": {"example": "hooked"}},
        "stages": ["createRuntime", "poststop"],
    });
    fs::create_dir_all(HOOKS).map_err(Failure::file("create", HOOKS))?;
    let file = format!("{HOOKS}/10-example.json");
    fs::write(&file, hook.to_string()).map_err(Failure::file("write", file))?;
    let logger = Daemon::named("event_logger");
    launch(logger, "event_logger", "whole")?;
    let others = [
        ("template", ""),
        ("device_injector", ""),
        ("ulimit_adjuster", ""),
        ("hook_injector", HOOKS),
    ]
    .map(|(name, arguments)| (Daemon::named(name), name, arguments));
    for (plugin, name, arguments) in others {
        launch(plugin, name, arguments)?;
    }
    let others = others.map(|(plugin, ..)| plugin);
    for plugin in others.iter().chain([&logger]) {
        plugin.says("serving", 1, 30)?;
    }
    Ok((logger, others))
}

fn has_what_they_give(guest: &mut Guest, cri: Cri, pod: &Running) -> Result<(), Failure> {
    let process = Path::new("/proc").join(cri.pid(&pod.container)?.to_string());
    let node = process.join("root/dev/other");
    let found = fs::metadata(&node).map_err(Failure::file("look at", &node))?;
    let is_device = found.file_type().is_char_device() && found.rdev() == makedev(1, 3);
    guest.check("it is the device", is_device, format!("{found:?}"))?;
    let path = process.join("limits");
    let limits = fs::read_to_string(&path).map_err(Failure::file("read", path))?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let words: Vec<&str> = line.unwrap_or_default().split_whitespace().collect();
    guest.check("these are the limits", words.starts_with(&["1024", "4096"]), &limits)
}

/// How often the hook was told of this container.
fn hooked(pod: &Running) -> Result<usize, Failure> {
    let text = fs::read_to_string(HOOKED).map_err(Failure::file("read", HOOKED))?;
    Ok(text.matches(&format!("\"id\":\"{}\"", pod.container)).count())
}

/// Over the life of the pod containerd filled what the table says that it fills, and nothing that it says it does not.
fn told(guest: &mut Guest, log: &str, version: &[u32]) -> Result<(), Failure> {
    let events: Vec<Value> =
        log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let is_said = |value: &Value| match value {
        Value::Null => false,
        Value::Bool(is) => *is,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(map) => !map.is_empty(),
    };
    let seen = |pointer: &str| events.iter().filter_map(|e| e.pointer(pointer)).any(is_said);
    let (mut told, mut table) = (BTreeSet::new(), BTreeSet::new());
    for (pointer, message, field) in FIELDS {
        if seen(pointer) {
            told.insert(pointer);
        }
        if fills(message, field, version)? {
            table.insert(pointer);
        }
    }
    let differ: Vec<_> = told.symmetric_difference(&table).collect();
    guest.check("of each field what the table says", differ.is_empty(), format!("{differ:?}"))
}

/// Whether this containerd fills a field, by the table.
fn fills(message: &str, field: &str, version: &[u32]) -> Result<bool, Failure> {
    let start = format!("{message}\t{field}\t");
    let line = PRACTICE.lines().find_map(|line| line.strip_prefix(&start));
    let who = line.and_then(|rest| rest.split('\t').next());
    let who = who.ok_or_else(|| Failure::unmet("the table has the field", &start))?;
    let is_since = |since: &str| {
        let parts: Vec<u32> = since.split('.').filter_map(|part| part.parse().ok()).collect();
        version >= parts.as_slice()
    };
    let mut containerd = who.split(", ").filter_map(|one| one.strip_prefix("containerd "));
    Ok(who == "all" || containerd.any(is_since))
}
